"""Whose waits a latency metric takes, and which of them are exact."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_runs import TIMEOUT_S, Row, operation, plant, taken, told

from lab import metrics
from lab.metrics import measure, window
from lab.metrics.arithmetic import answered, waits_s
from lab.record import MetricSpec, Operations


def cut(due_s: float, wait_s: float, error: str, outcome: str = "info") -> Row:
    """An operation whose connection ended after `wait_s` without a whole response."""
    return operation(due_s, wait_s, outcome, status=None, error=error)


def spread(count: int, make: Any) -> list[Row]:
    """So many operations, evenly over the fault."""
    return [make(10 + 10 * k / count) for k in range(count)]


@pytest.mark.parametrize("error", ["reset", "closed", "garbled", "ECONNABORTED"])
def test_a_reset_is_no_short_wait(tmp_path: Path, error: str) -> None:
    """A hundred connections reset after 3 ms: the callers have no answer, at least until the timeout."""
    run = plant(tmp_path, spread(100, lambda due_s: cut(due_s, 0.003, error)))
    wait = taken(run, metrics.p99_ms(of="all"))
    assert wait == told(pytest.approx(TIMEOUT_S * 1000), True, n=100)  # type: ignore[arg-type]
    assert taken(run, metrics.mean_ms(of="all")).censored


def test_a_connect_timeout_is_no_exact_wait(tmp_path: Path) -> None:
    """A hundred connect timeouts: at least 4,000 ms, and no refusal, though none of them took effect."""
    run = plant(tmp_path, spread(100, lambda due_s: cut(due_s, TIMEOUT_S, "connect timeout", "fail")))
    assert taken(run, metrics.p99_ms(of="all")) == told(pytest.approx(4000), True, n=100)  # type: ignore[arg-type]
    refused = taken(run, metrics.p99_ms(of="refused"))
    assert refused == told(
        None, why="no operations were refused of those due in fault of off; the metric takes at least 100", n=0
    )


def test_quick_refusals_hide_no_slow_success(tmp_path: Path) -> None:
    """Of 100, 60 are refused in 1 ms and 40 succeed in 400 ms: the median of the successes is 400 ms."""
    rows = [
        *spread(60, lambda due_s: operation(due_s, 0.001, "fail")), *spread(40, lambda due_s: operation(due_s, 0.4)),
    ]  # fmt: skip
    run = plant(tmp_path, rows)
    found = [(of, taken(run, metrics.p50_ms(of=of))) for of in ("ok", "refused", "all")]  # type: ignore[arg-type]
    close: Any = pytest.approx
    assert found == [
        ("ok", told(close(400), n=40)), ("refused", told(close(1), n=60)), ("all", told(close(1), n=100)),
    ]  # fmt: skip


def test_a_refused_connection_is_an_answer(tmp_path: Path) -> None:
    """The system's own refusal is definite and quick: it counts as refused, exactly."""
    run = plant(tmp_path, spread(100, lambda due_s: cut(due_s, 0.002, "refused", "fail")))
    assert taken(run, metrics.p99_ms(of="refused")) == told(pytest.approx(2), n=100)  # type: ignore[arg-type]


def test_whose_is_kept_in_the_record_and_records_without_it_mean_all(tmp_path: Path) -> None:
    """A metric's arguments say whose waits; an older record's, which do not, mean all; another word is refused."""
    assert metrics.p90_ms(of="ok").args == {"of": "ok"}
    run = plant(tmp_path, spread(100, lambda due_s: cut(due_s, 0.003, "reset")))
    here = window(run, "off", "fault")
    assert measure(MetricSpec("p90_ms", "ms"), here) == taken(run, metrics.p90_ms(of="all"))
    assert (
        'of is \'good\'; it takes "ok", "refused" or "all"'
        in measure(MetricSpec("p90_ms", "ms", {"of": "good"}), here).why
    )
    with pytest.raises(TypeError, match=r"metrics\.p90_ms: of is 'good'; it takes"):
        metrics.p90_ms(of="good")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r'say whose waits it takes, of="ok", of="refused" or of="all"'):
        metrics.p90_ms()  # type: ignore[call-arg]


ENDINGS = st.sampled_from(
    [("ok", 200, None), ("fail", 503, "http 503"), ("info", 504, "http 504"), ("fail", 0, "refused"),
     ("fail", 0, "connect timeout"), ("info", 0, "timeout"), ("info", 0, "reset"), ("info", 0, "closed"),
     ("info", 0, "garbled"), ("info", 0, None)]
)  # fmt: skip
ENDED = st.tuples(
    ENDINGS, st.integers(0, 40).map(lambda k: k / 8), st.integers(0, 8).map(lambda k: k / 8), st.booleans()
)


@given(st.lists(ENDED, min_size=1, max_size=30))
def test_waits_are_what_one_would_say_one_by_one(ended: list[tuple[Any, float, float, bool]]) -> None:
    """Due to end where there was an answer; else due to the timeout after sending, or later, and at least that."""
    count = len(ended)
    text = np.array([None] * count, dtype=object)
    ends = [
        math.nan if never and not status else 1 + wait_s + late_s for (_, status, _), wait_s, late_s, never in ended
    ]
    operations = Operations(
        np.arange(count), np.ones(count), np.array([1 + late_s for _, _, late_s, _ in ended]), np.array(ends), text,
        np.array([outcome for (outcome, _, _), *_ in ended], dtype=object),
        np.array([status for (_, status, _), *_ in ended]), np.array([e for (_, _, e), *_ in ended], dtype=object),
        text, text, text, text, text,
    )  # fmt: skip
    at_least_s, exact = waits_s(operations, 4.0, operations.due_s)
    assert (exact == answered(operations)).all()
    for k, ((outcome, status, error), wait_s, late_s, never) in enumerate(ended):
        got = status > 0 or (error == "refused" and not never)
        assert exact[k] == got
        plain = wait_s + late_s if got else max(4.0 + late_s, 0.0 if never else wait_s + late_s)
        assert at_least_s[k] == pytest.approx(plain), (outcome, status, error)
