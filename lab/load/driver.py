"""Runs the load of one variant: Locust in a process of its own, told by files what to do, heard through files."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import numpy as np

from lab.errors import LabError, StartError
from lab.load import forms
from lab.load.arrivals import Arrival, schedule, stream
from lab.load.forms import Beat, Row, Shot
from lab.load.sample import Sample, Tally
from lab.load.wire import render
from lab.model import Load
from lab.record import LoadFacts

_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
_ROOT = _LOCUSTFILE.parents[2]
_READY_WITHIN_S = 30.0
_POLL_S = 0.01
_AHEAD = 10_000  # requests made in advance for a closed model,
_REFILLS_AHEAD = 8  # or as many as its users took since the last look, this many times over
_CHUNK = 500


class Managed(Protocol):
    """A process that somebody else answers for."""

    @property
    def pid(self) -> int:
        """Process id."""

    @property
    def returncode(self) -> int | None:
        """Exit code, minus the signal's number where it was killed, None while it runs."""

    async def wait(self) -> int:
        """Wait for its end."""

    async def stop(self, grace_s: float = ...) -> int:
        """Ask it to end, then make it."""

    def tail(self, lines: int = ...) -> str:
        """The end of its log."""


class Spawn(Protocol):
    """How a process is started: the supervisor's `spawn`."""

    def __call__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path,
        cwd: Path | None = None,
    ) -> Managed:
        """Start a program; its output goes to `log`."""


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

    def __init__(self, load: Load, workdir: Path) -> None:
        self._load = load
        self._plan = Plan([], load, 0.0, 0)  # until prepare()
        workdir = workdir.absolute()
        self._workdir = workdir
        self._process: Managed | None = None
        self._known: list[_Known] = []
        self._due_s: list[float] | None = None
        self._tally = Tally(None)
        self._rows: list[Row] = []
        self._row_lines = forms.LineReader(workdir / forms.OPERATIONS, Row)
        self._beat_lines = forms.LineReader(workdir / forms.BEATS, Beat)
        self._stream: Iterator[Arrival] = iter(())
        self._addresses: list[tuple[str, int]] = []
        self._refill: asyncio.Task[None] | None = None
        self._t0_epoch_s = 0.0
        self.version = ""

    @classmethod
    async def start(cls, plan: Plan, spawn: Spawn, workdir: Path) -> LoadDriver:
        """launch() and prepare() in one: return when Locust waits for begin()."""
        driver = cls.launch(plan.load, spawn, workdir)
        await driver.prepare(plan)
        return driver

    @classmethod
    def launch(cls, load: Load, spawn: Spawn, workdir: Path) -> LoadDriver:
        """Start a Locust that waits for its plan: it takes a second to come up, in which the services can too.

        `workdir` must be new.
        """
        driver = cls(load, workdir)
        driver._workdir.mkdir(parents=True, exist_ok=True)
        driver._process = spawn(
            "locust",
            driver._command(),
            env={
                "LAB_LOAD_DIR": str(driver._workdir),
                "HOME": str(driver._workdir),  # nobody's ~/.locust.conf has a say
                "PYTHONPATH": os.pathsep.join(p for p in (str(_ROOT), os.environ.get("PYTHONPATH", "")) if p),
            },
            log=workdir / "locust.log",
            cwd=workdir,
        )
        return driver

    async def prepare(self, plan: Plan) -> None:
        """Work out the arrivals and return when Locust waits for begin().

        Raises ScenarioError where the mix makes something that cannot be sent, StartError with the last log lines
        where Locust does not come up; nothing is left running then.
        """
        assert self._process is not None
        self._plan = plan
        try:
            self._addresses = [_address(base_url) for base_url in plan.base_urls]
            self._stream = stream(plan.load, plan.seed, plan.salt)
            await asyncio.to_thread(self._write_plan)
            await self._until_ready(self._process)
        except BaseException:
            await self.stop()
            raise

    @property
    def due_s(self) -> Sequence[float] | None:
        """When each arrival of an open model is due, in order of time: what a phase is asked for. None when closed."""
        return self._due_s

    def begin(self, t0_epoch_s: float) -> None:
        """Set the instant on the wall clock from which all times count; let it lie 0.1 s or more in the future."""
        self._t0_epoch_s = t0_epoch_s
        forms.write(self._workdir / forms.GO, forms.Go(t0_epoch_s))
        if self._due_s is None:
            self._refill = asyncio.get_running_loop().create_task(self._keep_ahead())

    def progress(self) -> Sample | None:
        """Give the newest sample (four a second); None before the first."""
        rows = self._row_lines.more()
        self._rows += rows
        self._tally.add(self._beat_lines.more(), rows)
        return self._tally.sample()

    async def finish(self, grace_s: float = 5.0) -> Result:
        """Wait for the end of the schedule and for what is in flight, and give everything that was recorded.

        Waits `grace_s` more than all time limits together and stops Locust then, with a note. A Locust that died
        leaves what it had written; a note says so.
        """
        assert self._process is not None
        plan = self._plan
        until_s = self._t0_epoch_s + plan.lasts_s + plan.load.timeout_s + plan.drain_s + grace_s
        notes = []
        try:
            returncode = await asyncio.wait_for(self._process.wait(), max(0.0, until_s - time.time()))
        except TimeoutError:
            notes.append("The load generator did not end by itself and was stopped.")
            returncode = await self._process.stop()
        await self.stop()
        sample = self.progress()
        if returncode != 0 and not notes:
            notes.append(
                f"The load generator died ({_ending(returncode)}) after {sample.at_s if sample else 0:.1f} s; "
                f"what it had written by then is kept. {self._process.tail(5)}".rstrip()
            )
        facts = self._facts()
        return Result([self._row(row) for row in sorted(self._rows, key=_by_due)], facts, notes + self._doubts())

    async def stop(self) -> None:
        """Stop Locust if it still runs. Safe at any time, more than once."""
        if self._refill is not None:
            self._refill.cancel()
            with suppress(asyncio.CancelledError):
                await self._refill
            self._refill = None
        if self._process is not None and self._process.returncode is None:
            await self._process.stop()

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
            arrivals = schedule(load, self._plan.lasts_s, self._plan.seed, self._plan.salt, self._plan.ends)
            self._due_s = [arrival.due_s for arrival in arrivals]
            self._tally = Tally(self._due_s)
            self._append(arrivals)
        else:
            self._append(list(islice(self._stream, _AHEAD)))
        forms.write(self._workdir / forms.SETUP, setup)  # last: it is what Locust waits for

    def _append(self, arrivals: Sequence[Arrival]) -> None:
        shots = []
        for arrival in arrivals:
            request = arrival.request
            self._known.append(_Known(arrival.operation, request.key, request.value, arrival.trace_id))
            at = arrival.n % len(self._addresses)
            wire = render(arrival, "{}:{}".format(*self._addresses[at]))
            due_s = arrival.due_s if self._due_s is not None else 0.0
            shots.append(Shot(arrival.n, due_s, arrival.operation, request.method, wire, request.keep_response, at))
        with (self._workdir / forms.SHOTS).open("ab") as file:
            forms.append_shots(file, shots)

    async def _keep_ahead(self) -> None:
        """Keep a closed model supplied with requests: how many it takes depends on how soon it is answered."""
        before = 0
        while True:
            self.progress()
            started = self._tally.latest.started if self._tally.latest else 0
            ahead = max(_AHEAD, _REFILLS_AHEAD * (started - before))
            before = started
            while len(self._known) < started + ahead:
                self._append(list(islice(self._stream, _CHUNK)))
                await asyncio.sleep(0)
            await asyncio.sleep(forms.FLUSH_EVERY_S)

    def _command(self) -> list[str | Path]:
        load = self._load
        users = 1 if load.is_open else load.users or 1
        return [
            *(sys.executable, "-m", "locust", "-f", _LOCUSTFILE, "--headless", "--only-summary"),
            *("--loglevel", "WARNING", "--exit-code-on-error", "0", "--stop-timeout", "0"),
            # Locust asks for a host; where the load goes stands in the plan, which it waits for.
            *("--host", "http://127.0.0.1", "--users", str(users), "--spawn-rate", str(users)),
            "OpenModel" if load.is_open else "ClosedModel",
        ]

    async def _until_ready(self, process: Managed) -> None:
        until_s = time.monotonic() + _READY_WITHIN_S
        file = self._workdir / forms.READY
        while not file.exists():
            if process.returncode is not None:
                raise StartError(f"locust: {_ending(process.returncode)} at start; its last lines:\n{process.tail()}")
            if time.monotonic() > until_s:
                raise StartError(f"locust: not ready within {_READY_WITHIN_S:.0f} s; its last lines:\n{process.tail()}")
            await asyncio.sleep(_POLL_S)
        self.version = forms.read(file, forms.Ready).locust

    def _facts(self) -> LoadFacts:
        late_ms = np.array([(row.start_s - row.due_s) * 1000 for row in self._rows] or [0.0])
        last = self._tally.latest
        started = last.started if last else 0
        return LoadFacts(
            asked=started if self._due_s is None else len(self._due_s),
            started=started,
            finished=last.finished if last else 0,
            late_p99_ms=float(np.percentile(late_ms, 99)),
            late_max_ms=float(late_ms.max()),
            cpu_s=last.cpu_s if last else 0.0,
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
