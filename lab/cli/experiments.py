"""Commands about experiments and their runs."""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.group import EXIT_CODES, as_json, main, reports_option, runtime_option, seed_option
from lab.cli.shell import BROKEN, Number, Whole
from lab.errors import LabError
from lab.kit.streams import say, tell

# What a command needs beyond this it imports itself: `lab --help` must not wait for numpy, Arrow and the charts.
if TYPE_CHECKING:
    from lab.record import Run
    from lab.run.inprogress import Options


@main.command(short_help="Run an experiment and write its report.")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Run the whole catalogue, one after another.")
@seed_option
@click.option("--trials", type=Whole(1, 100), default=1, metavar="N", help="Repeats, up to 100.  [default: 1]")
@click.option(
    "--scale",
    type=Number(0.05, 10),
    default=1.0,
    metavar="X",
    help="Length of the phases, 0.05 to 10: 0.5 for a quick look. The report says so.  [default: 1]",
)
@runtime_option
@click.option(
    "--load-workers", type=Whole(1, 64), default=1, metavar="N", help="Processes that carry the load.  [default: 1]"
)
@click.option(
    "--load-master",
    default="",
    metavar="HOST:PORT",
    help="Have the load workers join from other machines, by this address of this one (see lab load-worker).",
)
@click.option(
    "--set",
    "turned",
    multiple=True,
    metavar="KNOB=VALUE",
    help="Turn a knob, such as load.per_s=80; see lab show NAME.",
)
@click.option("--predict", "predicting", is_flag=True, help="Ask for your own numbers first; the report scores them.")
@reports_option
@as_json
def run(
    name: str | None,
    everything: bool,
    turned: tuple[str, ...],
    predicting: bool,
    seed: int,
    trials: int,
    scale: float,
    runtime: str | None,
    load_workers: int,
    load_master: str,
    reports: Path,
    as_json: bool,
) -> int:
    """Run an experiment, by NAME or by the path of its file, and write its report."""
    if everything and name:
        raise LabError(f"run takes either {name} or --all, not both")
    if everything and predicting:
        raise LabError("--predict asks about one experiment; name it instead of --all")
    if not everything and not name:
        raise LabError("name an experiment, such as circuit-breaker (make list shows them), or say --all")
    if everything and turned:
        raise LabError("--all takes no --set: the knobs are those of one experiment; name it")

    from lab import catalogue
    from lab.catalogue import knobs
    from lab.cli import console
    from lab.cli.predicting import predicted
    from lab.run import guesses
    from lab.run.inprogress import Options
    from lab.run.steps import run_one

    options = Options(seed, trials, scale, runtime, reports, as_json, load_workers, load_master)
    if name:
        entry = knobs.turn(catalogue.find(name), turned)
        done = run_one(entry, predicted(entry, options, predicting))
        guesses.drop(entry.name, done)
        console.outcome(done, as_json)
        return _code(done)
    return _run_all(options, as_json)


def _run_all(options: Options, as_json: bool) -> int:
    from lab import catalogue
    from lab.cli import console
    from lab.run.steps import run_one

    entries, mistakes = catalogue.read_all()
    results: list[tuple[str, str, str]] = [("(unreadable)", "BROKEN", mistake) for mistake in mistakes]
    codes = [BROKEN for _ in mistakes]
    for entry in entries:
        try:
            done = run_one(entry, options)
        except LabError as error:
            results.append((entry.name, "BROKEN", str(error)))
            codes.append(BROKEN)
            continue
        judgement = done.record.judgement
        results.append((entry.name, judgement.verdict if judgement else "UNKNOWN", catalogue.shown(done.path)))
        codes.append(_code(done))
    if as_json:
        click.echo(json.dumps([{"name": n, "verdict": v, "about": a} for n, v, a in results], indent=2))
    else:
        console.summary(results)
    return max(codes, default=0)


def _code(run: Run) -> int:
    return EXIT_CODES[run.record.judgement.verdict] if run.record.judgement else EXIT_CODES["UNKNOWN"]


