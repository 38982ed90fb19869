"""The master of several load workers, inside Locust's: seats them, tells them the plan, keeps what they report.

The shares are fixed before the load begins (`forms.worker_of`), so from then on nobody may join, and nobody's users are
given to others: Locust would start the schedule of a lost worker anew elsewhere.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter, time
from typing import Any

import gevent
import locust
import msgspec
from gevent.event import AsyncResult, Event

from lab.load import clock, forms, words
from lab.load.channel import awaited

_POLL_S = 0.02
_ECHOES = 15
_ECHO_WITHIN_S = 5.0
_TOOK_WITHIN_S = 20.0
_DONE_WITHIN_S = 3.0  # after whatever a worker does has its end; a lost one is known sooner, by its heartbeat
_MISSING = "missing"  # what Locust calls a worker whose heartbeat has stopped


class Seat:
    """One worker."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.number = -1
        self.host = ""
        self.pid = 0
        self.first = self.last = clock.Reading(0.0, 0.0, 0.0)
        self.echo: AsyncResult = AsyncResult()
        self.took, self.is_set, self.up = Event(), Event(), Event()
        self.arrived = 0
        self.recorded: int | None = None  # said when done

    @property
    def member(self) -> forms.Member:
        """What the lab is told of it."""
        return forms.Member(
            self.number, self.host, self.pid, self.first.wall_ahead_s * 1000, self.first.within_s * 1000
        )

    def parted(self, asked_again: bool) -> forms.Parted:
        """How it took leave."""
        drift_ms = (self.last.ahead_s - self.first.ahead_s) * 1000 if asked_again else None
        return forms.Parted(self.number, self.recorded, self.arrived, drift_ms)


