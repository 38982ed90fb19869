"""Process metrics and the leave to attach."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from targets.kit import process


def names(registry: CollectorRegistry) -> set[str]:
    """The names of all series."""
    lines = generate_latest(registry).decode().splitlines()
    return {line.split()[0] for line in lines if not line.startswith("#")}


def test_without_proc_the_process_still_has_its_numbers(tmp_path: Path) -> None:
    """Where there is no /proc, as on macOS, CPU time, start and peak memory come from getrusage."""
    registry = CollectorRegistry()
    process.watch_process(registry, proc=tmp_path)
    assert names(registry) == {
        "process_cpu_seconds_total",
        "process_start_time_seconds",
        "process_resident_memory_peak_bytes",
    }
    peak = registry.get_sample_value("process_resident_memory_peak_bytes")
    assert peak is not None
    assert 10e6 < peak < 10e9


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_with_proc_nothing_is_told_twice() -> None:
    """On Linux the full set is there, each series once."""
    registry = CollectorRegistry()
    process.watch_process(registry)
    assert {"process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"} <= names(registry)
    assert generate_latest(registry).decode().count("\nprocess_cpu_seconds_total ") == 1


def test_leave_to_attach_is_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems there is nothing to allow, and nothing fails; on Linux the call itself must work."""
    process.allow_ptrace()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "ctypes", None)  # any use of it would fail
    process.allow_ptrace()
