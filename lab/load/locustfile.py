"""What Locust runs: each operation starts when it is due, whatever happened to those before, and is written down.

    python -m locust -f lab/load/locustfile.py --headless ... OpenModel     (or ClosedModel)

with the directory of setup.json in LAB_LOAD_DIR; `crew.py` starts it so, alone or as a master and its workers.
"""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from time import perf_counter
from typing import Any

import gevent
import locust
from gevent.event import Event
from locust import runners
from locust.exception import CatchResponseError, StopUser

from lab.kit.limits import raise_open_files
from lab.load import forms, words
from lab.load.alarm import new_alarm
from lab.load.channel import Channel, Files, Messages
from lab.load.client import Answer, Client
from lab.load.forms import Beat, PreparedRequest, Row
from lab.load.master import Master

_POLL_S = 0.02
_BURST = 16  # arrivals started back to back when behind, before answers get their turn
_UNLIMITED = 1 << 20

runners.CONNECT_TIMEOUT = 1  # a worker whose master is not there yet, or has no slot free, knocks again so soon
runners.MASTER_HEARTBEAT_TIMEOUT = 10  # a worker whose master is gone sends no load any longer than this


class Session:
    """The one run of this process: its schedule, its clock, what is in flight and what is written down."""

    def __init__(self, channel: Channel, environment: Any) -> None:
        self.channel = channel
        self.setup = channel.setup()
        self.requests = channel.requests()
        self.clients = [Client(*address, _UNLIMITED, self.setup.timeout_s) for address in self.setup.addresses]
        self.environment = environment
        self.fire = environment.events.request.fire
        self.t0_s = 0.0  # on perf_counter's scale
        self.went = Event()
        self.users_ready = 0
        self.taken = 0
        self.started = 0
        self.finished = 0
        self.dry_s = 0.0
        self.cpu_s = 0.0  # CPU time spent before the load began
        self.ended: list[Row] = []
        self.in_flight: dict[int, Row] = {}
        self.errors: dict[str, CatchResponseError] = {}
        self.all_started = Event()
        self.recorded = 0
        self.closed = False

    def ready(self) -> None:
        """Count a user as up; when all are, say so and await the signal to begin."""
        self.users_ready += 1
        if self.users_ready == self.environment.runner.target_user_count:
            gevent.spawn(self._run)
        self.went.wait()

    def _run(self) -> None:
        _settle_memory()
        self.t0_s = self.channel.ready()
        self.cpu_s = time.process_time()
        self.went.set()
        gevent.spawn(self._flush_often)
        self._await_end()
        self.close()

    def _await_end(self) -> None:
        gevent.sleep(max(0.0, self.t0_s + self.setup.lasts_s - perf_counter()))
        if self.setup.users is None:
            self.all_started.wait()
        until_s = perf_counter() + self.setup.timeout_s + self.setup.drain_s
        while self.in_flight and perf_counter() < until_s:
            gevent.sleep(_POLL_S)

    def operate(self, request: PreparedRequest) -> None:
        """Do one operation and note how it went. The due time of a closed model is the moment its user is free."""
        start_s = perf_counter() - self.t0_s
        due_s = start_s if self.setup.users is not None else request.due_s
        row = Row(request.n, due_s, start_s, None, "info", None, "unanswered", None)
        self.in_flight[request.n] = row
        self.started += 1
        answer = self.clients[request.at].exchange(request)
        if self.in_flight.pop(request.n, None) is None:
            return  # given up, and written down as unanswered
        row.end_s = perf_counter() - self.t0_s
        row.outcome, row.status, row.error, row.response, length = answer
        self.finished += 1
        self.ended.append(row)
        self.fire(
            request_type=request.method,
            name=request.name,
            response_time=(row.end_s - start_s) * 1000,
            response_length=length,
            exception=self._exception(answer),
            context=None,
        )

    def _exception(self, answer: Answer) -> CatchResponseError | None:
        if answer.error is None:
            return None
        return self.errors.setdefault(answer.error, CatchResponseError(answer.error))

    def take(self) -> PreparedRequest | None:
        """Give the next request of the stream to a user, once there is one; None when the run is over."""
        while self.taken >= len(self.requests):
            self.requests += self.channel.requests()
            if self.taken < len(self.requests):
                break
            self.dry_s += _POLL_S
            gevent.sleep(_POLL_S)
        if perf_counter() - self.t0_s >= self.setup.lasts_s:
            return None
        self.taken += 1
        return self.requests[self.taken - 1]

    def _flush_often(self) -> None:
        gevent.sleep(forms.FLUSH_EVERY_S)
        while not self.closed:
            self.flush()
            gevent.sleep(forms.FLUSH_EVERY_S)

    def flush(self) -> None:
        """Write down what ended since the last time, and a beat."""
        batch, self.ended = self.ended, []
        self.recorded += len(batch)
        cpu_s = time.process_time() - self.cpu_s
        at_s = perf_counter() - self.t0_s
        beat = Beat(at_s, self.started, self.finished, cpu_s, self.dry_s, self.channel.worker)
        self.channel.report(batch, beat)

    def close(self) -> None:
        """Write down everything, also what is still unanswered: it may have happened."""
        if self.went.is_set() and not self.closed:
            self.closed = True
            self.ended += self.in_flight.values()
            self.in_flight = {}
            self.flush()
            self.channel.done(self.recorded)