class Master:
    """What Locust's master does for the lab. `seats` are workers by Locust's name for them, in order of joining."""

    def __init__(self, directory: Path, environment: Any) -> None:
        self.directory = directory
        self.environment = environment
        self.runner = environment.runner
        self.seats: dict[str, Seat] = {}
        self.closed = False
        self.rows = (directory / forms.OPERATIONS).open("ab", buffering=0)
        self.beats = (directory / forms.BEATS).open("ab", buffering=0)
        self._locust_handles = self.runner.handle_message
        self.runner.handle_message = self._admit
        for kind, listener in {
            words.HERE: self._here,
            words.TIME: self._time,
            words.TOOK: self._took,
            words.IS_SET: self._is_set,
            words.UP: self._up,
            words.REPORT: self._report,
            words.DONE: self._done,
        }.items():
            self.runner.register_message(kind, listener)

    def assemble(self) -> None:
        """Wait for the plan and for the workers, and give each its share; Locust may start their users then."""
        setup = forms.read(awaited(self.directory / forms.SETUP), forms.Setup)
        while len(list(self._seated())) < self.environment.parsed_options.expect_workers:
            gevent.sleep(_POLL_S)
        self.closed = True
        for number, seat in enumerate(self.seats.values()):
            seat.number = number
        feeds = [forms.ChunkReader(self.directory / forms.shots(seat.number)) for seat in self.seats.values()]
        briefings = [
            gevent.spawn(self._brief, seat, feed, setup) for seat, feed in zip(self.seats.values(), feeds, strict=True)
        ]
        gevent.joinall(briefings, raise_error=True)
        gevent.spawn(self._conduct, setup, feeds)

    def _seated(self) -> Iterator[Seat]:
        """Those that are here and alive; the seats of others are free again."""
        for seat in list(self.seats.values()):
            if self._is_lost(seat):
                self._unseat(seat)
            elif seat.host:
                yield seat

    def _unseat(self, seat: Seat) -> None:
        """Forget it, and have Locust do so too: it would give it users."""
        del self.seats[seat.client]
        self.runner.clients.pop(seat.client, None)

    def _is_lost(self, seat: Seat) -> bool:
        node = self.runner.clients.get(seat.client)
        return node is None or node.state == _MISSING

    def _admit(self, client: str, msg: Any) -> None:
        """Have Locust handle a message, unless it is of somebody for whom there is no seat: they knock again."""
        if msg.type == "client_ready" and client not in self.seats:
            list(self._seated())
            if self.closed or len(self.seats) >= self.environment.parsed_options.expect_workers:
                return
            self.seats[client] = Seat(client)
        self._locust_handles(client, msg)

    def _brief(self, seat: Seat, feed: forms.ChunkReader, setup: forms.Setup) -> None:
        """Look at a worker's clock, give it its shots and then the plan, which says that it has them all."""
        seat.first = self._read_clock(seat)
        self._feed(seat, feed)
        self._tell(seat, words.SET_UP, setup=msgspec.json.encode(setup), worker=seat.number)
        seat.is_set.wait()

    def _read_clock(self, seat: Seat) -> clock.Reading:
        echoes = []
        for _ in range(_ECHOES):
            seat.echo = AsyncResult()
            asked_s = perf_counter()
            self._tell(seat, words.ASK_TIME)
            answered_s, wall_s, theirs = seat.echo.get(timeout=_ECHO_WITHIN_S)
            echoes.append(clock.Echo(asked_s, answered_s, theirs["steady_s"], wall_s, theirs["wall_s"]))
        return clock.read(echoes)

    def _feed(self, seat: Seat, feed: forms.ChunkReader) -> None:
        """One chunk at a time: Locust's socket drops what a slow worker has no room for."""
        for chunk in feed.more():
            seat.took.clear()
            self._tell(seat, words.SHOTS, shots=chunk)
            if not seat.took.wait(_TOOK_WITHIN_S):
                raise TimeoutError(f"load worker {seat.number} on {seat.host} took no shots in {_TOOK_WITHIN_S:g} s")

    def _conduct(self, setup: forms.Setup, feeds: list[forms.ChunkReader]) -> None:
        """From all being up to all being done."""
        seats = list(self.seats.values())
        for seat in seats:
            seat.up.wait()
        self.runner.start = _let_be
        crew = [seat.member for seat in seats]
        forms.write(self.directory / forms.READY, forms.Ready(os.getpid(), locust.__version__, crew))
        t0_s = forms.read(awaited(self.directory / forms.GO), forms.Go).t0_s
        for seat in seats:
            self._tell(seat, words.GO, t0_s=t0_s + seat.first.lead_s)
        feeding = [gevent.spawn(self._keep_fed, *pair) for pair in zip(seats, feeds, strict=True)]
        gevent.sleep(max(0.0, t0_s + setup.lasts_s - perf_counter()))
        gevent.killall(feeding)
        until_s = perf_counter() + setup.timeout_s + setup.drain_s + _DONE_WITHIN_S
        while perf_counter() < until_s and any(s.recorded is None and not self._is_lost(s) for s in seats):
            gevent.sleep(_POLL_S)
        self._take_leave(seats)
        self.runner.quit()

    def _keep_fed(self, seat: Seat, feed: forms.ChunkReader) -> None:
        """Pass on what is appended while a closed model runs; a lost worker takes no more."""
        with suppress(TimeoutError):
            while True:
                self._feed(seat, feed)
                gevent.sleep(_POLL_S)

    def _take_leave(self, seats: list[Seat]) -> None:
        """Look at the clocks again, and write down how each worker ended."""
        parted = []
        for seat in seats:
            asked_again = False
            if seat.recorded is not None and not self._is_lost(seat):
                with suppress(gevent.Timeout):
                    seat.last = self._read_clock(seat)
                    asked_again = True
            parted.append(seat.parted(asked_again))
        forms.LineWriter(self.directory / forms.PARTED).write(parted)

    def _tell(self, seat: Seat, kind: str, **data: Any) -> None:
        self.runner.send_message(kind, data, seat.client)

    # --- what workers say: Locust calls each with the environment and the message -----------------------------

    def _here(self, environment: Any, msg: Any) -> None:
        seat = self.seats.get(msg.node_id)
        if seat is None or self.closed:
            return
        if msg.data["protocol"] != words.PROTOCOL:
            logging.error(
                "a load worker on %s speaks protocol %s and this lab %s: use the same version of the lab on both",
                *(msg.data["host"], msg.data["protocol"], words.PROTOCOL),
            )
            self._unseat(seat)
            return
        seat.host, seat.pid = msg.data["host"], msg.data["pid"]

    def _time(self, environment: Any, msg: Any) -> None:
        answered_s, wall_s = perf_counter(), time()
        self.seats[msg.node_id].echo.set((answered_s, wall_s, msg.data))

    def _took(self, environment: Any, msg: Any) -> None:
        self.seats[msg.node_id].took.set()

    def _is_set(self, environment: Any, msg: Any) -> None:
        self.seats[msg.node_id].is_set.set()

    def _up(self, environment: Any, msg: Any) -> None:
        self.seats[msg.node_id].up.set()

    def _report(self, environment: Any, msg: Any) -> None:
        self.seats[msg.node_id].arrived += msg.data["count"]
        self.rows.write(msg.data["rows"])
        self.beats.write(msg.data["beat"])

    def _done(self, environment: Any, msg: Any) -> None:
        self.seats[msg.node_id].recorded = msg.data["recorded"]


def _let_be(*_: Any, **__: Any) -> None:
    """In place of Locust's way to share users out again."""
