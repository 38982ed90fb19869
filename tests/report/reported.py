"""A run with its report, as tests of the report look at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.catalogue.handbook import sections
from lab.record import Run
from lab.report.charts.render import Drawn
from lab.report.view import View

NASTY = "<script>document.title='owned'</script>\"'&"


@dataclass(frozen=True)
class Reported:
    """A run with the report written into its folder."""

    run: Run
    page: Path
    drawn: dict[str, Drawn]

    @property
    def html(self) -> str:
        return self.page.read_text("utf-8")

    @property
    def markdown(self) -> str:
        return (self.run.path / "summary.md").read_text("utf-8")

    @property
    def view(self) -> View:
        return View(self.run, sections())
