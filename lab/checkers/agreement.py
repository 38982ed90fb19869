"""In each slot of a replicated log one value is chosen, which clients proposed; what was acknowledged stays chosen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from lab.checkers._call import Readbacks, listed
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.record import Anomaly, Operations

Value = tuple[str, ...]
Slots = Mapping[int, Value]


class _Learned(msgspec.Struct, frozen=True):
    """A learner's answer: slot and the ids of the commands in it."""

    chosen: list[tuple[int, Value]]


class _Voted(msgspec.Struct, frozen=True):
    """An acceptor's answer: slot and the ids of what it has accepted last."""

    votes: list[tuple[int, Value]]


def agreement(
    history: History, readbacks: Readbacks, votes: Readbacks, at: str = "slot", played_in: str = "", least: int = ENOUGH
) -> Finding:
    """
    Hold learners, acceptors and clients against one another (Lamport, "Paxos Made Simple", 2001, section 2.1).

    `readbacks` are the learners, each `{"chosen": [[slot, [id, ...]], ...]}`; `votes` are the acceptors, each
    `{"votes": [[slot, [id, ...]], ...]}`. An operation proposes its `key`; its answer, kept, says `at` which slot it
    stands.
    Agreement: what a learner has learned of a slot is what all have, and what a majority of acceptors holds there.
    Validity: each id was proposed, by an operation that was not refused, and stands in one slot. Durability: the id of
    each acknowledged operation, one of several with that id too, is in its slot at a majority of acceptors.

    Must have seen: `least` acknowledged operations, in each phase of `played_in` too.
    """
    try:
        learners = {n: dict(msgspec.convert(history.readbacks[n], _Learned).chosen) for n in listed(readbacks)}
        acceptors = [dict(msgspec.convert(history.readbacks[n], _Voted).votes) for n in listed(votes)]
    except KeyError as missing:
        return Finding("UNKNOWN", f"there is no readback {missing}: what it holds is not known")
    except msgspec.ValidationError as wrong:
        return Finding("UNKNOWN", f"a readback is neither a learner's nor an acceptor's: {wrong}")
    operations = history.operations
    held = _held_by_majority(acceptors)
    proposed: dict[str, list[int]] = defaultdict(list)
    for k, key in enumerate(operations.key):
        if key is not None:
            proposed[str(key)].append(k)
    acknowledged = [k for by in proposed.values() for k in by if operations.outcome[k] == "ok"]
    slots = {k: slot for k in acknowledged if (slot := _slot(operations, k, at)) is not None}
    untold = [int(operations.n[k]) for k in acknowledged if k not in slots]
    unread = f'the answer of operation {untold[0]} was not kept, or has no number "{at}"' if untold else ""
    anomalies = [
        *_disagreements(learners, held),
        *_strange(held, proposed, operations),
        *(_lost(operations, k, slot) for k, slot in slots.items() if str(operations.key[k]) not in held.get(slot, ())),
    ]
    few = too_little([operations.phase[k] for k in acknowledged], "commands were acknowledged", least, played_in)
    well = f"{len(held):,} slots with one value each, {len(acknowledged):,} acknowledged commands in them"
    return verdict(anomalies, f"{len(anomalies):,} violations", [unread, few], well, len(acknowledged))


def _held_by_majority(acceptors: Sequence[Slots]) -> dict[int, Value]:
    """Of each slot the value that more than half of the acceptors hold, where there is one."""
    found: dict[int, Value] = {}
    for slot in sorted({slot for votes in acceptors for slot in votes}):
        value, count = Counter(votes[slot] for votes in acceptors if slot in votes).most_common(1)[0]
        if count > len(acceptors) // 2:
            found[slot] = value
    return found


def _slot(operations: Operations, k: int, at: str) -> int | None:
    try:
        slot = msgspec.json.decode(operations.response[k] or "null")[at]
    except (msgspec.DecodeError, TypeError, KeyError):
        return None
    return slot if isinstance(slot, int) else None


def _disagreements(learners: Mapping[str, Slots], held: Slots) -> Iterator[Anomaly]:
    for name, chosen in learners.items():
        for slot, value in chosen.items():
            if held.get(slot) != value:
                there = f"a majority of acceptors hold {_told(held[slot])}" if slot in held else "no majority holds it"
                yield Anomaly(f"slot {slot}: {name} has learned {_told(value)}, and {there}", [])


def _strange(held: Slots, proposed: Mapping[str, Sequence[int]], operations: Operations) -> Iterator[Anomaly]:
    first: dict[str, int] = {}
    for slot, value in held.items():
        for command in value:
            by = proposed.get(command, ())
            n = [int(operations.n[k]) for k in by]
            if not by:
                yield Anomaly(f"slot {slot} holds {command}, which no client proposed", n)
            elif all(operations.outcome[k] == "fail" for k in by):
                yield Anomaly(f"slot {slot} holds {command}, which was refused", n)
            if command in first:
                yield Anomaly(f"{command} was chosen in slot {first[command]} and again in slot {slot}", n)
            first.setdefault(command, slot)


def _lost(operations: Operations, k: int, slot: int) -> Anomaly:
    text = f"{operations.key[k]} was acknowledged in slot {slot}, where no majority of acceptors holds it"
    return Anomaly(text, [int(operations.n[k])])


def _told(value: Value) -> str:
    return "a no-op" if not value else ", ".join(value[:4]) + (f" and {len(value) - 4} more" if len(value) > 4 else "")
