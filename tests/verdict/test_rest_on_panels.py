"""Which experiments have their load wait until Prometheus scrapes."""

from __future__ import annotations

from lab.catalogue import find
from lab.verdict.claims import rest_on_panels


def test_a_claim_on_a_panel_waits_for_prometheus_and_a_panel_that_only_shows_does_not() -> None:
    """A Prometheus that was just started takes 5 s, which every other run saves."""
    assert rest_on_panels(find("blocking-event-loop").scenario.claims)
    assert not rest_on_panels(find("circuit-breaker").scenario.claims)
