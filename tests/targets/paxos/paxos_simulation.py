"""
Acceptors and proposers in one thread: a seeded network, disks, crashes and clients, and what Paxos guarantees checked.

Everything that happens is drawn from one seed, so that a seed is a run. Messages are lost, come twice and in any order;
acceptors and proposers crash, and acceptors keep what was saved. The seeds take turns: retries at once, retries after a
backoff, a distinguished proposer.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from targets.paxos.acceptor import Acceptor, Kept
from targets.paxos.messages import Ballot, Reply, Request, Value
from targets.paxos.proposer import Answer, Proposer, Retry, Timing

LASTS_S, CALM_S, MOST_EVENTS = 4.0, 1.5, 60_000
LEAST_ANSWERED = 5  # of some twenty commands in the last 0.75 s, which is as long after the faults
TIMING = Timing(round_s=0.12, backoff_s=0.03, heartbeat_s=0.04, leader_low_s=0.15, leader_high_s=0.3)


@dataclass(frozen=True)
class Weather:
    """Shares of messages that are lost and late, and seconds: how late at most, between faults, down at most."""

    loss: float
    late: float
    latest_s: float
    fault_every_s: float
    down_s: float


USUAL = Weather(loss=0.1, late=0.1, latest_s=0.15, fault_every_s=0.15, down_s=0.1)
# Acceptors crash often and are soon back, so that what was sent before a crash arrives after it.
ROUGH = Weather(loss=0.15, late=0.3, latest_s=0.12, fault_every_s=0.03, down_s=0.01)


class Violation(Exception):
    """A guarantee that does not hold, and how."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


@dataclass(frozen=True)
class Build:
    """The code under test, and whether an acceptor's reply waits for its disk."""

    acceptor: type[Acceptor] = Acceptor
    proposer: type[Proposer] = Proposer
    saves_first: bool = True


GOOD = Build()


@dataclass
class Disk:
    """An acceptor: what it has saved, and while it is up, itself and the requests that wait."""

    kept: list[Kept] = field(default_factory=list)
    up: Acceptor | None = None
    life: int = 0
    busy: bool = False
    waiting: list[tuple[Request, Callable[[Reply], None]]] = field(default_factory=list)


