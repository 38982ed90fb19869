"""
Probes through a link and beside it, ten a second: what really arrived of a fault, whatever the fault says of itself.

Whatever any fault of a scenario may touch is probed from before the load to its end, so that a fault is seen to be out
as it is seen to be in. Each probe is a fresh connection, so that it meets what a new caller would meet, and a task of
its own, so that one that hangs delays no other. Services are asked `GET /healthz`; servers the cheapest thing that
makes them speak. A disk of the lab's own is probed by a sync of a file there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from lab.disk import CANARY
from lab.model import Backing, BackingKind, Disk, Fault, Link, Member, ProbeShape, Service
from lab.observe.ping import ping
from lab.observe.sync import sync
from lab.record import Probe, ProbeOutcome
from lab.runtime.base import Address, Running

EVERY_S = 0.1
# Of all asks together: more, and the probes themselves are load. Five servers with a link from each to each are asked 6
# times a second each, 12 times in 2 s.
MOST_PER_S = 150
DRAIN_S = 1.0  # how long probes under way are awaited at the end


@dataclass(frozen=True)
class CanaryTarget:
    """What is probed: a link (through its proxy and beside it) or, with no `through`, a member itself."""

    name: str
    kind: Literal["service"] | BackingKind
    beside: Address
    through: Address | None = None
    password: str = field(default="", repr=False)
    shape: ProbeShape = field(default_factory=ProbeShape)


@dataclass(frozen=True)
class CanaryDisk:
    """A disk of the lab's own that is probed in its folder."""

    name: str
    folder: Path
    shape: ProbeShape = field(default_factory=ProbeShape)


def watch(faults: Iterable[Fault], running: Running) -> list[CanaryTarget | CanaryDisk]:
    """One target for each link, member and disk that any of the faults may touch, with probes that can show them all.

    A fault that is known only when it goes in may touch what any of its candidates does. What a variant does not have
    is not watched.
    """
    there = set(running.members())
    targets: dict[Link | Member, CanaryTarget] = {}
    disks: dict[Disk, CanaryDisk] = {}
    for fault in (candidate for asked in faults for candidate in asked.candidates):
        for target in fault.targets:
            if _ends(target) <= there:
                known = targets.get(target) or _target(target, running)
                targets[target] = replace(known, shape=_both(known.shape, fault.probe))
        for disk in fault.watched_disks:
            if disk.member in there:
                watched = disks.get(disk) or CanaryDisk(disk.name, running.disk(disk.member).folder)
                disks[disk] = replace(watched, shape=_both(watched.shape, fault.probe))
    return [*targets.values(), *disks.values()]


def _ends(target: Link | Member) -> set[Member]:
    """Who has to be there for it to be there. Who calls need not run: a probe takes the caller's place."""
    return {target.callee} if isinstance(target, Link) else {target}


def _target(target: Link | Member, running: Running) -> CanaryTarget:
    member = target.callee if isinstance(target, Link) else target
    kind: Literal["service"] | BackingKind = "service" if isinstance(member, Service) else member.kind
    through = running.link_address(target) if isinstance(target, Link) else None
    password = urlsplit(running.url(member)).password if isinstance(member, Backing) else None
    return CanaryTarget(target.name, kind, running.address(member), through, password or "")


_UNTIL = ("answer", "whole", "close")  # each includes the one before


def _both(one: ProbeShape, other: ProbeShape) -> ProbeShape:
    return ProbeShape(
        timeout_s=max(one.timeout_s, other.timeout_s),
        sends_bytes=max(one.sends_bytes, other.sends_bytes),
        until=max(one.until, other.until, key=_UNTIL.index),
    )


class Canary:
    """Probes its targets from entry to exit; `probes` are those that have ended, `at_s` seconds after `t0_s`.

    `t0_s` is an instant of the steady clock (`time.perf_counter`).
    """

    def __init__(self, targets: Iterable[CanaryTarget | CanaryDisk], t0_s: float) -> None:
        self.probes: list[Probe] = []
        self._asks = _asks(targets)
        self._every_s = max(EVERY_S, len(self._asks) / MOST_PER_S)
        self._t0_s = t0_s
        self._beats: list[asyncio.Task[None]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Canary:
        for number, (ask, names) in enumerate(self._asks.items()):
            offset_s = self._every_s * number / len(self._asks)  # so that they do not compete
            self._beats.append(asyncio.create_task(self._beat(ask, names, offset_s)))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop probing; probes under way have `DRAIN_S` to end, those that do not are timeouts."""
        await _cancel(self._beats)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=DRAIN_S)
        await _cancel(list(self._under_way))
        self.probes.sort(key=lambda probe: probe.at_s)

    def between(self, start_s: float, end_s: float) -> list[Probe]:
        """Probes begun in that window."""
        return [probe for probe in self.probes if start_s <= probe.at_s <= end_s]

    async def _beat(self, ask: _Ask | _Sync, names: Sequence[str], offset_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + offset_s
        while True:
            await asyncio.sleep(due - loop.time())
            task = asyncio.create_task(self._probe(ask, names))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            missed = max(0, int((loop.time() - due) / self._every_s))  # not made up for: a burst would be load
            due += (missed + 1) * self._every_s

    async def _probe(self, ask: _Ask | _Sync, names: Sequence[str]) -> None:
        at_s = time.perf_counter() - self._t0_s
        outcome: ProbeOutcome = "timeout"
        latency_ms = None
        try:
            outcome, latency_ms = await ask.probe()
        finally:  # also when the drain gives up on it
            self.probes.extend(Probe(name, ask.path, at_s, outcome, latency_ms) for name in names)


@dataclass(frozen=True)
class _Ask:
    """One thing to ask again and again. Beside the links to one callee it is asked once for all of them."""

    path: Literal["through", "beside"]
    address: Address
    kind: str
    password: str = field(repr=False)
    shape: ProbeShape

    async def probe(self) -> tuple[ProbeOutcome, float | None]:
        """How it ended, and the milliseconds until the answer."""
        return await ping(self.address, self.kind, self.shape, self.password)


@dataclass(frozen=True)
class _Sync:
    """A disk to sync again and again."""

    disk: CanaryDisk
    path: Literal["through", "beside"] = "through"

    async def probe(self) -> tuple[ProbeOutcome, float | None]:
        """How it ended, and the milliseconds that it took."""
        return await sync(self.disk.folder / CANARY, self.disk.shape.timeout_s)


def _asks(targets: Iterable[CanaryTarget | CanaryDisk]) -> dict[_Ask | _Sync, list[str]]:
    """What to ask, and the names of the targets that each answer serves."""
    asks: dict[_Ask | _Sync, list[str]] = {}
    for target in targets:
        if isinstance(target, CanaryDisk):
            asks[_Sync(target)] = [target.name]
            continue
        how = (target.kind, target.password, target.shape)
        if target.through:
            asks.setdefault(_Ask("through", target.through, *how), []).append(target.name)
        asks.setdefault(_Ask("beside", target.beside, *how), []).append(target.name)
    return asks


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
