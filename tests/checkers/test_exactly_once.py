"""exactly_once: rejects each planted violation, and accepts its mended twin."""

from __future__ import annotations

import numpy as np
import pytest

from lab.checkers.exactly_once import exactly_once
from lab.checkers.history import History
from lab.record import Operations


def history(outcomes: dict[str, str], effects: object) -> History:
    """Operations by key and outcome, one for each word of it, and what the service counted."""
    pairs = [(key, outcome) for key, words in outcomes.items() for outcome in words.split()]
    size = len(pairs)
    columns: dict[str, object] = {name: np.full(size, None, dtype=object) for name in Operations.__dataclass_fields__}
    columns |= {name: np.zeros(size) for name in ("due_s", "start_s", "end_s")}
    columns |= {"n": np.arange(size), "status": np.zeros(size, dtype=np.int64)}
    columns |= {
        "key": np.array([key for key, _ in pairs], dtype=object),
        "outcome": np.array([outcome for _, outcome in pairs], dtype=object),
    }
    return History(Operations(**columns), {"charges": {"effects": effects}})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcomes", "bad", "mended", "words"),
    [
        ({"a": "ok", "b": "ok"}, ["a", "b", "b"], ["a", "b"], "b took effect 2 times"),
        ({"a": "ok", "b": "ok"}, ["a"], ["b", "a"], "b was acknowledged, and has no effect"),
        ({"a": "ok", "b": "fail"}, ["a", "b"], ["a"], "b was refused, and took effect"),
        ({"a": "ok", "b": "info"}, ["a", "b", "b"], ["a", "b"], "b took effect 2 times"),
        ({"a": "ok", "b": "info"}, ["a", "z"], ["a"], "z took effect without a request"),
        ({"a": "info ok"}, ["a", "a"], ["a"], "a took effect 2 times"),
        ({"a": "fail ok"}, ["a", "a"], ["a"], "a took effect 2 times"),  # refused only where it was each time
        ({"a": "info ok"}, [], ["a"], "a was acknowledged, and has no effect"),
        ({"a": "info fail", "z": "ok"}, ["a", "a", "z"], ["a", "z"], "a took effect 2 times"),
        ({"a": "fail fail", "b": "info fail", "z": "ok"}, ["a", "z"], ["b", "z"], "a was refused, and took effect"),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(
    outcomes: dict[str, str], bad: list[str], mended: list[str], words: str
) -> None:
    """The anomaly says which operation broke what; without it the history is sound."""
    found = exactly_once(history(outcomes, bad), readback="charges")
    assert found.verdict == "FAIL"
    assert words in [anomaly.text for anomaly in found.anomalies]
    assert exactly_once(history(outcomes, mended), readback="charges").verdict == "PASS"


def test_an_anomaly_names_every_operation_of_its_request() -> None:
    """A request that its client repeated is told with all its operations, once; the sentence counts requests."""
    found = exactly_once(history({"a": "ok", "b": "info fail ok"}, ["a", "b", "b"]), readback="charges")
    assert [list(anomaly.operations) for anomaly in found.anomalies] == [[1, 2, 3]]
    sound = exactly_once(history({"a": "ok", "b": "info fail ok"}, ["a", "b"]), readback="charges")
    assert sound.why == "2 requests, 1 of them repeated, 2 acknowledged, against 2 effects"


def test_without_keys_or_a_list_nothing_is_checked() -> None:
    """An empty check is UNKNOWN, never a pass."""
    assert exactly_once(history({}, []), readback="charges").verdict == "UNKNOWN"
    assert exactly_once(history({"a": "ok"}, {"a": 1}), readback="charges").verdict == "UNKNOWN"
    assert exactly_once(history({"a": "ok"}, ["a"]), readback="elsewhere").verdict == "UNKNOWN"


def test_what_was_never_acknowledged_holds_nothing() -> None:
    """All refused and no effects prove nothing; neither do acknowledgements outside of the phases that matter."""
    none = exactly_once(history({"a": "fail", "b": "fail"}, []), readback="charges")
    assert (none.verdict, none.why) == ("UNKNOWN", "no requests were acknowledged; the checker takes at least 1")
    sound = history({"a": "ok"}, ["a"])
    sound.operations.phase[:] = "baseline"
    assert exactly_once(sound, readback="charges", played_in="baseline").verdict == "PASS"
    cut = exactly_once(sound, readback="charges", played_in="baseline, cut")
    why = "no requests were acknowledged in cut; the checker takes at least 1 there"
    assert (cut.verdict, cut.why) == ("UNKNOWN", why)
