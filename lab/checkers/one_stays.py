"""Of each group somebody stays: leave is given only while another one is there."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from lab.checkers.history import Finding, History
from lab.record import Anomaly


class Leave(msgspec.Struct, frozen=True):
    """What an answer says."""

    granted: bool


def one_stays(history: History, operation: str, readback: str, at: str) -> Finding:
    """
    Hold leaves (by `key`, the group; `value`, who asks) against the rule that one of each group stays.

    Each acknowledged answer says `{"granted": true}` or false. The readback's JSON object has under `at` how many are
    there still in each group that somebody has left: at 0 the rule is broken. Leaves that were granted in a group which
    then is not among them were never made.
    """
    operations = history.of(operation)
    answer = history.readbacks.get(readback)
    there = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(there, dict):
        return Finding(
            "UNKNOWN", f'the readback "{readback}" gave no object "{at}": nothing to hold the history against'
        )
    granted: dict[str, list[tuple[int, str]]] = defaultdict(list)
    anomalies: list[Anomaly] = []
    groups: set[str] = set()
    columns = (operations.n, operations.key, operations.value, operations.outcome, operations.response)
    for n, key, value, outcome, response in zip(*columns, strict=True):
        if key is None or outcome != "ok":
            continue
        groups.add(key)
        leave = _leave(response)
        if leave is None:
            anomalies.append(
                Anomaly(f"{key}: the answer is {response}, which grants nothing and refuses nothing", [int(n)])
            )
        elif leave.granted:
            granted[key].append((int(n), str(value)))
    for key, count in there.items():
        if not count:
            leaves = granted[key]
            who = " and ".join(sorted({name for _, name in leaves})) or "nobody who was told so"
            anomalies.append(Anomaly(f"{key}: nobody stays; leave was given to {who}", [n for n, _ in leaves]))
    for key, leaves in granted.items():
        if leaves and key not in there:
            anomalies.append(Anomaly(f"{key}: leave was given, and nobody has left", [n for n, _ in leaves]))
    if not groups:
        return Finding("UNKNOWN", f"no {operation} with a key was acknowledged: nothing was checked")
    if anomalies:
        why = f"{len(anomalies):,} of {len(groups):,} groups: {anomalies[0].text}"
        return Finding("FAIL", why, len(groups), tuple(anomalies))
    return Finding("PASS", f"{len(groups):,} groups, and somebody stays in each", len(groups))


def _leave(response: str | None) -> Leave | None:
    try:
        return msgspec.json.decode(response or "", type=Leave)
    except msgspec.DecodeError:
        return None
