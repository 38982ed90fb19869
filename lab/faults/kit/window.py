"""The canary's probes of one target while a fault was in: counted, through the link and beside it."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from statistics import median

from lab.model import Disk, Link, Member
from lab.record import Probe, ProbeOutcome

# The control API takes a few milliseconds a toxic, connections under way feel a change a little later, and a busy
# machine delays both: probes this close to either end say more about the change than about the fault.
EDGE_S = 0.3
GAP_S = 1.0  # longer without a probe, and nothing is known of what was in between; at 10 Hz ten in a row are missing
FAILURES: Sequence[ProbeOutcome] = ("refused", "reset", "timeout", "error")


@dataclass(frozen=True)
class Side:
    """Probes of one path, none at the edges. `end_s` is when the fault was surely still in for the last time."""

    probes: Sequence[Probe]
    end_s: float

    def __len__(self) -> int:
        return len(self.probes)

    @property
    def answered(self) -> Sequence[Probe]:
        """Those answered while the fault was in; an answer that came with its end does not count."""
        return [p for p in self.probes if p.latency_ms is not None and p.at_s + p.latency_ms / 1000 <= self.end_s]

    def count(self, outcome: ProbeOutcome) -> int:
        """How many ended so."""
        return sum(p.outcome == outcome for p in self.probes)

    @property
    def gap(self) -> str | None:
        """`no probe from 12.0 to 14.1 s`, where there is a gap."""
        times = [probe.at_s for probe in self.probes]
        wide = max(pairwise(times), key=lambda pair: pair[1] - pair[0], default=(0.0, 0.0))
        return f"no probe from {wide[0]:.1f} to {wide[1]:.1f} s" if wide[1] - wide[0] > GAP_S else None

    @property
    def failures(self) -> str:
        """` (3 refused, 1 timeout)`, or nothing."""
        counts = {name: self.count(name) for name in FAILURES}
        words = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
        return f" ({words})" if words else ""

    @property
    def median_ms(self) -> float:
        """Median latency; a probe without an answer is slower than any, and infinity is the median of none."""
        return median([inf if p.latency_ms is None else p.latency_ms for p in self.probes] or [inf])


@dataclass(frozen=True)
class Window:
    """Probes of one target while the fault was in."""

    target: str
    through: Side
    beside: Side

    @property
    def pairs(self) -> Sequence[tuple[Probe, Probe]]:
        """Each probe through the link with the one beside it that was begun nearest to it, where that was answered.

        Whatever slows the callee or the machine slows both of a pair.
        """
        beside = self.beside.probes
        times = [probe.at_s for probe in beside]
        found = []
        for probe in self.through.probes:
            after = bisect(times, probe.at_s)
            near = min(beside[max(0, after - 1) : after + 1], key=lambda p: abs(p.at_s - probe.at_s), default=None)
            if near is not None and near.latency_ms is not None and abs(near.at_s - probe.at_s) <= GAP_S:
                found.append((probe, near))
        return found

    @property
    def counts(self) -> str:
        """`through the link 0 of 196 probes answered (196 refused); beside it 197 of 198`."""
        through, beside = self.through, self.beside
        return (
            f"through the link {len(through.answered)} of {len(through)} probes answered{through.failures}; "
            f"beside it {len(beside.answered)} of {len(beside)}{beside.failures}"
        )


def window(
    probes: Sequence[Probe],
    target: Link | Member | Disk,
    *,
    edge_s: float = EDGE_S,
    takes_s: float = 0.0,
    lasts_s: float = inf,
) -> Window:
    """The probes of one target, from `edge_s` after the first of all to `edge_s` before the last.

    Where a probe takes `takes_s`, those that the end would have cut short are left out too. A fault that ends by
    itself `lasts_s` after it went in has its window end then.
    """
    start_s = min((p.at_s for p in probes), default=0.0)
    end_s = min(start_s + lasts_s, max((p.at_s for p in probes), default=0.0))
    last_s = end_s - max(edge_s, takes_s)
    near = [_without_distance(p, target) for p in probes if p.target == target.name]
    ours = [p for p in near if start_s + edge_s <= p.at_s <= last_s]
    through, beside = (Side([p for p in ours if p.path == path], end_s) for path in ("through", "beside"))
    return Window(target.name, through, beside)


def _without_distance(probe: Probe, target: Link | Member | Disk) -> Probe:
    """A probe as if both ends of its link stood side by side, so that a fault is charged with its own wait only."""
    far_ms = 2 * target.distance_ms if isinstance(target, Link) and probe.path == "through" else 0
    return probe if probe.latency_ms is None or not far_ms else replace(probe, latency_ms=probe.latency_ms - far_ms)
