"""What one replica holds: of each key the value with the highest version, on disk before it is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from targets.kit.journal import Journal


class Version(Struct, frozen=True, order=True, array_like=True):
    """The order of the writes of one key: by counter, and where two writers chose the same one by the node's name."""

    counter: int = 0
    node: str = ""


class Held(Struct, frozen=True):
    """A key's value as one replica has it; counter 0: it has none."""

    key: str
    version: Version = Version()
    value: str | None = None


class Replica:
    """One node's copy. Open it with its folder; what is in it outlives `kill -9` and a power cut."""

    def __init__(self, directory: Path) -> None:
        self._journal = Journal(directory / "registers.jsonl", Held)
        self._held: dict[str, Held] = {}
        for held in self._journal.entries:
            self._take(held)

    @property
    def held(self) -> Mapping[str, Held]:
        """All keys that it has a value of."""
        return self._held

    def at(self, key: str) -> Held:
        """What it has of a key."""
        return self._held.get(key) or Held(key)

    async def keep(self, held: Held) -> None:
        """Hold a value unless a newer one is there; on return one of both is on disk. Raises OSError, ClosedFile."""
        if held.version > self.at(held.key).version:
            await asyncio.to_thread(self._journal.append, held)
            self._take(held)  # only now, so that no read returns what a power cut could take back

    def close(self) -> None:
        """Release the file."""
        self._journal.close()

    def _take(self, held: Held) -> None:
        if held.version > self.at(held.key).version:
            self._held[held.key] = held
