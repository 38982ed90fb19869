"""A standby that becomes the primary, once the old one can no longer accept anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from lab.errors import LabError
from lab.model import Action, Backing, Scalar
from lab.model.action import ActionBench

ASKED_S = 5.0
PROMOTED_S = 10.0  # PostgreSQL's own wait; it takes tenths of a second
GONE_S = 1.0
# What it has received it replays before it is promoted; a standby that has restarted since has received nothing yet.
RECEIVED = """
SELECT pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')::bigint
WHERE pg_is_in_recovery()
"""
# A WAL file's name begins with its timeline.
STATE = "SELECT pg_is_in_recovery(), ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"


@dataclass(frozen=True)
class Promote(Action):
    """The primary `instead_of` is fenced (SIGKILL, and it stays dead), then `pg_promote()` is called at the one `among`
    its standbys that has received most.

    A standby that the variant does not have is left out. The receipt says how many bytes of WAL each has received,
    which one was promoted, that it is out of recovery, and its new timeline. Other standbys are left as they are: they
    follow the dead primary.
    """

    among: Sequence[Backing]
    instead_of: Backing
    after_s: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "among", tuple(self.among))
        wrong = [each.name for each in (*self.among, self.instead_of) if each.kind != "postgres"]
        if wrong or not self.among:
            raise ValueError(f"promote: {', '.join(wrong) or 'among'} cannot be promoted; give standbys of PostgreSQL")
        if self.after_s < 0:
            raise ValueError(f"promote: after_s is {self.after_s:g}; it takes 0 or more seconds")

    @property
    def targets(self) -> tuple[Backing, ...]:
        """The old primary and the standbys."""
        return (self.instead_of, *self.among)

    @property
    def text(self) -> str:
        """`primary killed, a standby promoted`."""
        return f"{self.instead_of.name} killed, a standby promoted"

    async def perform(self, bench: ActionBench) -> Mapping[str, Scalar]:
        """Fence, choose, promote, and read back."""
        began_s = time.monotonic()
        await _fence(bench, self.instead_of)
        there = [standby for standby in self.among if standby in bench.members()]
        received = {standby: await _asked(bench, standby, RECEIVED) for standby in there}
        known = {standby: rows[0][0] for standby, rows in received.items() if rows and rows[0][0] is not None}
        if not known:
            names = ", ".join(standby.name for standby in there) or "no standby"
            raise LabError(f"{self.text}: no {names} in recovery that could be promoted; the variant needs a standby")
        chosen = max(known, key=lambda standby: int(known[standby]))
        [[done]] = await _asked(bench, chosen, f"SELECT pg_promote(true, {PROMOTED_S:.0f})")
        [[in_recovery, timeline]] = await _asked(bench, chosen, STATE) if done else [[True, 0]]
        if in_recovery:
            raise LabError(f"{chosen.name} is still in recovery {PROMOTED_S:g} s after pg_promote(); see its log")
        return {
            "fenced": f"{self.instead_of.name} {await bench.process(self.instead_of).state()}",
            "promoted": chosen.name,
            "in_recovery": bool(in_recovery),
            "timeline": int(timeline),
            **{f"{standby.name}_received_bytes": int(position) for standby, position in known.items()},
            "took_s": round(time.monotonic() - began_s, 3),
        }


async def _fence(bench: ActionBench, primary: Backing) -> None:
    """Kill a server for good. Raises LabError where it is not gone."""
    control = bench.process(primary)
    await control.kill()
    until_s = time.monotonic() + GONE_S
    while (state := await control.state()) != "gone":
        if time.monotonic() > until_s:
            raise LabError(f"{primary.name} was killed and is {state}: with two primaries no promotion is safe")
        await asyncio.sleep(0.01)


async def _asked(bench: ActionBench, server: Backing, statement: str) -> Sequence[Sequence[Any]]:
    try:
        async with asyncio.timeout(ASKED_S + PROMOTED_S), _session(bench.statistics_url(server)) as connection:
            return [list(row) for row in await connection.fetch(statement)]
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LabError(f"{server.name}: `{' '.join(statement.split())[:60]}` failed: {error!r}") from error


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(url, timeout=ASKED_S)
    try:
        yield connection
    finally:
        connection.terminate()


promote = Promote
