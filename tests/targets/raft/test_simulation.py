"""Raft in the simulation: it breaks no guarantee as it is, and one at least with any of these bugs planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import bugs
import pytest
from guarantees import MemoryDisk
from simulation import Build, Simulation, Violation, survey, world_of
from weather import KINDS, seeds_of

from targets.raft.core import Raft
from targets.raft.outcomes import Save, Stored
from targets.raft.storage import Storage
from targets.raft.turns import Turns

MOST_SEEDS = 60  # of one kind of weather: a bug that so many runs do not show is not caught

VOTES = frozenset({"one vote a term", "election safety"})
LOST = frozenset(
    {
        "acknowledged entries stay",
        "a majority has what is committed",
        "leader completeness",
        "state machine safety",
        "committed entries stay",
        "log matching",
    }
)
STALE = frozenset({"a majority confirms a read", "reads are fresh", "linearizability"})
ONCE = frozenset({"applied once, in order", "linearizability"})
LIVENESS = frozenset({"liveness"})


@dataclass(frozen=True)
class Planted:
    """A bug, the weather that brings it out, and the guarantees of which it must break one."""

    bug: type[Raft] | type[Turns] | type[MemoryDisk]
    weather: str
    breaks: frozenset[str]

    @property
    def build(self) -> Build:
        """The code with it."""
        if issubclass(self.bug, Raft):
            return Build(core=self.bug)
        if issubclass(self.bug, Turns):
            return Build(turns=self.bug)
        disk = self.bug
        return Build(disk=lambda name: disk())


PLANTED = [
    Planted(bugs.VotesTwice, "contested", VOTES),
    Planted(bugs.ForgetsItsVote, "contested", VOTES),
    Planted(bugs.ForgetsItsTerm, "crashes", VOTES | LOST),
    Planted(bugs.AcceptsAShorterLog, "cut off", LOST),
    Planted(bugs.CountsVotesOfOlderTerms, "cut off", VOTES),
    Planted(bugs.ForgetsItsLog, "crashes", LOST),
    Planted(bugs.TruncatesOnLateMessages, "cut off", LOST),
    Planted(bugs.TruncatesInMemoryAlone, "cut off", LOST),
    Planted(bugs.KeepsTheTail, "late", LOST),
    Planted(bugs.CountsRepliesOfOlderTerms, "late", STALE | LOST),
    Planted(bugs.TakesARefusalForAnAnswer, "late", STALE),
    Planted(bugs.CountsOldTerms, "cut off", LOST),
    Planted(bugs.CommitsByItself, "ordinary", LOST),
    Planted(bugs.AppliesTwice, "ordinary", ONCE),
    Planted(bugs.AppliesRetriesAgain, "alone", ONCE),
    Planted(bugs.LabelsSnapshotsWithItsTerm, "late", LOST),
    Planted(bugs.ReadsWithoutAsking, "cut off", STALE),
    Planted(bugs.ReadsLocally, "ordinary", STALE),
    Planted(bugs.ReadsBeforeItsNoop, "cut off", STALE),
    Planted(bugs.ConfirmsReadsByAnEarlierRound, "ordinary", STALE),
    Planted(bugs.SendsBeforeItSaves, "ordinary", VOTES | LOST),
    Planted(bugs.RepliesBeforeItSaves, "ordinary", VOTES | LOST),
    Planted(bugs.AnswersBeforeItSaves, "alone", STALE),
    Planted(bugs.NeverDoubtsItself, "lasting", LIVENESS),
    Planted(bugs.AsksNoPreVote, "lasting", LIVENESS),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.bug.__name__)
def test_planted_bug_is_caught(planted: Planted) -> None:
    """A planted bug breaks a guarantee of its own kind in a run that the code as it is survives."""
    found = survey(seeds_of(planted.weather, MOST_SEEDS), planted.build, planted.breaks)
    assert found is not None
    Simulation(found[0]).run()


QUICK = 8
ALL = 60


def run_all(seeds: Iterable[int]) -> Counter[str]:
    """Run the code as it is under these seeds, and count what happened."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        try:
            counts.update(Simulation(seed).run().counts)
        except Violation as violation:
            pytest.fail(f"seed {seed}: {violation}")
    return counts


@pytest.mark.parametrize("weather", KINDS)
def test_quick_runs(weather: str) -> None:
    """Eight seeded runs of each weather break no guarantee, and there was trouble in them."""
    assert_troubled(run_all(seeds_of(weather, QUICK)), QUICK, weather)


@pytest.mark.e2e
@pytest.mark.parametrize("weather", KINDS)
def test_all_runs(weather: str) -> None:
    """Nor do all the runs in which the planted bugs are sought."""
    assert_troubled(run_all(seeds_of(weather, ALL)), ALL, weather)


def assert_troubled(counts: Counter[str], runs: int, weather: str) -> None:
    """Runs without elections, crashes, snapshots or answers would prove nothing."""
    assert counts["elections"] > 2 * runs
    assert counts["crashes"] > 3 * runs
    assert counts["operations"] > 50 * runs
    assert counts["unanswered"] > runs / 2
    assert weather == "alone" or counts["snapshots"] > runs / 5


def test_same_seed_same_run() -> None:
    """A seed is a run: it happens again just so."""
    first, second = Simulation(5).run(), Simulation(5).run()
    assert first.clients.ops == second.clients.ops
    assert first.counts == second.counts


def test_on_real_files(tmp_path: Path) -> None:
    """The same runs on the real storage, which is opened anew after each crash, with a torn end every other time."""
    for seed in range(3):

        def disk(name: str, seed: int = seed) -> FileDisk:
            return FileDisk(tmp_path / f"{seed}-{name}", Random(seed))

        simulation = Simulation(seed, Build(disk=disk), replace(world_of(seed), lasts_s=6.0)).run()
        assert simulation.counts["operations"] > 20


class FileDisk:
    """Real files; a crash may leave the beginning of a record behind the last that was synced."""

    def __init__(self, directory: Path, rng: Random) -> None:
        self.directory = directory
        self.rng = rng
        self.storage = Storage(directory)

    @property
    def stored(self) -> Stored:
        """What was found at the last opening."""
        return self.storage.stored

    def save(self, save: Save) -> None:
        """Write and sync."""
        self.storage.save(save)

    def crash(self, saving: Save | None, rng: Random) -> None:
        """The files stay as they are; a save in progress has not begun to write."""

    def reopened(self) -> FileDisk:
        """The same directory after a crash."""
        self.storage.close()
        if self.rng.random() < 0.5:
            with (self.directory / "wal").open("ab") as wal:
                wal.write(bytes([0, 0, 0, 200, 1, 2, 3, 4]) + self.rng.randbytes(self.rng.randrange(150)))
        return FileDisk(self.directory, self.rng)
