"""The benchmark of load workers: how it finds the highest rate, and which part it calls the limit."""

from __future__ import annotations

import pytest

from benchmarks.load_workers import NARROW, Step, highest, limit


def step(per_s: float, busy: dict[str, float], machine: float, kept: float = 1.0) -> Step:
    """A load with one worker."""
    return Step(1, per_s, kept, 0, 1.0, busy, machine)


@pytest.mark.parametrize("begin_per_s", [100.0, 1_000.0, 64_000.0])
async def test_the_highest_rate_is_found_from_anywhere(begin_per_s: float) -> None:
    """What is held and what is not lie on either side of the truth, no further apart than was asked."""

    async def send_at(workers: int, per_s: float) -> Step:
        return step(per_s, {}, 0.0, kept=1.0 if per_s <= 3_000 else 0.5)

    found = await highest(send_at, 1, begin_per_s, widen=2.0)
    assert found.held.asked_per_s <= 3_000 < found.beyond.asked_per_s <= found.held.asked_per_s * NARROW


async def test_a_single_miss_is_not_the_end() -> None:
    """A rate that was missed once and then held is held."""
    missed: set[float] = set()

    async def send_at(workers: int, per_s: float) -> Step:
        first = per_s not in missed
        missed.add(per_s)
        return step(per_s, {}, 0.0, kept=0.5 if first or per_s > 3_000 else 1.0)

    assert (await highest(send_at, 1, 1_000.0, widen=2.0)).held.asked_per_s > 2_800


@pytest.mark.parametrize(
    ("busy", "machine", "quota", "part"),
    [
        ({"worker": 0.97, "upstream": 0.3}, 1.3, None, "worker (at the end of a core)"),
        ({"worker 0": 0.25, "worker 1": 0.24, "master": 0.1}, 0.7, 0.25, "worker 0 and worker 1 (at the end of their"),
        ({"worker 0": 0.6, "worker 1": 0.6, "master": 0.95}, 2.2, None, "master (at the end of a core)"),
        ({"worker 0": 0.7, "worker 1": 0.7, "upstream": 0.3}, 1.98, None, "the machine (1.98 of 2 cores busy)"),
        ({"worker 0": 0.2, "upstream": 0.3}, 0.6, None, "no part was at its end"),
    ],
)
def test_the_limit_is_the_part_that_was_at_its_end(busy, machine, quota, part, monkeypatch) -> None:
    """A worker is measured against what it may use, everything else against a core, all together against the cores."""
    monkeypatch.setattr("benchmarks.load_workers.CORES", 4 if part.startswith("master") else 2)
    assert part in limit(step(1_000.0, busy, machine), quota)
