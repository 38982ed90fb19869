"""What Raft promises (figure 3 of the paper), checked at every step of a simulated run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from targets.raft.core import Raft
from targets.raft.log import Log
from targets.raft.machine import Machine
from targets.raft.messages import Command, Result
from targets.raft.outcomes import Ready, Save, Stored


class Violation(AssertionError):
    """A guarantee that did not hold; `name` says which."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


class MemoryDisk:
    """What a server has synced."""

    def __init__(self) -> None:
        self.stored = Stored()

    def save(self, save: Save) -> None:
        log = Log(self.stored.snapshot, list(self.stored.entries))
        if save.snapshot is not None:
            log = Log(save.snapshot)
        log.write(save.first_index, save.entries)
        self.stored = Stored(save.current_term, save.voted_for, log.snapshot, tuple(log.entries))

    def reopened(self) -> MemoryDisk:
        return self


@dataclass
class Server:
    """A process and its driver: inputs wait while the disk syncs."""

    name: str
    disk: Any
    raft: Raft | None = None
    inbox: list[Callable[[Raft], object]] = field(default_factory=list)
    outbox: list[tuple[str, object]] = field(default_factory=list)  # replies to peers, held until saved
    busy: bool = False
    saving: Save | None = None
    life: int = 0
    alarm: int = 0
    applied: int = 0
    committed: int = 0
    lead_term: int = 0


class Guarantees:
    """What is known of all servers together; `check` and the watched state machines raise Violation."""

    def __init__(self, servers: Mapping[str, Server], counts: Counter[str]) -> None:
        self.servers = servers
        self.counts = counts
        self.leader_of: dict[int, str] = {}
        self.entry_of: dict[tuple[int, int], tuple[Command, int | None]] = {}
        self.committed: dict[int, tuple[int, Command]] = {}
        self.state_at: dict[int, bytes] = {}

    def watch(self, server: Server) -> None:
        """See every command that this server's state machine gets, and compare its state with the others'."""
        machine = server.raft.machine  # type: ignore[union-attr]
        apply, restore = machine.apply, machine.restore
        life = server.life

        def seen(index: int, command: Command) -> Result:
            if server.life == life and index != server.applied + 1:
                raise Violation("applied once, in order", f"{server.name} applied {index} after {server.applied}")
            server.applied = index
            result = apply(index, command)
            self.same_state(server.name, index, machine)
            return result

        def restored(data: bytes) -> None:
            restore(data)
            server.applied = server.raft.log.snapshot.last_included_index  # type: ignore[union-attr]
            self.counts["snapshots"] += 1
            self.same_state(server.name, server.applied, machine)

        machine.apply, machine.restore = seen, restored  # type: ignore[method-assign]
        if server.applied:
            self.same_state(server.name, server.applied, machine)

    def same_state(self, name: str, index: int, machine: Machine) -> None:
        state = machine.snapshot()
        if self.state_at.setdefault(index, state) != state:
            raise Violation("state machine safety", f"{name} has another state at {index} than an earlier server")

    def check(self, server: Server, raft: Raft, ready: Ready) -> None:
        if ready.save is not None:
            self.check_log_matching(server, raft, ready.save)
        if raft.leading is not None and server.lead_term != raft.current_term:
            server.lead_term = raft.current_term
            self.counts["elections"] += 1
            first = self.leader_of.setdefault(raft.current_term, server.name)
            if first != server.name:
                raise Violation("election safety", f"{first} and {server.name} both lead term {raft.current_term}")
            for index, (term, _) in self.committed.items():
                self.must_have(raft, index, term)
        if raft.commit_index > server.committed:
            self.check_committed(server, raft)

    def check_log_matching(self, server: Server, raft: Raft, save: Save) -> None:
        previous = raft.log.term_at(save.first_index - 1)
        for offset, entry in enumerate(save.entries):
            at = (save.first_index + offset, entry.term)
            known = self.entry_of.setdefault(at, (entry.command, previous))
            if known != (entry.command, previous) and previous is not None:
                raise Violation("log matching", f"{server.name} has another entry at {at}, or another before it")
            previous = entry.term

    def check_committed(self, server: Server, raft: Raft) -> None:
        for index in range(max(server.committed + 1, raft.log.first_index), raft.commit_index + 1):
            entry = raft.log.at(index)
            if index not in self.committed:
                self.counts["commits"] += 1
                self.committed[index] = (entry.term, entry.command)
                for other in self.servers.values():
                    if other.raft is not None and other.raft.leading and other.raft.current_term > raft.current_term:
                        self.must_have(other.raft, index, entry.term)
            elif self.committed[index] != (entry.term, entry.command):
                raise Violation("committed entries stay", f"{server.name} committed another entry at {index}")
        server.committed = raft.commit_index

    def must_have(self, leader: Raft, index: int, term: int) -> None:
        if index >= leader.log.first_index and leader.log.term_at(index) != term:
            raise Violation("leader completeness", f"{leader.id} leads term {leader.current_term} without {index}")
