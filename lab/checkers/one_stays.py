"""Of each group one member stays: leave is given only while another one is there."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from lab.checkers._call import names_of
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.model import Readback
from lab.record import Anomaly


class Leave(msgspec.Struct, frozen=True):
    """What an answer says."""

    granted: bool


def one_stays(
    history: History, operation: str, readback: Readback | str, at: str, played_in: str = "", least: int = ENOUGH
) -> Finding:
    """
    Hold leaves (by `key`, the group; `value`, who asks) against the rule that one of each group stays.

    Each acknowledged answer says `{"granted": true}` or false. The readback's JSON object has under `at` how many are
    there still in each group that a member has left: at 0 the rule is broken. Leaves that were granted in a group which
    then is not among them were never made.

    Must have seen: `least` groups of which a leave was answered, in each phase of `played_in` too (by the phase of the
    first such answer).
    """
    operations = history.of(operation)
    name = names_of(readback)
    answer = history.readbacks.get(name)
    there = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(there, dict):
        return Finding("UNKNOWN", f'the readback "{name}" gave no object "{at}": nothing to hold the history against')
    granted: dict[str, list[tuple[int, str]]] = defaultdict(list)
    anomalies: list[Anomaly] = []
    groups: dict[str, str] = {}  # by key, the phase of its first answer
    columns = (operations.n, operations.key, operations.value, operations.outcome, operations.response)
    for n, key, value, outcome, response, phase in zip(*columns, operations.phase, strict=True):
        if key is None or outcome != "ok":
            continue
        groups.setdefault(key, str(phase))
        leave = leave_of(response)
        if leave is None:
            anomalies.append(
                Anomaly(f"{key}: the answer is {response}, which grants nothing and refuses nothing", [int(n)])
            )
        elif leave.granted:
            granted[key].append((int(n), str(value)))
    for key, count in there.items():
        if not count:
            leaves = granted[key]
            who = " and ".join(sorted({name for _, name in leaves})) or "no acknowledged request"
            anomalies.append(Anomaly(f"{key}: none stays; leave was given to {who}", [n for n, _ in leaves]))
    for key, leaves in granted.items():
        if leaves and key not in there:
            anomalies.append(Anomaly(f"{key}: leave was given, and none has left", [n for n, _ in leaves]))
    few = too_little(groups.values(), f"groups had a {operation} answered", least, played_in)
    failed = f"{len(anomalies):,} of {len(groups):,} groups"
    return verdict(anomalies, failed, [few], f"{len(groups):,} groups, and one member stays in each", len(groups))


def leave_of(response: str | None) -> Leave | None:
    """What an answer says; None where it says neither."""
    try:
        return msgspec.json.decode(response or "", type=Leave)
    except msgspec.DecodeError:
        return None
