"""The consensus module: messages and time in, messages and effects out, and nothing done by itself."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import assert_never

from targets.raft.leading import Leading, Progress, Read, new_leading
from targets.raft.log import Log, Snapshot
from targets.raft.machine import Machine
from targets.raft.messages import (
    STALE,
    AppendEntries,
    AppendEntriesReply,
    Command,
    Entry,
    InstallSnapshot,
    InstallSnapshotReply,
    Noop,
    Reply,
    Request,
    RequestVote,
    RequestVoteReply,
)
from targets.raft.outcomes import Answer, Found, Indeterminate, Ready, Refused, Save, Stored, Timing


class Role(Enum):
    """What a server is; a pre-candidate asks whether it would be elected before it disturbs anybody (thesis 9.6)."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


class Raft:
    """
    One server. Times are seconds of any clock that does not go back, given by `tick`.

    Whatever is called, `take` afterwards gives what is to be saved, sent and answered; an answer to a peer's request
    may leave no sooner than what `take` gave with it is saved.
    """

    def __init__(
        self, server_id: str, members: Sequence[str], stored: Stored, timing: Timing, rng: Random, now_s: float
    ) -> None:
        self.id = server_id
        self.others = tuple(name for name in members if name != server_id)
        self.majority = len(members) // 2 + 1
        self.timing = timing
        self.rng = rng
        self.now_s = now_s
        # persistent (figure 2)
        self.current_term = stored.current_term
        self.voted_for = stored.voted_for
        self.log = Log(stored.snapshot, list(stored.entries))
        # volatile
        self.commit_index = self.last_applied = stored.snapshot.last_included_index
        self.machine = Machine()
        self.machine.restore(stored.snapshot.data)
        self.role = Role.FOLLOWER
        self.leader_id: str | None = None
        self.leading: Leading | None = None
        self.votes: set[str] = set()
        self.heard_leader_s = float("-inf")
        self.election_due_s = 0.0
        self.reset_election_timer()
        # effects not taken yet
        self._saved_vote = (self.current_term, self.voted_for)
        self._changed_from: int | None = None
        self._new_snapshot: Snapshot | None = None
        self._messages: list[tuple[str, Request]] = []
        self._answers: list[Answer] = []

    # What the driver calls

    def tick(self, now_s: float) -> None:
        """It is `now_s`: call elections and send heartbeats that are due."""
        self.now_s = max(now_s, self.now_s)
        leading = self.leading
        if leading is None:
            if self.now_s >= self.election_due_s:
                self.ask_for_votes(pre_vote=True)
            return
        if leading.heard_since(self.now_s - self.timing.election_high_s) < self.majority:
            self.become_follower(self.current_term)  # check quorum (thesis 6.2): others may lead, and clients wait
        elif self.now_s >= leading.heartbeat_due_s:
            self.send_heartbeats(leading)

    @property
    def due_s(self) -> float:
        """When `tick` has something to do, unless something comes before."""
        return self.election_due_s if self.leading is None else self.leading.heartbeat_due_s

    def propose(self, token: int, command: Command) -> None:
        """Replicate a command. The answer is its Result, Refused or Indeterminate."""
        if self.leading is None:
            self._answers.append(Answer(token, Refused(self.leader_id)))
        else:
            self.leading.proposals[self.append(command)] = token

    def read(self, token: int, key: str) -> None:
        """Read a key linearizably, without the log (ReadIndex, thesis 6.4). The answer is Found or Refused."""
        if self.leading is None:
            self._answers.append(Answer(token, Refused(self.leader_id)))
            return
        self.leading.asked_round = self.leading.round + 1
        self.leading.reads.append(Read(token, key, self.leading.asked_round, self.read_index()))

    def receive(self, request: Request) -> Reply:
        """Answer a peer's request."""
        if request.term > self.current_term and not (isinstance(request, RequestVote) and request.pre_vote):
            self.become_follower(request.term)
        match request:
            case RequestVote():
                return self.on_request_vote(request)
            case AppendEntries():
                return self.on_append_entries(request)
            case InstallSnapshot():
                return self.on_install_snapshot(request)
            case _:
                assert_never(request)

    def receive_reply(self, sender: str, reply: Reply) -> None:
        """Take a peer's answer in, however late it comes and however often."""
        granted_pre_vote = isinstance(reply, RequestVoteReply) and reply.pre_vote and reply.vote_granted
        if reply.term > self.current_term and not granted_pre_vote:
            self.become_follower(reply.term)
        match reply:
            case RequestVoteReply():
                self.on_vote(sender, reply)
            case AppendEntriesReply() | InstallSnapshotReply():
                if self.leading is not None and reply.term == self.current_term and reply.round != STALE:
                    self.on_progress(self.leading, self.leading.progress[sender], reply)
            case _:
                assert_never(reply)

    def take(self) -> Ready:
        """Everything that has to be done since the last time."""
        if self.leading is not None:
            self.advance_commit(self.leading)
            self.answer_reads(self.leading)
            if self.leading.asked_round > self.leading.round:
                self.send_heartbeats(self.leading)
            for name, progress in self.leading.progress.items():
                if progress.awaited is None and progress.next_index <= self.log.last_index:
                    self.replicate(name, progress, self.leading)
            self.answer_reads(self.leading)  # a server alone has confirmed the round by itself
        self.compact()
        ready = Ready(self.unsaved(), self._messages, self._answers)
        self._saved_vote, self._changed_from, self._new_snapshot = (self.current_term, self.voted_for), None, None
        self._messages, self._answers = [], []
        return ready

    # Elections (sections 5.2 and 5.4.1; thesis 9.6)

    def reset_election_timer(self) -> None:
        """Wait anew for a leader."""
        self.election_due_s = self.now_s + self.rng.uniform(self.timing.election_low_s, self.timing.election_high_s)

    def become_follower(self, term: int) -> None:
        """Follow, in `term`; what clients were promised nothing about is answered now."""
        if term > self.current_term:
            self.current_term, self.voted_for, self.leader_id = term, None, None
        if self.leading is not None:
            self.leader_id = None
            self._answers += [Answer(read.token, Refused(None)) for read in self.leading.reads]
            self._answers += [Answer(token, Indeterminate()) for token in self.leading.proposals.values()]
            self.reset_election_timer()
        self.role, self.leading = Role.FOLLOWER, None

    def ask_for_votes(self, pre_vote: bool) -> None:
        """Begin an election, or ask what would come of one."""
        self.role = Role.PRE_CANDIDATE if pre_vote else Role.CANDIDATE
        self.leader_id = None
        term = self.current_term + 1
        if not pre_vote:
            self.current_term, self.voted_for = term, self.id
        self.votes = {self.id}
        self.reset_election_timer()
        request = RequestVote(term, self.id, self.log.last_index, self.log.last_term, pre_vote)
        self._messages += [(name, request) for name in self.others]
        self.count_votes()

    def on_request_vote(self, request: RequestVote) -> RequestVoteReply:
        """Receiver implementation of RequestVote (figure 2)."""
        if request.pre_vote:
            granted = request.term > self.current_term and not self.has_leader() and self.up_to_date(request)
            return RequestVoteReply(request.term if granted else self.current_term, granted, pre_vote=True)
        granted = request.term == self.current_term and self.may_vote_for(request) and self.up_to_date(request)
        if granted:
            self.voted_for = request.candidate_id
            self.reset_election_timer()
        return RequestVoteReply(self.current_term, granted)

    def has_leader(self) -> bool:
        """Whether a leader was heard within the shortest election timeout, so that no other is wanted."""
        return self.leading is not None or self.now_s < self.heard_leader_s + self.timing.election_low_s

    def may_vote_for(self, request: RequestVote) -> bool:
        """At most one vote a term, first come, first served."""
        return self.voted_for in (None, request.candidate_id)

    def up_to_date(self, request: RequestVote) -> bool:
        """The candidate's log is at least as up-to-date as ours (section 5.4.1)."""
        return (request.last_log_term, request.last_log_index) >= (self.log.last_term, self.log.last_index)

    def on_vote(self, sender: str, reply: RequestVoteReply) -> None:
        """Count a vote, if it is for what we are just now asking."""
        asking, term = (
            (Role.PRE_CANDIDATE, self.current_term + 1) if reply.pre_vote else (Role.CANDIDATE, self.current_term)
        )
        if reply.vote_granted and self.role is asking and reply.term == term:
            self.votes.add(sender)
            self.count_votes()

    def count_votes(self) -> None:
        """With a majority: go on to the election, or lead."""
        if len(self.votes) < self.majority:
            return
        if self.role is Role.PRE_CANDIDATE:
            self.ask_for_votes(pre_vote=False)
        elif self.role is Role.CANDIDATE:
            self.role, self.leader_id = Role.LEADER, self.id
            self.leading = new_leading(self.others, self.log.last_index, self.now_s)
            self.append(Noop(self.id))
            self.send_heartbeats(self.leading)

    # Replication (section 5.3)

    def append(self, command: Command) -> int:
        """Add an entry of this term to the leader's log; gives its index."""
        self.write(self.log.last_index + 1, [Entry(self.current_term, command)])
        return self.log.last_index

    def write(self, index: int, entries: Sequence[Entry]) -> None:
        """Change the log, and remember from where on it is not saved."""
        self.log.write(index, entries)
        self._changed_from = index if self._changed_from is None else min(index, self._changed_from)

    def send_heartbeats(self, leading: Leading) -> None:
        """Begin a round: a message to every follower, with entries where none are under way."""
        leading.round += 1
        leading.heartbeat_due_s = self.now_s + self.timing.heartbeat_s
        for name, progress in leading.progress.items():
            if progress.awaited is not None and self.now_s < progress.sent_s + self.timing.election_low_s:
                # Entries are under way: say only that we lead. Index 0 is in every log.
                beat = AppendEntries(self.current_term, self.id, 0, 0, (), self.commit_index, leading.round)
                self._messages.append((name, beat))
            else:
                self.replicate(name, progress, leading)

    def replicate(self, name: str, progress: Progress, leading: Leading) -> None:
        """Send a follower what it lacks: entries, or the snapshot where they are gone."""
        progress.sent_s = self.now_s
        prev_index = progress.next_index - 1
        prev_term = self.log.term_at(prev_index)
        if prev_term is None:
            snapshot = self.log.snapshot
            index, term = snapshot.last_included_index, snapshot.last_included_term
            progress.awaited = index
            install = InstallSnapshot(self.current_term, self.id, index, term, snapshot.data, leading.round)
            self._messages.append((name, install))
            return
        entries = self.log.after(prev_index, self.timing.batch)
        progress.awaited = prev_index + len(entries) if entries else None
        request = AppendEntries(
            self.current_term, self.id, prev_index, prev_term, entries, self.commit_index, leading.round
        )
        self._messages.append((name, request))

    def follow(self, leader_id: str) -> None:
        """A message of this term's leader came."""
        self.role, self.leader_id, self.heard_leader_s = Role.FOLLOWER, leader_id, self.now_s
        self.reset_election_timer()

    def on_append_entries(self, request: AppendEntries) -> AppendEntriesReply:
        """Receiver implementation of AppendEntries (figure 2)."""
        if request.term < self.current_term:
            return AppendEntriesReply(self.current_term, False, STALE)
        self.follow(request.leader_id)
        prev_index = request.prev_log_index
        if prev_index > self.log.last_index:
            return AppendEntriesReply(self.current_term, False, request.round, conflict_index=self.log.last_index + 1)
        prev_term = self.log.term_at(prev_index)
        if prev_term is not None and prev_term != request.prev_log_term:
            first = self.log.first_of_term(prev_index)
            return AppendEntriesReply(
                self.current_term, False, request.round, conflict_index=first, conflict_term=prev_term
            )
        self.merge(prev_index, request.entries)
        match_index = prev_index + len(request.entries)
        self.commit_to(min(request.leader_commit, match_index))
        return AppendEntriesReply(self.current_term, True, request.round, match_index)

    def merge(self, prev_index: int, entries: Sequence[Entry]) -> None:
        """Append what is new, and delete what conflicts and all that follows it; a late message deletes nothing."""
        for offset, entry in enumerate(entries):
            index = prev_index + 1 + offset
            if index < self.log.first_index or self.log.term_at(index) == entry.term:
                continue  # in the snapshot, so committed and the same; or here already
            self.write(index, entries[offset:])
            return

    def on_install_snapshot(self, request: InstallSnapshot) -> InstallSnapshotReply:
        """Receiver implementation of InstallSnapshot (figure 13), in one piece."""
        if request.term < self.current_term:
            return InstallSnapshotReply(self.current_term, 0, STALE)
        self.follow(request.leader_id)
        if request.last_included_index > self.commit_index:
            self.install(Snapshot(request.last_included_index, request.last_included_term, request.data))
        return InstallSnapshotReply(self.current_term, request.last_included_index, request.round)

    def install(self, snapshot: Snapshot) -> None:
        """Take over a state that is ahead of ours."""
        self.log.install(snapshot)
        self._new_snapshot, self._changed_from = snapshot, self.log.first_index
        self.machine.restore(snapshot.data)
        self.commit_index = self.last_applied = snapshot.last_included_index

    def on_progress(
        self, leading: Leading, progress: Progress, reply: AppendEntriesReply | InstallSnapshotReply
    ) -> None:
        """A follower has answered: note how far it is, or where to try next."""
        progress.heard_s = self.now_s
        progress.round = max(progress.round, reply.round)
        if isinstance(reply, InstallSnapshotReply):
            progress.agrees(reply.last_included_index)
        elif reply.success:
            progress.agrees(reply.match_index)
        else:
            last = self.log.last_of_term(reply.conflict_term) if reply.conflict_term else None
            progress.disagrees(reply.conflict_index if last is None else last + 1)

    # Commitment and application (sections 5.3, 5.4.2 and 7)

    def advance_commit(self, leading: Leading) -> None:
        """Commit what a majority has."""
        index = leading.matched_by(self.majority, self.log.last_index)
        if index > self.commit_index and self.may_commit(index):
            self.commit_to(index)

    def may_commit(self, index: int) -> bool:
        """Only entries of the current term are committed by counting; earlier ones follow from them (5.4.2)."""
        return self.log.term_at(index) == self.current_term

    def commit_to(self, index: int) -> None:
        """Everything up to `index` is committed: apply it."""
        self.commit_index = max(self.commit_index, index)
        while self.last_applied < self.commit_index:
            self.last_applied += 1
            self.apply(self.last_applied)

    def apply(self, index: int) -> None:
        """Apply one committed entry, and answer whoever proposed it here."""
        result = self.machine.apply(index, self.log.at(index).command)
        token = None if self.leading is None else self.leading.proposals.pop(index, None)
        if token is not None:
            self._answers.append(Answer(token, result))

    def compact(self) -> None:
        """Replace the log's beginning by a snapshot once it is long enough."""
        index, term = self.last_applied, self.log.term_at(self.last_applied)
        if index - self.log.snapshot.last_included_index < self.timing.snapshot_every or term is None:
            return
        snapshot = Snapshot(index, term, self.machine.snapshot())
        self.log.install(snapshot)
        self._new_snapshot, self._changed_from = snapshot, self.log.first_index

    # Reads (thesis 6.4)

    def read_index(self) -> int | None:
        """How far the state machine must be for a read that comes now; None before this term's first commitment."""
        return self.commit_index if self.log.term_at(self.commit_index) == self.current_term else None

    def answer_reads(self, leading: Leading) -> None:
        """Answer the reads whose round a majority has answered."""
        index = self.read_index()
        if index is None or not leading.reads:
            return
        confirmed = leading.confirmed_round(self.majority)
        waiting: list[Read] = []
        for read in leading.reads:
            needed = index if read.index is None else read.index
            if read.round <= confirmed and self.last_applied >= needed:
                self._answers.append(Answer(read.token, Found(self.last_applied, self.machine.read(read.key))))
            else:
                waiting.append(read)
        leading.reads = waiting

    def unsaved(self) -> Save | None:
        """What of the persistent state has changed since the last `take`."""
        if (self.current_term, self.voted_for) == self._saved_vote and self._changed_from is None:
            return None
        first = self.log.last_index + 1 if self._changed_from is None else self._changed_from
        entries = self.log.after(first - 1, len(self.log.entries))
        return Save(self.current_term, self.voted_for, first, entries, self._new_snapshot)
