"""What was acknowledged is there after recovery, with the value that was written; what was refused is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lab.checkers._call import names_of
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.model import Readback
from lab.record import Anomaly, Operations
from lab.record.values import text_of


@dataclass
class _Written:
    """All operations with one key: their numbers, outcomes and values, and the phase of the first acknowledged one."""

    operations: list[int] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)
    may_hold: set[str | None] = field(default_factory=set)
    acknowledged_in: str | None = None


def recovered(
    history: History,
    readback: Readback | str,
    at: str = "effects",
    operation: str = "",
    played_in: str = "",
    least: int = ENOUGH,
) -> Finding:
    """
    Hold acknowledged writes against what a store holds once it has recovered: a set, each key written once.

    The readback's JSON object has under `at` a list of keys, or an object with the value of each. A key that was
    acknowledged (outcome `ok`) must be there, one that was refused each time (`fail`) must not, and any other (`info`)
    may be. Where values are told, a key holds what one of its operations that were not refused wrote (`value`). A key
    that is listed twice, or that no operation wrote, is a violation too. `operation` names the kind that writes; all
    where it is empty.

    Must have seen: `least` acknowledged keys, in each phase of `played_in` too (by the phase in which the acknowledged
    operation was due). That nothing is lost in a crash takes writes acknowledged before it.
    """
    name = names_of(readback)
    answer = history.readbacks.get(name)
    there = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(there, list | dict):
        return Finding("UNKNOWN", f'the readback "{name}" gave no list or object "{at}": nothing to hold against')
    held: Counter[str] = Counter(str(key) for key in there)
    values = {str(key): text_of(value) for key, value in there.items()} if isinstance(there, dict) else {}
    written = _by_key(history.of(operation))
    if not written:
        return Finding("UNKNOWN", "no operation carries a key: nothing was checked")
    acknowledged = [each.acknowledged_in for each in written.values() if each.acknowledged_in is not None]
    lost = [*_lost(written, held)]
    wrong = [*_wrong(written, held, values)]
    foreign = [Anomaly(f"{key} is there, and no operation wrote it") for key in held if key not in written]
    failed = f"{len(lost):,} of {len(acknowledged):,} acknowledged writes are lost, {len(wrong) + len(foreign):,} wrong"
    unsure = len(written) - len(acknowledged) - sum(each.outcomes == {"fail"} for each in written.values())
    kept = f"{len(acknowledged):,} acknowledged writes are there, {unsure:,} indeterminate ones may be"
    few = too_little(acknowledged, "writes were acknowledged", least, played_in)
    return verdict([*lost, *wrong, *foreign], failed, [few], kept, len(written))


def _by_key(operations: Operations) -> dict[str, _Written]:
    written: dict[str, _Written] = {}
    columns = (operations.n, operations.key, operations.value, operations.outcome, operations.phase)
    for n, key, value, outcome, phase in zip(*columns, strict=True):
        if key is None:
            continue
        each = written.setdefault(str(key), _Written())
        each.operations.append(int(n))
        each.outcomes.add(outcome)
        if outcome != "fail":
            each.may_hold.add(None if value is None else text_of(value))
        if outcome == "ok" and each.acknowledged_in is None:
            each.acknowledged_in = str(phase)
    return written


def _lost(written: Mapping[str, _Written], held: Counter[str]) -> Iterator[Anomaly]:
    for key, each in written.items():
        if "ok" in each.outcomes and not held[key]:
            yield Anomaly(f"{key} was acknowledged, and is not there", each.operations)


def _wrong(written: Mapping[str, _Written], held: Counter[str], values: Mapping[str, str | None]) -> Iterator[Anomaly]:
    for key, each in written.items():
        if held[key] > 1:
            yield Anomaly(f"{key} is there {held[key]:,} times", each.operations)
        elif held[key] and each.outcomes == {"fail"}:
            yield Anomaly(f"{key} was refused, and is there", each.operations)
        elif key in values and values[key] not in each.may_hold:
            wrote = ", ".join(sorted(str(value) for value in each.may_hold))
            yield Anomaly(f"{key} holds {values[key]}, and {wrote} was written", each.operations)
