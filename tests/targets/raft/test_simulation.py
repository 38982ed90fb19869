"""Raft in the simulation: correct as it is, and caught at once with any of these bugs planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from simulation import Simulation, Violation, survey, world_of

from targets.raft.core import Raft
from targets.raft.leading import Leading
from targets.raft.machine import Machine
from targets.raft.messages import Cas, Entry, Put, RequestVote, Result
from targets.raft.outcomes import Answer, Found, Save, Stored
from targets.raft.storage import Storage

MOST_SEEDS = 200  # a bug that so many runs do not show is not caught


class VotesTwice(Raft):
    """Gives every candidate of a term its vote."""

    def may_vote_for(self, request: RequestVote) -> bool:
        return True


class ForgetsItsVote(Raft):
    """Does not persist whom it voted for."""

    def unsaved(self) -> Save | None:
        save = super().unsaved()
        return save and replace(save, voted_for=None)


class ForgetsItsTerm(Raft):
    """Persists a term only together with entries."""

    def unsaved(self) -> Save | None:
        save = super().unsaved()
        return save if save and (save.entries or save.snapshot) else None


class ForgetsItsLog(Raft):
    """Answers before the entries are on disk, so that a crash takes them."""

    def unsaved(self) -> Save | None:
        save = super().unsaved()
        return None if save and len(save.entries) == 1 else save


class AcceptsAShorterLog(Raft):
    """Votes for a candidate whatever its log lacks."""

    def up_to_date(self, request: RequestVote) -> bool:
        return True


class CountsOldTerms(Raft):
    """Commits an entry of an earlier term because a majority has it (figure 8)."""

    def may_commit(self, index: int) -> bool:
        return True


class AppliesTwice(Raft):
    """Applies every fiftieth entry a second time."""

    def apply(self, index: int) -> None:
        super().apply(index)
        if index % 50 == 0:
            self.machine.apply(index, self.log.at(index).command)


class ForgetfulMachine(Machine):
    """Has no memory of what a session has already done."""

    def _once(self, index: int, command: Put | Cas) -> Result:
        return self.change(index, command)


class AppliesRetriesAgain(Raft):
    """Applies a command as often as it is sent."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.machine = ForgetfulMachine()
        self.machine.restore(self.log.snapshot.data)


class ReadsWithoutAsking(Raft):
    """A leader answers reads at once, without proof that it still leads."""

    def read(self, token: int, key: str) -> None:
        if self.leading is None:
            super().read(token, key)
        else:
            self._answers.append(Answer(token, Found(self.last_applied, self.machine.read(key))))


class ReadsLocally(Raft):
    """Every server answers reads from what it has applied so far."""

    def read(self, token: int, key: str) -> None:
        self._answers.append(Answer(token, Found(self.last_applied, self.machine.read(key))))


class ReadsBeforeItsNoop(Raft):
    """A new leader trusts its commit index before anything of its own term is committed."""

    def read_index(self) -> int | None:
        return self.commit_index


class TruncatesOnLateMessages(Raft):
    """Replaces the end of the log by whatever a message brings, also by one that comes late."""

    def merge(self, prev_index: int, entries: Sequence[Entry]) -> None:
        skip = max(0, self.log.first_index - prev_index - 1)
        if entries[skip:]:
            self.write(prev_index + 1 + skip, entries[skip:])


class CommitsByItself(Raft):
    """Counts one server less than a majority."""

    def advance_commit(self, leading: Leading) -> None:
        index = leading.matched_by(self.majority - 1, self.log.last_index)
        if index > self.commit_index and self.may_commit(index):
            self.commit_to(index)


LOST = {"leader completeness", "state machine safety", "committed entries stay", "log matching"}
STALE = {"linearizability"}
EXPECTED: dict[type[Raft], set[str]] = {
    VotesTwice: {"election safety"},
    ForgetsItsVote: {"election safety"},
    ForgetsItsTerm: {"election safety", *LOST},
    ForgetsItsLog: LOST,
    AcceptsAShorterLog: LOST,
    CountsOldTerms: LOST,
    AppliesTwice: {"applied once, in order"},
    AppliesRetriesAgain: STALE,
    ReadsWithoutAsking: STALE,
    ReadsLocally: STALE,
    ReadsBeforeItsNoop: STALE,
    TruncatesOnLateMessages: LOST,
    CommitsByItself: LOST,
}


@pytest.mark.parametrize("bug", EXPECTED, ids=lambda bug: bug.__name__)
def test_planted_bug_is_caught(bug: type[Raft]) -> None:
    """A planted bug breaks a guarantee in one of the runs that the code as it is survives."""
    violation = survey(range(MOST_SEEDS), bug)
    assert violation is not None
    assert violation.name in EXPECTED[bug]


QUICK = 40
ALL = 200


def run_all(seeds: range) -> Counter[str]:
    """Run the code as it is under these seeds, and count what happened."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        try:
            counts.update(Simulation(seed).run().counts)
        except Violation as violation:
            pytest.fail(f"seed {seed}: {violation}")
    return counts


def test_quick_runs() -> None:
    """Forty seeded runs break no guarantee, and every kind of trouble happened in them."""
    assert_troubled(run_all(range(QUICK)), QUICK)


@pytest.mark.e2e
def test_all_runs() -> None:
    """Two hundred seeded runs break no guarantee."""
    assert_troubled(run_all(range(ALL)), ALL)


def assert_troubled(counts: Counter[str], runs: int) -> None:
    """Runs without elections, crashes, snapshots or answers would prove nothing."""
    assert counts["elections"] > 2 * runs
    assert counts["crashes"] > 5 * runs
    assert counts["operations"] > 50 * runs
    assert counts["unanswered"] > runs
    assert counts["snapshots"] > runs / 5


def test_same_seed_same_run() -> None:
    """A seed is a run: it happens again just so."""
    first, second = Simulation(5).run(), Simulation(5).run()
    assert first.ops == second.ops
    assert first.counts == second.counts


def test_on_real_files(tmp_path: Path) -> None:
    """The same runs on the real storage, which is opened anew after each crash, with a torn end every other time."""
    for seed in range(3):

        def disk(name: str, seed: int = seed) -> FileDisk:
            return FileDisk(tmp_path / f"{seed}-{name}", Random(seed))

        simulation = Simulation(seed, world=replace(world_of(seed), lasts_s=6.0), disks=disk).run()
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

    def reopened(self) -> FileDisk:
        """The same directory after a crash."""
        self.storage.close()
        if self.rng.random() < 0.5:
            with (self.directory / "wal").open("ab") as wal:
                wal.write(bytes([0, 0, 0, 200, 1, 2, 3, 4]) + self.rng.randbytes(self.rng.randrange(150)))
        return FileDisk(self.directory, self.rng)
