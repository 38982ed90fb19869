"""The master of several load workers, inside Locust's: seats them, tells them the plan, keeps what they report.

The shares are fixed before the load begins (`forms.worker_of`), so from then on nobody may join, and nobody's users are
given to others: Locust would start the schedule of a lost worker anew elsewhere.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter, time
from typing import Any

import gevent
import locust
import msgspec
from gevent.event import AsyncResult, Event

from lab.load import clock, forms, heard, words
from lab.load.channel import awaited

_POLL_S = 0.02
_ECHOES = 15
_ECHO_WITHIN_S = 5.0
_TOOK_WITHIN_S = 20.0
_DONE_WITHIN_S = 3.0  # after whatever a worker does has its end; a lost one is known sooner, by its heartbeat
_LONGEST_REASON = 200  # characters
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
        self.given: set[int] = set()  # operations that it was given and has not told of yet
        self.strange = ""  # why nothing that it says is believed any more

    @property
    def member(self) -> forms.Member:
        """What the lab is told of it."""
        return forms.Member(
            self.number, self.host, self.pid, self.first.wall_ahead_s * 1000, self.first.within_s * 1000
        )

    def parted(self, asked_again: bool) -> forms.Parted:
        """How it took leave."""
        drift_ms = (self.last.ahead_s - self.first.ahead_s) * 1000 if asked_again else None
        return forms.Parted(self.number, None if self.strange else self.recorded, self.arrived, drift_ms, self.strange)


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
        for kind, form, listener in (
            (words.HERE, heard.Here, self._here),
            (words.TIME, heard.Time, self._time),
            (words.TOOK, heard.Nothing, self._took),
            (words.IS_SET, heard.Nothing, self._is_set),
            (words.UP, heard.Nothing, self._up),
            (words.REPORT, heard.Report, self._report),
            (words.DONE, heard.Done, self._done),
        ):
            self.runner.register_message(kind, self._hear(form, listener))

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
        return bool(seat.strange) or node is None or node.state == _MISSING

    def _admit(self, client: str, msg: Any) -> None:
        """Have Locust handle a message, unless it is of somebody for whom there is no seat: they knock again."""
        if msg.type == "client_ready" and client not in self.seats:
            list(self._seated())
            if self.closed or len(self.seats) >= self.environment.parsed_options.expect_workers:
                return
            self.seats[client] = Seat(client)
        seat = self.seats.get(client)
        if seat is None or msg.node_id != client:
            logging.warning("dropped a message of %s: it has no worker slot here, or it sends under another id", client)
            return
        try:
            self._locust_handles(client, msg)
        except Exception as error:  # whatever Locust makes of what no worker of ours says
            self._disbelieve(seat, error)

    def _hear(self, form: type[Any], listener: Callable[[Seat, Any], None]) -> Callable[..., None]:
        """A listener as Locust calls it, which hears what can be decoded, of workers that are believed."""

        def hear(environment: Any, msg: Any) -> None:
            seat = self.seats.get(msg.node_id)
            if seat is None or seat.strange:
                return
            try:
                listener(seat, heard.take(msg.data, form))
            except heard.STRANGE as error:
                self._disbelieve(seat, error)

        return hear

    def _disbelieve(self, seat: Seat, error: Exception) -> None:
        """Count a worker as lost: nothing that it says is kept from here on."""
        said = (str(error).splitlines() or [type(error).__name__])[0][:_LONGEST_REASON]
        seat.strange = f"sent an invalid message ({said})"
        logging.error("a load worker on %s %s and counts as lost", seat.host or seat.client, seat.strange)

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
            echoes.append(clock.Echo(asked_s, answered_s, theirs.steady_s, wall_s, theirs.wall_s))
        return clock.read(echoes)

    def _feed(self, seat: Seat, feed: forms.ChunkReader) -> None:
        """One chunk at a time: Locust's socket drops what a slow worker has no room for."""
        for chunk in feed.more():
            seat.took.clear()
            seat.given.update(n for n, *_ in msgspec.msgpack.decode(chunk))
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

    # --- what workers say -------------------------------------------------------------------------------------

    def _here(self, seat: Seat, said: heard.Here) -> None:
        if self.closed:
            return
        if said.protocol != words.PROTOCOL:
            logging.error(
                "a load worker on %s speaks protocol %s and this lab %s: use the same version of the lab on both",
                *(said.host, said.protocol, words.PROTOCOL),
            )
            self._unseat(seat)
            return
        seat.host, seat.pid = said.host, said.pid

    def _time(self, seat: Seat, said: heard.Time) -> None:
        seat.echo.set((perf_counter(), time(), said))

    def _took(self, seat: Seat, said: heard.Nothing) -> None:
        seat.took.set()

    def _is_set(self, seat: Seat, said: heard.Nothing) -> None:
        seat.is_set.set()

    def _up(self, seat: Seat, said: heard.Nothing) -> None:
        seat.up.set()

    def _report(self, seat: Seat, said: heard.Report) -> None:
        numbers = heard.rows_of(said, seat.number, len(self.seats), seat.given)
        seat.given.difference_update(numbers)
        seat.arrived += len(numbers)
        self.rows.write(said.rows)
        self.beats.write(said.beat)

    def _done(self, seat: Seat, said: heard.Done) -> None:
        seat.recorded = said.recorded


def _let_be(*_: Any, **__: Any) -> None:
    """In place of Locust's way to share users out again."""
