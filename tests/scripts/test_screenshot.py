"""scripts/screenshot.py takes the picture that the README shows."""

from __future__ import annotations

import runpy
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "reports" / "example" / "circuit-breaker"
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "screenshot.py"))
MAIN: Callable[[list[str]], int] = SCRIPT["main"]


@pytest.mark.e2e
@pytest.mark.skipif(not SCRIPT["browser"](), reason="no Chromium on the PATH")
def test_the_picture_is_that_of_a_desktop(tmp_path: Path) -> None:
    """The top of the example's report, as wide as a desktop, small enough for a README."""
    picture = tmp_path / "images" / "report.png"
    assert MAIN([str(EXAMPLE), "--to", str(picture)]) == 0
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width / height == pytest.approx(SCRIPT["WIDTH"] / SCRIPT["HEIGHT"], abs=0.01)
    assert 50_000 < len(data) <= SCRIPT["MOST_BYTES"]  # an empty page would be far smaller


def test_a_run_without_a_report_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to look at, and the command that writes it."""
    assert MAIN([str(tmp_path)]) == 3
    assert "`lab report` writes it again" in capsys.readouterr().err


def test_a_machine_without_a_browser_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No picture, and how to get a browser."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert MAIN([str(EXAMPLE)]) == 3
    assert "apt-get install chromium" in capsys.readouterr().err
