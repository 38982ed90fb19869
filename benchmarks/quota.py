"""Holds processes to a share of one core, each in a control group of its own; version 1 and 2, root on Linux."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Quota = float  # of one core

# Short, so that a process which has used its share waits for 10 ms at most.
PERIOD_US = 10_000
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


@contextmanager
def quotas(quota: Quota | None, pids: Iterable[int]) -> Iterator[None]:
    """Hold each of these processes, all its threads, to a share of a core; nothing happens without a quota.

    Raises SystemExit where this machine or user has no way to. Processes that live on leave the groups at the end.
    """
    groups: list[Path] = []
    try:
        for pid in pids if quota is not None else ():
            groups.append(_group(quota, pid))  # noqa: PERF401 - those made must be known where the next fails
        yield
    finally:
        for group in groups:
            _dissolve(group)


def _group(quota: Quota, pid: int) -> Path:
    used_us = round(PERIOD_US * quota)
    group = (V1 if (V1 / "cgroup.procs").exists() else V2) / f"lab-benchmark-{os.getpid()}-{pid}"
    try:
        group.mkdir()
        if group.parent == V1:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(used_us))
        else:
            (group / "cpu.max").write_text(f"{used_us} {PERIOD_US}")
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        _dissolve(group)
        raise SystemExit(f"a quota needs root, and Linux control groups for the CPU ({error}): --quota 0") from error
    return group


def _dissolve(group: Path) -> None:
    """Send what is left in it back to the root, and remove it."""
    with suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (group.parent / "cgroup.procs").write_text(pid)
        group.rmdir()
