"""
A cluster in one thread: seeded network, disks, crashes and clients, with the paper's guarantees checked at every step.

Everything that happens is drawn from one seed, so that a seed is a run.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from guarantees import Guarantees, MemoryDisk, Server, Violation
from weather import World, world_of

from lab.checkers._wing_gong import Budget, Op, search
from targets.raft.core import Raft, Role
from targets.raft.messages import Cas, Command, Done, Expired, Put, Register
from targets.raft.outcomes import Answer, Found, Ready, Refused

KEYS = ("x", "y")
MOST_EVENTS = 50_000


@dataclass
class Asked:
    """One operation of a client, from its first try to its end."""

    n: int
    client: int
    start_s: float
    kind: str
    key: str
    expect: str | None
    value: str | None
    tries: int = 0
    ended: bool = False


@dataclass
class Client:
    """A closed loop with a session; `doubtful` sequences stay open, as a client that gives up leaves them."""

    number: int
    session: int | None = None
    sequence: int = 0
    hint: str | None = None


class Simulation:
    """One run. `run` raises Violation for the first guarantee that does not hold."""

    def __init__(
        self, seed: int, kind: type[Raft] = Raft, world: World | None = None, disks: Callable[[str], Any] | None = None
    ) -> None:
        self.rng = Random(seed)
        self.world = world or world_of(seed)
        self.kind = kind
        self.now_s = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.tokens = itertools.count(1)
        self.names = [f"s{n}" for n in range(self.world.servers)]
        self.servers = {name: Server(name, disks(name) if disks else MemoryDisk()) for name in self.names}
        self.cut: set[tuple[str, str]] = set()
        self.waiting: dict[int, tuple[Asked, Callable[[object], None]]] = {}
        self.clients = [Client(n) for n in range(self.world.clients)]
        self.ops: dict[str, list[Op]] = {key: [] for key in KEYS}
        self.numbers = itertools.count()
        self.calm = False
        self.done_in_calm = 0
        self.counts: Counter[str] = Counter()
        self.guarantees = Guarantees(self.servers, self.counts)

    # Time

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now_s + delay_s, next(self.order), action))

    def run(self) -> Simulation:
        for name in self.names:
            self.start(name)
        for client in self.clients:
            self.after(self.rng.random() * 0.3, lambda client=client: self.next_operation(client))
        self.after(self.rng.random(), self.fault)
        self.after(self.world.lasts_s - self.world.calm_s, self.heal_all)
        while self.events and self.events[0][0] < self.world.lasts_s:
            self.now_s, number, action = heapq.heappop(self.events)
            if number > MOST_EVENTS:
                raise Violation("liveness", f"{MOST_EVENTS:,} events within {self.now_s:.1f} s")
            action()
        self.finish()
        return self

    def finish(self) -> None:
        for asked, _ in list(self.waiting.values()):
            self.end(asked, None)
        if not self.done_in_calm:
            raise Violation("liveness", f"nothing was done in {self.world.calm_s} s without faults")
        for key, ops in self.ops.items():
            result = search(ops, None, Budget(300_000, math.inf))
            if result.linearizable is False:
                raise Violation("linearizability", f"key {key} until {result.stuck_s:.3f} s")
            if result.linearizable is None:
                raise Violation("undecided", f"key {key}: {len(ops)} operations")

    # Faults

    def fault(self) -> None:
        if self.calm:
            return
        rng = self.rng
        draw = rng.random()
        leader = next((s.name for s in self.servers.values() if s.raft and s.raft.role is Role.LEADER), None)
        victim = leader if leader and rng.random() < 0.6 else rng.choice(self.names)
        if draw < 0.5:
            for name in {victim, *rng.sample(self.names, rng.choice([0, 0, 1, 2]))}:
                self.crash(name)
        elif draw < 0.6:
            self.cut = {(victim, other) for other in self.names}  # it can hear, and is not heard
        elif draw < 0.7:
            self.cut = {(other, victim) for other in self.names}
        elif draw < 0.9:
            side = {victim, *rng.sample(self.names, rng.choice([0, 1]))}
            self.cut = {(a, b) for a in self.names for b in self.names if (a in side) != (b in side)}
        else:
            self.cut = set()
        self.after(rng.expovariate(1 / self.world.fault_every_s), self.fault)

    def heal_all(self) -> None:
        self.calm, self.cut = True, set()
        for server in self.servers.values():
            if server.raft is None:
                self.start(server.name)

    def start(self, name: str) -> None:
        server = self.servers[name]
        if server.raft is not None:
            return
        server.disk = server.disk.reopened()
        stored = server.disk.stored
        rng = Random(self.rng.random())
        server.raft = self.kind(name, self.names, stored, self.world.timing, rng, self.now_s)
        server.applied = server.committed = stored.snapshot.last_included_index
        server.lead_term = 0
        server.inbox, server.outbox, server.busy = [], [], False
        self.guarantees.watch(server)
        self.wake_at(server, server.raft.due_s)

    def crash(self, name: str) -> None:
        server = self.servers[name]
        if server.raft is None:
            return
        server.raft, server.life, server.alarm = None, server.life + 1, 0
        self.counts["crashes"] += 1
        if server.saving is not None and self.rng.random() < 0.3:  # the disk got it, though nobody was told
            server.disk.save(server.saving)
        server.saving = None
        self.after(self.rng.random() * self.world.down_s, lambda: self.start(name))

    # Servers and network

    def wake_at(self, server: Server, at_s: float) -> None:
        """Let the driver look at the clock then, unless it does so before for another reason."""
        alarm = server.alarm = next(self.order)

        def ring() -> None:
            if server.alarm == alarm and not server.busy:
                self.step(server)

        self.after(max(0.0005, at_s - self.now_s), ring)

    def give(self, name: str, act: Callable[[Raft], object]) -> None:
        server = self.servers[name]
        if server.raft is not None:
            server.inbox.append(act)
            if not server.busy:
                self.step(server)

    def step(self, server: Server) -> None:
        """What the driver does: everything that has come in, then save, then send."""
        raft = server.raft
        if raft is None:
            return
        raft.tick(self.now_s)
        inbox, server.inbox = server.inbox, []
        for act in inbox:
            act(raft)
        before = (server.lead_term, server.committed)
        ready = raft.take()
        self.guarantees.check(server, raft, ready)
        news = raft.role is Role.LEADER and (server.lead_term, server.committed) != before
        if news and not self.calm and self.rng.random() < self.world.isolates:
            self.cut = {cut for other in self.names for cut in ((server.name, other), (other, server.name))}
        outbox, server.outbox = server.outbox, []
        if ready.save is None:
            self.send_all(server, ready, outbox)
            self.wake_at(server, raft.due_s)
            return
        server.busy, server.saving, life, save = True, ready.save, server.life, ready.save

        def synced() -> None:
            if server.life != life:
                return
            server.disk.save(save)
            server.busy, server.saving = False, None
            self.send_all(server, ready, outbox)
            dies = self.world.dies_saving if save.entries else self.world.dies_voting
            if self.rng.random() < dies and not self.calm:
                self.crash(server.name)
            else:
                self.step(server)

        self.after(self.rng.choice([0.0005, 0.002, 0.02]), synced)

    def send_all(self, server: Server, ready: Ready, outbox: Sequence[tuple[str, object]]) -> None:
        for to, request in ready.messages:
            self.send(server.name, to, lambda to=to, request=request: self.deliver(server.name, to, request))
        for to, reply in outbox:
            self.send(
                server.name,
                to,
                lambda to=to, reply=reply: self.give(to, lambda raft: raft.receive_reply(server.name, reply)),
            )
        for answer in ready.answers:
            self.send(server.name, "client", lambda answer=answer: self.answered(server.name, answer))

    def deliver(self, sender: str, to: str, request: Any) -> None:
        server = self.servers[to]
        self.give(to, lambda raft: server.outbox.append((sender, raft.receive(request))))

    def send(self, sender: str, to: str, arrive: Callable[[], None]) -> None:
        rng, world = self.rng, self.world
        if (sender, to) in self.cut:
            return
        if not self.calm and rng.random() < world.loss:
            return
        for _ in range(2 if rng.random() < world.repeats else 1):
            slow = not self.calm and rng.random() < world.slow
            self.after(rng.random() * (world.slowest_s if slow else 0.01), arrive)

    # Clients

    def next_operation(self, client: Client) -> None:
        rng = self.rng
        if client.session is None:
            asked = Asked(-1, client.number, self.now_s, "register", "", None, None)
        else:
            n = next(self.numbers)
            kind = rng.choice(["read", "read", "put", "put", "cas"])
            expect = rng.choice([None, *(str(n - back) for back in range(1, 8))])
            client.sequence += kind != "read"
            asked = Asked(n, client.number, self.now_s, kind, rng.choice(KEYS), expect, str(n))
        self.attempt(asked, client.sequence)

    def attempt(self, asked: Asked, sequence: int) -> None:
        client = self.clients[asked.client]
        if asked.ended:
            return
        asked.tries += 1
        if asked.tries > 12:
            self.end(asked, None)
            return
        name = client.hint or self.rng.choice(self.names)
        token = next(self.tokens)
        command = self.command(asked, client, sequence)

        def on_answer(outcome: object) -> None:
            if asked.ended:
                return
            if isinstance(outcome, Done | Found | Expired):
                self.end(asked, outcome)
                return
            client.hint = outcome.leader_id if isinstance(outcome, Refused) else None
            self.after(0.02, lambda: self.attempt(asked, sequence))

        def on_timeout() -> None:
            if self.waiting.pop(token, None) and not asked.ended:
                client.hint = None
                self.attempt(asked, sequence)

        self.waiting[token] = (asked, on_answer)
        if command is None:
            self.send("client", name, lambda: self.give(name, lambda raft: raft.read(token, asked.key)))
        else:
            self.send("client", name, lambda: self.give(name, lambda raft: raft.propose(token, command)))
        self.after(0.4, on_timeout)

    def command(self, asked: Asked, client: Client, sequence: int) -> Command | None:
        session = client.session or 0
        match asked.kind:
            case "register":
                return Register(f"{client.number}")
            case "put":
                return Put(asked.key, asked.value or "", session, sequence, sequence)
            case "cas":
                return Cas(asked.key, asked.expect, asked.value or "", session, sequence, sequence)
        return None

    def answered(self, name: str, answer: Answer) -> None:
        entry = self.waiting.pop(answer.token, None)
        if entry is not None:
            entry[1](answer.outcome)

    def end(self, asked: Asked, outcome: object) -> None:
        """Note how an operation ended, and go on with the next."""
        if asked.ended:
            return
        asked.ended = True
        client = self.clients[asked.client]
        if asked.kind == "register":
            client.session, client.sequence = (outcome.index, 0) if isinstance(outcome, Done) else (None, 0)
        else:
            self.counts["operations" if outcome else "unanswered"] += 1
            self.done_in_calm += self.calm and outcome is not None
            op = self.op(asked, outcome)
            if op is not None:
                self.ops[asked.key].append(op)
            if asked.kind != "read" and not isinstance(outcome, Done):
                client.session = None  # its last sequence is open for ever
        self.after(self.rng.random() * 0.05, lambda: self.next_operation(client))

    def op(self, asked: Asked, outcome: object) -> Op | None:
        n, start_s = asked.n, asked.start_s
        if asked.kind == "read":
            return Op(n, start_s, self.now_s, "read", sees=outcome.value) if isinstance(outcome, Found) else None
        maybe = Op(n, start_s, math.inf, "write", sets=asked.value, certain=False)
        if asked.kind == "cas":
            maybe = replace(maybe, kind="swap", sees=asked.expect)
        if not isinstance(outcome, Done):
            return maybe
        if outcome.swapped:
            return replace(maybe, end_s=self.now_s, certain=True)
        return Op(n, start_s, self.now_s, "unlike", sees=asked.expect)


def survey(seeds: Sequence[int], kind: type[Raft]) -> Violation | None:
    """The first broken guarantee that any of the seeds shows. That nothing goes on any more is not one."""
    for seed in seeds:
        try:
            Simulation(seed, kind).run()
        except Violation as violation:
            if violation.name != "liveness":
                return violation
    return None


__all__ = ["Simulation", "Violation", "World", "survey", "world_of"]