class Simulation:
    """One run. `run` raises Violation for the first guarantee that does not hold."""

    def __init__(self, seed: int, build: Build = GOOD) -> None:
        self.rng = Random(seed)
        self.build = build
        self.retry: Retry = ("at-once", "backoff", "leader")[seed % 3]  # type: ignore[assignment]
        self.weather = ROUGH if seed % 2 else USUAL
        self.now_s = 0.0
        self.events: list[tuple[float, int, Callable[[], object]]] = []
        self.order = itertools.count()
        self.acceptors = {f"a{n}": Disk() for n in range(3)}
        self.proposers: dict[str, Proposer | None] = {f"p{n}": None for n in range(2 + seed % 2)}
        self.calm = False
        self.counts: Counter[str] = Counter()
        self.asked: set[str] = set()
        self.tokens: dict[int, str] = {}
        self.numbers = itertools.count(1)
        self.values: dict[tuple[int, Ballot], Value] = {}
        self.voters: dict[tuple[int, Ballot], set[str]] = {}
        self.chosen: dict[int, Value] = {}

    def after(self, delay_s: float, action: Callable[[], object]) -> None:
        heapq.heappush(self.events, (self.now_s + delay_s, next(self.order), action))

    def run(self) -> Simulation:
        for name in self.acceptors:
            self.start_acceptor(name)
        for name in self.proposers:
            self.start_proposer(name)
        self.after(0.0, self.client)
        self.after(self.rng.random() * 0.3, self.fault)
        self.after(LASTS_S - CALM_S, self.heal)
        while self.events and self.events[0][0] < LASTS_S:
            self.now_s, number, action = heapq.heappop(self.events)
            if number > MOST_EVENTS:
                raise Violation("liveness", f"{MOST_EVENTS:,} events within {self.now_s:.1f} s")
            action()
        if self.retry != "at-once" and self.counts["answered in the calm"] < LEAST_ANSWERED:
            raise Violation("liveness", f"{self.counts['answered in the calm']} commands answered after the faults")
        return self

    # Faults

    def fault(self) -> None:
        if self.calm:
            return
        if self.rng.random() < 0.8:
            for name in self.rng.sample(list(self.acceptors), self.rng.choice([1, 1, 2, 3])):
                self.crash_acceptor(name)
        else:
            name = self.rng.choice(list(self.proposers))
            self.proposers[name] = None
            self.counts["proposers crashed"] += 1
            self.after(self.rng.random() * self.weather.down_s, lambda: self.start_proposer(name))
        self.after(self.rng.expovariate(1 / self.weather.fault_every_s), self.fault)

    def heal(self) -> None:
        self.calm = True
        for name in self.acceptors:
            self.start_acceptor(name)
        for name in self.proposers:
            self.start_proposer(name)

    def crash_acceptor(self, name: str) -> None:
        disk = self.acceptors[name]
        disk.up, disk.busy, disk.waiting, disk.life = None, False, [], disk.life + 1
        self.counts["acceptors crashed"] += 1
        self.after(self.rng.random() * self.weather.down_s, lambda: self.start_acceptor(name))

    def start_acceptor(self, name: str) -> None:
        disk = self.acceptors[name]
        if disk.up is None:
            disk.up = self.build.acceptor(disk.kept)

    def start_proposer(self, name: str) -> None:
        if self.proposers[name] is None:
            rng = Random(self.rng.random())
            core = self.build.proposer(name, list(self.acceptors), self.retry, TIMING, rng, self.now_s)
            self.proposers[name] = core
            self.step(name, core)

    # Network

    def send(self, arrive: Callable[[], object]) -> None:
        rng, weather = self.rng, self.weather
        if not self.calm and rng.random() < weather.loss:
            return
        for _ in range(2 if rng.random() < 0.1 else 1):
            late = not self.calm and rng.random() < weather.late
            self.after(0.001 + rng.random() * (weather.latest_s if late else 0.02), arrive)

    def step(self, name: str, core: Proposer) -> None:
        """Let out what a proposer has to say, if it is still the one that runs."""
        if self.proposers[name] is not core:
            return
        core.tick(self.now_s)
        ready = core.take()
        self.counts["decisions"] += len(core.rounds_of_decisions)
        core.rounds_of_decisions.clear()
        self.learned(core)
        for request in ready.requests:
            for to in self.acceptors:
                self.send(lambda to=to, request=request: self.request(to, request, name, core))
        for notice in ready.notices:
            for other in self.proposers:
                if other != name:
                    self.send(lambda other=other, notice=notice: self.tell(other, lambda it: it.notice(notice)))
        for answer in ready.answers:
            self.answer(answer)
        if core.due_s < float("inf"):
            self.after(max(0.0005, core.due_s - self.now_s), lambda due_s=core.due_s: self.ring(name, core, due_s))

    def ring(self, name: str, core: Proposer, due_s: float) -> None:
        if core.due_s == due_s:
            self.step(name, core)

    def tell(self, name: str, act: Callable[[Proposer], object]) -> None:
        core = self.proposers[name]
        if core is not None:
            core.tick(self.now_s)
            act(core)
            self.step(name, core)

    def request(self, to: str, request: Request, sender: str, core: Proposer) -> None:
        def reply(said: Reply) -> None:
            def arrive() -> None:
                if self.proposers[sender] is core:
                    core.tick(self.now_s)
                    core.receive(to, said)
                    self.step(sender, core)

            self.send(arrive)

        disk = self.acceptors[to]
        if disk.up is not None:
            disk.waiting.append((request, reply))
            self.serve(to, disk)

    def serve(self, name: str, disk: Disk) -> None:
        """One request after the other; each waits for the disk, and a crash in between takes what was not saved."""
        if disk.busy or disk.up is None or not disk.waiting:
            return
        request, reply = disk.waiting.pop(0)
        said, kept = disk.up.receive(request)
        if kept is None:
            reply(said)
            self.serve(name, disk)
            return
        disk.busy, life = True, disk.life
        if not self.build.saves_first:
            reply(said)

        def saved() -> None:
            if disk.life != life:
                return
            disk.kept.append(kept)
            disk.busy = False
            self.voted(name, kept)
            if self.build.saves_first:
                reply(said)
            self.serve(name, disk)

        self.after(self.rng.choice([0.0005, 0.002, 0.01]), saved)

    # Clients

    def client(self) -> None:
        name = self.rng.choice(list(self.proposers))
        command = f"c{next(self.numbers)}"
        token = next(self.numbers)
        self.asked.add(command)
        self.tokens[token] = command
        self.tell(name, lambda core: core.ask(token, command))  # once: what a client repeats may be chosen twice
        self.after(self.rng.expovariate(1 / 0.04), self.client)

    def answer(self, answer: Answer) -> None:
        if answer.slot is None:
            self.counts["sent on"] += 1
            token, command = answer.token, self.tokens[answer.token]
            if answer.leader:
                self.after(0.005, lambda: self.tell(answer.leader, lambda core: core.ask(token, command)))
            return
        self.counts["answered"] += 1
        self.counts["answered in the calm"] += self.calm and self.now_s > LASTS_S - CALM_S / 2
        if self.tokens[answer.token] not in self.chosen.get(answer.slot, ()):
            raise Violation("learned", f"{self.tokens[answer.token]} was acknowledged in slot {answer.slot}")

    # What Paxos guarantees

    def voted(self, acceptor: str, kept: Kept) -> None:
        """One value a ballot; a value is chosen once a majority has saved votes for it, and no other ever is."""
        vote = kept.vote
        if vote is None:
            return
        under = (vote.slot, vote.ballot)
        if self.values.setdefault(under, vote.value) != vote.value:
            raise Violation("one value a ballot", f"{vote.ballot} has two values in slot {vote.slot}")
        if not set(vote.value) <= self.asked:
            raise Violation("validity", f"{vote.value} was accepted and never asked for")
        voters = self.voters.setdefault(under, set())
        voters.add(acceptor)
        if len(voters) > len(self.acceptors) // 2:
            self.counts["chosen"] += vote.slot not in self.chosen
            first = self.chosen.setdefault(vote.slot, vote.value)
            if first != vote.value:
                raise Violation("agreement", f"slot {vote.slot}: {first} and {vote.value} at {self.now_s:.3f} s")
            for slot, value in self.chosen.items():
                if slot != vote.slot and set(value) & set(vote.value):
                    raise Violation("chosen once", f"{value} in slot {slot} and {vote.value} in slot {vote.slot}")

    def learned(self, core: Proposer) -> None:
        """What a proposer has learned was chosen."""
        for slot, value in core.learner.chosen.items():
            if self.chosen.get(slot) != value:
                raise Violation("learned", f"{core.name} learned {value} in slot {slot}: {self.chosen.get(slot)}")


def survey(seeds: Iterable[int], build: Build, names: frozenset[str]) -> tuple[int, Violation] | None:
    """The first seed in which one of these guarantees breaks, and how; others that break are passed over."""
    for seed in seeds:
        try:
            Simulation(seed, build).run()
        except Violation as violation:
            if violation.name in names:
                return seed, violation
    return None
