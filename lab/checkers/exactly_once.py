"""Every acknowledged request took effect exactly once, refused ones never, unanswered ones at most once."""

from __future__ import annotations

from collections import Counter

from lab.checkers.history import Finding, History
from lab.record import Anomaly


def exactly_once(history: History, readback: str, at: str = "effects") -> Finding:
    """
    Hold operations (by `key`) against the effects that a service counted.

    `readback` names the readback whose JSON object has, under `at`, a list with one key for each effect: a key
    that was applied twice stands there twice. Operations of one key are one request, repeated by its client. Where one
    of them succeeded (`ok`) there must be one effect; where all were refused (`fail`), none; else, where one ended in
    `info` (no answer, or one that admits not knowing), one at most. Effects of keys that no operation has are
    violations too.
    """
    answer = history.readbacks.get(readback)
    effects = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(effects, list):
        return Finding("UNKNOWN", f'the readback "{readback}" gave no list "{at}": nothing to hold the history against')
    counted = Counter(str(effect) for effect in effects)
    asked = _by_key(history)
    if not asked:
        return Finding("UNKNOWN", "no operation carries a key: nothing was checked")
    anomalies: list[Anomaly] = []
    for key, (numbers, outcomes) in asked.items():
        count = counted[key]
        if count > 1:
            anomalies.append(Anomaly(f"{key} took effect {count} times", numbers))
        elif "ok" in outcomes and count == 0:
            anomalies.append(Anomaly(f"{key} was acknowledged, and has no effect", numbers))
        elif outcomes == {"fail"} and count == 1:
            anomalies.append(Anomaly(f"{key} was refused, and took effect", numbers))
    anomalies.extend(Anomaly(f"{key} took effect without a request") for key in counted if key not in asked)
    of = f"{len(asked):,} requests"
    if anomalies:
        return Finding("FAIL", f"{len(anomalies)} of {of}: {anomalies[0].text}", len(asked), tuple(anomalies))
    repeated = sum(len(numbers) > 1 for numbers, _ in asked.values())
    return Finding(
        "PASS", f"{of}, {repeated:,} of them repeated, against {sum(counted.values()):,} effects", len(asked)
    )


def _by_key(history: History) -> dict[str, tuple[list[int], set[str]]]:
    """Of each key, the operations (by `n`) and how they ended."""
    found: dict[str, tuple[list[int], set[str]]] = {}
    operations = history.operations
    for n, key, outcome in zip(operations.n, operations.key, operations.outcome, strict=True):
        if key is not None:
            numbers, outcomes = found.setdefault(str(key), ([], set()))
            numbers.append(int(n))
            outcomes.add(str(outcome))
    return found
