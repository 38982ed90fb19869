"""A result of a mutant stands while its experiment asks the same, wherever and in whichever words it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.catalogue import find, read
from lab.catalogue.asked import fingerprint

FLAGSHIP = find("retry-storm")
TEXT = FLAGSHIP.file.read_text("utf-8")
MORE = """\
import dataclasses
from lab import Operation, Request
trade = Operation("POST /trades", lambda rng, n: Request("POST", "/trades", {"id": f"trade-{n}", "amount_cents": 1}))
"""


def changed(folder: Path, *pairs: tuple[str, str]) -> bytes:
    """The fingerprint of the experiment in another file, with these changes."""
    text = TEXT.replace("from lab import", MORE + "from lab import")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    file = folder / "retry_storm.py"
    file.write_text(text)
    return fingerprint(read(file))


def test_words_and_place_change_nothing(tmp_path: Path) -> None:
    """Another folder, another docstring, another title."""
    assert changed(
        tmp_path, ("Retry storm: retries help", "Retries help"), ('"it recovers by itself"', '"it recovers"')
    ) == (fingerprint(FLAGSHIP))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("per_s=10", "per_s=11"),
        ("ms=65", "ms=66"),
        ('"RETRY_BUDGET": 0.05', '"RETRY_BUDGET": 0.06'),
        ('"STUMBLE_EVERY": 25', '"STUMBLE_EVERY": 26'),
        ("load=booked_trades(per_s=10)", "load=dataclasses.replace(booked_trades(per_s=10), mix=trade)"),
        ("at_most=1.2", "at_most=1.3"),
    ],
)
def test_what_is_run_or_claimed_changes_it(tmp_path: Path, old: str, new: str) -> None:
    """The load, a fault, a setting of a variant or of all, a bound, a request."""
    assert changed(tmp_path, (old, new)) != fingerprint(FLAGSHIP)
