"""Runs to be shown, and a terminal of any kind to show them on."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from console_runs import RECIPES
from report.fabricate import fabricate
from rich.console import Console

from lab.cli.console import chapters, checkup, experiments, predictions, runs
from lab.record import Run

SCREENS = (chapters, checkup, experiments, predictions, runs)


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of these tests are."""
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="session")
def made(reports: Path) -> dict[str, Run]:
    """Runs of each kind."""
    return {name: fabricate(reports, recipe) for name, recipe in RECIPES.items()}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Gives what is shown on a terminal of that kind."""

    def shown(show: Callable[[], None], width: int = 80, terminal: bool = False, **environment: str) -> str:
        file = io.StringIO()

        def fake(stderr: bool = False) -> Console:
            return Console(
                file=file,
                width=width,
                force_terminal=terminal,
                highlight=False,
                markup=False,
                _environ={"TERM": "xterm-256color", **environment},
            )

        for module in SCREENS:
            monkeypatch.setattr(module, "console", fake)
        show()
        return file.getvalue()

    return shown
