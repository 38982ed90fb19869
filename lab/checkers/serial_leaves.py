"""Leaves of a group are those of some serial order, in which one member at least stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.checkers._call import names_of
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.checkers.one_stays import leave_of
from lab.model import Readback
from lab.record import Anomaly

MOST_OPERATIONS = 8  # of one group: some 2^8 sets of operations to go on from


@dataclass(frozen=True)
class _Leave:
    """One request: who asks, and whether it was granted; None where its caller was not told."""

    n: int
    who: str
    granted: bool | None


def serial_leaves(
    history: History,
    operation: str,
    readback: Readback | str,
    at: str,
    members: int = 2,
    played_in: str = "",
    least: int = ENOUGH,
) -> Finding:
    """
    Look for a serial order of each group's leaves that explains all answers and the end.

    In a serial order a leave (`key`, the group; `value`, who asks) is granted exactly if two members or more are there,
    and then that member is gone; the group begins with `members`. Each acknowledged answer says `{"granted": true}` or
    false; an indeterminate request may have been carried out or not, a refused one was not. The readback's JSON object
    has under `at` how many are there in each group that a member has left. No order explains that all have left, that
    all were refused, or that two of two were granted, whatever the end says.

    Must have seen: `least` groups of which a leave was answered, in each phase of `played_in` too (by the phase of the
    first such answer). UNKNOWN where a group has more than MOST_OPERATIONS.
    """
    name = names_of(readback)
    answer = history.readbacks.get(name)
    there = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(there, dict):
        return Finding("UNKNOWN", f'the readback "{name}" gave no object "{at}": nothing to hold the history against')
    groups, phases, anomalies = _read(history, operation)
    undecided = [
        f"{key}: {len(g):,} leaves are too many to order" for key, g in groups.items() if len(g) > MOST_OPERATIONS
    ]
    for key, leaves in groups.items():
        if len(leaves) <= MOST_OPERATIONS and not _explained(leaves, members, _count(there, key, members)):
            anomalies.append(Anomaly(_told(key, leaves, there), [leave.n for leave in leaves]))
    foreign = [
        Anomaly(f"{key}: a member has left, and no operation asked for it") for key in there if key not in groups
    ]
    few = too_little(phases.values(), f"groups had a {operation} answered", least, played_in)
    failed = f"{len(anomalies) + len(foreign):,} of {len(groups):,} groups"
    held = f"{len(groups):,} groups, each explained by a serial order"
    return verdict([*anomalies, *foreign], failed, [*undecided, few], held, len(groups))


def _read(history: History, operation: str) -> tuple[dict[str, list[_Leave]], dict[str, str], list[Anomaly]]:
    """The leaves of each group, the phase of its first answer, and answers that say neither."""
    groups: dict[str, list[_Leave]] = defaultdict(list)
    phases: dict[str, str] = {}
    wrong: list[Anomaly] = []
    operations = history.of(operation)
    columns = (operations.n, operations.key, operations.value, operations.outcome, operations.response)
    for n, key, value, outcome, response, phase in zip(*columns, operations.phase, strict=True):
        if key is None or outcome == "fail":
            continue
        leave = leave_of(response) if outcome == "ok" else None
        if outcome == "ok":
            phases.setdefault(key, str(phase))
            if leave is None:
                text = f"{key}: the answer is {response!r:.200}, which grants nothing and refuses nothing"
                wrong.append(Anomaly(text, [int(n)]))
                continue
        groups[key].append(_Leave(int(n), str(value), leave.granted if leave else None))
    return groups, phases, wrong


def _count(there: Mapping[str, object], key: str, members: int) -> int | None:
    """How many are there in the end; None where that is no number."""
    count = there.get(key, members)
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def _explained(leaves: Sequence[_Leave], members: int, end: int | None) -> bool:
    """Whether an order explains them: a search over what is still to come and who has gone."""
    seen: set[tuple[frozenset[int], frozenset[str]]] = set()
    waiting = [(frozenset(range(len(leaves))), frozenset[str]())]
    while waiting:
        state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        left, gone = state
        if members - len(gone) == end and all(leaves[k].granted is None for k in left):
            return True
        for k in left:
            grants = members - len(gone) >= 2
            if leaves[k].granted in (None, grants):
                waiting.append((left - {k}, gone | {leaves[k].who} if grants else gone))
    return False


def _told(key: str, leaves: Sequence[_Leave], there: Mapping[str, object]) -> str:
    words = {True: "granted", False: "denied", None: "not answered"}
    asked = ", ".join(f"{leave.who} {words[leave.granted]}" for leave in leaves)
    return f"{key}: no serial order has {asked} and {there.get(key, 'all')} there in the end"
