"""Every acknowledged operation took effect exactly once, refused ones never, indeterminate ones at most once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.checkers._call import names_of
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.model import Readback
from lab.record import Anomaly, Operations


@dataclass
class _Asked:
    """All attempts with one key: their numbers and outcomes, and the phase of the first that was acknowledged."""

    operations: list[int] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)
    acknowledged_in: str | None = None


def exactly_once(
    history: History, readback: Readback | str, at: str = "effects", played_in: str = "", least: int = ENOUGH
) -> Finding:
    """
    Hold operations against the effects that a service counted, key by key: operations of one key are one request, sent
    again.

    `readback` names the readback whose JSON object has, under `at`, a list with one key for each effect: a key
    that was applied twice is there twice. A key that was acknowledged (outcome `ok`), at the first attempt or a later
    one, must have one effect; one that was refused each time (`fail`) none; any other (`info`: no answer, or one that
    leaves it open) one at most. An effect of a key that no operation has is a violation too.

    Must have seen: `least` acknowledged keys, in each phase of `played_in` too (by the phase in which the acknowledged
    attempt was due).
    """
    name = names_of(readback)
    answer = history.readbacks.get(name)
    effects = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(effects, list):
        return Finding("UNKNOWN", f'the readback "{name}" gave no list "{at}": nothing to hold the history against')
    counted = Counter(str(effect) for effect in effects)
    asked = _by_key(history.operations)
    if not asked:
        return Finding("UNKNOWN", "no operation carries a key: nothing was checked")
    wrong = [*_wrong(asked, counted)]
    foreign = [Anomaly(f"{key} took effect without a request") for key in counted if key not in asked]
    acknowledged = [each.acknowledged_in for each in asked.values() if each.acknowledged_in is not None]
    failed = f"{len(wrong):,} of {len(asked):,} requests" + (
        f", and {len(foreign):,} that no operation has" * bool(foreign)
    )
    repeated = sum(len(each.operations) > 1 for each in asked.values())
    counts = f"{repeated:,} of them repeated, {len(acknowledged):,} acknowledged"
    held = f"{len(asked):,} requests, {counts}, against {counted.total():,} effects"
    few = too_little(acknowledged, "requests were acknowledged", least, played_in)
    return verdict([*wrong, *foreign], failed, [few], held, len(asked))


def _by_key(operations: Operations) -> dict[str, _Asked]:
    asked: dict[str, _Asked] = {}
    columns = (operations.n, operations.key, operations.outcome, operations.phase)
    for n, key, outcome, phase in zip(*columns, strict=True):
        if key is None:
            continue
        each = asked.setdefault(str(key), _Asked())
        each.operations.append(int(n))
        each.outcomes.add(outcome)
        if outcome == "ok" and each.acknowledged_in is None:
            each.acknowledged_in = str(phase)
    return asked


def _wrong(asked: dict[str, _Asked], counted: Counter[str]) -> Iterator[Anomaly]:
    for key, each in asked.items():
        count = counted[key]
        if count > 1:
            yield Anomaly(f"{key} took effect {count:,} times", each.operations)
        elif not count and "ok" in each.outcomes:
            yield Anomaly(f"{key} was acknowledged, and has no effect", each.operations)
        elif count and each.outcomes == {"fail"}:
            yield Anomaly(f"{key} was refused, and took effect", each.operations)
