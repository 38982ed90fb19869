"""`lab` itself: its exit codes, and the options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.shell import Commands, Whole
from lab.kit.places import REPORTS
from lab.kit.streams import tell

# What a command needs beyond this it imports itself: `lab --help` must not wait for numpy, Arrow and the charts.
if TYPE_CHECKING:
    from lab.record import Verdict

EXIT_CODES: dict[Verdict, int] = {"PASS": 0, "FAIL": 1, "UNKNOWN": 2}


def _folder(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    if not (there := next(path for path in (value, *value.absolute().parents) if path.exists())).is_dir():
        raise click.BadParameter(f"{there} is a file; name a folder.", context, parameter)
    return value.absolute()


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from lab.observe.machine import package_versions

        tell(f"lab {package_versions()['lab']}")
        context.exit()


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a machine to read.")
seed_option = click.option(
    "--seed", type=Whole(0, 2**31 - 1), default=1, metavar="N", help="Seed of the arrivals.  [default: 1]"
)
runtime_option = click.option(
    "--runtime",
    type=click.Choice(["local", "compose", "swarm"]),
    default=None,
    envvar="LAB_RUNTIME",
    help="Where the services run; by itself in containers where an engine and the images are there.",
)
reports_option = click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=REPORTS,
    envvar="LAB_REPORTS",
    callback=_folder,
    metavar="FOLDER",
    help="Folder of the runs.  [default: reports]",
)

EPILOG = """
\b
RUN is a run's folder, or an experiment's name for its last run.
Exit codes: 0 PASS, 1 FAIL, 2 UNKNOWN, 3 the lab could not do it.
Begin with: make scenario NAME=circuit-breaker
"""


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EPILOG
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def main() -> None:
    """Learn what distributed systems really do, by breaking small real ones."""
