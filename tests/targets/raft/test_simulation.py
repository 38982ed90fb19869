"""Raft in the simulation: it breaks no guarantee as it is, and one at least with any of these bugs planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import bugs
import pytest
from guarantees import MemoryDisk
from simulation import Build, Simulation, Violation, survey
from weather import KINDS, seeds_of

from targets.raft.core import Raft
from targets.raft.turns import Turns

MOST_SEEDS = {"late": 60}  # of one kind of weather: a bug that so many runs do not show is not caught
OTHERWISE = 20

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
    Planted(bugs.SnapshotTakesTheTail, "lossy", LOST),
    Planted(bugs.ReadsWithoutAsking, "cut off", STALE),
    Planted(bugs.ReadsLocally, "ordinary", STALE),
    Planted(bugs.ReadsBeforeItsNoop, "cut off", STALE),
    Planted(bugs.ConfirmsReadsByAnEarlierRound, "ordinary", STALE),
    Planted(bugs.SendsBeforeItSaves, "ordinary", VOTES | LOST),
    Planted(bugs.RepliesBeforeItSaves, "ordinary", VOTES | LOST),
    Planted(bugs.AnswersBeforeItSaves, "alone", STALE),
    Planted(bugs.NeverDoubtsItself, "lasting", LIVENESS),
    Planted(bugs.AsksNoPreVote, "lasting", LIVENESS),
    Planted(bugs.VotesAndRunsItself, "far", LIVENESS),
    Planted(bugs.WaitsForALeaderThatNeverDoubts, "replaced", LIVENESS),
]


def runs_in(weather: str) -> range:
    """The seeds in which a bug is sought."""
    return seeds_of(weather, MOST_SEEDS.get(weather, OTHERWISE))


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.bug.__name__)
def test_planted_bug_is_caught(planted: Planted) -> None:
    """A planted bug breaks a guarantee of its own kind in a run that the code as it is survives."""
    found = survey(runs_in(planted.weather), planted.build, planted.breaks)
    assert found is not None
    Simulation(found[0]).run()


@pytest.mark.parametrize(
    ("weather", "bug", "guard_off"),
    [
        ("far", bugs.VotesAndIsImpatient, bugs.AsksNoPreVote),
        ("replaced", bugs.WaitsForAStaleLeader, bugs.NeverDoubtsItself),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_bug_behind_a_guard(weather: str, bug: type[Raft], guard_off: type[Raft]) -> None:
    """Pre-vote, or check quorum, keeps these from ending all elections: both together are among the planted bugs."""
    for alone in (bug, guard_off):
        assert survey(seeds_of(weather, 10), Build(core=alone), LIVENESS | VOTES | LOST | STALE) is None


@pytest.mark.parametrize("weather", ["late", "lossy", "cut off"])
def test_next_index_is_never_ahead_of_the_answers(weather: str) -> None:
    """To count a majority by next_index gives the very same run; requests sent ahead of answers would end that."""
    for seed in seeds_of(weather, 8):
        same, run = Simulation(seed, Build(core=bugs.CountsNextIndex)).run(), Simulation(seed).run()
        assert (same.counts, same.clients.ops) == (run.counts, run.clients.ops)


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
def test_all_runs(weather: str) -> None:
    """The code as it is breaks no guarantee in any of the runs in which bugs are sought."""
    seeds = runs_in(weather)
    assert_troubled(run_all(seeds), len(seeds), weather)


def assert_troubled(counts: Counter[str], runs: int, weather: str) -> None:
    """Runs without elections, crashes, snapshots or answers would prove nothing."""
    assert counts["elections"] > 2 * runs
    assert counts["crashes"] > 3 * runs
    assert counts["operations"] > 50 * runs
    assert counts["unanswered"] > runs / 4
    assert weather in ("alone", "far") or counts["snapshots"] > runs / 5


def test_same_seed_same_run() -> None:
    """A seed is a run: it happens again just so."""
    first, second = Simulation(5).run(), Simulation(5).run()
    assert first.clients.ops == second.clients.ops
    assert first.counts == second.counts
