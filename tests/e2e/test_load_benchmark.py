import math
import os

import pytest

from benchmarks.generators import get, ours, serving
from benchmarks.load_workers import answers, send, upstream

pytestmark = [pytest.mark.e2e, pytest.mark.alone]


async def test_all_arrive(tmp_path):
    """The benchmark's own run of the load, shortened: all arrivals are started and answered, and cost CPU time."""
    with serving() as url:
        measured = await ours(url, get(50), 1.0, tmp_path)
    assert (measured.asked, measured.started, measured.failed, measured.kept) == (50, 50, 0, 1.0)
    assert measured.cpu_s > (measured.sending_cpu_s or math.inf) > 0


async def test_stall_is_seen(tmp_path):
    """A stall of the server shows in the p99 by due time."""
    with serving(stall_s=1.0, first_s=1.5) as url:
        measured = await ours(url, get(50), 4.0, tmp_path)
    assert measured.p99_ms > 700


async def test_two_workers_within_a_quota():
    """The benchmark of load workers, shortened: all is sent, and no worker has more of a core than it may."""
    quota = 0.3 if os.access("/sys/fs/cgroup/cpu", os.W_OK) or os.access("/sys/fs/cgroup/cpu.max", os.W_OK) else None
    with upstream() as (at, pid):
        await answers(at)
        step = await send(at, pid, 1.0, quota, 2, 200)
    assert (step.kept, step.failed) == (1.0, 0)
    assert set(step.busy) == {"worker 0", "worker 1", "master", "upstream", "lab"}
    assert 0 < step.busy["worker 0"] < (quota or 1.0) * 1.5
