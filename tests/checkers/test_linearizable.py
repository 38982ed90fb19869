"""The linearizability checker: planted violations, their mended twins, bounds, and what it says of them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from registers import append, hard, history, lost, read, simulated, swap, unlike, write

from lab import checkers
from lab.checkers._operation import Op
from lab.checkers.history import History
from lab.checkers.linearizable import linearizable

pytestmark = pytest.mark.untraced

# name: (a history without an order, its twin that has one)
TWINS: dict[str, tuple[list[Op], list[Op]]] = {
    "stale read": (
        [write(0, 0, 1, "a"), write(1, 2, 3, "b"), read(2, 4, 5, "a")],
        [write(0, 0, 1, "a"), write(1, 2, 4.5, "b"), read(2, 4, 5, "a")],
    ),
    "lost write": (
        [write(0, 0, 1, "a"), read(1, 2, 3, None)],
        [lost(0, 0, "a"), read(1, 2, 3, None)],
    ),
    "read of what nobody wrote": (
        [write(0, 0, 1, "a"), read(1, 2, 3, "z")],
        [write(0, 0, 1, "a"), lost(2, 0, "z"), read(1, 2, 3, "z")],
    ),
    "reads that go back": (
        [write(0, 0, 9, "a"), read(1, 1, 2, "a"), read(2, 3, 4, None)],
        [write(0, 0, 9, "a"), read(1, 1, 3.5, "a"), read(2, 3, 4, None)],
    ),
    "a read before its write began": (
        [read(0, 0, 1, "a"), write(1, 2, 3, "a")],
        [read(0, 0, 2, "a"), write(1, 2, 3, "a")],
    ),
    "a write nobody answered that came, went and came again": (
        [write(0, 0, 1, "a"), lost(1, 0, "b"), read(2, 2, 3, "b"), read(3, 4, 5, "a"), read(4, 6, 7, "b")],
        [write(0, 0, 1, "a"), lost(1, 0, "b"), read(2, 2, 3, "a"), read(3, 4, 5, "b"), read(4, 6, 7, "b")],
    ),
    "two swaps that both saw the same value": (
        [write(0, 0, 1, "a"), swap(1, 2, 4, "a", "b"), swap(2, 2, 4, "a", "c")],
        [write(0, 0, 1, "a"), swap(1, 2, 4, "a", "b"), swap(2, 2, 4, "b", "c")],
    ),
    "a swap refused though its value was there": (
        [write(0, 0, 1, "a"), unlike(1, 2, 3, "a"), read(2, 4, 5, "a")],
        [write(0, 0, 1, "a"), unlike(1, 2, 3, "b"), read(2, 4, 5, "a")],
    ),
    "appends in another order than was read before": (
        [append(0, 0, 9, "a"), append(1, 0, 9, "b"), read(2, 1, 2, "a"), read(3, 3, 4, "ba")],
        [append(0, 0, 9, "a"), append(1, 0, 9, "b"), read(2, 1, 2, "b"), read(3, 3, 4, "ba")],
    ),
    "an append that a later write did not replace": (
        [append(0, 0, 1, "a"), write(1, 2, 3, "w"), append(2, 4, 5, "b"), read(3, 6, 7, "awb")],
        [append(0, 0, 1, "a"), write(1, 2, 3, "w"), append(2, 4, 5, "b"), read(3, 6, 7, "wb")],
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_planted_violations(name: str) -> None:
    """A planted violation is rejected, and its mended twin accepted."""
    bad, mended = TWINS[name]
    assert linearizable(history(bad)).verdict == "FAIL"
    assert linearizable(history(mended)).verdict == "PASS"


def test_outcomes() -> None:
    """What surely failed has no effect, and a failed or unanswered read says nothing."""
    ops = [write(0, 0, 1, "a"), write(1, 2, 3, "b"), read(2, 4, 5, "a"), read(3, 6, 7, "z")]
    recorded = history(ops).operations
    recorded.outcome[1], recorded.outcome[3] = "fail", "info"
    assert linearizable(History(recorded)).verdict == "PASS"
    recorded.outcome[1] = "ok"
    assert linearizable(History(recorded)).verdict == "FAIL"


def test_unanswered_swap() -> None:
    """A swap that nobody answered explains a value, where what it expects was there."""
    maybe = Op(1, 2, float("inf"), "swap", "a", "b", certain=False)
    assert linearizable(history([write(0, 0, 1, "a"), maybe, read(2, 3, 4, "b")])).verdict == "PASS"
    assert linearizable(history([write(0, 0, 1, "c"), maybe, read(2, 3, 4, "b")])).verdict == "FAIL"


def test_initial_value() -> None:
    """A key holds what `initial` says until the first write."""
    assert linearizable(history([read(0, 0, 1, "7")]), initial="7").verdict == "PASS"
    assert linearizable(history([read(0, 0, 1, "7")])).verdict == "FAIL"


def test_window() -> None:
    """Of a long history, the anomaly names the few operations that have no order, and one key of two."""
    good = simulated(1, 600)
    late = max(op.end_s for op in good)
    planted = [
        write(9000, late + 1, late + 2, "p"),
        write(9001, late + 3, late + 4, "q"),
        read(9002, late + 5, late + 6, "p"),
    ]
    tail = [write(9100 + n, late + 10 + n, late + 10.5 + n, f"t{n}") for n in range(50)]
    finding = linearizable(history([*good, *planted, *tail]))
    assert finding.verdict == "FAIL"
    assert [anomaly.operations for anomaly in finding.anomalies] == [[9000, 9001, 9002]]
    assert "#9002 read 'p'" in finding.why


def test_window_keeps_what_a_swap_needs() -> None:
    """The write that a swap saw stays in the window, so that the rest is not wrong for want of it."""
    ops = [write(0, 0, 1, "a"), swap(1, 2, 3, "a", "b"), write(2, 4, 5, "c"), read(3, 6, 7, "b")]
    (anomaly,) = linearizable(history(ops)).anomalies
    assert anomaly.operations == [0, 1, 2, 3]


def test_window_shows_some_and_names_all() -> None:
    """A window of many operations is cut in the text, not in the numbers."""
    swaps = [swap(n, 2 * n, 2 * n + 1, None if n == 0 else str(n - 1), str(n)) for n in range(20)]
    (anomaly,) = linearizable(history([*swaps, read(20, 50, 51, "17"), read(21, 52, 53, "19")])).anomalies
    assert anomaly.operations == [*range(19), 20]
    assert anomaly.text.endswith("and 8 more")


def test_keys_apart() -> None:
    """Keys are registers of their own: what is wrong with one is said of it alone."""
    good, bad = history(TWINS["stale read"][1], "fine").operations, history(TWINS["stale read"][0], "broken").operations
    both = type(good)(
        **{name: np.concatenate([getattr(good, name), getattr(bad, name)]) for name in good.__dataclass_fields__}
    )
    finding = linearizable(History(both))
    assert finding.verdict == "FAIL"
    assert finding.why.startswith("1 of 2 keys: broken")


def test_unknown_after_steps() -> None:
    """A search that reaches its bound says UNKNOWN, and that it was the bound."""
    finding = linearizable(history(hard(6)), most_steps=2_000)
    assert finding.verdict == "UNKNOWN"
    assert "2,000 steps" in finding.why


def test_unknown_after_seconds() -> None:
    """A search that runs out of CPU time says UNKNOWN, long before it would run out of steps."""
    found = linearizable(history(hard(6)), most_steps=10**12, within_s=0.2)
    assert (found.verdict, "0.2 s of CPU time" in found.why) == ("UNKNOWN", True)


def test_time_that_a_busy_machine_takes_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is CPU time: an hour on the wall during the search ends nothing."""
    hours = iter(range(10**9))
    monkeypatch.setattr(time, "monotonic", lambda: next(hours) * 3600.0)
    assert linearizable(history(simulated(7, 4_000, values=3)), within_s=60).verdict == "PASS"


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("response", "no json", "no JSON"),
        ("response", "{}", 'no field "value"'),
        ("response", None, "keep_response"),
        ("response", "[" * 100_000, "operation 4 is no JSON"),
        ("response", "[1]", 'operation 4 has no field "value"'),
        ("operation", "delete", 'operation 4 "delete" touches key x; its first word is none of read, write, cas'),
    ],
)
def test_unreadable(column: str, value: object, said: str) -> None:
    """An operation that cannot be told makes the verdict UNKNOWN, and says which and why."""
    recorded = history([read(4, 0, 1, None)]).operations
    getattr(recorded, column)[0] = value
    finding = linearizable(History(recorded))
    assert finding.verdict == "UNKNOWN"
    assert said in finding.why


