"""Which metrics are counts, and so grow with the length of their phase."""

from __future__ import annotations

COUNTS = {
    "acknowledged_lost",
    "attempts",
    "counter_increase",
    "keys_listed",
    "messages_again",
    "messages_lost",
    "requests",
    "requests_lost",
    "stale_reads",
    "updates_lost",
}
