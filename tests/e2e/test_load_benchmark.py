import math

import pytest

from benchmarks.generators import get, ours, serving

pytestmark = pytest.mark.e2e


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
