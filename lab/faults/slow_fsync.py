"""A disk whose syncs take long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import at_least
from lab.faults.kit.disk import DiskTrouble, troubled
from lab.faults.kit.dose import MIN_PROBES, judge
from lab.faults.kit.throughout import broken_off
from lab.faults.kit.window import window
from lab.model import Disk, ProbeShape, Scalar, Sign
from lab.model.bench import Bench
from lab.record import Dose, Probe


@dataclass(frozen=True)
class SlowFsync(DiskTrouble):
    """Each fsync, fdatasync and O_DSYNC write takes `ms` longer: a busy or a cheap disk. Reads and writes do not.

    A canary syncs a file of its own there, ten times a second: so the fault is seen to be in, and to be out elsewhere.
    The receipt has the server's `fsyncs` and the seconds spent in them; fewer than `ms` each make the run UNKNOWN.
    """

    ms: float

    def __post_init__(self) -> None:
        at_least("slow_fsync", "ms", self.ms, 0.1)

    @property
    def watched_disks(self) -> tuple[Disk]:
        """The one under the member's data."""
        return (Disk(self.member),)

    @property
    def probe(self) -> ProbeShape:
        """Syncs that wait as long as this takes."""
        return ProbeShape(timeout_s=1 + self.ms / 1000)

    @property
    def sign(self) -> Sign:
        """Syncs that are late."""
        return Sign(self.ms)

    @property
    def text(self) -> str:
        """`postgres syncs 20 ms late`."""
        return f"{self.member.name} syncs {self.ms:g} ms late"

    def inject(self, bench: Bench) -> AbstractAsyncContextManager[Mapping[str, Scalar]]:
        """Make it slow, and quick again on exit."""
        return troubled(bench, self.member, self.text, {"fsync_ms": self.ms}, {"fsync_ms": 0}, self._check)

    def _check(self, facts: Mapping[str, Scalar]) -> str | None:
        syncs, took_s = float(facts["fsyncs"]), float(facts["fsync_s"])
        least_s = (syncs - 1) * self.ms / 1000  # one may have begun before
        return f"{syncs:g} syncs took {took_s:.3f} s, where {least_s:.3f} s were due" if took_s < least_s else None

    def dose(self, probes: Sequence[Probe]) -> Dose:
        """In force where no sync of the canary's was quicker than was asked."""
        through = window(probes, Disk(self.member), takes_s=self.ms / 1000).through
        quick = [probe.latency_ms is not None and probe.latency_ms < self.ms for probe in through.probes]
        few = f"too few probes: {len(through)}; {MIN_PROBES} are needed (a longer phase gives more)"
        return judge(
            f"{self.text}: each sync takes that or longer",
            f"{len(through) - sum(quick)} of {len(through)} syncs of the canary took {self.ms:g} ms or longer",
            few if len(through) < MIN_PROBES else None,
            f"{through.gap}, so nothing is shown about that time" if through.gap else None,
            broken_off(through.probes, quick, 0.0, f"synced in less than {self.ms:g} ms"),
        )


slow_fsync = SlowFsync
