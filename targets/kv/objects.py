"""
What replicas hold that answer by themselves, and how two of them become one: registers, sets and counters.

A register is last-writer-wins. Sets and counters are so too, each kept whole in one register, or they are CRDTs
(Shapiro et al., "A comprehensive study of Convergent and Commutative Replicated Data Types", 2011): an OR-set, of which
an element is a member while an add is there that no remove had seen, and a PN-counter, the sum of what each node has
counted. Merging is commutative, associative and idempotent in each case, so replicas that have got the same states are
equal. Tags that were removed are kept for ever.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import Struct, field

from targets.kv.clock import Clock, Stamp

Tag = str  # of one add: the node's account, and a number that is used once under it


class Written(Struct, frozen=True):
    """A register's value, and when it was written."""

    stamp: Stamp
    value: str


class OrSet(Struct):
    """The tags of each element's adds, and the tags that were removed."""

    added: dict[str, set[Tag]] = field(default_factory=dict)
    removed: set[Tag] = field(default_factory=set)

    @property
    def members(self) -> list[str]:
        """Elements with an add that was not removed."""
        return sorted(element for element, tags in self.added.items() if tags - self.removed)

    def remove(self, element: str) -> set[Tag]:
        """Take back the adds that are here; gives their tags."""
        seen = self.added.get(element, set()) - self.removed
        self.removed |= seen
        return seen

    def merge(self, other: OrSet) -> None:
        """Take over all adds and removes."""
        for element, tags in other.added.items():
            self.added.setdefault(element, set()).update(tags)
        self.removed |= other.removed


class PnCounter(Struct):
    """What each node has counted up and down, on its account."""

    up: dict[str, int] = field(default_factory=dict)
    down: dict[str, int] = field(default_factory=dict)

    @property
    def value(self) -> int:
        """The sum."""
        return sum(self.up.values()) - sum(self.down.values())

    def count(self, account: str, by: int) -> None:
        """Only the node whose account it is changes what it has counted."""
        side = self.up if by >= 0 else self.down
        side[account] = side.get(account, 0) + abs(by)

    def merge(self, other: PnCounter) -> None:
        """Of each account the higher count is the later one."""
        for mine, others in ((self.up, other.up), (self.down, other.down)):
            for account, count in others.items():
                mine[account] = max(mine.get(account, 0), count)


class State(Struct):
    """A replica's state, or a part of it that has changed."""

    registers: dict[str, Written] = field(default_factory=dict)
    sets: dict[str, OrSet] = field(default_factory=dict)
    counters: dict[str, PnCounter] = field(default_factory=dict)


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(State).decode


class Replica:
    """One node's copy. Each change gives the part of the state that the others have to get."""

    def __init__(self, node: str, clock: Clock) -> None:
        self.node = node
        self.clock = clock
        self.state = State()

    def get(self, key: str) -> str | None:
        """A register's value; None where it was never written."""
        written = self.state.registers.get(key)
        return None if written is None else written.value

    def put(self, key: str, value: str) -> State:
        """Write a register, by this node's clock: where that is behind, the write is lost at once."""
        self._take(key, Written(self.clock.now(), value))
        return State(registers={key: self.state.registers[key]})

    def merge(self, other: State) -> None:
        """Become what both are together."""
        for key, written in other.registers.items():
            self.clock.saw(written.stamp)
            self._take(key, written)
        for key, adds in other.sets.items():
            self.state.sets.setdefault(key, OrSet()).merge(adds)
        for key, counts in other.counters.items():
            self.state.counters.setdefault(key, PnCounter()).merge(counts)

    def _take(self, key: str, written: Written) -> None:
        held = self.state.registers.get(key)
        if held is None or written.stamp > held.stamp:
            self.state.registers[key] = written


class Objects(Protocol):
    """Sets and counters over a replica. What changes gives the part of the state that the others have to get."""

    def members(self, key: str) -> Sequence[str]:
        """A set's elements, sorted."""
        ...

    def add(self, key: str, element: str) -> State:
        """Add an element."""
        ...

    def remove(self, key: str, element: str) -> tuple[bool, State]:
        """Remove an element; whether it was there."""
        ...

    def value(self, key: str) -> int:
        """What a counter stands at."""
        ...

    def count(self, key: str, by: int) -> State:
        """Count up or down."""
        ...


class Registers:
    """Sets and counters, each whole in one register: read, changed and written back, and the last writer wins."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def members(self, key: str) -> Sequence[str]:
        """The list that the register holds."""
        elements: list[str] = json.loads(self._replica.get(f"set {key}") or "[]")
        return elements

    def add(self, key: str, element: str) -> State:
        """The list with one more."""
        return self._write(key, sorted({*self.members(key), element}))

    def remove(self, key: str, element: str) -> tuple[bool, State]:
        """The list with one less."""
        there = self.members(key)
        return element in there, self._write(key, [each for each in there if each != element])

    def value(self, key: str) -> int:
        """The number that the register holds."""
        return int(self._replica.get(f"counter {key}") or 0)

    def count(self, key: str, by: int) -> State:
        """The number that is here, and `by`."""
        return self._replica.put(f"counter {key}", str(self.value(key) + by))

    def _write(self, key: str, elements: Sequence[str]) -> State:
        return self._replica.put(f"set {key}", json.dumps(elements))


class Crdts:
    """Sets and counters whose changes survive merging.

    Of a set a part is the change alone (a delta: Almeida et al. 2018), of a counter all accounts, so that the next
    count brings what an earlier message lost.

    A node that restarts has forgotten how far it had counted, so it goes on under an account of its own: under the old
    one it would give its tags out twice, and what others have seen of its counts would hide what it counts anew.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._account = f"{replica.node}.{secrets.token_hex(2)}"
        self._tags = 0

    def members(self, key: str) -> Sequence[str]:
        """By the OR-set."""
        return self._set(key).members

    def add(self, key: str, element: str) -> State:
        """Under a tag of its own."""
        self._tags += 1
        part = OrSet({element: {f"{self._account} {self._tags}"}})
        self._set(key).merge(part)
        return State(sets={key: part})

    def remove(self, key: str, element: str) -> tuple[bool, State]:
        """What this replica has seen of it."""
        seen = self._set(key).remove(element)
        return bool(seen), State(sets={key: OrSet(removed=seen)})

    def value(self, key: str) -> int:
        """By the PN-counter."""
        return self._counter(key).value

    def count(self, key: str, by: int) -> State:
        """On this node's own account."""
        self._counter(key).count(self._account, by)
        return State(counters={key: self._counter(key)})

    def _set(self, key: str) -> OrSet:
        return self._replica.state.sets.setdefault(key, OrSet())

    def _counter(self, key: str) -> PnCounter:
        return self._replica.state.counters.setdefault(key, PnCounter())
