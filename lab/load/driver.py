"""Runs the load of one variant: Locust in processes of its own, controlled and observed through files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lab.errors import LabError, StartError
from lab.load import forms
from lab.load.arrivals import Arrival, schedule, stream
from lab.load.crew import Crew, Locusts, Spawn
from lab.load.facts import load_facts
from lab.load.forms import Beat, Member, PreparedRequest, Row, WorkerExit
from lab.load.making import Making, in_thread
from lab.load.sample import Sample, Tally
from lab.load.wire import render
from lab.model import Load
from lab.record import LoadFacts

_READY_WITHIN_S = 30.0
_JOINED_WITHIN_S = 120.0  # somebody has to type a command on another machine
_POLL_S = 0.01
_AHEAD = 10_000  # requests made in advance for a closed model,
_REFILLS_AHEAD = 8  # or as many as its users took since the last look, this many times over
_CHUNK = 500
_ALONE = Crew()


@dataclass(frozen=True)
class Plan:
    """A load to be sent to `base_urls` (`http://host:port` each) in turn, for `lasts_s` seconds.

    `ends` says when each phase ends, see arrivals.schedule.
    `salt` (the run and the variant) keeps trace ids apart, see arrivals.schedule. Whatever is unanswered `drain_s`
    after the last operation's own time limit is given up.
    """

    base_urls: Sequence[str]
    load: Load
    lasts_s: float
    seed: int
    salt: str = ""
    drain_s: float = 1.0
    ends: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True)
class Result:
    """What came of a load: rows as in lab.record.tables.OPERATIONS without trial, variant and phase, by due time."""

    rows: list[dict[str, Any]]
    facts: LoadFacts
    notes: list[str] = field(default_factory=list)


class _Known(NamedTuple):
    """What need not travel through the Locust process."""

    operation: str
    key: str | None
    value: str | None
    trace_id: str


class LoadDriver:
    """The load of one variant.

    Made by start(), or by launch() and prepare(); begin() once, then progress() as often as liked, finish(), stop().
    """

    def __init__(self, locusts: Locusts, load: Load, workdir: Path) -> None:
        self._plan = Plan([], load, 0.0, 0)  # until prepare()
        self._workdir = workdir
        self._locusts = locusts
        self._workers = locusts.crew.workers
        self._members: list[Member] = []
        self._known: list[_Known] = []
        self._due_s: list[float] | None = None
        self._tally = Tally(None)
        self._rows: list[Row] = []
        self._row_lines = forms.LineReader(workdir / forms.OPERATIONS, Row)
        self._beat_lines = forms.LineReader(workdir / forms.BEATS, Beat)
        self._stream: Iterator[Arrival] = iter(())
        self._making = Making()
        self._addresses: list[tuple[str, int]] = []
        self._refill: asyncio.Task[None] | None = None
        self._t0_s = 0.0
        self.version = ""

    @classmethod
    async def start(cls, plan: Plan, spawn: Spawn, workdir: Path, crew: Crew = _ALONE) -> LoadDriver:
        """launch() and prepare() in one: return when Locust waits for begin()."""
        driver = cls.launch(plan.load, spawn, workdir, crew)
        await driver.prepare(plan)
        return driver

    @classmethod
    def launch(cls, load: Load, spawn: Spawn, workdir: Path, crew: Crew = _ALONE) -> LoadDriver:
        """Start a Locust that waits for its plan: it takes a second to come up, in which the services can too.

        `workdir` must be new.
        """
        workdir = workdir.absolute()
        workdir.mkdir(parents=True, exist_ok=True)
        return cls(Locusts.launch(crew, load, spawn, workdir), load, workdir)

    async def prepare(self, plan: Plan) -> None:
        """Work out the arrivals and return when Locust waits for begin().

        Raises ScenarioError where the mix makes something that cannot be sent, StartError with the last log lines
        where Locust does not come up; nothing is left running then.
        """
        self._plan = plan
        try:
            self._addresses = [_address(base_url) for base_url in plan.base_urls]
            if self._locusts.crew.joined:
                await self._locusts.open_entry(self._addresses)
            self._stream = stream(plan.load, plan.seed, plan.salt, making=self._making)
            await in_thread(self._write_plan, self._making)
            await self._until_ready()
        except BaseException:
            await self.stop()
            raise

    @property
    def due_s(self) -> Sequence[float] | None:
        """When each arrival of an open model is due, in order of time: what a phase is asked for. None when closed."""
        return self._due_s

    def begin(self, t0_s: float) -> None:
        """Set the instant on the steady clock (`time.perf_counter`, the same in all processes of this machine) from
        which all times count; let it lie 0.1 s or more in the future."""
        self._t0_s = t0_s
        forms.write(self._workdir / forms.GO, forms.Go(t0_s))
        if self._due_s is None:
            self._refill = asyncio.get_running_loop().create_task(self._keep_ahead())

    def progress(self) -> Sample | None:
        """Give the newest sample (four a second); None before the first.

        Raises what the mix's own function raised, where a closed model has no more requests for that reason.
        """
        if self._refill is not None and self._refill.done():
            self._refill.result()
        rows = self._row_lines.more()
        self._rows += rows
        self._tally.add(self._beat_lines.more(), rows)
        return self._tally.sample()

    async def finish(self, grace_s: float = 5.0) -> Result:
        """Wait for the end of the schedule and for what is in flight, and give everything that was recorded.

        Waits `grace_s` more than all time limits together and stops Locust then, with a note. A Locust that died
        leaves what it had written; a note says so.
        """
        plan, head = self._plan, self._locusts.head
        until_s = self._t0_s + plan.lasts_s + plan.load.timeout_s + plan.drain_s + grace_s
        notes = []
        try:
            returncode = await asyncio.wait_for(self._head_ended(), max(0.0, until_s - time.perf_counter()))
        except TimeoutError:
            notes.append("The load generator did not end by itself and was stopped.")
            returncode = await head.stop()
        endings = {w.pid: f"died ({_ending(w.returncode)})" for w in self._locusts.workers if w.returncode}
        await self._locusts.dissolve()
        await self.stop()
        sample = self.progress()
        if returncode != 0 and not notes:
            notes.append(
                f"The load generator died ({_ending(returncode)}) after {sample.at_s if sample else 0:.1f} s; "
                f"what it had written by then is kept. {head.tail(5)}".rstrip()
            )
        facts = self._facts(endings)
        notes += [f"Load worker {w.worker} on {w.host} {w.lost}." for w in facts.workers if w.lost]
        return Result([self._row(row) for row in sorted(self._rows, key=_by_due)], facts, notes + self._doubts())

    async def _head_ended(self) -> int:
        """Wait for Locust to end, and no longer than there are requests for it."""
        ended = asyncio.ensure_future(self._locusts.head.wait())
        try:
            both = {ended} if self._refill is None else {ended, self._refill}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done() and self._refill is not None:
                self._refill.result()
            return await ended
        finally:
            ended.cancel()

    async def stop(self) -> None:
        """Stop Locust if it still runs. Safe at any time, more than once."""
        if self._refill is not None:
            self._refill.cancel()
            await asyncio.gather(self._refill, return_exceptions=True)  # its error was raised by progress(), if any
            self._refill = None
        await self._locusts.stop()

    def _write_plan(self) -> None:
        load = self._plan.load
        setup = forms.Setup(
            addresses=self._addresses,
            lasts_s=self._plan.lasts_s,
            timeout_s=load.timeout_s,
            drain_s=self._plan.drain_s,
            users=None if load.is_open else load.users or 1,
            think_s=load.think_s,
        )
        if load.is_open:
            plan = self._plan
            arrivals = schedule(load, plan.lasts_s, plan.seed, plan.salt, plan.ends, self._making)
            self._due_s = [arrival.due_s for arrival in arrivals]
            self._tally = Tally(self._due_s, plan.ends)
            self._append(arrivals)
        else:
            self._append(list(islice(self._stream, _AHEAD)))
        forms.write(self._workdir / forms.SETUP, setup)  # last: it is what Locust waits for

    def _append(self, arrivals: Sequence[Arrival]) -> None:
        prepared = []
        for arrival in arrivals:
            request = arrival.request
            self._known.append(_Known(arrival.operation, request.key, request.value, arrival.trace_id))
            at = arrival.n % len(self._addresses)
            wire = render(arrival, "{}:{}".format(*self._addresses[at]))
            due_s = arrival.due_s if self._due_s is not None else 0.0
            prepared.append(
                PreparedRequest(arrival.n, due_s, arrival.operation, request.method, wire, request.keep_response, at)
            )
        for worker in range(self._workers):
            own = [each for each in prepared if forms.worker_of(each.n, self._workers) == worker]
            with (self._workdir / forms.requests_file(worker)).open("ab") as file:
                for begin in range(0, len(own), _CHUNK):
                    forms.append_requests(file, own[begin : begin + _CHUNK])

    async def _keep_ahead(self) -> None:
        """Keep a closed model supplied with requests: how many it takes depends on how soon it is answered."""
        before = 0
        while True:
            self.progress()
            # What the quickest worker took, times all: each has a share of the stream of its own.
            started = self._workers * max((beat.started for beat in self._tally.newest.values()), default=0)
            ahead = max(_AHEAD, _REFILLS_AHEAD * (started - before))
            before = started
            if len(self._known) < started + ahead:
                await in_thread(partial(self._fill, started + ahead), self._making)
            await asyncio.sleep(forms.FLUSH_EVERY_S)

    def _fill(self, until: int) -> None:
        while len(self._known) < until:
            self._append(list(islice(self._stream, _CHUNK)))

    async def _until_ready(self) -> None:
        crew = self._locusts.crew
        within_s = _JOINED_WITHIN_S if crew.joined else _READY_WITHIN_S
        until_s = time.monotonic() + within_s
        file = self._workdir / forms.READY
        while not file.exists():
            if self._locusts.ended:
                name, process = self._locusts.ended
                how = _ending(process.returncode or 0)
                raise StartError(f"{name}: {how} at start; its last lines:\n{process.tail()}")
            if time.monotonic() > until_s:
                who = (
                    f"the {crew.workers} load workers that {crew.host}:{crew.port} waits for"
                    if crew.joined
                    else "locust"
                )
                tail = self._locusts.head.tail()
                raise StartError(f"{who}: not ready within {within_s:.0f} s; the last lines:\n{tail}")
            await asyncio.sleep(_POLL_S)
        ready = forms.read(file, forms.Ready)
        self.version, self._members = ready.locust, ready.crew

    def _facts(self, endings: dict[int, str]) -> LoadFacts:
        exits = forms.LineReader(self._workdir / forms.EXITS, WorkerExit).more()
        return load_facts(
            None if self._due_s is None else len(self._due_s),
            self._rows,
            self._tally.newest,
            self._members,
            {each.worker: each for each in exits},
            endings,
        )

    def _row(self, row: Row) -> dict[str, Any]:
        known = self._known[row.n]
        return {
            "n": row.n,
            "due_s": row.due_s,
            "start_s": row.start_s,
            "end_s": row.end_s,
            "operation": known.operation,
            "outcome": row.outcome,
            "status": row.status,
            "error": row.error,
            "key": known.key,
            "value": known.value,
            "response": row.response,
            "trace_id": known.trace_id,
        }

    def _doubts(self) -> list[str]:
        """What happened in the load generator itself and would otherwise be blamed on the system."""
        notes = []
        for word, why in _OWN_FAILURES.items():
            count = sum(row.error == word for row in self._rows)
            if count:
                notes.append(f"{count:,} operations could not be sent: the load generator {why}.")
        last = self._tally.latest
        if last and last.dry_s > 0:
            notes.append(f"The users waited {last.dry_s:.1f} s in all for requests to be made: they are slow to make.")
        return notes


_OWN_FAILURES = {
    "connect EMFILE": "ran out of file descriptors (raise `ulimit -n`)",
    "connect EADDRNOTAVAIL": "ran out of local ports",
}


def _by_due(row: Row) -> tuple[float, int]:
    return row.due_s, row.n


def _ending(returncode: int) -> str:
    return f"exit code {returncode}" if returncode >= 0 else f"killed by signal {-returncode}"


def _address(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
        raise LabError(f"load: {base_url!r} is not of the form http://host:port, which is what the load can be sent to")
    return parts.hostname, parts.port or 80
