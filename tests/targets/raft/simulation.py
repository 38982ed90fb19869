"""
A cluster in one thread: seeded network, disks, crashes and clients, with the paper's guarantees checked at every step.

Everything that happens is drawn from one seed, so that a seed is a run.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Container, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from clients import Clients
from guarantees import Guarantees, MemoryDisk, Server, Violation
from weather import World, world_of

from targets.raft.core import Raft, Role
from targets.raft.messages import Command, Reply, Request
from targets.raft.outcomes import Answer, Found, Ready, Save
from targets.raft.turns import Turns

MOST_EVENTS = 50_000
LEAST_DONE = 5  # of the operations of a settled stretch; three clients do some fifty


@dataclass(frozen=True)
class Saving:
    """What a turn waits for while its save is under way."""

    save: Save

    def __await__(self) -> Iterator[Save]:
        yield self.save


def resume(turn: Coroutine[Any, Any, None]) -> Save | None:
    """Let a turn go on; gives what it then waits to be saved, None at its end."""
    try:
        return turn.send(None)  # type: ignore[no-any-return]
    except StopIteration:
        return None


@dataclass(frozen=True)
class Build:
    """The code under test: a core, the turns that drive it, and the disk of the server with that name."""

    core: type[Raft] = Raft
    turns: type[Turns] = Turns
    disk: Callable[[str], Any] = lambda name: MemoryDisk()


GOOD = Build()


class Simulation:
    """One run. `run` raises Violation for the first guarantee that does not hold."""

    def __init__(self, seed: int, build: Build = GOOD, world: World | None = None) -> None:
        self.rng = Random(seed)
        self.world = world or world_of(seed)
        self.build = build
        self.now_s = 0.0
        self.events: list[tuple[float, int, Callable[[], object]]] = []
        self.order = itertools.count()
        self.names = [f"s{n}" for n in range(self.world.servers)]
        self.servers = {name: Server(name, build.disk(name)) for name in self.names}
        self.cut: set[tuple[str, str]] = set()
        self.gone: str | None = None  # a server that stays down
        self.calm = False
        self.settled = False
        self.counts: Counter[str] = Counter()
        self.guarantees = Guarantees(self.servers, self.counts)
        self.clients = Clients(self)

    # Time

    def after(self, delay_s: float, action: Callable[[], object]) -> None:
        heapq.heappush(self.events, (self.now_s + delay_s, next(self.order), action))

    def run(self) -> Simulation:
        for name in self.names:
            self.start(name)
        self.clients.start()
        self.after(self.rng.random(), self.fault)
        self.after(self.world.lasts_s - self.world.calm_s, self.heal_all)
        self.after(self.world.lasts_s - self.world.settled_s, self.settle)
        while self.events and self.events[0][0] < self.world.lasts_s:
            self.now_s, number, action = heapq.heappop(self.events)
            if number > MOST_EVENTS:
                raise Violation("liveness", f"{MOST_EVENTS:,} events within {self.now_s:.1f} s")
            action()
        self.finish()
        return self

    def finish(self) -> None:
        self.clients.finish()
        self.check_liveness()
        self.clients.check_order()

    def check_liveness(self) -> None:
        """Once it had time to settle, a cluster whose majority is well has one leader and does what it is asked."""
        since = f"in the last {self.world.settled_s} s, {self.world.calm_s - self.world.settled_s} s after the faults"
        if self.clients.done_when_settled < LEAST_DONE:
            raise Violation("liveness", f"{self.clients.done_when_settled} operations were done {since}")
        if late := self.counts["elections when settled"]:
            raise Violation("liveness", f"{late} elections {since}")

    # Faults

    def fault(self) -> None:
        if self.calm:
            return
        rng = self.rng
        draw = rng.random()
        leader = self.leader()
        victim = leader if leader and rng.random() < 0.6 else rng.choice(self.names)
        if draw < 0.5:
            for name in dict.fromkeys([victim, *self.some([0, 0, 1, 2])]):
                self.crash(name)
        elif draw < 0.6:
            self.cut = self.mute(victim)
        elif draw < 0.7:
            self.cut = self.deaf(victim)
        elif draw < 0.9:
            side = {victim, *self.some([0, 1])}
            self.cut = {(a, b) for a in self.names for b in self.names if (a in side) != (b in side)}
        else:
            self.cut = set()
        self.after(rng.expovariate(1 / self.world.fault_every_s), self.fault)

    def leader(self) -> str | None:
        return next((s.name for s in self.servers.values() if s.raft and s.raft.role is Role.LEADER), None)

    def some(self, counts: Sequence[int]) -> list[str]:
        return self.rng.sample(self.names, min(self.rng.choice(counts), len(self.names)))

    def mute(self, victim: str) -> set[tuple[str, str]]:
        """It hears the others, and is not heard."""
        return {(victim, other) for other in self.names}

    def deaf(self, victim: str) -> set[tuple[str, str]]:
        """The others hear it, and it hears none."""
        return {(other, victim) for other in self.names}

    def heal_all(self) -> None:
        """End all faults, but for one server in a world with a lasting fault."""
        self.calm, self.cut = True, set()
        self.gone = None
        for server in self.servers.values():
            if server.raft is None:
                self.start(server.name)
        if self.world.lasting == "replaced":
            self.replace_for_good()
        elif self.world.lasting:
            self.last((self.rng.random() < 0.5 and self.leader()) or self.rng.choice(self.names))

    def replace_for_good(self) -> None:
        """Cut the leader off until the others have another; then let it be heard again, and crash the other."""
        first = self.leader() or self.names[0]
        self.cut = self.deaf(first) | self.mute(first)

        def then() -> None:
            self.cut = self.deaf(first)
            leading = [s for s in self.servers.values() if s.raft and s.raft.leading and s.name != first]
            if leading:
                self.gone = max(leading, key=lambda server: server.lead_term).name
                self.crash(self.gone)

        self.after(0.9, then)

    def last(self, victim: str) -> None:
        """Keep one server deaf, mute, apart, or apart now and then, to the end."""
        both = self.deaf(victim) | self.mute(victim)
        now_and_then = set() if self.cut else both
        kinds = {"deaf": self.deaf(victim), "mute": self.mute(victim), "apart": both, "flapping": now_and_then}
        self.cut = kinds[self.world.lasting or "apart"]
        if self.world.lasting == "flapping":
            self.after(0.2 + self.rng.random() * 0.6, lambda: self.last(victim))

    def settle(self) -> None:
        """From here on liveness is asked for."""
        self.settled = True
        self.counts["elections when settled"] = 0

    def start(self, name: str) -> None:
        server = self.servers[name]
        if server.raft is not None or name == self.gone:
            return
        server.disk = server.disk.reopened()
        stored = server.disk.stored
        rng = Random(self.rng.random())
        raft = self.build.core(name, self.names, stored, self.world.timing, rng, self.now_s)
        take = raft.take
        raft.take = lambda: self.taken(server, raft, take())  # type: ignore[method-assign]
        server.raft, server.turns = (
            raft,
            self.build.turns(
                raft,
                clock=lambda: self.now_s,
                save=Saving,
                send=lambda to, request: self.ask(name, to, request),
                answer=lambda answer: self.answer(name, answer),
            ),
        )
        server.applied = server.committed = stored.snapshot.last_included_index
        server.lead_term = 0
        self.guarantees.watch(server)
        self.wake_at(server, raft.due_s)

    def crash(self, name: str) -> None:
        server = self.servers[name]
        if server.raft is None:
            return
        server.raft, server.turns, server.life, server.alarm = None, None, server.life + 1, 0
        self.counts["crashes"] += 1
        server.disk.crash(server.saving, self.rng)
        self.guarantees.settle(server, saved=server.saving is None)
        server.saving = None
        self.after(self.rng.random() * self.world.down_s, lambda: self.start(name))

    # Servers and network

    def wake_at(self, server: Server, at_s: float) -> None:
        """Let the driver look at the clock then, unless it does so before for another reason."""
        alarm = server.alarm = next(self.order)

        def ring() -> None:
            if server.alarm == alarm and server.saving is None:
                self.step(server)

        self.after(max(0.0005, at_s - self.now_s), ring)

    def give(self, name: str, act: Callable[[Turns, Raft], object]) -> None:
        """Let something come in, if the server is up."""
        server = self.servers[name]
        if server.turns is not None and server.raft is not None:
            act(server.turns, server.raft)
            if server.saving is None:
                self.step(server)

    def step(self, server: Server) -> None:
        """Begin a turn; where it saves, it goes on when the disk has done so, unless a crash comes first."""
        if server.turns is None or server.raft is None:
            return
        raft, turn, life = server.raft, server.turns.turn(), server.life
        save = resume(turn)
        if save is None:
            self.guarantees.settle(server, saved=True)
            self.wake_at(server, raft.due_s)
            return
        server.saving = save
        takes_s = self.rng.choice([0.0005, 0.002, 0.02])
        if self.rng.random() < self.world.dies_unsaved and not self.calm:
            self.after(self.rng.random() * takes_s, lambda: server.life == life and self.crash(server.name))

        def synced() -> None:
            if server.life != life:
                return
            server.disk.save(save)
            server.saving = None
            self.guarantees.settle(server, saved=True)
            assert resume(turn) is None
            dies = self.world.dies_saving if save.entries else self.world.dies_voting
            if self.rng.random() < dies and not self.calm:
                self.crash(server.name)
            else:
                self.step(server)

        self.after(takes_s, synced)

    def taken(self, server: Server, raft: Raft, ready: Ready) -> Ready:
        """Look at what a core gives, before any of it is saved or leaves."""
        before = (server.lead_term, server.committed)
        self.guarantees.check(server, raft, ready)
        self.counts["elections when settled"] += self.settled and server.lead_term != before[0]
        news = raft.role is Role.LEADER and (server.lead_term, server.committed) != before
        if news and not self.calm and self.rng.random() < self.world.isolates:
            self.cut = {cut for other in self.names for cut in ((server.name, other), (other, server.name))}
        return ready

    def ask(self, sender: str, to: str, request: Request) -> None:
        """A request to a peer, and its reply."""
        self.guarantees.requested(self.servers[sender], request)
        sent_s = self.now_s

        def arrived(turns: Turns, raft: Raft, said: Reply) -> None:
            turns.give(lambda: raft.receive_reply(to, said))

        def reply(said: Reply) -> None:
            self.guarantees.replied(self.servers[to], request, said)
            self.guarantees.followed(sender, to, request, said, sent_s)
            self.send(to, sender, lambda: self.give(sender, lambda turns, raft: arrived(turns, raft, said)))

        self.send(sender, to, lambda: self.give(to, lambda turns, raft: turns.request(request, reply)))

    def send(self, sender: str, to: str, arrive: Callable[[], object]) -> None:
        rng, world = self.rng, self.world
        if (sender, to) in self.cut:
            return
        if not self.calm and rng.random() < world.loss:
            return
        for _ in range(2 if rng.random() < world.repeats else 1):
            slow = not self.calm and rng.random() < world.slow
            least_s = world.distance_s if "client" not in (sender, to) else 0.0
            self.after(least_s + rng.random() * (world.slowest_s if slow else world.spread_s), arrive)

    # What comes from clients, and goes to them

    def propose(self, name: str, token: int, command: Command) -> None:
        """A command arrives at a server."""
        self.give(name, lambda turns, raft: turns.give(lambda: raft.propose(token, command)))

    def read(self, name: str, token: int, key: str) -> None:
        """A read arrives at a server."""
        self.guarantees.asked_s.setdefault(token, self.now_s)  # a request may come twice
        self.give(name, lambda turns, raft: turns.give(lambda: raft.read(token, key)))

    def answer(self, name: str, answer: Answer) -> None:
        """A server answers a client."""
        if isinstance(answer.outcome, Found):
            self.guarantees.answered(self.servers[name], answer.token)
        self.send(name, "client", lambda: self.clients.arrive(answer))


def survey(seeds: Iterable[int], build: Build, names: Container[str]) -> tuple[int, Violation] | None:
    """The first seed in which one of these guarantees breaks, and how; others that break are passed over."""
    for seed in seeds:
        try:
            Simulation(seed, build).run()
        except Violation as violation:
            if violation.name in names:
                return seed, violation
    return None


__all__ = ["Build", "Simulation", "Violation", "World", "survey", "world_of"]