def _settle_memory() -> None:
    """Take the schedule out of the collector's sight, and let it look seldom: a collection holds up what is due."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    raise_open_files(_UNLIMITED)


class _Holder:
    session: Session


def _open(environment: Any, runner: Any, **_: Any) -> None:
    """Be what Locust was started as: a master, one of its workers, or alone."""
    if isinstance(runner, runners.MasterRunner):
        Master(Path(os.environ["LAB_LOAD_DIR"]), environment).assemble()
        return
    if isinstance(runner, runners.WorkerRunner):
        messages = Messages(runner, os.environ.get(words.ENTRY_VARIABLE))
        environment.events.quit.add_listener(lambda **_: messages.drain())
        _Holder.session = Session(messages, environment)
        messages.is_set()
    else:
        _Holder.session = Session(Files(Path(os.environ["LAB_LOAD_DIR"]), runner), environment)
    # Added now, it comes before Locust's own word that a worker leaves, on which a master may leave too.
    environment.events.quitting.add_listener(lambda **_: _Holder.session.close())


_events: Any = locust.events
_events.init.add_listener(_open)


class OpenModel(locust.FastHttpUser):
    """One user that does not wait for answers: the arrivals."""

    @locust.task
    def run_schedule(self) -> None:
        """Start each operation of the schedule when it is due."""
        session = _Holder.session
        session.ready()
        alarm = new_alarm()
        t0_s = session.t0_s
        for count, request in enumerate(session.requests):
            due_s = t0_s + request.due_s
            if perf_counter() >= due_s:
                if count % _BURST == 0:
                    gevent.sleep(0)
            else:
                while perf_counter() < due_s:
                    alarm.wait_until(due_s)
            gevent.spawn(session.operate, request)
        gevent.sleep(0)
        session.all_started.set()
        raise StopUser


class ClosedModel(locust.FastHttpUser):
    """A user that waits for its answer, thinks, and comes back."""

    def on_start(self) -> None:
        """Begin with all the others."""
        session = _Holder.session
        session.ready()
        gevent.sleep(max(0.0, session.t0_s - perf_counter()))

    def wait_time(self) -> float:
        """Seconds of thought between an answer and the next request."""
        return _Holder.session.setup.think_s

    @locust.task
    def come_back(self) -> None:
        """Do the next operation of the stream."""
        request = _Holder.session.take()
        if request is None:
            raise StopUser
        _Holder.session.operate(request)
