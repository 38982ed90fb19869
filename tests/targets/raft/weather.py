"""How rough a simulated run is."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from targets.raft.outcomes import Timing


@dataclass(frozen=True)
class World:
    """How rough it is. Times are seconds of the simulation; shares are probabilities."""

    lasts_s: float = 8.0
    calm_s: float = 3.0  # at the end: no faults, so that everybody can agree
    servers: int = 5
    clients: int = 3
    loss: float = 0.05
    repeats: float = 0.05
    slow: float = 0.1  # of messages take up to `slowest_s`, so that others overtake them
    slowest_s: float = 0.3
    fault_every_s: float = 0.5
    down_s: float = 0.6
    dies_saving: float = 0.01  # of saves are followed by a crash, as soon as their messages are sent
    dies_voting: float = 0.01  # the same of saves without entries, which are mostly votes
    isolates: float = 0.0  # of elections and commitments cut the leader off before it can tell anybody, as in figure 8
    timing: Timing = field(default_factory=lambda: Timing(0.05, 0.15, 0.3, 60, 256))


def world_of(seed: int) -> World:
    """The seed's own weather, one of four kinds in turn."""
    rng = Random(f"world {seed}")
    snapshot_every, batch = rng.choice([20, 10_000]), rng.choice([1, 4, 256])
    servers, repeats = rng.choice([3, 5]), rng.choice([0.0, 0.3])
    match seed % 4:
        case 0:  # ordinary trouble
            return World(
                servers=servers,
                loss=rng.choice([0.0, 0.05, 0.2]),
                repeats=repeats,
                fault_every_s=rng.choice([0.15, 0.4, 1.0]),
                timing=Timing(0.05, 0.1, 0.4, snapshot_every, batch),
            )
        case 1:  # a storm of short crashes
            return World(
                servers=servers,
                loss=rng.choice([0.1, 0.3]),
                repeats=repeats,
                slow=0.3,
                fault_every_s=rng.choice([0.03, 0.1]),
                down_s=rng.choice([0.05, 0.3]),
                dies_saving=0.1,
                dies_voting=0.1,
                timing=Timing(0.05, 0.15, 0.3, snapshot_every, batch),
            )
        case 2:  # elections that several servers begin at once, and voters that crash meanwhile
            return World(
                servers=3,
                repeats=repeats,
                slow=1,
                slowest_s=0.15,
                fault_every_s=0.3,
                down_s=0.01,
                dies_voting=0.5,
                timing=Timing(0.05, 0.3, 0.3, snapshot_every, batch),
            )
        case _:  # leaders cut off with what they have just decided, as in figure 8
            return World(
                servers=servers,
                repeats=repeats,
                fault_every_s=2.0,
                down_s=0.1,
                isolates=0.4,
                timing=Timing(0.05, 0.15, 0.3, snapshot_every, 1),
            )
