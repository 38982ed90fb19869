"""A learner (section 2.3 of the paper): a value is chosen when a majority has accepted it in one ballot."""

from __future__ import annotations

from targets.paxos.messages import Ballot, Value, Vote


class Learner:
    """Counts votes, by slot and ballot."""

    def __init__(self, majority: int) -> None:
        self.majority = majority
        self.chosen: dict[int, Value] = {}
        self._voters: dict[tuple[int, Ballot], set[str]] = {}

    def heard(self, acceptor: str, vote: Vote) -> Value | None:
        """Count a vote; the value where it is chosen by that, None where it is not, or was before."""
        if vote.slot in self.chosen:
            return None
        voters = self._voters.setdefault(self.counted_under(vote), set())
        voters.add(acceptor)
        if len(voters) < self.majority:
            return None
        self.chosen[vote.slot] = vote.value
        return vote.value

    def counted_under(self, vote: Vote) -> tuple[int, Ballot]:
        """Votes of one ballot count together: within it there is one value."""
        return vote.slot, vote.ballot
