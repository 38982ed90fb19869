"""Writes the comparison of runs beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from altair.utils import schemapi

from lab.catalogue.handbook import sections as handbook
from lab.errors import RecordError
from lab.kit.files import put_in_place
from lab.record import Record, Run, read_run, runs_of
from lab.report.charts.render import draw, warm_up
from lab.report.compare.charts import beside
from lab.report.compare.claims import rows
from lab.report.compare.differing import facts
from lab.report.numbers import clock
from lab.report.page import environment, favicon, with_charts
from lab.report.view import View

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_PAST = 60  # runs in a history: more cannot be told apart


@dataclass(frozen=True)
class Head:
    """A run that is compared: its letter, verdict, name, what it was, and where its report is."""

    letter: str
    verdict: str
    run: str
    when: str
    unlike: str
    href: str


def write_comparison(runs: Sequence[Run], reports: Path) -> Path:
    """Write `reports/<experiment>/compare-<run>-<run>.html`; gives its path. Two to 26 runs of one experiment."""
    warm_up()
    name = runs[0].record.spec.name
    folder = reports / name
    views = [View(run, handbook()) for run in runs]
    with schemapi.debug_mode(False):
        charts = beside(views, LETTERS)
        drawn = draw(chart for each in charts for chart in each.charts)
    records = [run.record for run in runs]
    found = facts(records)
    text = (
        environment()
        .get_template("comparison.html")
        .render(
            spec=runs[0].record.spec,
            heads=[_head(letter, run, folder) for letter, run in zip(LETTERS, runs, strict=False)],
            differing=[fact for fact in found if fact.differs],
            same=[fact for fact in found if not fact.differs],
            rows=rows(records, _past(records, folder, name)),
            trials=min(record.trials for record in records),
            charts=charts,
            favicon=favicon("⇄", "0b5aa6"),
            **with_charts(drawn, ("theme", "toc", "charts")),
        )
    )
    folder.mkdir(parents=True, exist_ok=True)
    return put_in_place(folder / f"compare-{'-'.join(run.record.run for run in runs)[:200]}.html", text)


def _head(letter: str, run: Run, folder: Path) -> Head:
    record = run.record
    verdict = record.judgement.verdict if record.judgement else "NOT JUDGED"
    page = run.path.resolve() / "index.html"
    href = Path(os.path.relpath(page, folder.resolve())).as_posix() if page.exists() else ""
    return Head(letter, verdict, record.run, clock(record.started_epoch_s), record.unlike, href)


def _past(compared: Sequence[Record], folder: Path, name: str) -> list[Record]:
    """All runs of the experiment that can be read and those compared, each once, oldest first."""
    found = {record.run: record for record in compared}
    for path in list(runs_of(folder.parent, name))[-MOST_PAST:]:
        try:
            record = read_run(path).record
        except RecordError:
            continue
        found.setdefault(record.run, record)
    return sorted(found.values(), key=lambda record: (record.started_epoch_s, record.run))
