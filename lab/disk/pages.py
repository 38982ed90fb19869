"""What one file was when it was last synced: its length and old pages, in layers, so that a sync may be under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

PAGE_BYTES = 4096
SECTOR_BYTES = 512  # what a disk writes whole: a torn page ends at a sector's edge

Read = Callable[[int, int], bytes]  # offset, length -> what the file has there now


@dataclass
class Layer:
    """The file as it stood at a moment, `tick`: `old` has the pages that were written or cut off since, by number.

    A page in `old` that is shorter than a page goes on with zeros. `dirty` are the pages written since.
    """

    tick: int
    length: int
    old: dict[int, bytes] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)


class Pages:
    """The layers of one file, oldest first. A sync drops those that were there when it began; empty: all is synced."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []

    @property
    def dirty(self) -> set[int]:
        """Pages that a power loss takes."""
        return set().union(*(layer.dirty for layer in self.layers))

    def before_write(self, tick: int, begun: int, size: int, start: int, end: int, read: Read) -> None:
        """Keep what a write of [start, end) is about to overwrite in a file of `size` bytes.

        `tick` is now; `begun` is when the latest sync that is still under way began.
        """
        top = self._top(tick, begun, size)
        for page in range(start // PAGE_BYTES, -(-end // PAGE_BYTES)):
            self._keep(top, page, read)
            top.dirty.add(page)

    def before_cut(self, tick: int, begun: int, size: int, length: int, pages: Iterable[int], read: Read) -> None:
        """Keep what is cut off when a file of `size` bytes becomes `length` long; `pages` are those with data."""
        top = self._top(tick, begun, size)
        for page in pages:
            if (page + 1) * PAGE_BYTES > length:
                self._keep(top, page, read)

    def synced(self, begun: int) -> None:
        """A sync that began at `begun` is complete: nothing of before is undone any more."""
        self.layers = [layer for layer in self.layers if layer.tick > begun]

    def range_synced(self, start: int, end: int) -> None:
        """A write of [start, end) is on disk, with the length that it needs, and no page beside it."""
        span = range(start // PAGE_BYTES, -(-end // PAGE_BYTES))
        for layer in self.layers:
            if end > layer.length:
                for page in layer.dirty:  # those in between are allocated and were not written: zeros
                    if page * PAGE_BYTES >= layer.length - layer.length % PAGE_BYTES:
                        layer.old.setdefault(page, b"")
                layer.length = end
            for page in span:
                layer.old.pop(page, None)
                layer.dirty.discard(page)

    def undo(self, truncate: Callable[[int], None], write: Callable[[bytes, int], None]) -> None:
        """Make the file what it was when it was last synced."""
        for layer in reversed(self.layers):
            truncate(layer.length)
            for page, old in layer.old.items():
                offset = page * PAGE_BYTES
                whole = old.ljust(PAGE_BYTES, b"\0")[: max(0, layer.length - offset)]
                if whole:
                    write(whole, offset)
        self.layers = []

    def _top(self, tick: int, begun: int, size: int) -> Layer:
        if not self.layers or self.layers[-1].tick <= begun:
            self.layers.append(Layer(tick, size))
        return self.layers[-1]

    def _keep(self, layer: Layer, page: int, read: Read) -> None:
        offset = page * PAGE_BYTES
        if page not in layer.old and offset < layer.length:
            layer.old[page] = read(offset, min(PAGE_BYTES, layer.length - offset))
