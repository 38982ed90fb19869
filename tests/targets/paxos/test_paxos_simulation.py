"""Paxos keeps its guarantees in every simulated run, and each planted bug breaks one in the run of its seed."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

import paxos_bugs as bugs
import pytest
from paxos_simulation import Build, Simulation, Violation

SEEDS = int(os.environ.get("PAXOS_SEEDS", "200"))  # 7 s; the first 48 are a share of each kind of run


@dataclass(frozen=True)
class Planted:
    """A bug, the seed of a run that shows it, and the guarantee that breaks there."""

    name: str
    build: Build
    seed: int
    breaks: str


PLANTED = [
    Planted("promise forgotten over a restart", Build(acceptor=bugs.ForgetsItsPromise), 7, "agreement"),
    Planted("accept below the promise", Build(acceptor=bugs.AcceptsWithoutAHigherPromise), 0, "agreement"),
    Planted("own value although one was accepted", Build(proposer=bugs.PicksItsOwnValue), 0, "agreement"),
    Planted("vote of the lowest ballot", Build(proposer=bugs.PicksTheLowestVote), 9, "agreement"),
    Planted("ballot reused", Build(proposer=bugs.ReusesItsBallot), 2, "one value a ballot"),
    Planted("votes of all ballots counted together", Build(proposer=bugs.LearnsFromAllBallots), 1, "learned"),
    Planted("answer before the disk", Build(saves_first=False), 0, "learned"),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_bug_is_caught(planted: Planted) -> None:
    """In a run that the code as it is survives."""
    with pytest.raises(Violation) as raised:
        Simulation(planted.seed, planted.build).run()
    assert raised.value.name == planted.breaks
    Simulation(planted.seed).run()


def test_all_runs() -> None:
    """The code as it is breaks no guarantee, in runs with much to withstand."""
    counts: Counter[str] = Counter()
    for seed in range(SEEDS):
        try:
            counts.update(Simulation(seed).run().counts)
        except Violation as violation:
            pytest.fail(f"seed {seed}: {violation}")
    assert counts["chosen"] > 15 * SEEDS
    assert counts["answered"] > 30 * SEEDS
    assert counts["acceptors crashed"] > 20 * SEEDS
    assert counts["proposers crashed"] > 2 * SEEDS


def test_same_seed_same_run() -> None:
    """A seed is a run: it happens again just so."""
    first, second = Simulation(5).run(), Simulation(5).run()
    assert (first.counts, first.chosen) == (second.counts, second.chosen)
