"""Bugs that a developer could plant in Raft: each is the code as it is, with one thing wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from guarantees import MemoryDisk

from targets.raft.core import Raft
from targets.raft.leading import Leading, Read
from targets.raft.log import Log, Snapshot
from targets.raft.machine import Machine
from targets.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    Cas,
    Entry,
    InstallSnapshot,
    Put,
    Reply,
    Request,
    RequestVote,
    RequestVoteReply,
    Result,
)
from targets.raft.outcomes import Answer, Found, Save
from targets.raft.turns import Turns

# Votes


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


class AcceptsAShorterLog(Raft):
    """Votes for a candidate whatever its log lacks."""

    def up_to_date(self, request: RequestVote) -> bool:
        return True


class CountsVotesOfOlderTerms(Raft):
    """Counts a vote that was given to it in an earlier term."""

    def on_vote(self, sender: str, reply: RequestVoteReply) -> None:
        term = self.current_term + reply.pre_vote
        super().on_vote(sender, replace_term(reply, term) if reply.term < term else reply)


def replace_term(reply: RequestVoteReply, term: int) -> RequestVoteReply:
    """The same reply, as if of that term."""
    return RequestVoteReply(term, reply.vote_granted, reply.pre_vote)


# Replication


class ForgetsItsLog(Raft):
    """Answers before the entries are on disk, so that a crash takes them."""

    def unsaved(self) -> Save | None:
        save = super().unsaved()
        return None if save and len(save.entries) == 1 else save


class TruncatesOnLateMessages(Raft):
    """Replaces the end of the log by whatever a message brings, also by one that comes late."""

    def merge(self, prev_index: int, entries: Sequence[Entry]) -> None:
        skip = max(0, self.log.first_index - prev_index - 1)
        if entries[skip:]:
            self.write(prev_index + 1 + skip, entries[skip:])


class TruncatesInMemoryAlone(Raft):
    """Saves what is appended, and not that it has replaced something."""

    def write(self, index: int, entries: Sequence[Entry]) -> None:
        unsaved, last = self._changed_from, self.log.last_index
        super().write(index, entries)
        self._changed_from = min(last, self.log.last_index) + 1 if unsaved is None else unsaved


class KeepsTheTail(MemoryDisk):
    """A log on disk in which entries replace others one by one, so that those after the last of them stay."""

    def save(self, save: Save) -> None:
        before = list(Log(self.stored.snapshot, list(self.stored.entries)).entries)
        first = self.stored.snapshot.last_included_index + 1
        super().save(save)
        if save.snapshot is None:
            tail = tuple(before[save.first_index - first + len(save.entries) :])
            self.stored = replace(self.stored, entries=(*self.stored.entries, *tail))


class CountsRepliesOfOlderTerms(Raft):
    """Takes what a follower said to it in an earlier term of its own for an answer in this one."""

    def receive_reply(self, sender: str, reply: Reply) -> None:
        if isinstance(reply, RequestVoteReply) or reply.term >= self.current_term:
            super().receive_reply(sender, reply)
        elif self.leading is not None:
            self.on_progress(self.leading, self.leading.progress[sender], reply)


class TakesARefusalForAnAnswer(Raft):
    """
    Refuses what an earlier term's leader sent with that message's round and its own, later term.

    Where that leader leads again, in the later term, it takes this for an answer of today.
    """

    def receive(self, request: Request) -> Reply:
        reply = super().receive(request)
        if isinstance(request, AppendEntries | InstallSnapshot) and request.term < self.current_term:
            return replace_round(reply, request.round)
        return reply


def replace_round(reply: Reply, number: int) -> Reply:
    """The same reply, with another round."""
    return msgspec.structs.replace(reply, round=number)


# Commitment


class CountsOldTerms(Raft):
    """Commits an entry of an earlier term because a majority has it (figure 8)."""

    def may_commit(self, index: int) -> bool:
        return True


class CommitsByItself(Raft):
    """Counts one server less than a majority."""

    def advance_commit(self, leading: Leading) -> None:
        index = leading.matched_by(max(1, self.majority - 1), self.log.last_index)
        if index > self.commit_index and self.may_commit(index):
            self.commit_to(index)


class CountsNextIndex(Raft):
    """
    Takes what it would send next for what the follower has.

    Here that changes nothing. This leader sends nothing ahead of an answer, so `next_index` grows by answers alone.
    What it was set to at the election lies before the leader's first entry of its own term, and none before is
    committed by counting. With requests sent ahead (pipelining) it would lose entries.
    """

    def advance_commit(self, leading: Leading) -> None:
        has = [self.log.last_index, *(progress.next_index - 1 for progress in leading.progress.values())]
        index = sorted(has, reverse=True)[self.majority - 1]
        if index > self.commit_index and self.may_commit(index):
            self.commit_to(index)


# The state machine


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


# Snapshots


class LabelsSnapshotsWithItsTerm(Raft):
    """Gives its snapshots the current term in place of the last entry's."""

    def compact(self) -> None:
        before = self.log.snapshot
        super().compact()
        if self.log.snapshot is not before:
            self._new_snapshot = self.log.snapshot = replace(self.log.snapshot, last_included_term=self.current_term)


