"""Every acknowledged operation took effect exactly once, refused ones never, unanswered ones at most once."""

from __future__ import annotations

from collections import Counter

from lab.checkers.history import Finding, History
from lab.record import Anomaly


def exactly_once(history: History, readback: str, at: str = "effects") -> Finding:
    """
    Hold operations (by `key`) against the effects that a service counted.

    `readback` names the readback whose JSON object has, under `at`, a list with one key for each effect: a key
    that was applied twice stands there twice. Outcome `ok` must have one effect, `fail` none, `info` (no answer, or
    one that admits not knowing) one at most; effects of keys that nobody asked for are violations too.
    """
    answer = history.readbacks.get(readback)
    effects = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(effects, list):
        return Finding("UNKNOWN", f'the readback "{readback}" gave no list "{at}": nothing to hold the history against')
    counted = Counter(str(effect) for effect in effects)
    operations = history.operations
    anomalies: list[Anomaly] = []
    keys: set[str] = set()
    for n, key, outcome in zip(operations.n, operations.key, operations.outcome, strict=True):
        if key is None:
            continue
        keys.add(key)
        count = counted[key]
        if count > 1:
            anomalies.append(Anomaly(f"{key} took effect {count} times", [int(n)]))
        elif outcome == "ok" and count == 0:
            anomalies.append(Anomaly(f"{key} was acknowledged, and has no effect", [int(n)]))
        elif outcome == "fail" and count == 1:
            anomalies.append(Anomaly(f"{key} was refused, and took effect", [int(n)]))
    anomalies.extend(Anomaly(f"{key} took effect, and nobody asked for it") for key in counted if key not in keys)
    if not keys:
        return Finding("UNKNOWN", "no operation carries a key: nothing was checked")
    if anomalies:
        return Finding(
            "FAIL", f"{len(anomalies)} of {len(keys):,} operations: {anomalies[0].text}", len(keys), tuple(anomalies)
        )
    return Finding("PASS", f"{len(keys):,} operations against {sum(counted.values()):,} effects", len(keys))
