"""Predictions on the command line: asked before a run, or without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.group import main, reports_option
from lab.kit.streams import tell

if TYPE_CHECKING:
    from lab.catalogue import Entry
    from lab.run.inprogress import Options


def predicted(entry: Entry, options: Options, asked: bool) -> Options:
    """The options of a run with its predictions: those asked for now, else those that wait for a run like it."""
    from lab.cli import console
    from lab.run import guesses

    if asked:
        made = console.ask(entry.spec(options.scale), aside=options.quiet)
        if made and guesses.awaited_by(entry, options.scale):
            guesses.keep(entry.name, made)  # a run that does not come about leaves them for the next one
        return replace(options, predictions=made)
    if guesses.awaited_by(entry, options.scale):
        return replace(options, predictions=guesses.kept(entry.name))
    return options


@main.command(short_help="Guess an experiment's numbers without running it.")
@click.argument("name")
@click.option("--keep", is_flag=True, help="Keep them for the next run even if a run could score them now.")
@reports_option
def predict(name: str, keep: bool, reports: Path) -> None:
    """Ask the questions of NAME, and score the answers against its last full run; else keep them for the next one."""
    from lab import catalogue
    from lab.cli import console
    from lab.cli.console.data import last_full
    from lab.run import guesses

    entry = catalogue.find(name)
    last = None if keep else last_full(reports, entry.name)
    made = console.ask(entry.spec())
    if not made:
        tell("nothing is kept")
    elif last is None:
        guesses.keep(entry.name, made)
        tell(f"kept for the next run at full length: make scenario NAME={entry.name}")
    else:
        console.scored(made, last.record.judgement)
        page = last.path / "index.html"
        tell(f"measured by {last.record.run}" + (f"; its report: {catalogue.shown(page)}" if page.exists() else ""))
