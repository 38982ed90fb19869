"""What one episode brings home, and how the record keeps it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from lab import faults
from lab.load.driver import Result
from lab.model import Fault, Link, Scalar, Variant
from lab.observe import events
from lab.observe.canary import Canary
from lab.observe.hiccups import Meter
from lab.observe.snapshots import Answers
from lab.observe.statistics import Statistics
from lab.record import ActionReceipt, ClockFacts, Episode, Event, FiredAlert, PhaseWindow, Receipt
from lab.run.episode.clock import EpisodeClock

Rows = list[dict[str, Any]]


@dataclass
class Injection:
    """A fault while it happens; becomes a receipt when the probes are in.

    `began_s` is stamped before it goes in, `injected_s` when it was read back, `removing_s` before it is taken out and
    `removed_s` when it is out.
    """

    id: str
    fault: Fault
    resolved: Fault
    phase: str
    began_s: float
    injected_s: float
    read_back: Mapping[str, Scalar]
    removing_s: float | None = None
    removed_s: float | None = None


@dataclass(frozen=True)
class Counted:
    """What the services answered, and the servers' statistics, at a moment that is these edges of phases."""

    at_s: float
    answers: Answers
    statistics: tuple[Rows, list[str]]
    edges: Sequence[tuple[str, str]]


@dataclass
class EpisodeCapture:
    """What one episode brings home, filled as it goes, so that an episode cut short still has what it had."""

    trial: int
    variant: Variant
    seed: int
    clock: EpisodeClock = field(default_factory=lambda: EpisodeClock(0.0))  # until the load is told when to begin
    windows: list[PhaseWindow] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    counted: list[Counted] = field(default_factory=list)
    snapshots: Rows = field(default_factory=list)
    series: Rows = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    overhead_s: dict[str, float] = field(default_factory=dict)
    profiles: list[asyncio.Task[list[str]]] = field(default_factory=list)
    clock_facts: ClockFacts | None = None
    statistics: Statistics = field(default_factory=Statistics)  # of no server, until a stack is up
    canary: Canary | None = None
    meter: Meter | None = None
    load: Result | None = None
    alerts: list[FiredAlert] | None = None
    events: list[Event] = field(default_factory=list)  # what targets told and the lab saw
    actions: list[ActionReceipt] = field(default_factory=list)

    @property
    def label(self) -> str:
        """`1-off`: names this episode's folders."""
        return f"{self.trial}-{self.variant.name}"

    def now_s(self) -> float:
        """Seconds since the load began."""
        return self.clock.now_s()

    @asynccontextmanager
    async def timed(self, step: str) -> AsyncIterator[None]:
        """Count the time of a step towards the overhead."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.overhead_s[step] = self.overhead_s.get(step, 0.0) + time.monotonic() - began


def episode_of(capture: EpisodeCapture, links: Sequence[Link]) -> Episode:
    """The episode as the record keeps it, with a receipt for every fault that went in; `links` are the scenario's."""
    assert capture.load is not None
    receipts = [_receipt(capture, injection, links) for injection in capture.injections]
    told, left_out = events.in_order(
        [*capture.events, *events.of_actions(capture.actions)],
        events.of_faults(receipts),
        events.of_alerts(capture.alerts or []),
    )
    if left_out:
        capture.notes.append(f"{left_out:,} more events are only in the logs; the record keeps {events.MOST}")
    return Episode(
        trial=capture.trial,
        variant=capture.variant.name,
        seed=capture.seed,
        t0_epoch_s=capture.clock.t0_epoch_s,
        phases=capture.windows,
        load=capture.load.facts,
        receipts=receipts,
        overhead_s={name: round(value, 3) for name, value in capture.overhead_s.items()},
        deaths=capture.deaths,
        notes=capture.notes,
        alerts=capture.alerts,
        clock=capture.clock_facts,
        events=told,
        actions=capture.actions,
    )


def _receipt(capture: EpisodeCapture, injection: Injection, links: Sequence[Link]) -> Receipt:
    assert capture.canary is not None
    until_s = capture.now_s() if injection.removing_s is None else injection.removing_s
    known = injection.resolved is injection.fault
    return Receipt(
        id=injection.id,
        fault=faults.spec(injection.fault, links),
        resolved=None if known else faults.spec(injection.resolved, links),
        phase=injection.phase,
        began_s=injection.began_s,
        injected_s=injection.injected_s,
        removing_s=injection.removing_s,
        removed_s=injection.removed_s,
        read_back={**_who(injection, links), **injection.read_back},
        dose=injection.resolved.dose(capture.canary.between(injection.injected_s, until_s)),
    )


def _who(injection: Injection, links: Sequence[Link]) -> dict[str, Scalar]:
    """What a fault turned out to be, where only the running system could tell."""
    return {} if injection.resolved is injection.fault else {"resolved": faults.told(injection.resolved, links)}


def tables_of(capture: EpisodeCapture) -> dict[str, Rows]:
    """The rows of this episode's tables, with trial, variant and (by due time) phase."""
    assert capture.load is not None
    own = {"trial": capture.trial, "variant": capture.variant.name}
    probes = [asdict(probe) for probe in capture.canary.probes] if capture.canary else []
    return {
        "operations": [{**row, **own, "phase": _phase_of(capture, row["due_s"])} for row in capture.load.rows],
        "probes": [{**row, **own} for row in probes],
        "snapshots": [{**row, **own} for row in capture.snapshots],
        "series": [{**row, **own} for row in capture.series],
    }


def _phase_of(capture: EpisodeCapture, due_s: float) -> str:
    for window in capture.windows:
        if due_s < window.end_s:
            return window.name
    return capture.windows[-1].name if capture.windows else ""