class SnapshotTakesTheTail(Raft):
    """Drops the whole log for a snapshot that comes, also what follows it."""

    def install(self, snapshot: Snapshot) -> None:
        super().install(snapshot)
        self.log.entries = []


# Reads


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


class ConfirmsReadsByAnEarlierRound(Raft):
    """Takes an answer to a heartbeat that was sent before the read came for proof that it still leads."""

    def read(self, token: int, key: str) -> None:
        super().read(token, key)
        if self.leading is not None:
            last = self.leading.reads.pop()
            self.leading.reads.append(Read(last.token, last.key, self.leading.round, last.index))


# The order of a turn


class SendsBeforeItSaves(Turns):
    """Sends requests to its peers before it has saved."""

    async def turn(self) -> None:
        ready, replies = self.take()
        self.leave(replace(ready, answers=()), ())
        if ready.save is not None:
            await self._save(ready.save)
        self.leave(replace(ready, messages=()), replies)


class RepliesBeforeItSaves(Turns):
    """Replies to its peers before it has saved."""

    async def turn(self) -> None:
        ready, replies = self.take()
        self.leave(replace(ready, messages=(), answers=()), replies)
        if ready.save is not None:
            await self._save(ready.save)
        self.leave(ready, ())


class AnswersBeforeItSaves(Turns):
    """Answers clients before it has saved."""

    async def turn(self) -> None:
        ready, replies = self.take()
        self.leave(replace(ready, messages=()), ())
        if ready.save is not None:
            await self._save(ready.save)
        self.leave(replace(ready, answers=()), replies)


# Liveness


class NeverDoubtsItself(Raft):
    """Leads on though no majority answers (no check quorum)."""

    def tick(self, now_s: float) -> None:
        if self.leading is not None:
            for progress in self.leading.progress.values():
                progress.heard_s = now_s
        super().tick(now_s)


class AsksNoPreVote(Raft):
    """Begins an election of a new term at once, without asking first whether it could win."""

    def ask_for_votes(self, pre_vote: bool) -> None:
        super().ask_for_votes(pre_vote=False)


class VotesAndIsImpatient(Raft):
    """
    Does not wait anew when it has given its vote.

    With pre-vote it then asks the others first, who mostly follow the one that it voted for: that costs a few terms.
    """

    def on_request_vote(self, request: RequestVote) -> RequestVoteReply:
        due_s = self.election_due_s
        reply = super().on_request_vote(request)
        if reply.vote_granted:
            self.election_due_s = due_s
        return reply


class WaitsForAStaleLeader(Raft):
    """
    Waits anew when the leader of an earlier term speaks.

    A leader that no majority answers steps down (check quorum), so it delays an election by one timeout at most.
    """

    def on_append_entries(self, request: AppendEntries) -> AppendEntriesReply:
        if request.term < self.current_term:
            self.reset_election_timer()
        return super().on_append_entries(request)


class WaitsForALeaderThatNeverDoubts(WaitsForAStaleLeader, NeverDoubtsItself):
    """The same where no leader steps down by itself: it can hold off every election."""


class VotesAndRunsItself(VotesAndIsImpatient, AsksNoPreVote):
    """The same where it asks for votes at once: it ends the election that it has just voted in."""
