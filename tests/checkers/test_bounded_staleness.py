"""bounded_staleness: rejects each planted violation, accepts its mended twin; a true cache passes, a lazy one not."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from registers import history, lost, read, write

from lab.checkers._operation import Op
from lab.checkers.bounded_staleness import bounded_staleness
from lab.checkers.history import Finding

WRITES = [write(0, 1.0, 1.1, "a"), write(1, 3.0, 3.2, "b")]


def checked(ops: Sequence[Op], within_s: float = 2.0, initial: str | None = None) -> Finding:
    """What the checker says, by the words of these histories."""
    return bounded_staleness(history(ops), within_s, read="read", write="write", initial=initial)


@pytest.mark.parametrize(
    ("bad", "mended", "words"),
    [
        # served past its time
        (
            [*WRITES, read(2, 5.3, 5.4, "a")],
            [*WRITES, read(2, 5.1, 5.4, "a")],
            "'a' at 5.300 s, 2.100 s after another had replaced it (2 s allowed)",
        ),
        # a value from nowhere
        ([*WRITES, read(2, 3.5, 3.6, "c")], [*WRITES, read(2, 3.5, 3.6, "b")], "no request had written by then"),
        # told before it was written
        ([*WRITES, read(2, 2.5, 2.9, "b")], [*WRITES, read(2, 2.5, 3.01, "b")], "no request had written by then"),
        # what the key held at first, long after
        ([*WRITES, read(2, 3.2, 3.3, None)], [*WRITES, read(2, 3.0, 3.3, None)], "absent at 3.200 s, 2.100 s after"),
        # the middle one of three writes: the next replaces it, not the last
        (
            [*WRITES, write(2, 9.0, 9.1, "c"), read(3, 5.3, 5.4, "a")],
            [*WRITES, write(2, 9.0, 9.1, "c"), read(3, 9.5, 9.6, "b")],
            "2.100 s after",
        ),
        # a write that was answered replaces; one that was not may never have happened
        (
            [WRITES[0], write(1, 3.0, 3.2, "b"), read(2, 9.0, 9.1, "a")],
            [WRITES[0], lost(1, 3.0, "b"), read(2, 9.0, 9.1, "a")],
            "5.800 s after",
        ),
    ],
)
def test_a_violation_is_told_and_its_mended_twin_passes(bad: list[Op], mended: list[Op], words: str) -> None:
    """The anomaly names the read and by how much it is too old; a read in time is none."""
    found = checked(bad)
    assert found.verdict == "FAIL"
    assert [anomaly.operations for anomaly in found.anomalies] == [[bad[-1].n]]
    assert words in found.anomalies[0].text
    assert checked(mended).verdict == "PASS"


def test_writes_that_overlap_replace_in_either_order() -> None:
    """Two writes at once: each may be the last, so each may be read until one that began later has ended."""
    both = [write(0, 1.0, 1.5, "a"), write(1, 1.2, 1.6, "b")]
    assert checked([*both, read(2, 90.0, 90.1, "a"), read(3, 91.0, 91.1, "b")]).verdict == "PASS"
    assert checked([*both, write(2, 2.0, 2.1, "c"), read(3, 5.0, 5.1, "a")]).verdict == "FAIL"


def test_a_write_that_nobody_answered_may_be_read() -> None:
    """Its value is true from its start on, if it happened; and what may have happened late replaces nothing."""
    assert checked([lost(0, 1.0, "x"), read(1, 50.0, 50.1, "x"), read(2, 60.0, 60.1, None)]).verdict == "PASS"
    assert checked([lost(0, 1.0, "x"), read(1, 0.5, 0.9, "x")]).verdict == "FAIL"


def test_a_value_that_is_written_again_is_fresh_again() -> None:
    """Either write of it explains a read."""
    again = [*WRITES, write(2, 6.0, 6.1, "a")]
    assert checked([*again, read(3, 20.0, 20.1, "a")]).verdict == "PASS"


def test_the_initial_value_is_the_one_that_was_told() -> None:
    """Without a write it never grows old; another one is from nowhere."""
    assert checked([read(0, 99.0, 99.1, "1.08")], initial="1.08").verdict == "PASS"
    assert checked([read(0, 99.0, 99.1, "1.09")], initial="1.08").verdict == "FAIL"


def test_how_old_the_oldest_was_is_told() -> None:
    """A pass says how much of what was allowed was taken: 0 would mean that nothing was put to the test."""
    assert checked([*WRITES, read(2, 4.7, 4.8, "a")]).why == "1 reads, the stalest 1.50 s behind (2 s allowed)"


def test_the_same_number_written_otherwise_is_no_violation() -> None:
    """A database says 1.08000 where the scenario says 1.08."""
    assert checked([write(0, 1.0, 1.1, "1.25"), read(1, 2.0, 2.1, "1.2500")]).verdict == "PASS"
    assert checked([read(0, 1.0, 1.1, "1.08000")], initial="1.08").verdict == "PASS"
    assert checked([write(0, 1.0, 1.1, "1.25"), read(1, 2.0, 2.1, "1.26")]).verdict == "FAIL"


def test_what_was_not_played_is_unknown() -> None:
    """Freshness in the slow phase takes reads of the slow phase."""
    recorded = history([*WRITES, read(2, 4.0, 4.1, "b")])
    words = {"read": "read", "write": "write"}
    assert bounded_staleness(recorded, 2.0, played_in="baseline", **words).verdict == "PASS"  # type: ignore[arg-type]
    found = bounded_staleness(recorded, 2.0, played_in="slow", **words)  # type: ignore[arg-type]
    why = "no reads of a key were answered in slow; the checker takes at least 1 there"
    assert (found.verdict, found.why) == ("UNKNOWN", why)
    assert bounded_staleness(recorded, 2.0, least=2, **words).verdict == "UNKNOWN"  # type: ignore[arg-type]


def test_without_reads_or_readable_answers_nothing_is_checked() -> None:
    """An empty check is UNKNOWN, never a pass."""
    assert checked(WRITES).verdict == "UNKNOWN"
    found = bounded_staleness(history([*WRITES, read(2, 4.0, 4.1, "b")]), 2.0, read="read", write="write", at="rate")
    assert found.verdict == "UNKNOWN"
    assert 'no field "rate"' in found.why


def cached(seed: int, ttl_s: float, obeys: bool) -> list[Op]:
    """What readers see of a cache that fetches anew after `ttl_s` (after twice that, if it does not obey)."""
    rng = Random(seed)
    ops: list[Op] = []
    truth, kept, asked_s, at_s = "first", "first", 0.0, 0.0
    for n in range(400):
        at_s += rng.expovariate(20)
        ends_s = at_s + rng.random() * 0.02
        if rng.random() < 0.1:
            truth = f"v{n}"  # in force at once: the writer's own start and end lie around that
            ops.append(write(n, at_s - 0.001, ends_s, truth))
            at_s = ends_s
            continue
        if at_s - asked_s >= ttl_s * (1 if obeys else 2):
            kept, asked_s = truth, at_s
        ops.append(read(n, at_s, ends_s, kept))
    return ops


@pytest.mark.parametrize("seed", range(30))
def test_a_cache_that_obeys_passes_and_one_that_does_not_fails(seed: int) -> None:
    """Whatever the times: never a false alarm, and a cache that keeps twice as long is caught within 20 s."""
    assert checked(cached(seed, 1.0, obeys=True), within_s=1.0, initial="first").verdict == "PASS"
    assert checked(cached(seed, 1.0, obeys=False), within_s=1.0, initial="first").verdict == "FAIL"


def test_each_client_reads_its_own_writes() -> None:
    """With `clients`, what another client has written replaces nothing; what a client has written itself does."""
    words = {"read": "read", "write": "write", "clients": 2}
    others = [write(0, 1.0, 1.1, "a"), write(2, 3.0, 3.2, "b"), read(5, 9.0, 9.1, "a")]
    assert bounded_staleness(history(others), 0.0, **words).verdict == "PASS"  # type: ignore[arg-type]
    own = [write(0, 1.0, 1.1, "a"), write(2, 3.0, 3.2, "b"), read(4, 9.0, 9.1, "a")]
    assert bounded_staleness(history(own), 0.0, **words).verdict == "FAIL"  # type: ignore[arg-type]
    overtaken = [write(1, 1.0, 1.1, "a"), write(2, 3.0, 3.2, "b"), read(4, 9.0, 9.1, "a")]
    assert bounded_staleness(history(overtaken), 0.0, **words).verdict == "FAIL"  # type: ignore[arg-type]
    strange = [write(0, 1.0, 1.1, "a"), read(4, 9.0, 9.1, "c")]
    assert bounded_staleness(history(strange), 0.0, **words).verdict == "FAIL"  # type: ignore[arg-type]
