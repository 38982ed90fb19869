"""Money is conserved: transfers change no sum, acknowledged ones are made in full, refused ones not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from lab.checkers._call import names_of
from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers._sums import Work, reachable, whole
from lab.checkers.history import Finding, History
from lab.model import Readback
from lab.record import Anomaly


class Transfer(msgspec.Struct, frozen=True):
    """What an operation asked for: accounts by the names that the readback has."""

    payer: str
    payee: str
    cents: int


class _Moved:
    """What transfers did to each account: cents of acknowledged ones in all, of indeterminate ones one by one."""

    def __init__(self) -> None:
        self.done: dict[str, int] = defaultdict(int)
        self.unsure: dict[str, list[int]] = defaultdict(list)
        self.by: dict[str, list[int]] = defaultdict(list)
        self.phases: list[str] = []
        self.unreadable = ""


def conserved(
    history: History,
    operation: str,
    readback: Readback | str,
    opening: int,
    at: str = "accounts",
    played_in: str = "",
    least: int = ENOUGH,
) -> Finding:
    """
    Hold transfers against the accounts that they left behind, each of which began with `opening` (a whole number).

    An operation's `value` is `{"payer": "account 1", "payee": "account 2", "cents": 5}`. The readback's JSON object has
    under `at` what each account ended with. Together they must hold what they began with, whatever was acknowledged.
    Each one must hold what acknowledged transfers (`ok`) leave of its opening, and any of the indeterminate ones
    (`info`); refused ones (`fail`) change nothing.

    Must have seen: `least` acknowledged transfers, in each phase of `played_in` too. UNKNOWN where a transfer cannot be
    read, and where too many are indeterminate to tell whether some of them add up.
    """
    name = names_of(readback)
    answer = history.readbacks.get(name)
    ends = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(ends, dict) or not ends:
        return Finding("UNKNOWN", f'the readback "{name}" gave no accounts under "{at}": nothing to hold against')
    moved, work = _read(history, operation), Work()
    anomalies = [*_sum(ends, opening)]
    undecided = [moved.unreadable] if moved.unreadable else []
    for account in sorted({*ends, *moved.done, *moved.unsure}) if not moved.unreadable else []:
        fits = _fits(ends.get(account), opening + moved.done[account], moved.unsure[account], work)
        if fits is None:
            undecided.append(
                f"{account}: {len(moved.unsure[account]):,} indeterminate transfers are too many to add up"
            )
        elif not fits:
            due, held = opening + moved.done[account], ends.get(account)
            text = f"{account}: holds {held}, and acknowledged transfers leave {due}"
            anomalies.append(Anomaly(text, moved.by[account]))
    few = too_little(moved.phases, f"{operation} were acknowledged", least, played_in)
    held_ = f"{len(moved.phases):,} transfers between {len(ends):,} accounts, which hold what they began with"
    failed = f"{len(anomalies):,} violations"
    return verdict(anomalies, failed, [*undecided, few], held_, len(moved.phases))


def _sum(ends: Mapping[str, object], opening: int) -> Iterator[Anomaly]:
    amounts = [whole(end) for end in ends.values()]
    if None in amounts:
        odd = next(name for name, end in ends.items() if whole(end) is None)
        yield Anomaly(f"{odd}: holds {ends[odd]!r:.100}, which is no whole number")
        return
    total, began = sum(amount or 0 for amount in amounts), opening * len(ends)
    if total != began:
        what = "are missing" if total < began else "are too many"
        yield Anomaly(f"the accounts hold {total}, and began with {began}: {abs(total - began)} {what}")


def _fits(end: object, settled: int, unsure: list[int], work: Work) -> bool | None:
    """Whether an account may end there. A payment that was not made counts as one that came on top of all of them."""
    ended = whole(end)
    if ended is None:
        return False
    paid = sum(cents for cents in unsure if cents < 0)
    return reachable(ended - paid, settled, [abs(cents) for cents in unsure], work)


def _read(history: History, operation: str) -> _Moved:
    moved = _Moved()
    operations = history.of(operation)
    columns = (operations.n, operations.value, operations.outcome, operations.phase)
    for n, value, outcome, phase in zip(*columns, strict=True):
        if outcome == "fail":
            continue
        try:
            asked = msgspec.json.decode(value or "", type=Transfer)
        except msgspec.DecodeError:
            moved.unreadable = moved.unreadable or f"operation {n} asks for {value!r:.100}, which is no transfer"
            continue
        if outcome == "ok":
            moved.phases.append(str(phase))
        for account, cents in ((asked.payer, -asked.cents), (asked.payee, asked.cents)):
            moved.by[account].append(int(n))
            if outcome == "ok":
                moved.done[account] += cents
            else:
                moved.unsure[account].append(cents)
    return moved
