"""
The ten anomalies as scripts: what each session says, in which order, and what shows that the anomaly has happened.

Every script begins with the rows 1 => 10 and 2 => 20 in `test`, and with a transaction begun in each session. The
interleavings are those of Hermitage (M. Kleppmann, 2014), so that each can be read beside its description there; the
anomalies are A. Adya's (1999) and P. Bailis et al.'s (2014). Where Hermitage tries a predicate that reads and one that
writes, so do we: a level that prevents the first alone protects read-only transactions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

ROWS = {1: 10, 2: 20}
Rows = Mapping[int, int]  # value by id
Prevented = Literal["yes", "no", "read-only"]
_STEP = re.compile(r"(?P<by>T\d) +(?P<sql>.+?)(?: +-- (?P<label>\w+))?")


@dataclass(frozen=True)
class Step:
    """One statement of one session; `label` names what it reads."""

    by: str
    sql: str
    label: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a play came to: reads by label (absent where they were never made), who committed, the rows afterwards."""

    reads: Mapping[str, Rows]
    committed: Set[str]
    after: Rows

    def read(self, label: str, key: int) -> int | None:
        """The value of one row in one read; None where it was not there or nobody read."""
        return self.reads.get(label, {}).get(key)


@dataclass(frozen=True)
class Script:
    """An interleaving; `happened` tells from the outcome whether the anomaly came about."""

    title: str
    text: str
    happened: Callable[[Outcome], bool]
    steps: tuple[Step, ...] = field(init=False)

    def __post_init__(self) -> None:
        lines = [line.strip() for line in self.text.strip().splitlines()]
        matches = [_STEP.fullmatch(line) for line in lines]
        object.__setattr__(self, "steps", tuple(Step(**match.groupdict()) for match in matches if match))
        if None in matches:
            raise ValueError(f"{self.title}: {lines[matches.index(None)]!r} is no step such as `T1  commit`")

    @property
    def sessions(self) -> list[str]:
        """Who takes part."""
        return sorted({step.by for step in self.steps})


@dataclass(frozen=True)
class Anomaly:
    """One column of the matrix. `writing` is the same with a predicate that writes, where that makes a difference."""

    name: str
    title: str
    script: Script
    writing: Script | None = None

    @property
    def scripts(self) -> list[Script]:
        """One or two."""
        return [self.script, self.writing] if self.writing else [self.script]


def verdict(happened: list[bool]) -> Prevented:
    """From whether it happened in each of an anomaly's scripts, in order."""
    if not any(happened):
        return "yes"
    return "no" if happened[0] else "read-only"


