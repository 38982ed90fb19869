"""An acceptor (section 2.2 of the paper): it must remember, since what a majority has accepted is what is chosen."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from targets.paxos.messages import Accept, Accepted, Ballot, Prepare, Promise, Reply, Request, Vote


class Kept(Struct, frozen=True):
    """What an acceptor must not forget: a promise, or a vote, which is a promise as well."""

    promised: Ballot
    vote: Vote | None = None


class Acceptor:
    """
    Answers one request after the other. What `receive` gives with the reply must be on disk before the reply leaves.

    One promise covers all slots, which is stronger than one for each, and what lets a leader prepare once.
    """

    def __init__(self, kept: Iterable[Kept] = ()) -> None:
        self.promised = Ballot()
        self.votes: dict[int, Vote] = {}
        for each in kept:
            self.take(each)

    def receive(self, request: Request) -> tuple[Reply, Kept | None]:
        """The reply, and what is to be kept first."""
        if isinstance(request, Prepare):
            return self.on_prepare(request)
        return self.on_accept(request)

    def on_prepare(self, request: Prepare) -> tuple[Promise, Kept | None]:
        """Promise only a ballot higher than any before, so that no proposer gets one twice, restarted or not."""
        if not self.may_promise(request.ballot):
            return Promise(request.ballot, False, self.promised), None
        kept = Kept(request.ballot)
        self.take(kept)
        votes = tuple(vote for slot, vote in sorted(self.votes.items()) if slot >= request.first)
        return Promise(request.ballot, True, self.promised, votes), kept

    def on_accept(self, request: Accept) -> tuple[Accepted, Kept | None]:
        """Accept unless a higher ballot was promised."""
        if not self.may_accept(request.ballot):
            return Accepted(request.ballot, request.slot, False, self.promised), None
        kept = Kept(request.ballot, Vote(request.slot, request.ballot, request.value))
        self.take(kept)
        return Accepted(request.ballot, request.slot, True, self.promised), kept

    def may_promise(self, ballot: Ballot) -> bool:
        """Whether no promise is as high."""
        return ballot > self.promised

    def may_accept(self, ballot: Ballot) -> bool:
        """Whether no promise is higher."""
        return ballot >= self.promised

    def take(self, kept: Kept) -> None:
        """Be bound by a promise, and a vote."""
        self.promised = kept.promised
        if kept.vote is not None:
            self.votes[kept.vote.slot] = kept.vote
