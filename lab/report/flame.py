"""Profiles to flame graphs: for each service and phase one tree that holds the samples of every variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lab.metrics.fold import Node, Profile, own_shares, parse, tree
from lab.report.view import View

# A frame narrower than this in every variant is left out (its time stays in its caller): first those under 2 px, and
# more where there are so many profiles that the page would grow too large.
MIN_SHARES = (0.002, 0.005, 0.01, 0.02, 0.05)
MAX_FRAMES = 9_000  # about 300 kB
MAX_TOP = 8

# (index of the frame's name, samples in each variant, callees)
Frame: TypeAlias = "tuple[int, list[int], list[Frame]]"


@dataclass(frozen=True)
class TopFunction:
    """A function by the share of samples that ended in it, in each variant."""

    name: str
    shares: list[float]

    @property
    def change(self) -> float:
        """Points of a share gained from the first variant to the last."""
        return self.shares[-1] - self.shares[0]


@dataclass(frozen=True)
class Flame:
    """Profiles of one service in one phase; `samples`, shares and `root` are in the order of `variants`."""

    service: str
    phase: str
    samples: list[int]
    root: Frame
    top: list[TopFunction]


@dataclass(frozen=True)
class Flames:
    """Everything that the flame graphs of a report need."""

    variants: list[str]
    names: list[str]
    graphs: list[Flame]
    min_share: float


def flames(view: View) -> Flames | None:
    """Read the profiles of the drawn trial; None where there are none."""
    profiles = {
        (service, phase.name): [_read(view, variant, service, phase.name) for variant in view.variants]
        for service in view.spec.profile
        for phase in view.spec.phases
    }
    profiles = {place: found for place, found in profiles.items() if any(profile.samples for profile in found)}
    if not profiles:
        return None
    for min_share in MIN_SHARES:
        names: dict[str, int] = {}
        graphs = [_flame(*place, found, names, min_share) for place, found in profiles.items()]
        if sum(_count(graph.root) for graph in graphs) <= MAX_FRAMES:
            break
    return Flames(view.variants, list(names), graphs, min_share)


def _count(frame: Frame) -> int:
    return 1 + sum(_count(child) for child in frame[2])


def _read(view: View, variant: str, service: str, phase: str) -> Profile:
    file = view.run.profiles / f"{view.trial}-{variant}" / f"{service}.{phase}.folded"
    try:
        return parse(file.read_text("utf-8", errors="replace"))
    except OSError:
        return Profile({})


def _flame(service: str, phase: str, profiles: Sequence[Profile], names: dict[str, int], min_share: float) -> Flame:
    samples = [profile.samples for profile in profiles]
    root = _union("all", [tree(profile) for profile in profiles], samples, names, min_share)
    return Flame(service, phase, samples, root, _top(profiles))


def _union(
    name: str, nodes: Sequence[Node | None], samples: Sequence[int], names: dict[str, int], min_share: float
) -> Frame:
    callees: dict[str, None] = {}
    for node in nodes:
        callees.update(dict.fromkeys(node.children if node else ()))
    children: list[Frame] = []
    for callee in sorted(callees):
        found = [node.children.get(callee) if node else None for node in nodes]
        if max(n.total / of for n, of in zip(found, samples, strict=True) if n and of) >= min_share:
            children.append(_union(callee, found, samples, names, min_share))
    return names.setdefault(name, len(names)), [int(node.total) if node else 0 for node in nodes], children


def _top(profiles: Sequence[Profile]) -> list[TopFunction]:
    shares = [own_shares(profile) for profile in profiles]
    functions = {name for found in shares for name in found}
    ranked = sorted(functions, key=lambda name: (-max(found.get(name, 0.0) for found in shares), name))
    return [TopFunction(name, [found.get(name, 0.0) for found in shares]) for name in ranked[:MAX_TOP]]
