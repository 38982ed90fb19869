"""The end of a run: its record is judged, drawn, and written down once, whatever becomes of its page."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fabricate import Recipe, fabricate

from lab.errors import LabError
from lab.record import Run, read_run
from lab.run import results

pytestmark = pytest.mark.e2e


def finished(monkeypatch: pytest.MonkeyPatch, run: Run, reports: Path) -> tuple[Any, list[Any]]:
    """A run that has been played, and the records that are written of it from now on."""
    written: list[Any] = []
    write = results.write_record

    def note(folder: Path, record: Any) -> None:
        written.append(record)
        write(folder, record)

    monkeypatch.setattr(results, "write_record", note)
    return SimpleNamespace(folder=run.path, episodes=[], options=SimpleNamespace(reports=reports)), written


def test_the_record_is_written_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the judgement, and the time that judging and the page took."""
    work, written = finished(monkeypatch, fabricate(tmp_path, Recipe(phases_s=(4, 7, 7), per_s=25)), tmp_path)
    run = results.finish(work, time.monotonic() - 100)
    assert [record.judgement is not None for record in written] == [True]
    assert read_run(work.folder).record == run.record
    assert run.record.overhead_s > 100
    assert (work.folder / "index.html").exists()
    assert (tmp_path / "index.html").exists()


def test_a_judgement_is_kept_without_its_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A page that cannot be written loses no judgement."""
    work, written = finished(monkeypatch, fabricate(tmp_path, Recipe(phases_s=(4, 7, 7), per_s=25)), tmp_path)

    def fail(*_: object) -> Path:
        raise LabError("the disk is full")

    monkeypatch.setattr(results, "write_page", fail)
    with pytest.raises(LabError, match="the disk is full"):
        results.finish(work, time.monotonic())
    assert len(written) == 1
    assert read_run(work.folder).record.judgement is not None
