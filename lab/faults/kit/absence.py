"""
Whether a fault was out, from what the canary saw: proved as its presence is, in every phase that is without it.

Each probe through a link is held against the one beside it that was begun nearest to it. A callee that is overloaded,
or a machine that is busy, slows both; a toxic slows one. A pair shows the fault where the link gave no answer, or one
later than beside it by half of what the least of the link's faults adds. A fault that is in shows in its share of the
pairs, and in half of them at least however unsteady the callee is: the noise of both is alike, so that their difference
lies on either side of the delay as often. So a link is without its faults where so few pairs show one that this would
happen once in a hundred times with it (`UNLIKELY`), and where no run of such pairs is longer than luck.

A process has no way beside, and a disk none. They are without their fault where they answer, and soon enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, log

from lab.faults.kit.chance import at_most
from lab.faults.kit.dose import NOISE_MS
from lab.faults.kit.throughout import STRAY, UNSTEADY, broken_off
from lab.faults.kit.window import Side, Window, window
from lab.model import Disk, Fault, Link, Member
from lab.record import Probe

UNLIKELY = 0.01
HALF = 0.5  # of the pairs show a fault that is in, whatever else goes on
OTHERWISE_MS = 50.0  # a proxy adds 1 to 5 ms; ten times as much is a fault that was not asked for


@dataclass(frozen=True)
class Watch:
    """What would show at a link or process that any of its faults is in.

    `late_ms` is the lateness that counts, None where no fault delays; `late_share` and `lost_share` are the least share
    of probes that would be as late (or lost), and that would be lost.
    """

    target: Link | Member | Disk
    late_ms: float | None
    late_share: float
    lost_share: float

    @classmethod
    def over(cls, target: Link | Member | Disk, faults: Sequence[Fault]) -> Watch:
        """From all faults that may touch it in any phase."""
        signs = [fault.sign for fault in faults]
        on_a_disk = isinstance(target, Disk)  # nothing but the fault makes a sync slow: it goes no further than memory
        late = [(s.late_ms, s.share) for s in signs if s.late_ms is not None and (on_a_disk or s.late_ms > NOISE_MS)]
        least_ms = min((ms for ms, _ in late), default=None)
        return cls(
            target,
            least_ms if least_ms is None or on_a_disk else max(NOISE_MS, least_ms / 2),
            min([HALF, *(share for _, share in late)]),
            min([HALF, *(sign.share for sign in signs if sign.late_ms is None)]),
        )

    def still_in(self, probes: Sequence[Probe]) -> str | None:
        """Why `probes`, those begun in one phase without a fault here, do not show that none was in; None: they do."""
        seen = window(probes, self.target)
        if isinstance(self.target, Link):
            return self._link(seen)
        return self._alone(seen.through if isinstance(self.target, Disk) else seen.beside)

    def _link(self, seen: Window) -> str | None:
        if gap := seen.through.gap or seen.beside.gap:
            return gap
        pairs, name = seen.pairs, seen.target
        through = [one for one, _ in pairs]
        lost = [one.latency_ms is None for one in through]
        late_ms = OTHERWISE_MS if self.late_ms is None else self.late_ms
        late = [not gone and _later_ms(*pair) > late_ms for gone, pair in zip(lost, pairs, strict=True)]
        ms = f"{late_ms:.0f} ms"
        return (
            self._few(sum(lost), len(pairs), self.lost_share, f"had no answer through {name} and had one beside it")
            or self._few(
                sum(lost) + sum(late),
                len(pairs),
                self.late_share,
                f"had no answer through {name}, or one more than {ms} later than beside it",
            )
            or broken_off(through, lost, STRAY, f"had no answer through {name} and had one beside it")
            or broken_off(through, late, UNSTEADY, f"were {ms} later through {name} than beside it")
        )

    def _alone(self, side: Side) -> str | None:
        probes, name = side.probes, self.target.name
        lost = [one.latency_ms is None for one in probes]
        late_ms = inf if self.late_ms is None else self.late_ms  # how soon a busy process answers is its affair
        late = sum(one.latency_ms is None or one.latency_ms > late_ms for one in probes)
        return (
            side.gap
            or self._few(sum(lost), len(probes), self.lost_share, f"had no answer from {name}")
            or self._few(late, len(probes), self.late_share, f"had none from {name} within {late_ms:.0f} ms")
            or broken_off(probes, lost, UNSTEADY, f"had no answer from {name}")
        )

    def _few(self, hits: int, of: int, share: float, what: str) -> str | None:
        """Against its absence where as many hits, or as few probes, are no surprise with it."""
        if (1 - share) ** of > UNLIKELY:
            needed = ceil(log(UNLIKELY) / log(1 - share))
            return f"too few probes: {of} at {self.target.name}, {needed} are needed (a longer phase gives more)"
        if at_most(hits, of, share) > UNLIKELY:
            return f"{hits} of {of} probes {what}"
        return None


def _later_ms(through: Probe, beside: Probe) -> float:
    return (through.latency_ms or 0.0) - (beside.latency_ms or 0.0)
