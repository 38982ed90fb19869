"""The sweep of a knob."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lab.cli.group import as_json, main, reports_option, runtime_option, seed_option
from lab.cli.shell import Number, Whole
from lab.kit.streams import tell

# What a command needs beyond this it imports itself: `lab --help` must not wait for numpy, Arrow and the charts.


@main.command(short_help="Run an experiment over the values of a knob.")
@click.argument("name")
@click.option("--knob", required=True, metavar="KNOB=V1,V2,...", help="The knob (see lab show NAME) and its values.")
@click.option("--set", "turned", multiple=True, metavar="KNOB=VALUE", help="Another knob, the same at every value.")
@seed_option
@click.option("--trials", type=Whole(1, 100), default=1, metavar="N", help="Repeats at each value.  [default: 1]")
@click.option("--scale", type=Number(0.05, 10), default=1.0, metavar="X", help="Length of the phases.  [default: 1]")
@runtime_option
@click.option("--fresh", is_flag=True, help="Start over; discard unfinished points of the same sweep.")
@reports_option
@as_json
def sweep(
    name: str,
    knob: str,
    turned: tuple[str, ...],
    seed: int,
    trials: int,
    scale: float,
    runtime: str | None,
    fresh: bool,
    reports: Path,
    as_json: bool,
) -> int:
    """Run the experiment NAME once for each value of a knob, and draw every claim over it in one report.

    Variants that the knob does not touch are run once. Resumes where it was stopped. A sweep has no verdict: it exits
    with 0, whatever fails at some value.
    """
    from lab import catalogue
    from lab.catalogue import knobs
    from lab.cli import console
    from lab.run.inprogress import Options
    from lab.sweep.asked import Asked, question, values_of
    from lab.sweep.steps import sweep as run_all

    which, values = values_of(knob)
    others = tuple(f"{each}={value}" for each, value in knobs.split(turned))
    asked = question(catalogue.find(name), Asked(name, which, values, others, seed, trials, scale, runtime))
    options = Options(seed, trials, scale, runtime, reports, as_json)
    page, swept = run_all(asked, options, fresh, lambda text: tell(text, aside=as_json))
    if as_json:
        runs = [{"value": value, **console.run_data(run)} for value, run in swept.runs]
        click.echo(json.dumps({"knob": which, "report": str(page), "points": runs}, indent=2))
    else:
        console.sweep(swept, page)
    return 0
