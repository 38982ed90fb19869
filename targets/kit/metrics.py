"""What every target measures of itself: OpenTelemetry's HTTP metrics by their Prometheus names, and the loop's lag."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest

from targets.kit.durations import Durations
from targets.kit.process import watch_process
from targets.patterns.breaker import State

LAG_EVERY_S = 0.1
LAGS_KEPT = 10


@dataclass(frozen=True)
class Metrics:
    """
    The instruments of one service, in a registry of its own so that several fit into one process.

    Seconds throughout. `peer` is the service called, `error_type` why a call failed (empty where it did not), a status
    is empty where no answer came.
    """

    registry: CollectorRegistry
    server_duration: Durations
    server_active: Gauge
    client_duration: Durations
    client_active: Gauge
    loop_lag: Gauge
    breaker_state: Gauge
    breaker_transitions: Counter
    breaker_refusals: Counter
    retries: Counter
    retries_denied: Counter

    def exposition(self) -> bytes:
        """All series in Prometheus's text format, with those at 0 that are expected."""
        text = generate_latest(self.registry)
        return self.client_duration.with_zeros(self.server_duration.with_zeros(text))

    def breaker(self, peer: str) -> BreakerMetrics:
        """A listener for the breaker that guards the calls to `peer`; its series are there from now on, at 0."""
        listener = BreakerMetrics(self, peer)
        self.breaker_state.labels(peer).set(State.CLOSED.value)
        self.breaker_refusals.labels(peer)
        for state in State:
            self.breaker_transitions.labels(peer, spelled(state))
        return listener


@dataclass(frozen=True)
class BreakerMetrics:
    """Keeps the series of one breaker."""

    metrics: Metrics
    peer: str

    def moved(self, to: State) -> None:
        """Show the new state and count the way there."""
        self.metrics.breaker_state.labels(self.peer).set(to.value)
        self.metrics.breaker_transitions.labels(self.peer, spelled(to)).inc()

    def refused(self) -> None:
        """Count a call that was not made."""
        self.metrics.breaker_refusals.labels(self.peer).inc()


def spelled(state: State) -> str:
    """A state as label value: closed, half-open, open."""
    return state.name.lower().replace("_", "-")


def new_metrics() -> Metrics:
    """All instruments, registered afresh."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series, and nothing reads them
    registry = CollectorRegistry()
    watch_process(registry)
    server = ("http_request_method", "http_route")
    return Metrics(
        registry,
        Durations(
            "http_server_request_duration_seconds",
            "From a request's head to its answer's.",
            (*server, "http_response_status_code"),
            registry,
        ),
        Gauge("http_server_active_requests", "Requests being worked on.", server, registry=registry),
        Durations(
            "http_client_request_duration_seconds",
            "From an attempt's start to the end of its answer, or to its failure.",
            ("http_request_method", "peer", "http_response_status_code", "error_type"),
            registry,
        ),
        Gauge("http_client_active_requests", "Attempts under way.", ("peer",), registry=registry),
        Gauge("event_loop_lag_seconds", "How late a timer rang, at worst within the last second.", registry=registry),
        Gauge("breaker_state", "0 closed, 1 half-open, 2 open.", ("peer",), registry=registry),
        Counter("breaker_transitions", "Changes of state, by the state reached.", ("peer", "to"), registry=registry),
        Counter("breaker_refusals", "Calls that the breaker did not let through.", ("peer",), registry=registry),
        Counter("retries", "Attempts after the first.", ("peer",), registry=registry),
        Counter("retries_denied", "Retries that the budget had no token for.", ("peer",), registry=registry),
    )


async def watch_loop(metrics: Metrics) -> None:
    """Measure the loop's lag until cancelled: the time for which something held it up."""
    last: deque[float] = deque(maxlen=LAGS_KEPT)  # so that scrapes a second apart miss nothing
    while True:
        due_s = time.perf_counter() + LAG_EVERY_S  # not the loop's clock: uvloop's stands still within a turn
        await asyncio.sleep(LAG_EVERY_S)
        last.append(max(0.0, time.perf_counter() - due_s))
        metrics.loop_lag.set(max(last))
