"""
What Raft promises, checked at every step of a simulated run.

That is figure 3 of the paper, and what those guarantees rest on: that a server stands by each vote and by each entry
that it has acknowledged (figure 2, persistent state), that a leader has a majority's votes, that a majority has
acknowledged what is committed, and that a majority follows the leader that answers a read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from targets.raft.core import Raft
from targets.raft.log import Log
from targets.raft.machine import Machine
from targets.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    Command,
    InstallSnapshot,
    InstallSnapshotReply,
    Reply,
    Request,
    RequestVote,
    RequestVoteReply,
    Result,
)
from targets.raft.outcomes import Ready, Save, Stored
from targets.raft.turns import Turns

K = TypeVar("K")
V = TypeVar("V")


class Violation(AssertionError):
    """A guarantee that did not hold; `name` says which."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


class MemoryDisk:
    """What a server has synced; a save that a crash cuts short is there as a whole or not at all."""

    def __init__(self) -> None:
        self.stored = Stored()

    def save(self, save: Save) -> None:
        """Keep a change."""
        log = Log(self.stored.snapshot, list(self.stored.entries))
        if save.snapshot is not None:
            log = Log(save.snapshot)
        log.write(save.first_index, save.entries)
        self.stored = Stored(save.current_term, save.voted_for, log.snapshot, tuple(log.entries))

    def crash(self, saving: Save | None, rng: Random) -> None:
        """The power is cut, perhaps during a save, which may have reached the disk though it never returned."""
        if saving is not None and rng.random() < 0.3:
            self.save(saving)

    def reopened(self) -> MemoryDisk:
        """What a new start finds."""
        return self


@dataclass
class Server:
    """A process: its core and its turns while it is up, its disk always."""

    name: str
    disk: Any
    raft: Raft | None = None
    turns: Turns | None = None
    saving: Save | None = None
    life: int = 0
    alarm: int = 0
    applied: int = 0
    committed: int = 0
    lead_term: int = 0


