"""Where the texts above a chart stand: on lines of their own where they would collide, on a phone's width too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lab.report.view import FaultWindow

NARROW_PX = 280  # the plot of a chart on a phone
CHARACTER_PX, GAP_PX = 6.2, 8.0
WIDEST_PX = 250.0  # a longer text is cut short
READABLE_PX = 150.0  # where there is less room to the right, a text ends with the plot instead
MOST_LINES = 3
AT_ONCE_S = 0.5  # faults that go in so close to each other are one event for a reader
MANY = 3  # of these, one is named and the others are counted


@dataclass(frozen=True)
class Label:
    """A text at a moment, on a line counted from the plot upwards, cut short after `limit_px`."""

    text: str
    at_s: float
    align: Literal["left", "right"]
    line: int
    limit_px: float = WIDEST_PX


def placed(texts: Sequence[tuple[float, str]], end_s: float, most_lines: int = MOST_LINES) -> list[Label]:
    """Texts, in order of their moments, each on the first line that is free there.

    A text that was placed before is not repeated where that would take a further line, and none goes beyond
    `most_lines`: the shades and the receipts say the rest.
    """
    taken: list[list[tuple[float, float]]] = []
    found: list[Label] = []
    for at_s, text in texts:
        wide_px = min(WIDEST_PX, CHARACTER_PX * len(text) + GAP_PX)
        room_px = (end_s - at_s) / end_s * NARROW_PX
        align: Literal["left", "right"] = "left" if room_px >= min(wide_px, READABLE_PX) else "right"
        limit_px = min(wide_px, room_px) if align == "left" else wide_px
        wide_s = limit_px / NARROW_PX * end_s
        begin_s = end_s - wide_s if align == "right" else at_s
        line = next((k for k, spans in enumerate(taken) if _free(spans, begin_s, begin_s + wide_s)), len(taken))
        again = any(text == label.text for label in found)
        if line >= most_lines or (again and line > min(label.line for label in found if label.text == text)):
            continue
        if line == len(taken):
            taken.append([])
        taken[line].append((begin_s, begin_s + wide_s))
        limit_px = WIDEST_PX if limit_px == wide_px else round(limit_px)
        found.append(Label(text, end_s if align == "right" else at_s, align, line, limit_px))
    return found


def _free(spans: Sequence[tuple[float, float]], begin_s: float, end_s: float) -> bool:
    return all(end_s <= first or begin_s >= last for first, last in spans)


def of_faults(faults: Sequence[FaultWindow]) -> list[tuple[float, str]]:
    """What is written above fault windows: of many that go in at once the first, and how many more."""
    groups: list[list[FaultWindow]] = []
    for fault in sorted(faults, key=lambda f: (f.start_s, f.text)):
        close = groups and fault.start_s - groups[-1][0].start_s < AT_ONCE_S
        if close and fault.in_force == groups[-1][0].in_force:
            groups[-1].append(fault)
        else:
            groups.append([fault])
    found: list[tuple[float, str]] = []
    for group in groups:
        if len(group) >= MANY:
            found.append((group[0].start_s, f"{group[0].label} and {len(group) - 1} more"))
        else:
            found += [(fault.start_s, fault.label) for fault in group]
    return found
