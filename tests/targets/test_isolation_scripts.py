"""The scripts of the anomalies, without a server: how they read, and what counts as having happened."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Set

import pytest

from targets.isolation.databases import LockView
from targets.isolation.scripts import ANOMALIES, ROWS, Outcome, Rows, Script, Step, verdict
from targets.isolation.settings import IsolationSettings

BOTH = {"T1", "T2"}
NEITHER: Set[str] = frozenset()


def seen(committed: Set[str] = BOTH, after: Rows = ROWS, **reads: Rows) -> Outcome:
    """An outcome."""
    return Outcome(reads, committed, after)


TEN, NEW = {1: 10}, {1: 12, 2: 18}

# Anomaly, number of its script, and two outcomes each: one in which it happened, and a twin in which it did not.
HAPPENED = [
    ("G0", 0, seen(after={1: 11, 2: 22}), seen(after={1: 12, 2: 22})),
    ("G1a", 0, seen(early={1: 101, 2: 20}, late=ROWS), seen(early=ROWS, late=ROWS)),
    ("G1b", 0, seen(late={1: 101, 2: 20}), seen(late={1: 11, 2: 20})),
    ("G1c", 0, seen(first={2: 22}, second={1: 11}), seen(first={2: 22}, second=TEN)),
    ("OTV", 0, seen(middle={1: 12, 2: 19}), seen(middle=NEW)),
    ("PMP", 0, seen(early={}, late={3: 30}), seen(early={3: 30}, late={3: 30})),
    ("PMP", 1, seen(after={2: 30}, seen={2: 20}), seen(after={2: 30}, seen={1: 20})),
    ("PMP", 1, seen(after={1: 20, 2: 30}, seen={2: 20}), seen({"T1"}, {1: 20, 2: 30}, seen={2: 20})),
    ("P4", 0, seen(first=TEN, second=TEN), seen(first=TEN, second={1: 11})),
    ("P4", 0, seen(first=TEN, second=TEN), seen({"T1"}, first=TEN, second=TEN)),
    ("G-single", 0, seen(first=TEN, second={2: 18}), seen(first=TEN, second={2: 20})),
    ("G-single", 1, seen(after=NEW, first=TEN), seen({"T2"}, NEW, first=TEN)),
    ("G2-item", 0, seen(first=ROWS, second=ROWS), seen(first=ROWS, second={1: 11, 2: 20})),
    ("G2", 0, seen(first={}, second={}), seen(first={}, second={3: 30})),
    ("G2", 0, seen(first={}, second={}), seen({"T1"}, first={}, second={})),
]


@pytest.mark.parametrize(("name", "number", "bad", "mended"), HAPPENED)
def test_an_anomaly_is_recognised_and_its_absence_too(name: str, number: int, bad: Outcome, mended: Outcome) -> None:
    """Each outcome that shows the anomaly has a twin that differs in one thing and does not."""
    script = ANOMALIES[name].scripts[number]
    assert script.happened(bad)
    assert not script.happened(mended)


@pytest.mark.parametrize("name", ANOMALIES)
def test_nothing_happened_where_all_were_refused(name: str) -> None:
    """A play in which nobody read and nobody committed shows no anomaly, and stumbles over nothing."""
    assert not any(script.happened(Outcome({}, NEITHER, ROWS)) for script in ANOMALIES[name].scripts)


def test_a_script_is_text_that_can_be_read() -> None:
    """A line is who, what, and perhaps a name for what was read; each session ends its transaction itself."""
    script = Script("s", "T1  select * from test where id in (1, 2) -- first\nT1  commit", lambda seen: False)
    assert script.steps == (Step("T1", "select * from test where id in (1, 2)", "first"), Step("T1", "commit"))
    for anomaly in ANOMALIES.values():
        for each in anomaly.scripts:
            last = {step.by: step.sql for step in each.steps}
            assert set(last.values()) <= {"commit", "rollback"}
    with pytest.raises(ValueError, match="s: 'commit' is no step such as"):
        Script("s", "T1  commit\ncommit", lambda seen: False)


def test_a_level_that_protects_readers_alone_is_read_only() -> None:
    """The first script reads, the second writes."""
    assert [verdict([False, False]), verdict([False, True]), verdict([True, False]), verdict([True])] == [
        "yes",
        "read-only",
        "no",
        "no",
    ]


async def test_the_lock_view_is_asked_once_for_all_who_wait() -> None:
    """Whoever asks gets a look that began afterwards; those who ask meanwhile share it."""
    looks = 0

    async def look() -> Set[int]:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return {looks}

    view = LockView(look, rest_s=0.001)
    first = asyncio.create_task(view.waiting())
    await asyncio.sleep(0)
    others = await asyncio.gather(*(view.waiting() for _ in range(5)))
    assert await first == {1}
    assert others == [{2}] * 5


@pytest.mark.parametrize(
    "urls", [{}, {"postgres_url": "postgresql://lab@h/p", "mariadb_url": "mysql://lab@h/lab"}], ids=["none", "both"]
)
def test_one_server_is_enough_and_needed(urls: Mapping[str, str]) -> None:
    """A row of the matrix is one server's."""
    with pytest.raises(ValueError, match="give one of them"):
        IsolationSettings(service_name="isolation", **urls)


def test_values_are_read_by_label_and_key() -> None:
    """What nobody read is None."""
    outcome = seen(early=TEN)
    assert [outcome.read("early", 1), outcome.read("early", 2), outcome.read("late", 1)] == [10, None, None]
