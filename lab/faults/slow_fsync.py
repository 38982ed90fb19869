"""A disk whose syncs take long."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from lab.faults.kit.bounds import at_least
from lab.faults.kit.disk import DiskTrouble, troubled
from lab.model import Scalar
from lab.model.bench import Bench


@dataclass(frozen=True)
class SlowFsync(DiskTrouble):
    """Each fsync, fdatasync and O_DSYNC write takes `ms` longer: a busy or a cheap disk. Reads and writes do not.

    The receipt has `fsyncs` and the seconds spent in them; fewer seconds than `ms` each make the run UNKNOWN.
    """

    ms: float

    def __post_init__(self) -> None:
        at_least("slow_fsync", "ms", self.ms, 0.1)

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


slow_fsync = SlowFsync
