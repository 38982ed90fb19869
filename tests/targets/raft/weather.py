"""How rough a simulated run is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from targets.raft.outcomes import Timing

Lasting = Literal["deaf", "mute", "apart", "flapping", "replaced"]
LASTING: Sequence[Lasting] = ("deaf", "mute", "apart", "flapping")


@dataclass(frozen=True)
class World:
    """How rough it is. Times are seconds of the simulation; shares are probabilities."""

    lasts_s: float = 8.0
    calm_s: float = 3.0  # at the end: no faults, so that all servers can agree
    settled_s: float = 1.0  # at the end of that: one leader, and operations are done
    lasting: Lasting | None = None  # what one server suffers to the end
    servers: int = 5
    clients: int = 3
    loss: float = 0.05
    repeats: float = 0.05
    slow: float = 0.1  # of messages take up to `slowest_s`, so that others overtake them
    slowest_s: float = 0.3
    distance_s: float = 0.0  # what each message between servers takes at least
    spread_s: float = 0.01  # and what it takes more, unless it is slow
    fault_every_s: float = 0.5
    down_s: float = 0.6
    dies_unsaved: float = 0.02  # of saves are cut short by a crash
    dies_saving: float = 0.01  # of saves are followed by a crash, as soon as their messages are sent
    dies_voting: float = 0.01  # the same of saves without entries, which are mostly votes
    isolates: float = 0.0  # of elections and commitments cut the leader off before it can tell anybody, as in figure 8
    timing: Timing = field(default_factory=lambda: Timing(0.05, 0.15, 0.3, 60, 256))


KINDS = ("ordinary", "crashes", "contested", "cut off", "late", "alone", "lasting", "lossy", "far", "replaced")


def seeds_of(kind: str, count: int, skip: int = 0) -> range:
    """So many seeds of one kind of weather, after the first `skip`."""
    step = len(KINDS)
    first = KINDS.index(kind) + skip * step
    return range(first, first + count * step, step)


def world_of(seed: int) -> World:
    """The seed's own weather, one of the kinds in turn."""
    rng = Random(f"world {seed}")
    snapshot_every, batch = rng.choice([20, 10_000]), rng.choice([1, 4, 256])
    servers, repeats = rng.choice([3, 5]), rng.choice([0.0, 0.3])
    match KINDS[seed % len(KINDS)]:
        case "ordinary":  # some of everything
            return World(
                servers=servers,
                loss=rng.choice([0.0, 0.05, 0.2]),
                repeats=repeats,
                fault_every_s=rng.choice([0.15, 0.4, 1.0]),
                timing=Timing(0.05, 0.1, 0.4, snapshot_every, batch),
            )
        case "crashes":  # a storm of short ones
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
        case "contested":  # elections that several servers begin at once, and voters that crash meanwhile
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
        case "cut off":  # leaders that lose the others with what they have just decided, as in figure 8
            return World(
                servers=servers,
                repeats=repeats,
                fault_every_s=2.0,
                down_s=0.1,
                isolates=0.4,
                timing=Timing(0.05, 0.15, 0.3, snapshot_every, 1),
            )
        case "late":  # messages that arrive terms later, some twice; a snapshot for whoever missed a few entries
            return World(
                servers=servers,
                clients=rng.choice([3, 10]),
                loss=0.1,
                repeats=0.3,
                slow=rng.choice([0.1, 0.3]),
                slowest_s=2.0,
                fault_every_s=rng.choice([0.1, 0.3]),
                down_s=rng.choice([0.02, 0.2]),
                dies_saving=0.03,
                isolates=0.1,
                timing=Timing(0.05, 0.15, 0.3, rng.choice([1, 3, 10]), rng.choice([1, 4])),
            )
        case "alone":  # a cluster of one, whose majority is itself, and its crashes
            return World(
                servers=1,
                fault_every_s=0.1,
                down_s=0.05,
                timing=Timing(0.05, 0.1, 0.2, snapshot_every, batch),
            )
        case "lossy":  # many clients, few answers: what a follower has and what its leader knows of it differ widely
            return World(
                servers=3,
                clients=20,
                loss=0.3,
                repeats=0.1,
                slow=0.5,
                fault_every_s=2.0,
                down_s=0.1,
                timing=Timing(0.05, 0.15, 0.3, 1, 256),
            )
        case "far":  # an election takes a good part of its timeout
            return World(
                lasts_s=10.0,
                calm_s=5.0,
                distance_s=0.03,
                spread_s=0.05,
                loss=0.0,
                slow=0.0,
                fault_every_s=1.0,
                down_s=0.5,
                timing=Timing(0.05, 0.15, 0.3, 10_000, 256),
            )
        case "replaced":  # a leader that was cut off is heard again and hears none, and its successor crashes for good
            return World(
                servers=5,
                fault_every_s=1.0,
                lasting="replaced",
                timing=Timing(0.05, 0.15, 0.3, snapshot_every, batch),
            )
        case _:  # one server that stays in trouble while the others are well
            return World(
                servers=servers,
                lasts_s=6.0,
                lasting=rng.choice(LASTING),
                timing=Timing(0.05, 0.15, 0.3, snapshot_every, batch),
            )
