"""The settings by which a target retries its calls, and the Retry that they ask for, with its metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from targets.kit.metrics import Metrics
from targets.kit.settings import Between
from targets.patterns.retry import Backoff, Budget, Retry

CAP_S = 2.0


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """RETRIES after the first attempt, RETRY_BACKOFF_S (0: at once), RETRY_BUDGET as a share of requests (0: none)."""

    retries: Annotated[int, Between(0, 10)] = 0
    retry_backoff_s: Annotated[float, Between(0, CAP_S, "seconds")] = 0.0
    retry_budget: Annotated[float, Between(0, 1)] = 0.0


@dataclass(frozen=True)
class RetryMetrics:
    """Keeps the series of the retries towards one peer."""

    metrics: Metrics
    peer: str

    def retried(self) -> None:
        """Count an attempt after the first."""
        self.metrics.retries.labels(self.peer).inc()

    def denied(self) -> None:
        """Count a retry for which the budget had no token."""
        self.metrics.retries_denied.labels(self.peer).inc()


def retry_of(settings: RetrySettings, metrics: Metrics, peer: str) -> Retry:
    """As the settings ask for; its series are there from now on, at 0."""
    metrics.retries.labels(peer)
    metrics.retries_denied.labels(peer)
    budget = Budget(settings.retry_budget) if settings.retry_budget else None
    return Retry(
        settings.retries, Backoff(settings.retry_backoff_s, CAP_S), budget, listener=RetryMetrics(metrics, peer)
    )