ANOMALIES: Mapping[str, Anomaly] = {
    anomaly.name: anomaly
    for anomaly in (
        Anomaly(
            "G0",
            "dirty write",
            Script(
                "Two writers of both rows: is what is left of one of them, or of both?",
                """
                T1  update test set value = 11 where id = 1
                T2  update test set value = 12 where id = 1
                T1  update test set value = 21 where id = 2
                T1  commit
                T2  update test set value = 22 where id = 2
                T2  commit
                """,
                lambda seen: seen.after in ({1: 11, 2: 22}, {1: 12, 2: 21}),
            ),
        ),
        Anomaly(
            "G1a",
            "aborted read",
            Script(
                "T2 reads what T1 takes back",
                """
                T1  update test set value = 101 where id = 1
                T2  select * from test -- early
                T1  rollback
                T2  select * from test -- late
                T2  commit
                """,
                lambda seen: 101 in (seen.read("early", 1), seen.read("late", 1)),
            ),
        ),
        Anomaly(
            "G1b",
            "intermediate read",
            Script(
                "T2 reads what T1 overwrites before its end",
                """
                T1  update test set value = 101 where id = 1
                T2  select * from test -- early
                T1  update test set value = 11 where id = 1
                T1  commit
                T2  select * from test -- late
                T2  commit
                """,
                lambda seen: 101 in (seen.read("early", 1), seen.read("late", 1)),
            ),
        ),
        Anomaly(
            "G1c",
            "circular information flow",
            Script(
                "Each reads what the other has just written: which of them was first?",
                """
                T1  update test set value = 11 where id = 1
                T2  update test set value = 22 where id = 2
                T1  select * from test where id = 2 -- first
                T2  select * from test where id = 1 -- second
                T1  commit
                T2  commit
                """,
                lambda seen: seen.read("first", 2) == 22 and seen.read("second", 1) == 11,
            ),
        ),
        Anomaly(
            "OTV",
            "observed transaction vanishes",
            Script(
                "T3 sees one row by T2, and the other by T1, which T2 overwrites",
                """
                T1  update test set value = 11 where id = 1
                T1  update test set value = 19 where id = 2
                T2  update test set value = 12 where id = 1
                T1  commit
                T3  select * from test -- early
                T2  update test set value = 18 where id = 2
                T3  select * from test -- middle
                T2  commit
                T3  select * from test -- late
                T3  commit
                """,
                lambda seen: any(rows in ({1: 12, 2: 19}, {1: 11, 2: 18}) for rows in seen.reads.values()),
            ),
        ),
        Anomaly(
            "PMP",
            "predicate-many-preceders",
            Script(
                "A row that fits T1's condition appears between two looks",
                """
                T1  select * from test where value = 30 -- early
                T2  insert into test (id, value) values (3, 30)
                T2  commit
                T1  select * from test where value % 3 = 0 -- late
                T1  commit
                """,
                lambda seen: seen.read("early", 3) is None and seen.read("late", 3) == 30,
            ),
            Script(
                "T2 deletes other rows than those it has seen to fit",
                """
                T1  update test set value = value + 10
                T2  select * from test where value = 20 -- seen
                T2  delete from test where value = 20
                T1  commit
                T2  commit
                """,
                lambda seen: "T2" in seen.committed and set(seen.reads["seen"]) != set(ROWS) - set(seen.after),
            ),
        ),
        Anomaly(
            "P4",
            "lost update",
            Script(
                "Both read 10, both write what they make of it",
                """
                T1  select * from test where id = 1 -- first
                T2  select * from test where id = 1 -- second
                T1  update test set value = 11 where id = 1
                T2  update test set value = 11 where id = 1
                T1  commit
                T2  commit
                """,
                lambda seen: {"T1", "T2"} <= seen.committed and seen.read("first", 1) == seen.read("second", 1) == 10,
            ),
        ),
        Anomaly(
            "G-single",
            "read skew",
            Script(
                "T1 reads one row before T2 and the other after it",
                """
                T1  select * from test where id = 1 -- first
                T2  select * from test where id = 1
                T2  select * from test where id = 2
                T2  update test set value = 12 where id = 1
                T2  update test set value = 18 where id = 2
                T2  commit
                T1  select * from test where id = 2 -- second
                T1  commit
                """,
                lambda seen: seen.read("first", 1) == 10 and seen.read("second", 2) == 18,
            ),
            Script(
                "T1 reads before T2, and finds nothing to delete after it",
                """
                T1  select * from test where id = 1 -- first
                T2  select * from test
                T2  update test set value = 12 where id = 1
                T2  update test set value = 18 where id = 2
                T2  commit
                T1  delete from test where value = 20
                T1  commit
                """,
                lambda seen: "T1" in seen.committed and seen.read("first", 1) == 10 and 2 in seen.after,
            ),
        ),
        Anomaly(
            "G2-item",
            "write skew",
            Script(
                "Each reads both rows and writes the one that the other does not",
                """
                T1  select * from test where id in (1, 2) -- first
                T2  select * from test where id in (1, 2) -- second
                T1  update test set value = 11 where id = 1
                T2  update test set value = 21 where id = 2
                T1  commit
                T2  commit
                """,
                lambda seen: {"T1", "T2"} <= seen.committed and seen.reads["first"] == seen.reads["second"] == ROWS,
            ),
        ),
        Anomaly(
            "G2",
            "write skew over a predicate",
            Script(
                "Each finds no row that fits, and adds one",
                """
                T1  select * from test where value % 3 = 0 -- first
                T2  select * from test where value % 3 = 0 -- second
                T1  insert into test (id, value) values (3, 30)
                T2  insert into test (id, value) values (4, 42)
                T1  commit
                T2  commit
                """,
                lambda seen: {"T1", "T2"} <= seen.committed and not seen.reads["first"] and not seen.reads["second"],
            ),
        ),
    )
}
