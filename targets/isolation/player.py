"""
Plays a script: gives each session its statements in the order of the script, and says what came of each.

A statement that has to wait for a lock does not hold up the script, as it would not hold up people at two terminals:
the steps after it go on, and its session's own wait behind it. Whether it waits is what the server's lock view says,
never a guess from the time that has passed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from targets.isolation.databases import Conflict, Database, Said, Session
from targets.isolation.scripts import ROWS, Outcome, Rows, Script, Step

TABLE = "test"
COMMITTED = "committed"
ENDS = {"commit": COMMITTED, "rollback": "rolled back"}
LIMIT_S = 30.0  # a script takes a fraction of a second; MariaDB would end a wait after 50
GLANCE_S = 0.002  # statements that need not wait are done by then, and nobody has to look at the locks

_numbers = count(1)


@dataclass
class Line:
    """A step as it went."""

    step: Step
    said: str = ""
    waited: bool = False


@dataclass(frozen=True)
class Play:
    """A script as it went: the lines of its transcript, what it came to, and whether the anomaly happened."""

    script: Script
    lines: Sequence[Line]
    outcome: Outcome
    happened: bool


@dataclass
class Lane:
    """One session of a play. `over` says how its transaction ended, where it has."""

    session: Session
    due: deque[Line] = field(default_factory=deque)
    line: Line | None = None  # what it is saying,
    running: asyncio.Task[None] | None = None  # and the saying of it
    over: str = ""


async def play(database: Database, script: Script, level: str) -> Play:
    """Play a script on a table of its own. Raises TimeoutError where it comes to no end, and what a server refuses."""
    async with asyncio.timeout(LIMIT_S), _fresh_table(database) as table, AsyncExitStack() as stack:
        lanes = {name: Lane(await stack.enter_async_context(database.session())) for name in script.sessions}
        return await _Stage(database, script, table, lanes).perform(level)


@dataclass
class _Stage:
    """A play in progress."""

    database: Database
    script: Script
    table: str
    lanes: dict[str, Lane]
    reads: dict[str, Rows] = field(default_factory=dict)
    looks: list[asyncio.Task[Set[int]]] = field(default_factory=list)

    async def perform(self, level: str) -> Play:
        """From the first transaction's begin to the last one's end."""
        lines = [Line(step) for step in self.script.steps]
        try:
            for lane in self.lanes.values():
                await lane.session.begin(level)
            for line in lines:
                self.lanes[line.step.by].due.append(line)
                await self._go_on()
            while self._running():
                await self._go_on()
        finally:
            await self._leave()
        async with self.database.session() as observer:
            after = rows_of(await observer.run(self._written(f"select * from {TABLE}")))
        committed = {name for name, lane in self.lanes.items() if lane.over == COMMITTED}
        outcome = Outcome(self.reads, committed, after)
        return Play(self.script, lines, outcome, self.script.happened(outcome))

    async def _go_on(self) -> None:
        """Run what can be run, until each session has nothing to do or waits for another."""
        while True:
            await self._settle()
            idle = [lane for lane in self.lanes.values() if lane.running is None and lane.due]
            if not idle:
                return
            for lane in idle:
                lane.line = lane.due.popleft()
                lane.running = asyncio.create_task(self._say(lane, lane.line))

    async def _settle(self) -> None:
        """Return when each running statement is done or shown to wait for a lock."""
        while running := self._running():
            done, _ = await asyncio.wait(running, timeout=GLANCE_S)
            look: asyncio.Task[Set[int]] | None = None
            if not done:
                look = asyncio.create_task(self.database.waiting())
                self.looks.append(look)  # it is not broken off, since others may rely on it
                await asyncio.wait([*running, look], return_when=asyncio.FIRST_COMPLETED)
            for task, lane in running.items():
                if task.done():
                    lane.running = None
                    task.result()
            still = self._running()
            if look is None or len(still) < len(running):
                continue  # who ended may have let others go: what was seen of those is old
            if {lane.session.id for lane in still.values()} <= look.result():
                for lane in still.values():
                    assert lane.line is not None
                    lane.line.waited = True
                return

    def _running(self) -> dict[asyncio.Task[None], Lane]:
        return {lane.running: lane for lane in self.lanes.values() if lane.running is not None}

    async def _say(self, lane: Lane, line: Line) -> None:
        """Run one step, and write down what came of it."""
        step = line.step
        if lane.over:
            line.said = f"left out: {step.by} is {lane.over}"
            return
        try:
            said = await lane.session.run(self._written(step.sql))
        except Conflict as error:
            line.said, lane.over = str(error), "rolled back by the server"
            await lane.session.run("rollback")
            return
        if step.label is not None:
            self.reads[step.label] = rows_of(said)
        lane.over = ENDS.get(step.sql, "")
        line.said = lane.over or words(said)

    async def _leave(self) -> None:
        """Leave nothing running, however the play went."""
        running = self._running()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, *self.looks, return_exceptions=True)

    def _written(self, sql: str) -> str:
        """A statement of the script, on this play's own table."""
        return sql.replace(f" {TABLE}", f" {self.table}")


@asynccontextmanager
async def _fresh_table(database: Database) -> AsyncIterator[str]:
    """A table with the two rows."""
    table = f"{TABLE}_{next(_numbers)}"
    async with database.session() as session:
        await session.run(f"create table {table} (id int primary key, value int)")
        values = ", ".join(f"({key}, {value})" for key, value in ROWS.items())
        await session.run(f"insert into {table} (id, value) values {values}")
    try:
        yield table
    finally:
        async with database.session() as session:
            await session.run(f"drop table {table}")


def rows_of(said: Said) -> Rows:
    """Value by id."""
    return dict(sorted(said.rows or []))


def words(said: Said) -> str:
    """An answer as Hermitage writes it: `1 => 10, 2 => 20`."""
    if said.rows is None:
        return "1 row" if said.touched == 1 else f"{said.touched} rows"
    return shown(rows_of(said))


def shown(rows: Rows) -> str:
    """Rows in words."""
    return ", ".join(f"{key} => {value}" for key, value in rows.items()) or "nothing"
