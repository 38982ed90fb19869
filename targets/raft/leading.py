"""What a leader knows of its followers and of the reads that wait: volatile, and made anew with each election."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Progress:
    """One follower, as its leader sees it. While `awaited` is set, entries up to there are under way since `sent_s`."""

    next_index: int
    heard_s: float
    match_index: int = 0
    round: int = 0
    awaited: int | None = None
    sent_s: float = 0.0

    def agrees(self, match_index: int) -> None:
        """Its log agrees up to `match_index`; answers may come late and out of order."""
        self.match_index = max(self.match_index, match_index)
        self.next_index = max(self.next_index, self.match_index + 1)
        if self.awaited is not None and self.match_index >= self.awaited:
            self.awaited = None

    def disagrees(self, retry_index: int) -> None:
        """Its log conflicts: go back, though never to what is known to agree."""
        self.next_index = max(self.match_index + 1, min(self.next_index, retry_index))
        self.awaited = None


@dataclass(frozen=True)
class Read:
    """A read that waits until a heartbeat of `round` proves that its leader led when it came (thesis 6.4)."""

    token: int
    key: str
    round: int
    index: int | None  # None: no entry of this term is committed yet, so that the commit index may be too low


@dataclass
class Leading:
    """A leader's volatile state (figure 2), the rounds of its heartbeats, and who waits for what."""

    progress: dict[str, Progress]
    heartbeat_due_s: float
    round: int = 0
    asked_round: int = 0
    reads: list[Read] = field(default_factory=list)
    proposals: dict[int, int] = field(default_factory=dict)  # token by index

    def matched_by(self, majority: int, own_index: int) -> int:
        """The highest index that a majority has."""
        return sorted((own_index, *(p.match_index for p in self.progress.values())), reverse=True)[majority - 1]

    def confirmed_round(self, majority: int) -> int:
        """The latest round that a majority has answered, this server among it."""
        return sorted((self.round, *(p.round for p in self.progress.values())), reverse=True)[majority - 1]

    def heard_since(self, since_s: float) -> int:
        """How many servers, this one included, have answered since then."""
        return 1 + sum(p.heard_s >= since_s for p in self.progress.values())


def new_leading(followers: Iterable[str], last_index: int, now_s: float) -> Leading:
    """A leader's state right after its election."""
    return Leading({name: Progress(last_index + 1, now_s) for name in followers}, now_s)
