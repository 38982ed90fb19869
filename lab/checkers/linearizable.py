"""Every key behaves like one register: each operation takes effect at one moment between its start and its end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lab.checkers._operation import Op, Value
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers._register import Words, registers
from lab.checkers._window import smallest
from lab.checkers._wing_gong import Budget, search
from lab.checkers.history import Finding, History
from lab.record import Anomaly
from lab.record.values import text_of

_SHOWN = 12  # operations of a window spelled out; the anomaly names them all
_STEPS_TO_SHOW = 200_000  # for making all windows small: the verdict stands already


def linearizable(
    history: History,
    read: str = "read",
    write: str = "write",
    cas: str = "cas",
    at: str = "value",
    swapped: str = "swapped",
    initial: str | None = None,
    most_steps: int = 2_000_000,
    within_s: float = 60.0,
    played_in: str = "",
    least: int = ENOUGH,
    append: str = "append",
) -> Finding:
    """
    Look for an order of each key's operations that explains every answer (Herlihy and Wing 1990).

    The first word of an operation's name, in any case, says what it does to its `key`:

    - `read`: the answer, kept in the record, is a JSON object that holds what was read under `at`; null: no such key.
    - `write`: the key holds the record's `value` afterwards.
    - `cas`: `value` is JSON, `["expected", "new"]` (null: no such key); the answer says under `swapped` whether
      they were swapped. An answer `false` is a look that saw anything but what was expected.
    - `append`: the record's `value` is added to the end of the key's text, each character as it is.

    Outcome `ok` took effect between start and end, `fail` never, `info` at any time from its start on or never.
    A key holds `initial` at first. UNKNOWN where an operation cannot be read, or where `most_steps` a key or
    `within_s` seconds of CPU time in all did not suffice. A violation is shown by the smallest set of operations that
    has no order.

    Must have seen: `least` answers that say what a key held (reads, and compares that were answered), in each phase of
    `played_in` too. Of writes alone any order explains everything.
    """
    until_s = time.process_time() + within_s
    operations = history.operations
    found, unreadable = registers(operations, Words(read, write, cas, at, swapped, append))
    anomalies: list[Anomaly] = []
    undecided: list[str] = []
    stuck: list[tuple[str, float]] = []
    # One after another: 20 keys of 1,000 operations take 0.48 CPU s, in two processes 1.6 with their imports.
    for key, ops in found.items():
        result = search(ops, _initially(ops, initial), Budget(most_steps, until_s))
        if result.linearizable is None:
            undecided.append(key)
        elif not result.linearizable:
            stuck.append((key, result.stuck_s))
    showing = Budget(_STEPS_TO_SHOW, until_s)  # last, so that it takes no time from another key's verdict
    for key, stuck_s in stuck:
        begin = _initially(found[key], initial)
        anomalies.append(_anomaly(key, smallest(found[key], begin, stuck_s, showing), begin))
    checked = sum(len(ops) for ops in found.values())
    bound = f"{most_steps:,} steps a key and {within_s:g} s of CPU time"
    short = f"{bound} were not enough for {', '.join(undecided[:5])}" if undecided else ""
    phase = dict(zip(operations.n.tolist(), operations.phase, strict=True))
    looks = [phase[op.n] for ops in found.values() for op in ops if op.certain and op.kind != "write"]
    few = too_little(looks, "answers say what a key held", least, played_in)
    failed = f"{len(anomalies)} of {len(found):,} keys"
    held = f"{checked:,} operations on {len(found):,} keys have an order that explains them"
    return verdict(anomalies, failed, [*unreadable, short, few], held, checked)


def _initially(ops: Sequence[Op], initial: str | None) -> Value:
    return initial if any(op.kind == "append" for op in ops) else text_of(initial)


def _anomaly(key: str, window: Sequence[Op], initial: Value) -> Anomaly:
    spelled = [_spelled(op) for op in window[:_SHOWN]]
    if len(window) > _SHOWN:
        spelled.append(f"and {len(window) - _SHOWN} more")
    begin = "absent" if initial is None else repr(initial)
    return Anomaly(f"{key}, at first {begin}, has no order for: {'; '.join(spelled)}", [op.n for op in window])


def _spelled(op: Op) -> str:
    what = {
        "read": f"read {op.sees!r}",
        "write": f"wrote {op.sets!r}",
        "append": f"appended {op.sets!r}",
        "swap": f"swapped {op.sees!r} for {op.sets!r}",
        "unlike": f"saw anything but {op.sees!r}",
    }[op.kind]
    span = f"{op.start_s:.4f}-{op.end_s:.4f} s" if op.certain else f"from {op.start_s:.4f} s, perhaps"
    return f"#{op.n} {what} ({span})"
