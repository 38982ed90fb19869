"""The SLO's alerts against the fault windows: which fired, how long after the fault, and which for no fault at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lab.record import FiredAlert
from lab.report.numbers import quantity
from lab.report.view import FaultWindow, View

TITLE = "Alerts"
Kind = Literal["in", "after", "false"]


@dataclass(frozen=True)
class Row:
    """One alert; `left` and `width` place it on the variant's time, in percent."""

    name: str
    about: str
    when: str
    lasted: str
    kind: Kind
    left: float
    width: float


@dataclass(frozen=True)
class Band:
    """A fault window on the variant's time, in percent, and what told of it first, if anything did."""

    text: str
    told: str
    seen: bool
    left: float
    width: float


@dataclass(frozen=True)
class Shown:
    """One variant: its fault windows, the alerts of the service that the load goes to, and those of services behind."""

    name: str
    bands: Sequence[Band]
    front: Sequence[Row]
    behind: Sequence[Row]


@dataclass(frozen=True)
class Data:
    """`unknown` names variants whose alerts nobody knows."""

    variants: Sequence[Shown]
    unknown: Sequence[str]
    front: str


def build(view: View) -> Data | None:
    """None where no variant of the drawn trial has its alerts on record, as in runs of older labs."""
    known = [variant for variant in view.variants if view.episode(variant).alerts is not None]
    if not known:
        return None
    unknown = [variant for variant in view.variants if variant not in known]
    return Data([_shown(view, variant) for variant in known], unknown, view.spec.load.to)


def _shown(view: View, variant: str) -> Shown:
    faults = view.faults(variant)
    alerts = view.episode(variant).alerts or []
    front = [alert for alert in alerts if alert.service in view.spec.load.services]
    behind = [alert for alert in alerts if alert not in front]
    return Shown(
        variant,
        [_band(view, fault, front) for fault in faults],
        [_row(view, variant, alert, faults) for alert in front],
        [_row(view, variant, alert, faults) for alert in behind],
    )


def _band(view: View, fault: FaultWindow, alerts: Sequence[FiredAlert]) -> Band:
    delays = [alert.fired_s - fault.start_s for alert in alerts if fault.start_s <= alert.fired_s <= fault.end_s]
    told = f"first alert after {_seconds(min(delays))}" if delays else "no alert began while it was in"
    return Band(fault.label, told, bool(delays), *_place(view, fault.start_s, fault.end_s))


def _row(view: View, variant: str, alert: FiredAlert, faults: Sequence[FaultWindow]) -> Row:
    kind, when = _judged(alert, faults)
    end_s = view.ended_s(variant) if alert.ended_s is None else alert.ended_s
    lasted = _seconds(end_s - alert.fired_s) + (" and on" if alert.ended_s is None else "")
    about = alert.slo if view.spec.load.services == [alert.service] else f"{alert.slo} of {alert.service}"
    return Row(alert.name, about, when, lasted, kind, *_place(view, alert.fired_s, end_s))


def _judged(alert: FiredAlert, faults: Sequence[FaultWindow]) -> tuple[Kind, str]:
    """Whether it fired in a fault, after one (whose consequences it tells of), or with nothing broken so far."""
    begun = [fault for fault in faults if fault.start_s <= alert.fired_s]
    if not begun:
        return "false", "false alarm, nothing was broken"
    last = begun[-1]
    if alert.fired_s <= last.end_s:
        return "in", f"after {_seconds(alert.fired_s - last.start_s)}"
    return "after", f"{_seconds(alert.fired_s - last.end_s)} after its end"


def _seconds(seconds: float) -> str:
    """Whole seconds: Prometheus scrapes and judges once a second, and more digits would say more than it knows."""
    return quantity(round(seconds), "s")


def _place(view: View, start_s: float, end_s: float) -> tuple[float, float]:
    return round(100 * start_s / view.end_s, 2), round(100 * (end_s - start_s) / view.end_s, 2)
