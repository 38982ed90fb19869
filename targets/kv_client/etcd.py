"""
etcd's API as JSON over HTTP, asked as our own Raft's client asks.

etcd has no sessions: a write that is retried would be applied again. So each write puts a key of its own besides, its
mark, in the same transaction, and only where that key is absent.
"""

from __future__ import annotations

import asyncio
import os
import random
from base64 import b64decode, b64encode
from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import decode

from targets.kit import NoAnswer, Peer
from targets.raft.client import BACKOFF, problem_of
from targets.raft.outcomes import Indeterminate, Refused


class KeyValue(Struct, frozen=True):
    """A key's value; an empty one is left out."""

    value: str = ""


class Range(Struct, frozen=True):
    """The answer to a range of one key."""

    kvs: list[KeyValue] = []


class Part(Struct, frozen=True):
    """The answer to one part of a transaction."""

    response_range: Range = Range()


class Decided(Struct, frozen=True):
    """The answer to a transaction; what is false is left out."""

    succeeded: bool = False
    responses: list[Part] = []


class Etcd:
    """Asks one member after another; the one that answered last comes first. A follower asks the leader itself."""

    def __init__(self, members: Sequence[Peer], all_s: float) -> None:
        self.members = members
        self.all_s = all_s
        self._at = 0

    async def read(self, key: str) -> str | None:
        """Linearizable, as etcd's reads are unless one asks for less."""
        found = decode(await self._ask("/v3/kv/range", {"key": text64(key)}), type=Range)
        return b64decode(found.kvs[0].value).decode() if found.kvs else None

    async def write(self, key: str, value: str) -> None:
        """Write once."""
        await self._ask("/v3/kv/txn", transaction(key, value, new_mark()))

    async def swap(self, key: str, expect: str | None, value: str) -> bool:
        """Write once, if the key holds what is expected."""
        asked = transaction(key, value, new_mark(), expected(key, expect))
        decided = decode(await self._ask("/v3/kv/txn", asked), type=Decided)
        earlier = any(
            part.response_range.kvs for part in decided.responses
        )  # the mark of an earlier attempt of the same
        return decided.succeeded or earlier

    async def close(self) -> None:
        """Nothing of it goes on by itself."""

    async def _ask(self, path: str, content: object) -> bytes:
        """The body of the first answer of 200."""
        indeterminate, trying, waits = False, False, 0
        try:
            async with asyncio.timeout(self.all_s):
                while True:
                    at, trying = self._at, True
                    try:
                        said = await self.members[at].post(path, content)
                        if said.status == 200:
                            return said.body
                        indeterminate = (
                            True  # "request timed out" and "leader changed" among them: it may have happened
                        )
                    except NoAnswer as none:
                        indeterminate |= not none.never_sent
                    trying = False
                    if self._at == at:
                        self._at = (at + 1) % len(self.members)
                    waits += 1
                    await asyncio.sleep(BACKOFF.wait_s(waits, random.uniform))
        except TimeoutError:
            raise problem_of(Indeterminate() if indeterminate or trying else Refused(None)) from None


def transaction(key: str, value: str, mark: str, *conditions: object) -> dict[str, object]:
    """Write `key` and `mark` if `mark` is absent and the conditions hold; else tell whether `mark` is there."""
    puts = [{"request_put": {"key": text64(key), "value": text64(value)}}, {"request_put": {"key": text64(mark)}}]
    return {
        "compare": [absent(mark), *conditions],
        "success": puts,
        "failure": [{"request_range": {"key": text64(mark)}}],
    }


def absent(key: str) -> dict[str, str]:
    """That a key was never written."""
    return {"key": text64(key), "target": "CREATE", "result": "EQUAL", "create_revision": "0"}


def expected(key: str, value: str | None) -> dict[str, str]:
    """That a key holds a value; None: is absent."""
    return absent(key) if value is None else {"key": text64(key), "target": "VALUE", "value": text64(value)}


def new_mark() -> str:
    """A key that no other write has."""
    return f"applied/{os.urandom(8).hex()}"


def text64(text: str) -> str:
    """As etcd's JSON wants bytes."""
    return b64encode(text.encode()).decode()