@main.command(name="load-worker", short_help="Carry load for a lab on another machine.")
@click.option("--master", required=True, metavar="HOST:PORT", help="The other lab's --load-master.")
def load_worker(master: str) -> None:
    """Carry load for a lab on another machine, until Ctrl-C."""
    from lab.run.load_worker import carry_load

    carry_load(master)


@main.command(name="list")
@click.option("--runs", is_flag=True, help="Show the runs on disk as well.")
@reports_option
@as_json
def list_(runs: bool, reports: Path, as_json: bool) -> int:
    """The catalogue: chapter, name, question, last verdict."""
    from lab import catalogue
    from lab.cli import console

    entries, mistakes = catalogue.read_all()
    if as_json:
        click.echo(json.dumps(console.catalogue_data(entries, reports, runs), indent=2))
    else:
        console.catalogue(entries, reports, runs)
    for mistake in mistakes:
        say(mistake)
    return BROKEN if mistakes else 0


@main.command(short_help="One experiment before it runs, or a section of the handbook.")
@click.argument("name")
@reports_option
@as_json
def show(name: str, reports: Path, as_json: bool) -> None:
    """One experiment before it runs (topology, timeline, claims, knobs), or a section of the handbook (7.6.1.3)."""
    from lab import catalogue
    from lab.catalogue import knobs
    from lab.cli import console

    if console.NUMBER.fullmatch(name) and as_json:
        click.echo(json.dumps(console.section_data(name, catalogue.read_all()[0], reports), indent=2))
    elif console.NUMBER.fullmatch(name):
        console.section(name, catalogue.read_all()[0], reports)
    elif as_json:
        click.echo(console.spec_json(catalogue.find(name).spec()))
    else:
        entry = catalogue.find(name)
        console.show(entry.spec(), knobs.listed(entry.scenario))


@main.command(short_help="Judge a saved RUN again.")
@click.argument("run", type=str)
@reports_option
@as_json
def judge(run: str, reports: Path, as_json: bool) -> int:
    """Judge a saved RUN again (its folder, or an experiment's name for its last run)."""
    from lab.cli import console
    from lab.run.results import rejudge

    before = open_run(run, reports)
    done = rejudge(before)
    older = f"the report is older than this judgement; `make report RUN={run}` writes it again"
    console.outcome(done, as_json, *([older] if before.record.judgement != done.record.judgement else []))
    return _code(done)


@main.command(short_help="Write the report of a saved RUN again.")
@click.argument("run", type=str)
@reports_option
def report(run: str, reports: Path) -> None:
    """Write the report of a saved RUN again (its folder, or an experiment's name for its last run)."""
    from lab import catalogue
    from lab.run.results import write_reports

    tell(catalogue.shown(write_reports(open_run(run, reports), reports)))


@main.command(short_help="Set two or more saved RUNS side by side.")
@click.argument("runs", nargs=-1, required=True)
@reports_option
@as_json
def compare(runs: tuple[str, ...], reports: Path, as_json: bool) -> int:
    """Set the claims of two or more saved RUNS side by side, here and as a page beside them."""
    from lab import catalogue
    from lab.cli import console
    from lab.run.results import write_comparison

    if len(runs) < 2:
        raise LabError(f"compare takes two runs or more; name another beside {runs[0]} (make list RUNS=1 shows them)")
    if len(runs) > 26:
        raise LabError(f"compare takes 26 runs at most, a letter each, and these are {len(runs)}; leave some out")
    opened = [open_run(run, reports) for run in runs]
    names = {run.record.spec.name for run in opened}
    if len(names) > 1:
        raise LabError(f"these are runs of different experiments ({', '.join(sorted(names))}); compare runs of one")
    page = write_comparison(opened, reports)
    if as_json:
        click.echo(json.dumps([console.run_data(run) for run in opened], indent=2))
    else:
        console.compare(opened)
        tell(f"\n  page  {catalogue.shown(page)}")
    return 0


