"""docs/reference.md is what the code says, and `make show TARGET=...` prints a part of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.untraced

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("reference_page", ROOT / "scripts" / "reference_page.py")
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)


def test_the_page_is_current() -> None:
    """A new setting, route, fault or argument is on it: `make reference` writes it."""
    assert (ROOT / "docs" / "reference.md").read_text("utf-8") == reference.page()


def test_it_has_every_target_and_fault() -> None:
    """Those that a scenario can name, and no other."""
    assert {"exchange", "payments", "raft", "kv_client", "isolation"} <= set(reference.targets())
    assert all(reference.routes_of(target) for target in reference.targets())
    files = {path.stem for path in (ROOT / "lab" / "faults").glob("*.py") if not path.stem.startswith("_")}
    assert set(reference.fault_names()) == files


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ("exchange", 0, "| `BREAKER_PROBES` | a whole number from 1 to 1,000,000 | `1` |"),
        ("kv-client", 0, "### kv_client"),
        ("latency", 0, "faults.latency(link: Link, ms: int, jitter_ms: int = 0, share: float = 1.0, delays"),
        ("exchang", 3, "no target or fault is called 'exchang'; did you mean \"exchange\"?"),
        ("\x1b]0;x", 3, r"called '\x1b]0;x'; there are backoffice, "),
    ],
)
def test_one_part(capsys: pytest.CaptureFixture[str], asked: str, code: int, words: str) -> None:
    """Of a target or a fault; a name of neither is one sentence."""
    assert reference.main([asked]) == code
    said = capsys.readouterr()
    assert words in (said.err if code else said.out)
