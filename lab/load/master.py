"""The master of several load workers, inside Locust's: gives each a slot, tells it the plan, keeps what they report.

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


class WorkerSlot:
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

    def exit(self, asked_again: bool) -> forms.WorkerExit:
        """How it exited."""
        drift_ms = (self.last.ahead_s - self.first.ahead_s) * 1000 if asked_again else None
        return forms.WorkerExit(
            self.number, None if self.strange else self.recorded, self.arrived, drift_ms, self.strange
        )


class Master:
    """What Locust's master does for the lab. `slots` are workers by Locust's name for them, in order of joining."""

    def __init__(self, directory: Path, environment: Any) -> None:
        self.directory = directory
        self.environment = environment
        self.runner = environment.runner
        self.slots: dict[str, WorkerSlot] = {}
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
        while len(list(self._filled())) < self.environment.parsed_options.expect_workers:
            gevent.sleep(_POLL_S)
        self.closed = True
        for number, slot in enumerate(self.slots.values()):
            slot.number = number
        feeds = [forms.ChunkReader(self.directory / forms.requests_file(slot.number)) for slot in self.slots.values()]
        briefings = [
            gevent.spawn(self._brief, slot, feed, setup) for slot, feed in zip(self.slots.values(), feeds, strict=True)
        ]
        gevent.joinall(briefings, raise_error=True)
        gevent.spawn(self._conduct, setup, feeds)

    def _filled(self) -> Iterator[WorkerSlot]:
        """Those that are here and alive; the slots of others are free again."""
        for slot in list(self.slots.values()):
            if self._is_lost(slot):
                self._remove(slot)
            elif slot.host:
                yield slot

    def _remove(self, slot: WorkerSlot) -> None:
        """Forget it, and have Locust do so too: it would give it users."""
        del self.slots[slot.client]
        self.runner.clients.pop(slot.client, None)

    def _is_lost(self, slot: WorkerSlot) -> bool:
        node = self.runner.clients.get(slot.client)
        return bool(slot.strange) or node is None or node.state == _MISSING

    def _admit(self, client: str, msg: Any) -> None:
        """Have Locust handle a message, unless no slot is free for its sender, which then retries."""
        if msg.type == "client_ready" and client not in self.slots:
            list(self._filled())
            if self.closed or len(self.slots) >= self.environment.parsed_options.expect_workers:
                return
            self.slots[client] = WorkerSlot(client)
        slot = self.slots.get(client)
        if slot is None or msg.node_id != client:
            logging.warning("dropped a message of %s: it has no worker slot here, or it sends under another id", client)
            return
        try:
            self._locust_handles(client, msg)
        except Exception as error:  # whatever Locust makes of what no worker of ours says
            self._disbelieve(slot, error)

    def _hear(self, form: type[Any], listener: Callable[[WorkerSlot, Any], None]) -> Callable[..., None]:
        """A listener as Locust calls it, which hears what can be decoded, of workers that are believed."""

        def hear(environment: Any, msg: Any) -> None:
            slot = self.slots.get(msg.node_id)
            if slot is None or slot.strange:
                return
            try:
                listener(slot, heard.take(msg.data, form))
            except heard.STRANGE as error:
                self._disbelieve(slot, error)

        return hear

    def _disbelieve(self, slot: WorkerSlot, error: Exception) -> None:
        """Count a worker as lost: nothing that it says is kept from here on."""
        said = (str(error).splitlines() or [type(error).__name__])[0][:_LONGEST_REASON]
        slot.strange = f"sent an invalid message ({said})"
        logging.error("a load worker on %s %s and counts as lost", slot.host or slot.client, slot.strange)

    def _brief(self, slot: WorkerSlot, feed: forms.ChunkReader, setup: forms.Setup) -> None:
        """Look at a worker's clock, give it its requests and then the plan, which says that it has them all."""
        slot.first = self._read_clock(slot)
        self._feed(slot, feed)
        self._tell(slot, words.SET_UP, setup=msgspec.json.encode(setup), worker=slot.number)
        slot.is_set.wait()

    def _read_clock(self, slot: WorkerSlot) -> clock.Reading:
        echoes = []
        for _ in range(_ECHOES):
            slot.echo = AsyncResult()
            asked_s = perf_counter()
            self._tell(slot, words.ASK_TIME)
            answered_s, wall_s, theirs = slot.echo.get(timeout=_ECHO_WITHIN_S)
            echoes.append(clock.Echo(asked_s, answered_s, theirs.steady_s, wall_s, theirs.wall_s))
        return clock.read(echoes)

    def _feed(self, slot: WorkerSlot, feed: forms.ChunkReader) -> None:
        """One chunk at a time: Locust's socket drops what a slow worker has no room for."""
        for chunk in feed.more():
            slot.took.clear()
            slot.given.update(n for n, *_ in msgspec.msgpack.decode(chunk))
            self._tell(slot, words.REQUESTS, requests=chunk)
            if not slot.took.wait(_TOOK_WITHIN_S):
                raise TimeoutError(f"load worker {slot.number} on {slot.host} took no requests in {_TOOK_WITHIN_S:g} s")

    def _conduct(self, setup: forms.Setup, feeds: list[forms.ChunkReader]) -> None:
        """From all being up to all being done."""
        slots = list(self.slots.values())
        for slot in slots:
            slot.up.wait()
        self.runner.start = _let_be
        crew = [slot.member for slot in slots]
        forms.write(self.directory / forms.READY, forms.Ready(os.getpid(), locust.__version__, crew))
        t0_s = forms.read(awaited(self.directory / forms.GO), forms.Go).t0_s
        for slot in slots:
            self._tell(slot, words.GO, t0_s=t0_s + slot.first.lead_s)
        feeding = [gevent.spawn(self._keep_fed, *pair) for pair in zip(slots, feeds, strict=True)]
        gevent.sleep(max(0.0, t0_s + setup.lasts_s - perf_counter()))
        gevent.killall(feeding)
        until_s = perf_counter() + setup.timeout_s + setup.drain_s + _DONE_WITHIN_S
        while perf_counter() < until_s and any(s.recorded is None and not self._is_lost(s) for s in slots):
            gevent.sleep(_POLL_S)
        self._note_exits(slots)
        self.runner.quit()

    def _keep_fed(self, slot: WorkerSlot, feed: forms.ChunkReader) -> None:
        """Pass on what is appended while a closed model runs; a lost worker takes no more."""
        with suppress(TimeoutError):
            while True:
                self._feed(slot, feed)
                gevent.sleep(_POLL_S)

    def _note_exits(self, slots: list[WorkerSlot]) -> None:
        """Look at the clocks again, and write down how each worker ended."""
        exits = []
        for slot in slots:
            asked_again = False
            if slot.recorded is not None and not self._is_lost(slot):
                with suppress(gevent.Timeout):
                    slot.last = self._read_clock(slot)
                    asked_again = True
            exits.append(slot.exit(asked_again))
        forms.LineWriter(self.directory / forms.EXITS).write(exits)

    def _tell(self, slot: WorkerSlot, kind: str, **data: Any) -> None:
        self.runner.send_message(kind, data, slot.client)

    # --- what workers say -------------------------------------------------------------------------------------

    def _here(self, slot: WorkerSlot, said: heard.Here) -> None:
        if self.closed:
            return
        if said.protocol != words.PROTOCOL:
            logging.error(
                "a load worker on %s speaks protocol %s and this lab %s: use the same version of the lab on both",
                *(said.host, said.protocol, words.PROTOCOL),
            )
            self._remove(slot)
            return
        slot.host, slot.pid = said.host, said.pid

    def _time(self, slot: WorkerSlot, said: heard.Time) -> None:
        slot.echo.set((perf_counter(), time(), said))

    def _took(self, slot: WorkerSlot, said: heard.Nothing) -> None:
        slot.took.set()

    def _is_set(self, slot: WorkerSlot, said: heard.Nothing) -> None:
        slot.is_set.set()

    def _up(self, slot: WorkerSlot, said: heard.Nothing) -> None:
        slot.up.set()

    def _report(self, slot: WorkerSlot, said: heard.Report) -> None:
        numbers = heard.rows_of(said, slot.number, len(self.slots), slot.given)
        slot.given.difference_update(numbers)
        slot.arrived += len(numbers)
        self.rows.write(said.rows)
        self.beats.write(said.beat)

    def _done(self, slot: WorkerSlot, said: heard.Done) -> None:
        slot.recorded = said.recorded


def _let_be(*_: Any, **__: Any) -> None:
    """In place of Locust's way to share users out again."""
