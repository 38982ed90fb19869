"""Commands about this machine: what it has, what runs left, the servers and containers that stay."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lab.cli.group import as_json, main, reports_option
from lab.cli.shell import BROKEN
from lab.kit.streams import say, tell

# What a command needs beyond this it imports itself: `lab --help` must not wait for numpy, Arrow and the charts.


@main.command()
@as_json
def doctor(as_json: bool) -> int:
    """What is installed, what is missing, and how to get it."""
    from lab.cli import console
    from lab.run.doctor import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps(console.findings_data(findings), indent=2))
    else:
        console.findings(findings)
    return BROKEN if any(finding.needed and not finding.ok for finding in findings) else 0


@main.command(short_help="Remove whatever crashed runs left.")
@reports_option
@as_json
def heal(reports: Path, as_json: bool) -> None:
    """Remove whatever crashed runs left: processes, containers, faults, scratch data, reports that have no record."""
    import asyncio

    from lab.run.healing import heal_everything

    done = asyncio.run(heal_everything(reports))
    if as_json:
        click.echo(json.dumps(done))
    else:
        tell("\n".join(done) if done else "Nothing to heal: no run left anything.")


@main.command(short_help="Fetch the servers in .lab anew.")
def renew() -> None:
    """Fetch the servers in .lab anew; one that cannot be had stays as it was. The doctor tells how old they are."""
    from lab.kit.places import HOME
    from lab.runtime.renew import renew
    from lab.runtime.tools import Tools

    tell("\n".join(renew(Tools(HOME))) or "Nothing to renew: no server was fetched.")


@main.command(short_help="Start Toxiproxy, Prometheus and Grafana in containers.")
def up() -> None:
    """Start what all runs in containers share, and Grafana. Twice is no more than once."""
    import asyncio

    from lab.kit.places import ROOT
    from lab.runtime.compose import containers

    tell("\n".join(asyncio.run(containers.up(ROOT))))


@main.command(short_help="Stop them again; their data stay.")
def down() -> None:
    """Stop and remove what `up` started; the data of Prometheus and Grafana stay."""
    import asyncio

    from lab.kit.places import ROOT
    from lab.runtime.compose import containers

    tell(asyncio.run(containers.down(ROOT)))


@main.command(short_help="Pull and build the images that containers need.")
@click.argument("services", nargs=-1)
@click.option("--debian", is_flag=True, help="Build all but Grafana's from Debian packages; no registry is needed.")
@click.option("--pin", is_flag=True, help="Pull by tag, and write their digests to docker-compose.digests.yml.")
def images(services: tuple[str, ...], debian: bool, pin: bool) -> None:
    """Pull and build the images of SERVICES of docker-compose.yml, all where none is named."""
    import asyncio

    from lab.kit.places import ROOT
    from lab.runtime.compose import containers

    if pin and (debian or services):
        raise click.UsageError("--pin takes all images from their registries: leave out SERVICES and --debian.")
    if pin:
        tell(asyncio.run(containers.pin(ROOT, say)))
    else:
        asyncio.run(containers.images(ROOT, debian, services, say))


@main.command(short_help="Write the file that docker stack deploy takes.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME", help="A family of services, beside the shared.")
@click.option(
    "--ports",
    type=click.Choice(["none", "host"]),
    default="none",
    help="host: publish them on every address of the node, which is all that a Swarm can.  [default: none]",
)
def stack(profiles: tuple[str, ...], ports: str) -> None:
    """Write .lab/stack.yml from docker-compose.yml, for a Swarm."""
    import asyncio

    from lab.kit.places import ROOT
    from lab.runtime.compose.stack import write

    tell(asyncio.run(write(ROOT, profiles, ports == "host")))
