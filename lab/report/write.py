"""Writes a run's report into its folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from altair.utils import schemapi

from lab.catalogue.handbook import sections as handbook
from lab.kit.files import put_in_place
from lab.record import Run
from lab.report.charts.render import warm_up
from lab.report.charts.theme import standalone
from lab.report.junit import junit
from lab.report.markdown import summary
from lab.report.page import charts_of, page, parts
from lab.report.view import Neighbour, View


def write_report(run: Run, neighbours: Sequence[Neighbour] = ()) -> Path:
    """Write `index.html`, `summary.md` with `charts/*.svg`, and `junit.xml`; gives the path of the page.

    `neighbours` are pages to go to next, such as the run before or the experiment after.
    """
    warm_up()
    view = View(run, handbook(), neighbours)
    with schemapi.debug_mode(False):  # charts are tested against the schema; to check each again takes a second
        sections = parts(view)
        view.forget()  # charts hold sums: a run of a million operations need not stay while they are drawn
        drawn = charts_of(sections)
    folder = run.path / "charts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, chart in drawn.items():
        (folder / f"{name}.svg").write_text(standalone(chart.svg), "utf-8")
    put_in_place(run.path / "junit.xml", junit(run))
    put_in_place(run.path / "summary.md", summary(view, sections))
    return put_in_place(run.path / "index.html", page(view, sections, drawn))
