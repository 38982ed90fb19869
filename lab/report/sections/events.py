"""The events of each variant, exactly as they were told: what the ticks at the foot of every chart stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.record import Event
from lab.report.view import View

TITLE = "Events"
SHOWN = 14  # of a variant; the others are folded


@dataclass(frozen=True)
class Row:
    """One event."""

    at: str
    source: str
    text: str
    facts: str
    kind: str


@dataclass(frozen=True)
class Shown:
    """One variant; `more` is behind a fold."""

    name: str
    rows: Sequence[Row]
    more: Sequence[Row]


@dataclass(frozen=True)
class Data:
    """All variants of the drawn trial."""

    variants: Sequence[Shown]


def build(view: View) -> Data | None:
    """None where the record has no events, as in runs of older labs."""
    rows = {variant: [_row(event) for event in view.events(variant)] for variant in view.variants}
    if not any(rows.values()):
        return None
    return Data([Shown(variant, found[:SHOWN], found[SHOWN:]) for variant, found in rows.items()])


def _row(event: Event) -> Row:
    facts = ", ".join(f"{name} {fact}" for name, fact in event.facts.items())
    return Row(f"{event.at_s:.3f}", event.source, event.text, facts, event.kind)