def test_unreadable_values() -> None:
    """A write without a value and a swap without a pair are named."""
    recorded = history([write(0, 0, 1, "a")]).operations
    recorded.value[0] = None
    assert "must say what it writes" in linearizable(History(recorded)).why
    recorded = history([swap(0, 0, 1, None, "a")]).operations
    for pair in ("a", "[draft]", "[1]", "3"):
        recorded.value[0] = pair
        assert f"operation 0 swaps '{pair}'" in linearizable(History(recorded)).why
    recorded = history([swap(7, 0, 1, None, "a")]).operations
    recorded.response[0] = '{"swapped": "yes"}'
    why = """operation 7 answers "swapped": 'yes', which is neither true nor false"""
    assert linearizable(History(recorded)).why == why


def test_a_violation_on_another_key_outweighs_what_cannot_be_read() -> None:
    """FAIL whatever else is missing: an unreadable operation puts its own key aside."""
    bad, unread = history(TWINS["stale read"][0], "broken").operations, history([read(4, 0, 1, None)], "odd").operations
    unread.response[0] = "no json"
    both = type(bad)(**{f: np.concatenate([getattr(bad, f), getattr(unread, f)]) for f in bad.__dataclass_fields__})
    assert linearizable(History(both)).verdict == "FAIL"
    bad.outcome[2] = "info"
    both = type(bad)(**{f: np.concatenate([getattr(bad, f), getattr(unread, f)]) for f in bad.__dataclass_fields__})
    found = linearizable(History(both))
    assert (found.verdict, found.why[:31]) == ("UNKNOWN", "the response of operation 4 is ")


