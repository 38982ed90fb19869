"""The simulation's clients: closed loops that retry, and the record of what they were answered."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guarantees import Violation

from lab.checkers._operation import Op
from lab.checkers._wing_gong import Budget, search
from targets.raft.messages import Cas, Command, Done, Expired, Put, Register
from targets.raft.outcomes import Answer, Found, Refused

if TYPE_CHECKING:
    from simulation import Simulation

KEYS = ("x", "y")


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


class Clients:
    """All of them. An operation that has no answer in 0.4 s is retried, perhaps elsewhere."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.all = [Client(n) for n in range(sim.world.clients)]
        self.ops: dict[str, list[Op]] = {key: [] for key in KEYS}
        self.waiting: dict[int, tuple[Asked, Callable[[object], None]]] = {}
        self.numbers = itertools.count()
        self.tokens = itertools.count(1)
        self.done_when_settled = 0

    def start(self) -> None:
        """Begin, each at a time of its own."""
        for client in self.all:
            self.sim.after(self.sim.rng.random() * 0.3, lambda client=client: self.next_operation(client))

    def arrive(self, answer: Answer) -> None:
        """An answer comes."""
        entry = self.waiting.pop(answer.token, None)
        if entry is not None:
            entry[1](answer.outcome)

    def finish(self) -> None:
        """End what is open."""
        for asked, _ in list(self.waiting.values()):
            self.end(asked, None)

    def check_order(self) -> None:
        """All that was answered has an order. Raises Violation."""
        for key, ops in self.ops.items():
            result = search(ops, None, Budget(300_000, math.inf))
            if result.linearizable is False:
                raise Violation("linearizability", f"key {key} until {result.stuck_s:.3f} s")
            if result.linearizable is None:
                raise Violation("undecided", f"key {key}: {len(ops)} operations")

    def next_operation(self, client: Client) -> None:
        rng = self.sim.rng
        if client.session is None:
            asked = Asked(-1, client.number, self.sim.now_s, "register", "", None, None)
        else:
            n = next(self.numbers)
            kind = rng.choice(["read", "read", "put", "put", "cas"])
            expect = rng.choice([None, *(str(n - back) for back in range(1, 8))])
            client.sequence += kind != "read"
            asked = Asked(n, client.number, self.sim.now_s, kind, rng.choice(KEYS), expect, str(n))
        self.attempt(asked, client.sequence)

    def attempt(self, asked: Asked, sequence: int) -> None:
        client = self.all[asked.client]
        if asked.ended:
            return
        asked.tries += 1
        if asked.tries > 12:
            self.end(asked, None)
            return
        name = client.hint or self.sim.rng.choice(self.sim.names)
        token = next(self.tokens)
        committed = self.sim.guarantees.highest
        command = self.command(asked, client, sequence)

        def on_answer(outcome: object) -> None:
            if isinstance(outcome, Found) and outcome.index < committed:
                raise Violation("reads are fresh", f"{name} read at {outcome.index} when {committed} was committed")
            if asked.ended:
                return
            if isinstance(outcome, Done | Found | Expired):
                self.end(asked, outcome)
                return
            client.hint = outcome.leader_id if isinstance(outcome, Refused) else None
            self.sim.after(0.02, lambda: self.attempt(asked, sequence))

        def on_timeout() -> None:
            if self.waiting.pop(token, None) and not asked.ended:
                client.hint = None
                self.attempt(asked, sequence)

        self.waiting[token] = (asked, on_answer)
        if command is None:
            self.sim.send("client", name, lambda: self.sim.read(name, token, asked.key))
        else:
            self.sim.send("client", name, lambda: self.sim.propose(name, token, command))
        self.sim.after(0.4, on_timeout)

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

    def end(self, asked: Asked, outcome: object) -> None:
        """Note how an operation ended, and go on with the next."""
        if asked.ended:
            return
        asked.ended = True
        client = self.all[asked.client]
        if asked.kind == "register":
            client.session, client.sequence = (outcome.index, 0) if isinstance(outcome, Done) else (None, 0)
        else:
            self.sim.counts["operations" if outcome else "unanswered"] += 1
            self.done_when_settled += self.sim.settled and outcome is not None
            op = self.op(asked, outcome)
            if op is not None:
                self.ops[asked.key].append(op)
            if asked.kind != "read" and not isinstance(outcome, Done):
                client.session = None  # its last sequence is open for ever
        self.sim.after(self.sim.rng.random() * 0.05, lambda: self.next_operation(client))

    def op(self, asked: Asked, outcome: object) -> Op | None:
        n, start_s = asked.n, asked.start_s
        if asked.kind == "read":
            return Op(n, start_s, self.sim.now_s, "read", sees=outcome.value) if isinstance(outcome, Found) else None
        maybe = Op(n, start_s, math.inf, "write", sets=asked.value, certain=False)
        if asked.kind == "cas":
            maybe = replace(maybe, kind="swap", sees=asked.expect)
        if not isinstance(outcome, Done):
            return maybe
        if outcome.swapped:
            return replace(maybe, end_s=self.sim.now_s, certain=True)
        return Op(n, start_s, self.sim.now_s, "unlike", sees=asked.expect)
