"""Runs and their reports, made once for all tests of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import pytest
from fabricate import Recipe, fabricate
from reported import NASTY, Reported

from lab.catalogue.handbook import sections
from lab.record import Run
from lab.report import Neighbour, write_report
from lab.report.charts.render import Drawn
from lab.report.page import Part, charts_of
from lab.report.view import View

SHORT = (4.0, 7.0, 7.0)
RECIPES = {
    "pass": Recipe(phases_s=(5, 20, 12), panels=2),
    "nasty": Recipe(phases_s=SHORT, per_s=25, nasty=NASTY, charged_twice=True),
    "unknown": Recipe(phases_s=SHORT, per_s=25, fault_missing=True),
    "quick trials": Recipe(phases_s=(15, 25, 25), scale=0.3, trials=3, per_s=20, charged_twice=True),
    "interrupted": Recipe(phases_s=SHORT, per_s=25, ends_in=("on", 1)),
    "first only": Recipe(phases_s=SHORT, per_s=25, ends_in=("off", 1)),
}
NEXT = Neighbour("the next experiment", "Retry storm", "../../retry-storm/latest/index.html")


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """A run by the name of its recipe."""
    return cache(lambda name: fabricate(tmp_path_factory.mktemp(name), RECIPES[name]))


@pytest.fixture(scope="session")
def view_of(run_of: Callable[[str], Run]) -> Callable[[str], View]:
    """A run as the sections see it."""
    return cache(lambda name: View(run_of(name), sections()))


@pytest.fixture(scope="session")
def report_of(run_of: Callable[[str], Run]) -> Callable[[str], Reported]:
    """A run with its report, by the name of its recipe."""

    def make(name: str) -> Reported:
        drawn: dict[str, Drawn] = {}

        def kept(sections: Sequence[Part]) -> dict[str, Drawn]:
            drawn.update(charts_of(sections))
            return drawn

        with pytest.MonkeyPatch.context() as patch:  # listens, and changes nothing
            patch.setattr("lab.report.write.charts_of", kept)
            return Reported(run_of(name), write_report(run_of(name), [NEXT]), drawn)

    return cache(make)


@pytest.fixture(scope="session")
def drawn_of(report_of: Callable[[str], Reported]) -> Callable[[str], dict[str, Drawn]]:
    """The charts of a run, drawn, by the name of its recipe."""
    return lambda name: report_of(name).drawn
