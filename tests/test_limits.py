"""The limit of open files, on systems that accept, refuse and cap it."""

from __future__ import annotations

import resource

import pytest

from lab.kit.limits import complaint, raise_open_files


class System:
    """What a system says of the limit; above `cap` it refuses, without a word about it."""

    def __init__(self, soft: int, hard: int, cap: int) -> None:
        self.limits, self.cap = (soft, hard), cap

    def get(self, which: int) -> tuple[int, int]:
        """As resource.getrlimit."""
        return self.limits

    def set(self, which: int, limits: tuple[int, int]) -> None:
        """As resource.setrlimit."""
        if limits[0] > self.cap:
            raise ValueError("current limit exceeds maximum limit")
        self.limits = limits


@pytest.mark.parametrize(
    ("soft", "hard", "cap", "reached"),
    [
        (256, resource.RLIM_INFINITY, 10_240, 8_192),  # macOS: 65,536, 32,768 and 16,384 are refused
        (256, resource.RLIM_INFINITY, 300, 256),
        (1_024, 1_048_576, 1 << 30, 65_536),
        (1_024, 4_096, 1 << 30, 4_096),
        (100_000, 1_048_576, 1 << 30, 100_000),
        (256, 256, 256, 256),
    ],
)
def test_the_wish_is_halved_until_it_fits(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, cap: int, reached: int
) -> None:
    """It never falls below what there was, and what was reached is what is told."""
    system = System(soft, hard, cap)
    monkeypatch.setattr(resource, "getrlimit", system.get)
    monkeypatch.setattr(resource, "setrlimit", system.set)
    assert raise_open_files() == reached
    assert system.limits == (reached, hard)
    assert raise_open_files() == reached


def test_too_few_is_told() -> None:
    """Below 1,024, with the line to type."""
    assert complaint(1_024) == ""
    assert "only 256 files open here" in complaint(256)
    assert "`ulimit -n 1024`" in complaint(256)
