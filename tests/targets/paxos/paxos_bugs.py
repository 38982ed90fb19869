"""Bugs that a developer could plant in Paxos: each is the code as it is, with one thing wrong."""

from __future__ import annotations

from collections.abc import Sequence

from targets.paxos.acceptor import Acceptor, Kept
from targets.paxos.learner import Learner
from targets.paxos.messages import Accept, Ballot, Prepare, Promise, Value, Vote
from targets.paxos.proposer import Phase, Proposer


class ForgetsItsPromise(Acceptor):
    """Keeps votes, and forgets over a restart what it has promised without one."""

    def on_prepare(self, request: Prepare) -> tuple[Promise, Kept | None]:
        reply, _ = super().on_prepare(request)
        return reply, None


class AcceptsWithoutAHigherPromise(Acceptor):
    """Accepts what comes, whatever it has promised."""

    def may_accept(self, ballot: Ballot) -> bool:
        return True


class PicksItsOwnValue(Proposer):
    """Proposes its own value although one was accepted."""

    def value_for(self, slot: int) -> Value | None:
        promises, self.promises = self.promises, {}
        value = super().value_for(slot)
        self.promises = promises
        return value


class PicksTheLowestVote(Proposer):
    """Proposes an accepted value, but not that of the highest ballot."""

    def highest_of(self, votes: Sequence[Vote]) -> Vote:
        return min(votes, key=lambda vote: vote.ballot)


class ReusesItsBallot(Proposer):
    """Repeats phase 2 in the same ballot, with what has come in meanwhile."""

    def on_refusal(self) -> None:
        if self.phase is Phase.ACCEPTING and not self.refused_by and self.proposed == self.own:
            self.own = self.proposed = tuple(self.waiting) or self.own
            self.due_s = self.now_s + self.timing.round_s
            self._ready.requests.append(Accept(self.ballot, self.slot, self.own))
        else:
            super().on_refusal()


class CountsOfAllBallots(Learner):
    """Counts the votes for a slot, whatever their ballots."""

    def counted_under(self, vote: Vote) -> tuple[int, Ballot]:
        return vote.slot, Ballot()


class LearnsFromAllBallots(Proposer):
    """Has such a learner."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.learner = CountsOfAllBallots(self.majority)


__all__ = [
    "AcceptsWithoutAHigherPromise",
    "ForgetsItsPromise",
    "LearnsFromAllBallots",
    "PicksItsOwnValue",
    "PicksTheLowestVote",
    "ReusesItsBallot",
]
