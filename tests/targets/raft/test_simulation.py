"""Raft in the simulation: it breaks no guarantee as it is, and one at least with any of these bugs planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import bugs
import pytest
from guarantees import MemoryDisk
from simulation import Build, Simulation, Violation, survey
from weather import KINDS, seeds_of

from targets.raft.core import Raft
from targets.raft.turns import Turns

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

MOST_SEEDS = 20  # a bug that so many runs do not show is not caught
# Of the code as it is in each weather, beside those in which bugs were found: seven in a row as rough as it is meant.
RUNS, AFTER = 7, 3
FIERCE = ("ordinary", "crashes", "contested", "cut off")  # weathers that are made to trouble every run

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
    """A bug, the weather that brings it out, and the guarantees of which it must break one.

    `skip`: so many seeds of that weather are known not to show it, with the code as it is today.
    """

    bug: type[Raft] | type[Turns] | type[MemoryDisk]
    weather: str
    breaks: frozenset[str]
    skip: int = 0

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
    Planted(bugs.CountsVotesOfOlderTerms, "cut off", VOTES, skip=10),
    Planted(bugs.ForgetsItsLog, "crashes", LOST),
    Planted(bugs.TruncatesOnLateMessages, "cut off", LOST),
    Planted(bugs.TruncatesInMemoryAlone, "cut off", LOST),
    Planted(bugs.KeepsTheTail, "late", LOST, skip=45),
    Planted(bugs.CountsRepliesOfOlderTerms, "late", STALE | LOST, skip=5),
    Planted(bugs.TakesARefusalForAnAnswer, "late", STALE, skip=34),
    Planted(bugs.CountsOldTerms, "cut off", LOST, skip=1),
    Planted(bugs.CommitsByItself, "ordinary", LOST),
    Planted(bugs.AppliesTwice, "ordinary", ONCE),
    Planted(bugs.AppliesRetriesAgain, "alone", ONCE),
    Planted(bugs.LabelsSnapshotsWithItsTerm, "late", LOST),
    Planted(bugs.SnapshotTakesTheTail, "lossy", LOST, skip=15),
    Planted(bugs.ReadsWithoutAsking, "cut off", STALE),
    Planted(bugs.ReadsLocally, "ordinary", STALE),
    Planted(bugs.ReadsBeforeItsNoop, "cut off", STALE),
    Planted(bugs.ConfirmsReadsByAnEarlierRound, "ordinary", STALE),
    Planted(bugs.SendsBeforeItSaves, "ordinary", VOTES | LOST, skip=2),
    Planted(bugs.RepliesBeforeItSaves, "ordinary", VOTES | LOST),
    Planted(bugs.AnswersBeforeItSaves, "alone", STALE, skip=3),
    Planted(bugs.NeverDoubtsItself, "lasting", LIVENESS, skip=3),
    Planted(bugs.AsksNoPreVote, "lasting", LIVENESS, skip=3),
    Planted(bugs.VotesAndRunsItself, "far", LIVENESS, skip=7),
    Planted(bugs.WaitsForALeaderThatNeverDoubts, "replaced", LIVENESS),
]


@cache
def as_it_is(seed: int) -> Simulation:
    """The run of the code without a bug. Raises Violation."""
    return Simulation(seed).run()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.bug.__name__)
def test_planted_bug_is_caught(planted: Planted) -> None:
    """A planted bug breaks a guarantee of its own kind in a run that the code as it is survives."""
    found = survey(seeds_of(planted.weather, MOST_SEEDS, planted.skip), planted.build, planted.breaks)
    assert found is not None
    as_it_is(found[0])


@pytest.mark.parametrize(
    ("weather", "skip", "bug", "guard_off"),
    [
        ("far", 6, bugs.VotesAndIsImpatient, bugs.AsksNoPreVote),
        ("replaced", 0, bugs.WaitsForAStaleLeader, bugs.NeverDoubtsItself),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_bug_behind_a_guard(weather: str, skip: int, bug: type[Raft], guard_off: type[Raft]) -> None:
    """Pre-vote, or check quorum, keeps these from ending all elections: in the same runs both together do."""
    for alone in (bug, guard_off):
        assert survey(seeds_of(weather, 2, skip), Build(core=alone), LIVENESS | VOTES | LOST | STALE) is None


@pytest.mark.parametrize("weather", ["late", "lossy", "cut off"])
def test_next_index_is_never_ahead_of_the_answers(weather: str) -> None:
    """To count a majority by next_index gives the very same run; requests sent ahead of answers would end that."""
    for seed in seeds_of(weather, 2):
        same, run = Simulation(seed, Build(core=bugs.CountsNextIndex)).run(), as_it_is(seed)
        assert (same.counts, same.clients.ops) == (run.counts, run.clients.ops)


def run_all(seeds: Iterable[int]) -> Counter[str]:
    """Run the code as it is under these seeds, and count what happened."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        try:
            counts.update(as_it_is(seed).counts)
        except Violation as violation:
            pytest.fail(f"seed {seed}: {violation}")
    return counts


@pytest.mark.parametrize("weather", KINDS)
def test_all_runs(weather: str) -> None:
    """The code as it is breaks no guarantee in weather in which it has much to withstand."""
    assert_troubled(run_all(seeds_of(weather, RUNS, AFTER)), RUNS, weather)


def assert_troubled(counts: Counter[str], runs: int, weather: str) -> None:
    """Runs without elections, crashes, snapshots or answers would prove nothing."""
    assert counts["elections"] > 2 * runs
    assert counts["crashes"] > (5 if weather in FIERCE else 3) * runs
    assert counts["operations"] > 50 * runs
    assert counts["unanswered"] > (1 if weather in FIERCE else 1 / 4) * runs
    assert weather in ("alone", "far") or counts["snapshots"] > runs / 5


def test_same_seed_same_run() -> None:
    """A seed is a run: it happens again just so."""
    first, second = as_it_is(5), Simulation(5).run()
    assert first.clients.ops == second.clients.ops
    assert first.counts == second.counts
