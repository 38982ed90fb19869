"""The settings by which a target refuses writes before its store is full, and what looks at the store's room."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from prometheus_client import CollectorRegistry, Counter, Gauge

from targets.kit.logs import Log
from targets.kit.problems import Problem
from targets.kit.settings import Between, Seconds
from targets.patterns.watermark import Marks, NoRoom, Watermark

MEGABYTE = 1_000_000
LOOKS_STALE = 8  # so many looks may fail or be late before writes are refused
Megabytes = Annotated[float, Between(1, 1_000_000, "MB")]


@dataclass(frozen=True, kw_only=True)
class WatermarkSettings:
    """WATERMARK turns it on; the others are its two marks, and how often it looks at the room."""

    watermark: bool = False
    watermark_refuse_mb: Megabytes = 34.0
    watermark_accept_mb: Megabytes = 51.0
    watermark_every_s: Seconds = 0.25

    def __post_init__(self) -> None:
        if self.watermark_accept_mb <= self.watermark_refuse_mb:
            asked = f"WATERMARK_ACCEPT_MB={self.watermark_accept_mb:g} cannot be"
            raise ValueError(f"{asked} with WATERMARK_REFUSE_MB={self.watermark_refuse_mb:g}: give more than that")

    @property
    def marks(self) -> Marks:
        """As the pattern takes them."""
        refuse, accept = (round(mb * MEGABYTE) for mb in (self.watermark_refuse_mb, self.watermark_accept_mb))
        return Marks(refuse, accept, LOOKS_STALE * self.watermark_every_s)


class RoomMetrics:
    """Keeps the series of one watermark, all there from the start, and reports the moments at which it moves."""

    def __init__(self, registry: CollectorRegistry, log: Log) -> None:
        self._log = log
        self._least_bytes: int | None = None
        self._refusing = Gauge("watermark_refusing", "1 while writes are refused.", registry=registry)
        self._closings = Counter("watermark_closings", "How often it began to refuse writes.", registry=registry)
        self._refusals = Counter("watermark_refusals", "Writes refused.", registry=registry)
        self._unused = Gauge(
            "watermark_unused_bytes", "The least room seen since it last began to refuse writes.", registry=registry
        )

    def moved(self, refusing: bool, free_bytes: int | None) -> None:
        """Count it, and report the moment."""
        self._refusing.set(refusing)
        if refusing:
            self._closings.inc()
            self._least_bytes = None
        room = "unknown" if free_bytes is None else f"{free_bytes / MEGABYTE:,.1f} MB"
        self._log.moment("writes refused" if refusing else "writes accepted again", room=room)

    def looked(self, refusing: bool, free_bytes: int) -> None:
        """Keep what stays unused."""
        if refusing:
            self._least_bytes = free_bytes if self._least_bytes is None else min(free_bytes, self._least_bytes)
            self._unused.set(self._least_bytes)

    def refused(self) -> None:
        """Count a write that was not begun."""
        self._refusals.inc()


class Room:
    """
    The room of the filesystem that holds `folder`, looked at every so often while `watched` lasts.

    By statvfs(2), so the store and this process share a machine. Where they do not, an agent on the store's machine
    (node_exporter, the cloud's own metric) takes its place; a database does not report the room of its disk.
    """

    def __init__(self, settings: WatermarkSettings, folder: str, registry: CollectorRegistry, log: Log) -> None:
        self._folder = folder
        self._every_s = settings.watermark_every_s
        self._log = log
        self._metrics = RoomMetrics(registry, log)
        self._watermark = Watermark(settings.marks, listeners=[self._metrics])

    def admit(self) -> None:
        """Return where a write may begin. Raises Problem 503."""
        try:
            self._watermark.admit()
        except NoRoom as full:
            self._metrics.refused()
            raise Problem(503, "no-room", f"Nothing is kept: {full}.") from full

    async def look(self) -> None:
        """Once, in a thread, since a disk in trouble may not answer. A look that fails counts as none."""
        try:
            free = await asyncio.to_thread(free_bytes, self._folder)
        except OSError as error:
            self._log.warning("the room is not known", folder=self._folder, why=repr(error))
            return
        self._watermark.look(free)
        self._metrics.looked(self._watermark.refusing, free)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look before the block begins, and again and again until it ends."""
        await self.look()
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()


def free_bytes(folder: str) -> int:
    """What a process without privileges may still write there. Raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
