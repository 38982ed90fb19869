"""What a virtual machine's host gave to others."""

from __future__ import annotations

from collections import namedtuple

import psutil
import pytest

from lab.observe.stolen import StolenTime

Linux = namedtuple("Linux", "user system idle steal guest", defaults=[0.0] * 5)
MacOs = namedtuple("MacOs", "user nice system idle", defaults=[0.0] * 4)


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (Linux(10, 5, 80, 1, 3), Linux(12, 5, 85, 2, 4), 0.125),  # 1 s of 8 s; the guest's second is in user's
        (Linux(10, 5, 80, 1), Linux(12, 5, 85, 1), 0.0),
        (Linux(10, 5, 80, 1), Linux(12, 5, 85, 0.5), 0.0),  # some hosts count backwards after a move
        (Linux(10, 5, 80, 1), Linux(10, 5, 80, 1), None),
        (MacOs(10, 0, 5, 80), MacOs(12, 0, 5, 85), None),
    ],
)
def test_it_is_a_share_of_all_cores_time(
    monkeypatch: pytest.MonkeyPatch, before: object, after: object, share: float | None
) -> None:
    """From the making to the question; nothing where the system does not tell, or no time has passed."""
    looks = iter([before, after])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(looks))
    assert StolenTime().share() == share


def test_this_machine_answers() -> None:
    """With the names that psutil really has."""
    share = StolenTime().share()
    assert share is None or 0 <= share <= 1
