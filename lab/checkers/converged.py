"""Replicas are equal in the end: each has the same keys with the same values (eventual consistency, by readback)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping

from lab.checkers._call import Readbacks, listed
from lab.checkers._played import ENOUGH, verdict
from lab.checkers.history import Finding, History
from lab.record import Anomaly


def converged(history: History, readbacks: Readbacks, least: int = ENOUGH) -> Finding:
    """
    Hold the replicas' states against one another, as read back when the load has drained.

    Each of `readbacks` is a replica's answer, a JSON object `{"registers": {"k0": "17", ...}, "sets": {"s0": ["a",
    ...]}, ...}`: of each kind an object by key. Any difference in any key is a violation (Vogels, "Eventually
    Consistent", 2009: without new updates all reads return the last one). That they agree on the right value is for
    other checkers.

    Must have seen: two replicas or more, `least` keys in all.
    """
    names = listed(readbacks)
    missing = [name for name in names if not isinstance(history.readbacks.get(name), Mapping)]
    if missing:
        return Finding("UNKNOWN", f"{', '.join(missing)} told no state: what those replicas hold is not known")
    states = {name: dict(_keys(history.readbacks[name])) for name in names}
    keys = sorted({key for state in states.values() for key in state})
    anomalies = [anomaly for key in keys if (anomaly := _difference(key, states)) is not None]
    few = f"only {len(keys):,} keys; the checker takes at least {least:,}" if len(keys) < least else ""
    alone = "one replica is equal to itself; name two or more" if len(states) < 2 else ""
    held = f"{len(states)} replicas agree on {len(keys):,} keys"
    return verdict(anomalies, f"{len(anomalies):,} of {len(keys):,} keys", [alone, few], held, len(keys))


def _keys(state: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for kind, by_key in state.items():
        for key, value in by_key.items() if isinstance(by_key, Mapping) else ():
            yield f"{kind} {key}", json.dumps(value, sort_keys=True)


def _difference(key: str, states: Mapping[str, Mapping[str, str]]) -> Anomaly | None:
    held = {name: state.get(key, "nothing") for name, state in states.items()}
    values = Counter(held.values())
    if len(values) == 1:
        return None
    common = values.most_common(1)[0][0]
    others = [f"{name} has {value:.60}" for name, value in held.items() if value != common]
    return Anomaly(f"{key}: {', '.join(others)}, and the others {common:.60}", [])
