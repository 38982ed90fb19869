"""Sweeps without running anything: the points are fabricated runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from report.fabricate import Recipe, fabricate

from lab.catalogue.knobs import offered
from lab.record import Run
from targets.kit import offered as targets


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The targets answer here, as they do in a process of their own."""
    monkeypatch.setattr(offered, "exchange", targets.answer)
    offered._settings.cache_clear()
    yield
    offered._settings.cache_clear()


@pytest.fixture(scope="session")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the circuit breaker that passed."""
    return fabricate(tmp_path_factory.mktemp("passing"), Recipe(per_s=20))
