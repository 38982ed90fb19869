"""The settings by which a target puts a circuit breaker before its calls, and the breaker that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from targets.kit.logs import Log
from targets.kit.metrics import Metrics, spelled
from targets.kit.settings import Count, Ratio, Seconds
from targets.patterns.breaker import Breaker, Call, Policy, State

Guard = Callable[[], AbstractContextManager[Call | None]]


@dataclass(frozen=True, kw_only=True)
class BreakerSettings:
    """BREAKER turns it on; the others are the numbers of its policy."""

    breaker: bool = False
    breaker_open_s: Seconds = 5.0
    breaker_window: Count = 20
    breaker_window_s: Seconds = 10.0
    breaker_failure_ratio: Ratio = 0.5
    breaker_min_calls: Count = 10
    breaker_probes: Count = 1

    def __post_init__(self) -> None:
        if self.breaker_min_calls > self.breaker_window:
            asked = f"BREAKER_MIN_CALLS={self.breaker_min_calls} cannot be with BREAKER_WINDOW={self.breaker_window}"
            raise ValueError(f"{asked}: give fewer calls or a larger window")


@dataclass(frozen=True)
class Moments:
    """Tells the exact moments at which the breaker before `peer` moves: no scrape sees a probe of some milliseconds."""

    log: Log
    peer: str

    def moved(self, to: State) -> None:
        """Tell the new state."""
        self.log.moment(MOVED[to], peer=self.peer, breaker=spelled(to))

    def refused(self) -> None:
        """Not worth an event: there may be hundreds a second."""


MOVED = {State.CLOSED: "breaker closed", State.HALF_OPEN: "breaker lets a probe through", State.OPEN: "breaker opened"}


def guard_of(settings: BreakerSettings, metrics: Metrics, log: Log, peer: str, timeout_s: float) -> Guard:
    """What each call to `peer` goes through: a breaker's `call`, or, where none is asked for, nothing.

    `timeout_s` is that of the calls: a probe that has not ended after twice that time has surely ended.
    """
    if not settings.breaker:
        return nullcontext
    policy = Policy(
        open_s=settings.breaker_open_s,
        window=settings.breaker_window,
        window_s=settings.breaker_window_s,
        failure_ratio=settings.breaker_failure_ratio,
        min_calls=settings.breaker_min_calls,
        probes=settings.breaker_probes,
        probe_s=2 * timeout_s,
    )
    return Breaker(policy, listeners=[metrics.breaker(peer), Moments(log, peer)]).call