@main.command(short_help="Break what a PASS rests on, and show what notices it.")
@click.argument("names", nargs=-1)
@click.option("--records", is_flag=True, help="Forged records alone: a second each, and no quiet machine is needed.")
@click.option("--mutants", "mutants", multiple=True, metavar="NAME", help="This mutant alone, whatever is known of it.")
@click.option("--touched", is_flag=True, help="Mutants whose code changed since their result, and those run always.")
@click.option("--fresh", is_flag=True, help="Run every mutant again.")
@click.option(
    "--within-s", type=click.FloatRange(min=0), default=float("inf"), help="Start no mutant after this many seconds."
)
@reports_option
def sabotage(
    names: tuple[str, ...],
    records: bool,
    mutants: tuple[str, ...],
    touched: bool,
    fresh: bool,
    within_s: float,
    reports: Path,
) -> int:
    """Break load, faults, patterns and targets of the experiments NAMES (all where none is named), one at a time.

    Writes docs/sabotage.md. Resumes where it was stopped. Exits with 1 where a sabotage passed.
    """
    from lab import catalogue
    from lab.sabotage.command import Wish
    from lab.sabotage.command import sabotage as attempt

    every, mistakes = catalogue.read_all()
    if mistakes:
        raise LabError(mistakes[0])
    entries = [catalogue.find(name) for name in names] or every
    missed = attempt(entries, every, Wish(records, fresh, touched, mutants, within_s, reports), tell)
    tell(f"docs/sabotage.md is written; {len(missed)} not caught" if missed else "docs/sabotage.md is written")
    return EXIT_CODES["FAIL"] if missed else 0


@main.command(short_help="Summarise what many runs say of every claim.")
@click.argument("names", nargs=-1)
@click.option("--seeds", type=Whole(1, 100), default=3, metavar="N", help="Seeds 1 to N of each.  [default: 3]")
@click.option(
    "--runtime",
    type=click.Choice(["local", "compose", "swarm"]),
    default="local",
    help="Where the services run.  [default: local]",
)
@click.option(
    "--from",
    "folders",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    metavar="FOLDER",
    help="Count the existing runs below this folder, such as reports; make none.",
)
@click.option("--fresh", is_flag=True, help="Repeat every run, and discard the earlier ones.")
@reports_option
def evidence(
    names: tuple[str, ...], seeds: int, runtime: str, folders: tuple[Path, ...], fresh: bool, reports: Path
) -> int:
    """Run the experiments NAMES (all where none is named) with several seeds, and write docs/evidence.md.

    Counts existing runs, and resumes where it was stopped. Only runs at full length, with no knob
    turned, of a commit without uncommitted changes and of today's code count. Exits with 1 where one of the runs asked
    for ended FAIL, with 2 where a seed has none that proved anything, with 3 where one could not be made.
    """
    from lab import catalogue
    from lab.run.gather import Wish, gather

    if folders and fresh:
        raise LabError("--from counts existing runs, --fresh discards them; give one of the two")
    every, mistakes = catalogue.read_all()
    if mistakes:
        raise LabError(mistakes[0])
    entries = [catalogue.find(name) for name in names] or every
    wish = Wish(seeds, runtime, folders or (reports,), not folders, fresh)
    done = gather(entries, every, wish, reports, tell)
    tell(f"docs/evidence.md is written; {done.made} runs made")
    if done.broken:
        return BROKEN
    if folders:
        return 0
    return EXIT_CODES["FAIL"] if done.failed else EXIT_CODES["UNKNOWN"] if done.unknown else 0


def open_run(text: str, reports: Path) -> Run:
    """Open a run by its folder, by `experiment/run`, or by an experiment's name for its last run. Raises LabError."""
    from lab import catalogue
    from lab.record import read_run, runs_of

    for folder in (Path(text), reports / text):
        if (folder / "record.json").exists():
            return read_run(folder)
    runs = runs_of(reports, text)
    if runs:
        return read_run(runs[-1])
    if Path(text).is_dir():
        return read_run(Path(text))  # which says what is wrong with it
    names = [catalogue.name_of(file) for file in catalogue.files()]
    if text in names:
        raise LabError(f"{text} has not run yet; run it: make scenario NAME={text}")
    close = get_close_matches(text, names, n=1)
    hint = f'did you mean "{close[0]}"?' if close else "give a run's folder (make list RUNS=1 shows them)"
    raise LabError(f'there is no run "{text}"; {hint}')
