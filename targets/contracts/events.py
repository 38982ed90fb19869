"""The events of trades: the stream that keeps them, their subjects, one of which each pair has, and their bodies."""

from __future__ import annotations

from msgspec import Struct

STREAM, SUBJECTS = "TRADES", "trades.*"


class Event(Struct, frozen=True):
    """What is published: `seq` counts the events of its subject, `at` is the time (epoch seconds)."""

    id: str
    subject: str
    seq: int
    at: float
    amount_cents: int
