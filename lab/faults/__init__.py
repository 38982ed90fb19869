"""
Faults for scenario files: `from lab import faults`, then `faults.silence(link)`.

One file a fault; what they share is in `kit/`. Each name below is the one that its file ends with.
"""

from __future__ import annotations

from lab.faults.at import at
from lab.faults.bandwidth import bandwidth
from lab.faults.down import down
from lab.faults.flaky import flaky
from lab.faults.kill import kill
from lab.faults.kit.plain import spec
from lab.faults.kit.plain import told as told
from lab.faults.latency import latency
from lab.faults.noop import noop
from lab.faults.partition import partition
from lab.faults.pause import pause
from lab.faults.reset import reset
from lab.faults.restart import restart
from lab.faults.silence import silence
from lab.faults.slice import slice  # noqa: A004 - called as `faults.slice`
from lab.faults.slow import slow
from lab.faults.slow_close import slow_close
from lab.faults.truncate import truncate

__all__ = [
    "at",
    "bandwidth",
    "down",
    "flaky",
    "kill",
    "latency",
    "noop",
    "partition",
    "pause",
    "reset",
    "restart",
    "silence",
    "slice",
    "slow",
    "slow_close",
    "spec",
    "truncate",
]
