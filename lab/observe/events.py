"""The events of an episode in one form: what targets told in their logs, what the lab saw, faults and alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec

from lab.model import Scalar
from lab.model.bench import Moment
from lab.observe.logs import lines
from lab.record import ActionReceipt, Event, FiredAlert, Receipt

MOMENT = "moment"  # the `event` of such lines in a target's log
_ELECTED = "became leader at term "
MOST = 500  # told in one episode: a breaker that flaps must not fill the record
LONGEST = 200  # characters of a text or a fact
MOST_FACTS = 8


class _Line(msgspec.Struct):
    """Such a line, as `targets/kit/logs.py` writes it."""

    ts: float
    service: str
    event: str
    text: str
    facts: dict[str, str | int | float | bool] = {}


class _OfEtcd(msgspec.Struct):
    """A line of etcd's log."""

    ts: datetime
    msg: str


def told(logs: Path, t0_epoch_s: float, lasts_s: float) -> list[Event]:
    """What the targets of an episode told while its load lasted, from all `*.log` of its folder; nothing is trusted."""
    found: list[Event] = []
    for file in sorted(logs.glob("*.log")):
        found += _of_etcd(file, t0_epoch_s)
        for line in lines(file, [f'"event":"{MOMENT}"']):
            if isinstance(line, str):
                continue
            try:
                said = msgspec.convert(line, _Line)
            except msgspec.ValidationError:
                continue
            if said.event == MOMENT:
                facts: dict[str, Scalar] = {
                    name[:LONGEST]: fact[:LONGEST] if isinstance(fact, str) else fact
                    for name, fact in list(said.facts.items())[:MOST_FACTS]
                }
                found.append(Event(said.ts - t0_epoch_s, said.service[:LONGEST], said.text[:LONGEST], "told", facts))
    return _within(found, lasts_s)


def _of_etcd(file: Path, t0_epoch_s: float) -> list[Event]:
    """Elections as etcd's own log has them, one of the server that won: `1f became leader at term 2`."""
    found = []
    for line in lines(file, [_ELECTED]):
        try:
            said = msgspec.convert(line, _OfEtcd)
        except msgspec.ValidationError:
            continue
        term = said.msg.partition(_ELECTED)[2].strip()
        if term.isdecimal():
            found.append(
                Event(said.ts.timestamp() - t0_epoch_s, file.stem, "elected leader", "told", {"term": int(term)})
            )
    return found


def seen(moments: Iterable[Moment], t0_epoch_s: float, lasts_s: float) -> list[Event]:
    """What the lab itself saw happen to members and links while the load lasted."""
    return _within((Event(one.at_epoch_s - t0_epoch_s, one.source, one.text, "seen") for one in moments), lasts_s)


def of_faults(receipts: Sequence[Receipt]) -> list[Event]:
    """Each fault in and out: when it was read back, and when it was out."""
    found = []
    for receipt in receipts:
        source = receipt.fault.target
        if receipt.dose.in_force:
            found.append(Event(receipt.injected_s, source, f"fault in: {receipt.fault.text}", "fault"))
        if receipt.dose.in_force and receipt.removed_s is not None:
            found.append(Event(receipt.removed_s, source, f"fault out: {receipt.fault.text}", "fault"))
    return found


def of_actions(receipts: Sequence[ActionReceipt]) -> list[Event]:
    """Each action that was done, when it had been read back, with what that said."""
    return [
        Event(receipt.done_s, receipt.action.targets[0], receipt.action.text, "seen", receipt.read_back)
        for receipt in receipts
        if not receipt.error
    ]


def of_alerts(alerts: Sequence[FiredAlert]) -> list[Event]:
    """Each alert that fired and that ended; Prometheus judges once a second, so these are as exact as that."""
    found = []
    for alert in alerts:
        what = f"{alert.name} ({alert.slo}, {alert.severity})"
        found.append(Event(alert.fired_s, alert.service, f"alert fired: {what}", "alert"))
        if alert.ended_s is not None:
            found.append(Event(alert.ended_s, alert.service, f"alert over: {what}", "alert"))
    return found


def in_order(*several: Sequence[Event]) -> tuple[list[Event], int]:
    """All of them in order of time, moments to the millisecond, and how many were left out: told past the first MOST.

    Faults, alerts and what the lab saw are few, and stay.
    """
    everything = sorted((event for events in several for event in events), key=lambda event: event.at_s)
    kept, told = [], 0
    for event in everything:
        told += event.kind == "told"
        if event.kind != "told" or told <= MOST:
            kept.append(replace(event, at_s=round(event.at_s, 3)))
    return kept, len(everything) - len(kept)


def _within(events: Iterable[Event], lasts_s: float) -> list[Event]:
    return [event for event in events if 0 <= event.at_s <= lasts_s]
