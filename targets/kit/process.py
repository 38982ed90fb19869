"""The process itself: its CPU time and memory as metrics on every system, and leave for a profiler to attach."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

PR_SET_PTRACER = 0x59616D61  # <linux/prctl.h>: "Yama"
PR_SET_PTRACER_ANY = -1
_STARTED_S = time.time()


class Usage(Collector):
    """
    What getrusage tells. The peak of memory comes from it everywhere; CPU time and start only where /proc is missing.

    The names are those of prometheus_client's own collector, which finds nothing without /proc.
    """

    def __init__(self, everything: bool) -> None:
        self.everything = everything

    def collect(self) -> Iterator[Metric]:
        """The process's numbers, read anew."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, KiB elsewhere
        yield GaugeMetricFamily(
            "process_resident_memory_peak_bytes", "Most memory held at any time.", used.ru_maxrss * unit
        )
        if self.everything:
            yield CounterMetricFamily(
                "process_cpu_seconds_total", "User and system CPU time.", used.ru_utime + used.ru_stime
            )
            yield GaugeMetricFamily("process_start_time_seconds", "Start, as epoch seconds.", _STARTED_S)


def watch_process(registry: CollectorRegistry, proc: Path = Path("/proc")) -> None:
    """Add the process's own metrics to `registry`."""
    ProcessCollector(proc=str(proc), registry=registry)
    registry.register(Usage(everything=not (proc / "self" / "stat").exists()))


def allow_ptrace() -> None:
    """Let any process of this user read our memory (py-spy does) where Yama would not; nothing on other systems."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # only here, because it costs a target 10 ms that is hardly ever profiled

    ctypes.CDLL(None).prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0)