class Guarantees:
    """
    What is known of all servers together; `check` and the watched state machines raise Violation.

    What a turn did is provisional until it is saved: a crash before that takes it back, and none of it was told.
    """

    def __init__(self, servers: Mapping[str, Server], counts: Counter[str]) -> None:
        self.servers = servers
        self.counts = counts
        self.majority = len(servers) // 2 + 1
        self.leader_of: dict[int, str] = {}
        self.entry_of: dict[tuple[int, int], tuple[Command, int | None]] = {}
        self.committed: dict[int, tuple[int, Command]] = {}
        self.state_at: dict[int, bytes] = {}
        self.highest = 0  # index of the last committed entry
        self.votes: dict[tuple[str, int], str] = {}  # by voter and term
        self.acknowledged: dict[str, tuple[int, int]] = {}  # by server: in which term, and up to which index
        self.followed_s: dict[tuple[str, int, str], float] = {}  # by leader, term, follower
        self.asked_s: dict[int, float] = {}  # by token: when a read came to a server
        self.provisional: dict[str, list[tuple[dict[Any, Any], Any]]] = {name: [] for name in servers}

    def note(self, server: Server, table: dict[K, V], key: K, value: V) -> V:
        """What the table has; the value, if it has none."""
        if key not in table:
            table[key] = value
            self.provisional[server.name].append((table, key))
        return table[key]

    def settle(self, server: Server, saved: bool) -> None:
        """A turn is over, or a crash has cut it short."""
        for table, key in self.provisional[server.name] if not saved else ():
            table.pop(key, None)
        self.provisional[server.name].clear()
        self.highest = max(self.committed, default=0)

    def watch(self, server: Server) -> None:
        """See every command that this server's state machine gets, and compare its state with the others'."""
        raft = server.raft
        assert raft is not None
        machine = raft.machine
        apply, restore = machine.apply, machine.restore
        life = server.life

        def seen(index: int, command: Command) -> Result:
            if server.life == life and index != server.applied + 1:
                raise Violation("applied once, in order", f"{server.name} applied {index} after {server.applied}")
            server.applied = index
            self.commits(server, raft, index)
            result = apply(index, command)
            self.same_state(server, index, machine)
            return result

        def restored(data: bytes) -> None:
            restore(data)
            server.applied = raft.log.snapshot.last_included_index
            self.counts["snapshots"] += 1
            self.same_state(server, server.applied, machine)

        machine.apply, machine.restore = seen, restored  # type: ignore[method-assign]
        if server.applied:
            self.same_state(server, server.applied, machine)

    def same_state(self, server: Server, index: int, machine: Machine) -> None:
        state = machine.snapshot()
        if self.note(server, self.state_at, index, state) != state:
            raise Violation("state machine safety", f"{server.name} has another state at {index} than an earlier one")

    # What a server says to others, and must stand by

    def requested(self, server: Server, request: Request) -> None:
        """A request leaves: a candidate has voted for itself, and a leader counts itself for what it sends."""
        match request:
            case RequestVote(pre_vote=False):
                self.voted(server, request.term, server.name)
            case AppendEntries() if request.entries:
                self.has(server, request.term, request.prev_log_index + len(request.entries))

    def replied(self, server: Server, request: Request, reply: Reply) -> None:
        """A reply leaves."""
        match request, reply:
            case RequestVote(pre_vote=False), RequestVoteReply(vote_granted=True):
                self.voted(server, reply.term, request.candidate_id)
            case AppendEntries(), AppendEntriesReply(success=True):
                self.has(server, reply.term, reply.match_index)
            case InstallSnapshot(), InstallSnapshotReply() if request.term == reply.term:
                self.has(server, reply.term, reply.last_included_index)

    def voted(self, server: Server, term: int, candidate: str) -> None:
        first = self.votes.setdefault((server.name, term), candidate)
        if first != candidate:
            raise Violation("one vote a term", f"{server.name} voted for {first} and for {candidate} in term {term}")

    def has(self, server: Server, term: int, index: int) -> None:
        before = self.acknowledged.get(server.name, (0, 0))
        self.acknowledged[server.name] = max(before, (term, index))

    def followed(self, leader: str, server: str, request: Request, reply: Reply, sent_s: float) -> None:
        """A reply leaves, to a request that left at `sent_s`: whether its sender led at that time, by this server."""
        if not isinstance(request, RequestVote) and request.term == reply.term:
            key = (leader, request.term, server)
            self.followed_s[key] = max(sent_s, self.followed_s.get(key, sent_s))

    def answered(self, server: Server, token: int) -> None:
        """A read's answer leaves: its leader has made sure that it led after the read had come (thesis 6.4)."""
        raft = server.raft
        assert raft is not None
        since_s = self.asked_s[token]
        keys = {name: (server.name, raft.current_term, name) for name in self.servers}
        following = [name for name, key in keys.items() if self.followed_s.get(key, -1.0) >= since_s]
        if raft.leading is None or len({*following, server.name}) < self.majority:
            raise Violation("a majority confirms a read", f"{server.name}, read at {since_s:.3f} s: only {following}")

    # What its core holds

    def check(self, server: Server, raft: Raft, ready: Ready) -> None:
        """Look at a core that has taken its turn, before any of it is saved or leaves."""
        term, index = self.acknowledged.get(server.name, (0, 0))
        if raft.current_term < term or (raft.current_term == term and raft.log.last_index < index):
            held = f"is in term {raft.current_term} with {raft.log.last_index} entries"
            raise Violation(
                "acknowledged entries stay", f"{server.name} said it had {index} in term {term}, and {held}"
            )
        if ready.save is not None:
            self.check_log_matching(server, raft, ready.save)
        if raft.leading is not None and server.lead_term != raft.current_term:
            self.check_leader(server, raft)
        if raft.commit_index > server.committed:
            self.check_committed(server, raft)

    def check_leader(self, server: Server, raft: Raft) -> None:
        server.lead_term = raft.current_term
        self.counts["elections"] += 1
        first = self.note(server, self.leader_of, raft.current_term, server.name)
        if first != server.name:
            raise Violation("election safety", f"{first} and {server.name} both lead term {raft.current_term}")
        votes = [name for name in self.servers if self.votes.get((name, raft.current_term)) == server.name]
        if len({*votes, server.name}) < self.majority:
            raise Violation("election safety", f"{server.name} leads term {raft.current_term} by the votes of {votes}")
        for index, (term, _) in self.committed.items():
            self.must_have(raft, index, term)

    def check_log_matching(self, server: Server, raft: Raft, save: Save) -> None:
        previous = raft.log.term_at(save.first_index - 1)
        for offset, entry in enumerate(save.entries):
            at = (save.first_index + offset, entry.term)
            known = self.note(server, self.entry_of, at, (entry.command, previous))
            if known != (entry.command, previous) and previous is not None:
                raise Violation("log matching", f"{server.name} has another entry at {at}, or another before it")
            previous = entry.term

    def check_committed(self, server: Server, raft: Raft) -> None:
        if raft.leading is not None:
            having = [
                name for name, said in self.acknowledged.items() if said >= (raft.current_term, raft.commit_index)
            ]
            if len({*having, server.name}) < self.majority:
                raise Violation("a majority has what is committed", f"{raft.commit_index}: {having}, {server.name}")
        server.committed = raft.commit_index

    def commits(self, server: Server, raft: Raft, index: int) -> None:
        """A server applies an entry, so it takes it for committed."""
        entry = raft.log.at(index)
        if index not in self.committed:
            self.counts["commits"] += 1
            self.note(server, self.committed, index, (entry.term, entry.command))
            for other in self.servers.values():
                if other.raft is not None and other.raft.leading and other.raft.current_term > raft.current_term:
                    self.must_have(other.raft, index, entry.term)
        elif self.committed[index] != (entry.term, entry.command):
            raise Violation("committed entries stay", f"{server.name} committed another entry at {index}")

    def must_have(self, leader: Raft, index: int, term: int) -> None:
        if index >= leader.log.first_index and leader.log.term_at(index) != term:
            raise Violation("leader completeness", f"{leader.id} leads term {leader.current_term} without {index}")
