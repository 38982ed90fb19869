"""as_expected: rejects each planted wrong answer, and accepts its mended twin."""

from __future__ import annotations

import numpy as np
import pytest

from lab.checkers.as_expected import as_expected
from lab.checkers.history import History
from lab.record import Operations

RIGHT = '{"closing_cents": 5, "names": ["ann"]}'


def history(*rows: tuple[str, str | None, str | None]) -> History:
    """Operations by outcome, expected answer and answer."""
    columns: dict[str, object] = {
        name: np.full(len(rows), None, dtype=object) for name in Operations.__dataclass_fields__
    }
    columns |= {name: np.zeros(len(rows)) for name in ("due_s", "start_s", "end_s")}
    columns |= {"n": np.arange(len(rows)), "status": np.zeros(len(rows), dtype=np.int64)}
    for at, name in enumerate(("outcome", "value", "response")):
        columns[name] = np.array([row[at] for row in rows], dtype=object)
    return History(Operations(**columns))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "mended", "words"),
    [
        ('{"closing_cents": 6, "names": ["ann"]}', RIGHT, "closing_cents is 6, expected 5"),
        ('{"names": ["ann"]}', RIGHT, "closing_cents is missing, expected 5"),
        ('{"closing_cents": null, "names": ["ann"]}', RIGHT, "closing_cents is None, expected 5"),
        ('{"closing_cents": 5, "names": ["ann", "ann"]}', RIGHT, "names is ['ann', 'ann'], expected ['ann']"),
        ("[]", '{"names": ["ann"], "closing_cents": 5, "id": "more"}', "closing_cents is missing, expected 5"),
        ('{"closing_cents": 5, "na', RIGHT, "closing_cents is missing, expected 5"),
        (None, RIGHT, "closing_cents is missing, expected 5"),
    ],
)
def test_a_wrong_answer_is_told_and_its_mended_twin_passes(bad: str | None, mended: str, words: str) -> None:
    """The anomaly says which operation was answered what instead; what the answer has besides is no matter."""
    good = ("ok", RIGHT, RIGHT)
    found = as_expected(history(good, ("ok", RIGHT, bad), good))
    assert found.verdict == "FAIL"
    assert [(anomaly.text, anomaly.operations) for anomaly in found.anomalies] == [(words, [1])]
    assert (passed := as_expected(history(good, ("ok", RIGHT, mended), good))).verdict == "PASS"
    assert passed.checked == 3


def test_only_acknowledged_answers_with_an_expectation_count() -> None:
    """A failure's answer is another matter, and where nobody expected anything nothing can be wrong."""
    found = as_expected(history(("fail", RIGHT, "{}"), ("info", RIGHT, None), ("ok", None, "{}"), ("ok", RIGHT, RIGHT)))
    assert (found.verdict, found.checked) == ("PASS", 1)


def test_without_an_expectation_nothing_is_checked() -> None:
    """An empty check is UNKNOWN, never a pass."""
    assert as_expected(history()).verdict == "UNKNOWN"
    assert as_expected(history(("ok", None, "{}"), ("fail", RIGHT, None))).verdict == "UNKNOWN"


def test_an_expectation_that_cannot_be_read_is_not_a_pass() -> None:
    """A value that is no JSON object is the scenario's mistake, and UNKNOWN says so."""
    found = as_expected(history(("ok", "5", "{}")))
    assert found.verdict == "UNKNOWN"
    assert "operation 0" in found.why
