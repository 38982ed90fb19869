"""What was added to a set stays in it until it is removed, and what was removed stays out; counts add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from lab.checkers._call import Readbacks, listed
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.record import Anomaly, Operations


class _State(msgspec.Struct, frozen=True):
    """What a replica holds: `set/element` for each member of a set, the value of each counter."""

    members: set[str] = set()
    counters: dict[str, int] = {}


def no_add_lost(
    history: History,
    readbacks: Readbacks,
    add: str = "add",
    remove: str = "remove",
    count: str = "count",
    played_in: str = "",
    least: int = ENOUGH,
) -> Finding:
    """
    Hold each replica's sets and counters against the acknowledged operations (Shapiro et al. 2011: OR-set, PN-counter).

    The first word of an operation's name says what it does: `add` and `remove` an element, whose `key` is `set/element`
    and which is added once; `count` changes the counter `key` by the positive number in `value`. A removal is an
    observed one: its answer, kept, says `removed`, whether the replica had the element. `readbacks` are the replicas'
    states, `{"members": ["set/element", ...], "counters": {key: number}}`.

    Violations: an acknowledged element is missing that no removal can have taken (one that says `removed: false` took
    nothing); an element is there that an acknowledged removal had seen, or that no add put there; a counter is below
    the acknowledged counts, or above all that were asked for.

    Must have seen: `least` acknowledged adds, in each phase of `played_in` too.
    """
    names = listed(readbacks)
    try:
        states = {name: msgspec.convert(history.readbacks[name], _State) for name in names}
    except KeyError as missing:
        return Finding("UNKNOWN", f"there is no readback {missing}: what that replica holds is not known")
    except msgspec.ValidationError as wrong:
        return Finding("UNKNOWN", f"a readback is no state of sets and counters: {wrong}")
    operations = history.operations
    words = [str(name).partition(" ")[0] for name in operations.operation]
    adds, removes, counts = ([k for k, word in enumerate(words) if word == each] for each in (add, remove, count))
    acknowledged = [k for k in adds if operations.outcome[k] == "ok"]
    anomalies = [
        *_lost(operations, acknowledged, removes, states),
        *_risen(operations, removes, states),
        *_foreign(operations, adds, states),
        *_miscounted(operations, counts, states),
    ]
    few = too_little([operations.phase[k] for k in acknowledged], "adds were acknowledged", least, played_in)
    held = f"{len(acknowledged):,} adds and {len(counts):,} counts are in {len(names)} replicas"
    return verdict(anomalies, f"{len(anomalies):,} violations", [few], held, len(acknowledged) + len(counts))


def _lost(
    operations: Operations, acknowledged: list[int], removes: list[int], states: Mapping[str, _State]
) -> Iterator[Anomaly]:
    sent = [k for k in removes if operations.outcome[k] != "fail"]
    may_be_gone = {operations.key[k] for k in sent if _removed(operations, k) is not False}
    for k in acknowledged:
        lacking = [name for name, state in states.items() if operations.key[k] not in state.members]
        if lacking and operations.key[k] not in may_be_gone:
            text = f"{operations.key[k]} was added, and not in {', '.join(lacking)}"
            yield Anomaly(text, [int(operations.n[k])])


def _risen(operations: Operations, removes: list[int], states: Mapping[str, _State]) -> Iterator[Anomaly]:
    for k in removes:
        having = [name for name, state in states.items() if operations.key[k] in state.members]
        if having and _removed(operations, k):
            yield Anomaly(f"{operations.key[k]} was removed, and is in {', '.join(having)}", [int(operations.n[k])])


def _foreign(operations: Operations, adds: list[int], states: Mapping[str, _State]) -> Iterator[Anomaly]:
    asked = {operations.key[k] for k in adds if operations.outcome[k] != "fail"}
    for name, state in states.items():
        for member in sorted(state.members - asked):
            yield Anomaly(f"{member} is in {name}, and no add put it there", [])


def _removed(operations: Operations, k: int) -> bool | None:
    """Whether a removal says that it has removed something; None where it does not say."""
    try:
        removed = msgspec.json.decode(str(operations.response[k] or "null"))["removed"]
    except (msgspec.DecodeError, TypeError, KeyError):
        return None
    return removed if isinstance(removed, bool) else None


def _miscounted(operations: Operations, counts: list[int], states: Mapping[str, _State]) -> Iterator[Anomaly]:
    for key in sorted({str(operations.key[k]) for k in counts}):
        mine = [k for k in counts if str(operations.key[k]) == key and operations.outcome[k] != "fail"]
        least = sum(int(str(operations.value[k])) for k in mine if operations.outcome[k] == "ok")
        most = sum(int(str(operations.value[k])) for k in mine)
        for name, state in states.items():
            value = state.counters.get(key, 0)
            if not least <= value <= most:
                yield Anomaly(f"{key}: {name} stands at {value:,}, where {least:,} were acknowledged", [])
