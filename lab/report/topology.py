"""The topology as a drawing: load on one side, services by their distance from it, every link an arrow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.record import Spec

BOX = (132.0, 46.0)
LOAD = "load"
GAPS = {"across": (92.0, 26.0), "down": (30.0, 62.0)}  # between columns and rows
MARGIN = 12.0


@dataclass(frozen=True)
class Box:
    """A member, by its centre."""

    name: str
    kind: str
    x: float
    y: float
    faults: str = ""


@dataclass(frozen=True)
class Arrow:
    """A link from border to border; `faults` names what breaks it, with its cross at (mx, my)."""

    name: str
    x1: float
    y1: float
    x2: float
    y2: float
    faults: str = ""
    both: bool = False

    @property
    def mx(self) -> float:
        """Where the cross goes."""
        return (self.x1 + self.x2) / 2

    @property
    def my(self) -> float:
        """Where the cross goes."""
        return (self.y1 + self.y2) / 2


@dataclass(frozen=True)
class Drawing:
    """Boxes and arrows on a canvas of `width` by `height`."""

    width: float
    height: float
    boxes: list[Box]
    arrows: list[Arrow]
    box: tuple[float, float] = BOX


def faults_by_target(spec: Spec) -> dict[str, str]:
    """What breaks each link or member, over all phases."""
    found: dict[str, list[str]] = {}
    for phase in spec.phases:
        for fault in phase.faults:
            for target in [t.strip() for t in fault.target.split(",")]:
                texts = found.setdefault(target, [])
                if fault.text not in texts:
                    texts.append(fault.text)
    return {target: ", ".join(texts) for target, texts in found.items()}


def drawing(spec: Spec, *, down: bool = False) -> Drawing:
    """Lay the topology out from left to right, or downwards for a narrow screen; a ring where it has cycles."""
    edges = _edges(spec)
    names = [LOAD, *(member.name for member in spec.members)]
    centres = _ring(names) if _is_cyclic(names, list(edges)) else _layers(names, list(edges), down)
    return _draw(spec, centres, edges)


def _edges(spec: Spec) -> dict[tuple[str, str], str]:
    """The name of the link that leads from one to another. Whom a cluster's peers call, each other one of it calls."""
    edges = {(LOAD, service): f"{LOAD}->{service}" for service in spec.load.services}
    members = {member.name for member in spec.members}
    for link in spec.links:
        peers = [other.callee for other in spec.links if other.caller == link.caller and other != link]
        callers = [link.caller] if link.caller in members else peers
        edges |= {(caller, link.callee): link.name for caller in callers}
    return edges


def _is_cyclic(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> bool:
    left, open_edges = set(names), list(edges)
    while left:
        free = left - {callee for _, callee in open_edges}
        if not free:
            return True
        left -= free
        open_edges = [edge for edge in open_edges if edge[0] in left]
    return False


def _depths(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    depth = dict.fromkeys(names, 0)
    for _ in names:
        for caller, callee in edges:
            depth[callee] = max(depth[callee], depth[caller] + 1)
    return depth


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str]], down: bool) -> dict[str, tuple[float, float]]:
    depth = _depths(names, edges)
    layers = [[name for name in names if depth[name] == d] for d in range(max(depth.values()) + 1)]
    gap_x, gap_y = GAPS["down" if down else "across"]
    step_x, step_y = BOX[0] + gap_x, BOX[1] + gap_y
    widest = max(len(layer) for layer in layers)
    centres = {}
    for d, layer in enumerate(layers):
        for k, name in enumerate(layer):
            offset = k + (widest - len(layer)) / 2
            centres[name] = (offset * step_x, d * step_y) if down else (d * step_x, offset * step_y)
    return centres


def _ring(names: Sequence[str]) -> dict[str, tuple[float, float]]:
    radius = max(150.0, 30.0 * len(names))
    ring = [name for name in names if name != LOAD]
    centres = {
        name: (radius * math.sin(2 * math.pi * k / len(ring)), -0.78 * radius * math.cos(2 * math.pi * k / len(ring)))
        for k, name in enumerate(ring)
    }
    return {LOAD: (0.0, -0.78 * radius - 2.2 * BOX[1]), **centres}


def _draw(spec: Spec, centres: Mapping[str, tuple[float, float]], edges: Mapping[tuple[str, str], str]) -> Drawing:
    left = min(x for x, _ in centres.values()) - BOX[0] / 2 - MARGIN
    top = min(y for _, y in centres.values()) - BOX[1] / 2 - MARGIN
    placed = {name: (x - left, y - top) for name, (x, y) in centres.items()}
    broken = faults_by_target(spec)
    kinds = {member.name: member.kind for member in spec.members} | {LOAD: _load_text(spec)}
    boxes = [Box(name, kinds[name], x, y, broken.get(name, "")) for name, (x, y) in placed.items()]
    arrows, seen = [], set()
    for (caller, callee), name in edges.items():
        if (callee, caller) in seen:
            continue
        seen.add((caller, callee))
        back = edges.get((callee, caller), "")
        faults = ", ".join(text for text in (broken.get(name, ""), broken.get(back, "")) if text)
        start, end = placed[caller], placed[callee]
        arrows.append(Arrow(name, *_border(start, end), *_border(end, start), faults, bool(back)))
    width = max(x for x, _ in placed.values()) + BOX[0] / 2 + MARGIN
    height = max(y for _, y in placed.values()) + BOX[1] / 2 + MARGIN
    return Drawing(round(width, 1), round(height, 1), boxes, arrows)


def _load_text(spec: Spec) -> str:
    return f"{spec.load.per_s:g}/s" if spec.load.per_s is not None else f"{spec.load.users} users"


def _border(centre: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Where the line from a box's centre leaves the box, and a little further."""
    dx, dy = towards[0] - centre[0], towards[1] - centre[1]
    reach = min(
        (BOX[0] / 2 + 5) / abs(dx) if dx else math.inf,
        (BOX[1] / 2 + 5) / abs(dy) if dy else math.inf,
    )
    return round(centre[0] + dx * reach, 1), round(centre[1] + dy * reach, 1)
