"""
Profiles as collapsed stacks, one `outermost;...;innermost count` a line: read, made a tree, and compared. Pure.

The format is Brendan Gregg's (flamegraph.pl), which `py-spy record --format raw` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Profile:
    """Samples by stack; a stack runs from the outermost frame to the innermost."""

    stacks: dict[tuple[str, ...], int]

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return sum(self.stacks.values())


@dataclass
class Node:
    """A frame of a flame graph: samples below it (`total`) and those that ended in it (`own`)."""

    name: str
    total: float = 0
    own: float = 0
    children: dict[str, Node] = field(default_factory=dict)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """Every node with its depth, parents first."""
        yield depth, self
        for child in self.children.values():
            yield from child.walk(depth + 1)


def parse(text: str) -> Profile:
    """Read collapsed stacks; lines that are none are passed over."""
    stacks: dict[tuple[str, ...], int] = {}
    for line in text.splitlines():
        names, _, count = line.rstrip().rpartition(" ")
        if names and count.isdecimal() and int(count):
            stack = tuple(names.split(";"))
            stacks[stack] = stacks.get(stack, 0) + int(count)
    return Profile(stacks)


def tree(profile: Profile) -> Node:
    """The flame graph of a profile, below a root called `all`; children in order of name."""
    root = Node("all")
    for stack, count in sorted(profile.stacks.items()):
        root.total += count
        node = root
        for name in stack:
            node = node.children.setdefault(name, Node(name))
            node.total += count
        node.own += count
    return root


@dataclass(frozen=True)
class Change:
    """A frame in two profiles: its share of all samples in each, 0 to 1, and the frames called from it."""

    name: str
    before: float
    after: float
    children: tuple[Change, ...] = ()

    @property
    def delta(self) -> float:
        """What its share grew by; below 0 where it shrank."""
        return self.after - self.before


def difference(before: Profile, after: Profile) -> Change:
    """Hold two profiles against each other by share of samples, so that their lengths do not matter.

    The tree has the frames of both. A profile without samples has the share 0 everywhere.
    """
    return _change("all", tree(before), tree(after), before.samples or 1, after.samples or 1)


def _change(name: str, before: Node | None, after: Node | None, of_before: int, of_after: int) -> Change:
    left, right = (before.children if before else {}), (after.children if after else {})
    return Change(
        name,
        before.total / of_before if before else 0.0,
        after.total / of_after if after else 0.0,
        tuple(_change(n, left.get(n), right.get(n), of_before, of_after) for n in sorted({*left, *right})),
    )


def function_of(frame: str) -> str:
    """The function's name in a frame: `handle` of `handle (targets/exchange.py:42)`."""
    return frame.partition(" (")[0]


def share_of(profile: Profile, function: str) -> float:
    """Share of samples, 0 to 1, that have a function anywhere on the stack; recursion counts once. 0 where empty.

    A method is found as `Cache.get` or, of any class, as `get`.
    """
    hits = sum(count for stack, count in profile.stacks.items() if any(_is(frame, function) for frame in stack))
    return hits / profile.samples if profile.samples else 0.0


def own_shares(profile: Profile) -> dict[str, float]:
    """By function, the share of samples, 0 to 1, that ended in it: all of them together are 1."""
    own: dict[str, float] = {}
    for stack, count in profile.stacks.items():
        name = function_of(stack[-1])
        own[name] = own.get(name, 0.0) + count / profile.samples
    return own


def _is(frame: str, function: str) -> bool:
    name = function_of(frame)
    return name == function or name.endswith(f".{function}")
