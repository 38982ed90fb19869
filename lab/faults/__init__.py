"""
Faults for scenario files: `from lab import faults`, then `faults.silence(link)`.

One file a fault; what they share is in `kit/`. Each name below is the one that its file ends with.
"""

from __future__ import annotations

from lab.faults.at import at
from lab.faults.bandwidth import bandwidth
from lab.faults.disk_full import disk_full
from lab.faults.down import down
from lab.faults.flaky import flaky
from lab.faults.io_error import io_error
from lab.faults.kill import kill
from lab.faults.kit.plain import spec
from lab.faults.kit.plain import told as told
from lab.faults.latency import latency
from lab.faults.noop import noop
from lab.faults.partition import partition
from lab.faults.pause import pause
from lab.faults.power_loss import power_loss
from lab.faults.reset import reset
from lab.faults.restart import restart
from lab.faults.silence import silence
from lab.faults.slice import slice  # noqa: A004 - called as `faults.slice`
from lab.faults.slow import slow
from lab.faults.slow_close import slow_close
from lab.faults.slow_fsync import slow_fsync
from lab.faults.truncate import truncate

__all__ = [
    "at",
    "bandwidth",
    "disk_full",
    "down",
    "flaky",
    "io_error",
    "kill",
    "latency",
    "noop",
    "partition",
    "pause",
    "power_loss",
    "reset",
    "restart",
    "silence",
    "slice",
    "slow",
    "slow_close",
    "slow_fsync",
    "spec",
    "truncate",
]