@pytest.mark.parametrize(
    ("wrote", "answered"),
    [("1", "1.0"), ("1.0", "1"), ("true", "true"), ('{"a": 1, "b": 2}', '{"b":2,"a":1.0}'), ("[draft]", '"[draft]"')],
)
def test_equal_values_written_otherwise_are_no_violation(wrote: str, answered: str) -> None:
    """1 and 1.0, JSON with another spacing: one value; 2 is another."""
    recorded = history([write(0, 0, 1, wrote), read(1, 2, 3, "2")])
    assert linearizable(recorded).verdict == "FAIL"
    recorded.operations.response[1] = f'{{"value": {answered}}}'
    assert linearizable(recorded).verdict == "PASS"


def test_of_what_is_appended_to_each_character_counts() -> None:
    """Pieces like 1.0 are added as they are written: 1 and 1.0 are two values there."""
    recorded = history([append(0, 0, 1, "1.0"), append(1, 2, 3, "0"), read(2, 4, 5, "1.00")])
    assert linearizable(recorded).verdict == "PASS"
    recorded.operations.response[2] = '{"value": "10"}'
    finding = linearizable(recorded)
    assert finding.verdict == "FAIL"
    assert "appended '1.0'" in finding.why


def test_what_was_not_played_is_unknown() -> None:
    """Writes alone show nothing, nor do reads before the fault of what holds in it."""
    assert linearizable(history([write(0, 0, 1, "a")])).why.startswith("no answers say what a key held")
    recorded = history([write(0, 0, 1, "a"), read(1, 2, 3, "a")])
    assert linearizable(recorded, played_in="baseline").verdict == "PASS"
    assert linearizable(recorded, played_in="baseline, cut").verdict == "UNKNOWN"
    assert linearizable(recorded, least=2).verdict == "UNKNOWN"


def test_nothing_to_check() -> None:
    """No operation with a key, or none that is known to have happened: UNKNOWN, for nothing was checked."""
    recorded = history([read(0, 0, 1, None)])
    recorded.operations.key[0] = None
    assert linearizable(recorded).verdict == "UNKNOWN"
    recorded = history([read(0, 0, 1, None)])
    recorded.operations.outcome[0] = "fail"
    assert linearizable(recorded).verdict == "UNKNOWN"


def test_by_name() -> None:
    """A scenario asks for it by name, in its own words for the operations; its parts are no checkers."""
    assert "linearizable" in checkers.names()
    assert not [name for name in checkers.names() if name.startswith("_")]
    recorded = history(TWINS["stale read"][0])
    recorded.operations.operation[:] = ["PUT /kv/x", "PUT /kv/x", "GET /kv/x"]
    assert checkers.run("linearizable", recorded, {"read": "get", "write": "put"}).verdict == "FAIL"


@pytest.mark.parametrize("lost_share", [0.0, 0.1])
def test_long_history(lost_share: float) -> None:
    """10,000 operations on one key by 5 clients are decided either way, with and without unanswered writes."""
    ops = simulated(7, 10_000, lost_share=lost_share)
    assert linearizable(history(ops)).verdict == "PASS"
    at = max(n for n, op in enumerate(ops[:9_000]) if op.kind == "read")
    ops[at] = replace(ops[at], sees=next(op.sets for op in ops if op.kind == "write" and op.certain))
    assert linearizable(history(ops)).verdict == "FAIL"


def test_few_values() -> None:
    """Values written again and again, and writes nobody answered, are decided too."""
    assert linearizable(history(simulated(3, 2_000, values=3))).verdict == "PASS"
    assert linearizable(history(simulated(3, 300, values=3, lost_share=0.05))).verdict == "PASS"
