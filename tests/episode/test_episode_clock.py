"""The clock of an episode: a step of the wall clock moves nothing, and is told; so is a machine that slept."""

from __future__ import annotations

import pytest

from lab.run.episode.clock import Clocks, EpisodeClock, asleep_s


class Fake:
    """Three clocks that stand where a test puts them; each look at the wall clock may take a while."""

    def __init__(self) -> None:
        self.steady_s, self.wall_s, self.slept_s, self.held_up_s = 100.0, 1.7e9, 20.0, 0.0

    def wall(self) -> float:
        """The wall clock; the process is held up right after."""
        now_s = self.wall_s
        self.goes_on(self.held_up_s)
        return now_s

    def goes_on(self, seconds: float) -> None:
        """Both clocks, alike."""
        self.steady_s += seconds
        self.wall_s += seconds

    @property
    def clocks(self) -> Clocks:
        """As an episode takes them."""
        return Clocks(lambda: self.steady_s, self.wall, lambda: self.slept_s)


def test_a_step_of_the_wall_clock_moves_nothing() -> None:
    """Three seconds forward: phases, faults and probes stay where they are, and the record says what happened."""
    fake = Fake()
    clock = EpisodeClock(0.5, fake.clocks)
    assert (clock.t0_steady_s, clock.t0_epoch_s) == (100.5, 1.7e9 + 0.5)
    fake.goes_on(10.5)
    fake.wall_s += 3
    assert clock.now_s() == pytest.approx(10)
    assert clock.facts.step_ms == pytest.approx(3000, abs=0.1)
    assert clock.facts.asleep_ms == 0


def test_a_step_forth_and_back_is_seen_where_it_was_looked_at() -> None:
    """The farthest that both clocks were apart is kept, whichever way."""
    fake = Fake()
    clock = EpisodeClock(0.0, fake.clocks)
    fake.wall_s -= 0.2
    clock.look()
    fake.wall_s += 0.2
    assert clock.facts.step_ms == pytest.approx(-200, abs=0.1)


def test_a_process_that_is_held_up_between_both_clocks_saw_no_step() -> None:
    """Half a second on a busy machine, just between reading the one and the other, is no step."""
    fake = Fake()
    clock = EpisodeClock(0.0, fake.clocks)
    fake.held_up_s = 0.5
    assert clock.facts.step_ms == 0


def test_a_suspended_machine_is_told() -> None:
    """Two seconds of sleep: neither clock of the load shows them, the system's count does."""
    fake = Fake()
    clock = EpisodeClock(0.0, fake.clocks)
    fake.slept_s += 2
    fake.wall_s += 2
    assert clock.facts.asleep_ms == pytest.approx(2000)
    assert clock.facts.step_ms == pytest.approx(2000, abs=0.1)


def test_where_the_system_does_not_count_sleep_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no CLOCK_BOOTTIME: 0, and the wall clock's step tells of the sleep."""
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)
    assert asleep_s() == 0
