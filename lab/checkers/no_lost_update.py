"""No update is lost: of two that read the same state only one may succeed, and the end is the sum of all."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from lab.checkers.history import Finding, History
from lab.record import Anomaly


class Update(msgspec.Struct, frozen=True):
    """What an answer says: the number as it was read, and as it was written."""

    before: int
    after: int


def no_lost_update(history: History, operation: str, readback: str, at: str) -> Finding:
    """
    Hold additions to counters (by `key`, the amount in `value`) against each other and against the end.

    Each acknowledged answer says `{"before": 10, "after": 15}`. Amounts are above 0, so that a counter is never twice
    the same: two updates that read the same number are a lost one. The readback's JSON object has under `at` what each
    counter, which began at 0, ended with: the sum of the acknowledged amounts, and of any of those not answered.
    """
    operations = history.of(operation)
    answer = history.readbacks.get(readback)
    ends = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(ends, dict):
        return Finding(
            "UNKNOWN", f'the readback "{readback}" gave no object "{at}": nothing to hold the history against'
        )
    readers: dict[tuple[str, int], list[int]] = defaultdict(list)
    done: dict[str, list[int]] = defaultdict(list)
    unsure: dict[str, list[int]] = defaultdict(list)
    anomalies: list[Anomaly] = []
    columns = (operations.n, operations.key, operations.value, operations.outcome, operations.response)
    for n, key, value, outcome, response in zip(*columns, strict=True):
        if key is None or outcome == "fail":
            continue
        (done if outcome == "ok" else unsure)[key].append(int(value))
        if outcome != "ok":
            continue
        update = _update(response)
        if update is None or update.after - update.before != int(value):
            anomalies.append(Anomaly(f"{key}: the answer is {response}, which is no addition of {value}", [int(n)]))
        else:
            readers[key, update.before].append(int(n))
    lost, told = 0, set[str]()
    for (key, before), found in readers.items():
        if len(found) > 1:
            lost += len(found) - 1
            told.add(key)
            anomalies.append(Anomaly(f"{key}: {len(found)} updates were made of {before}, one of them stayed", found))
    for key, amounts in done.items():
        if key not in told and ends.get(key) not in _reachable(sum(amounts), unsure[key]):
            text = f"{key}: ended with {ends.get(key)}, and {sum(amounts)} were acknowledged"
            anomalies.append(Anomaly(text))
    checked = sum(map(len, done.values()))
    if not checked:
        return Finding("UNKNOWN", f"no {operation} with a key was acknowledged: nothing was checked")
    if anomalies:
        why = f"{lost:,} of {checked:,} are lost: {anomalies[0].text}" if lost else anomalies[0].text
        return Finding("FAIL", why, checked, tuple(anomalies))
    return Finding("PASS", f"{checked:,} updates, each made of the one before", checked)


def _update(response: str | None) -> Update | None:
    try:
        return msgspec.json.decode(response or "", type=Update)
    except msgspec.DecodeError:
        return None


def _reachable(total: int, unsure: list[int]) -> set[int]:
    """What a counter may end with: the total, and any of the amounts that may or may not have been added."""
    sums = {total}
    for amount in unsure:
        sums |= {each + amount for each in sums}
    return sums
