"""No update is lost: of two that read the same state only one may succeed, and the end is the sum of all."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from lab.checkers._call import names_of
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers._sums import Work, reachable, whole
from lab.checkers.history import Finding, History
from lab.model import Readback
from lab.record import Anomaly


class Update(msgspec.Struct, frozen=True):
    """What an answer says: the number as it was read, and as it was written."""

    before: int
    after: int


class _Counters:
    """What is known of each counter: amounts acknowledged and indeterminate, updates by the number that they read."""

    def __init__(self) -> None:
        self.readers: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.done: dict[str, list[int]] = defaultdict(list)
        self.unsure: dict[str, list[int]] = defaultdict(list)
        self.phases: list[str] = []
        self.wrong: list[Anomaly] = []
        self.unreadable: dict[str, str] = {}  # by key: the first operation that cannot be read, and why


def no_lost_update(
    history: History, operation: str, readback: Readback | str, at: str, played_in: str = "", least: int = ENOUGH
) -> Finding:
    """
    Hold additions to counters (by `key`, the amount in `value`) against each other and against the end.

    Each acknowledged answer says `{"before": 10, "after": 15}`. Amounts are whole numbers above 0, so that a counter is
    never twice the same: two updates that read the same number are a lost one. The readback's JSON object has under
    `at` what each counter, which began at 0, ended with: the sum of the acknowledged amounts, and of any of the
    indeterminate ones.

    Must have seen: `least` acknowledged updates, in each phase of `played_in` too, each readable. UNKNOWN where too
    many are indeterminate to tell, in `MOST_BITS` of work, whether some of them add up to what a counter ended with.
    """
    name = names_of(readback)
    answer = history.readbacks.get(name)
    ends = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(ends, dict):
        return Finding("UNKNOWN", f'the readback "{name}" gave no object "{at}": nothing to hold the history against')
    counters = _read(history, operation)
    lost, told = 0, set[str]()
    anomalies = list(counters.wrong)
    for (key, before), found in counters.readers.items():
        if len(found) > 1:
            lost += len(found) - 1
            told.add(key)
            anomalies.append(Anomaly(f"{key}: {len(found)} updates were made of {before}, one of them stayed", found))
    undecided, work = list(counters.unreadable.values()), Work()
    for key, amounts in counters.done.items():
        if key in told or key in counters.unreadable:
            continue
        short = reachable(ends.get(key), sum(amounts), counters.unsure[key], work)
        if short is None:
            undecided.append(f"{key}: {len(counters.unsure[key]):,} indeterminate updates are too many to add up")
        elif not short:
            anomalies.append(Anomaly(f"{key}: ended with {ends.get(key)}, and {sum(amounts)} were acknowledged"))
    checked = len(counters.phases)
    first = anomalies[0].text if anomalies else ""
    failed = f"{lost:,} of {checked:,} are lost: {first}" if lost else first
    few = too_little(counters.phases, f"{operation} with a key were acknowledged", least, played_in)
    held = f"{checked:,} updates, each made of the one before"
    return verdict(anomalies, failed, [*undecided, few], held, checked, first=False)


def _read(history: History, operation: str) -> _Counters:
    found = _Counters()
    operations = history.of(operation)
    columns = (
        operations.n,
        operations.key,
        operations.value,
        operations.outcome,
        operations.response,
        operations.phase,
    )
    for n, key, value, outcome, response, phase in zip(*columns, strict=True):
        if key is None or outcome == "fail":
            continue
        amount = whole(value)
        update = _update(response) if outcome == "ok" else None
        if amount is None or amount <= 0:
            found.unreadable.setdefault(key, f"operation {n} adds {value!r} to {key}, which is no whole number above 0")
            continue
        if outcome != "ok":
            found.unsure[key].append(amount)
            continue
        found.done[key].append(amount)
        found.phases.append(phase)
        if update is None:
            why = f"the answer of operation {n} on {key} is {response!r:.200}, which says no numbers before and after"
            found.unreadable.setdefault(key, why)
        elif update.after - update.before != amount:
            found.wrong.append(Anomaly(f"{key}: the answer is {response}, which is no addition of {value}", [int(n)]))
        else:
            found.readers[key, update.before].append(int(n))
    return found


def _update(response: str | None) -> Update | None:
    try:
        return msgspec.json.decode(response or "", type=Update, strict=False)
    except msgspec.DecodeError:
        return None
