"""What the core gives its driver: what to keep, what to send, what to answer, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from targets.raft.log import Snapshot
from targets.raft.messages import Entry, Request, Result


@dataclass(frozen=True)
class Timing:
    """
    How long things take. An election timeout is drawn between low and high; where they are equal, it is fixed.

    `snapshot_every` entries applied, the log is compacted; `batch` entries at most go into one message.
    """

    heartbeat_s: float = 0.05
    election_low_s: float = 0.3
    election_high_s: float = 0.6
    snapshot_every: int = 1_000
    batch: int = 256


@dataclass(frozen=True)
class Stored:
    """The persistent state on all servers (figure 2), as it was found at the start."""

    current_term: int = 0
    voted_for: str | None = None
    snapshot: Snapshot = field(default_factory=Snapshot)
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Save:
    """A change of the persistent state: the log from `first_index` on is `entries` now; a snapshot comes first."""

    current_term: int
    voted_for: str | None
    first_index: int
    entries: tuple[Entry, ...] = ()
    snapshot: Snapshot | None = None


@dataclass(frozen=True)
class Found:
    """A read's answer: what the key held once everything up to `index` was applied."""

    index: int
    value: str | None


@dataclass(frozen=True)
class Refused:
    """Not done, surely: this server does not lead. `leader_id` may."""

    leader_id: str | None


@dataclass(frozen=True)
class Indeterminate:
    """This server stopped leading while it replicated the command: it may or may not be committed by another."""


@dataclass(frozen=True)
class Answer:
    """How a command or read ended; `token` is what the driver gave it in with."""

    token: int
    outcome: Result | Found | Refused | Indeterminate


@dataclass(frozen=True)
class Ready:
    """What to do now. Nothing may leave, answer or message, before `save` is on disk."""

    save: Save | None
    messages: Sequence[tuple[str, Request]]
    answers: Sequence[Answer]
