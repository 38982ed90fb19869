"""
Circuit breaker: stop calling a dependency that fails, and let it back in by a few probes.

    closed --(failure ratio of the last calls)--> open --(rest is over, next call)--> half-open
       ^                                            ^                                    |
       +----------------(every probe succeeded)-----+---------(a probe failed)-----------+

Source: Michael T. Nygard, Release It!, 2nd edition (2018), chapter 5 "Circuit Breaker"; handbook 7.6.1.3.
Made for one event loop: no method awaits, so none can be interrupted by another; not for threads.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class State(Enum):
    """Where a breaker stands; the value is what the `breaker_state` gauge shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Refused(Exception):
    """
    The breaker let no call through.

    `retry_after_s`: the time until its rest is over or, while probes are out, until the oldest one is surely settled.
    """

    def __init__(self, state: State, retry_after_s: float) -> None:
        super().__init__(f"the breaker is {state.name.lower().replace('_', '-')}; ask again in {retry_after_s:.3g} s")
        self.state = state
        self.retry_after_s = retry_after_s


class Listener(Protocol):
    """Who wants to know what a breaker does, metrics for one; called in the middle of a call, so it must not raise."""

    def moved(self, to: State) -> None:
        """The breaker has just changed to `to`."""
        ...

    def refused(self) -> None:
        """A call was not let through."""
        ...


@dataclass(frozen=True)
class Policy:
    """
    When to open, how long to rest, how to let the dependency back in.

    It opens once at least `min_calls` of the last `window` results, none older than `window_s`, are there and
    `failure_ratio` of them or more are failures. It rests for `open_s`, then admits `probes` calls at a time at most;
    as many successes close it, one failure opens it again. A probe with no result after `probe_s` is given up: its slot
    is free again. ValueError names every number that cannot be.
    """

    open_s: float = 5.0
    window: int = 20
    window_s: float = 10.0
    failure_ratio: float = 0.5
    min_calls: int = 10
    probes: int = 1
    probe_s: float = 30.0

    def __post_init__(self) -> None:
        wrong = [f"{name} is {value}; it must be over 0" for name, value in vars(self).items() if not value > 0]
        if self.failure_ratio > 1:
            wrong.append(f"failure_ratio is {self.failure_ratio}; it must be at most 1")
        if self.min_calls > self.window:
            wrong.append(f"min_calls is {self.min_calls}, more than the window of {self.window} calls ever holds")
        if wrong:
            raise ValueError("; ".join(wrong))


class Call:
    """One admitted call. The first result counts; a call that began in an earlier state counts for nothing."""

    __slots__ = ("_breaker", "era", "since_s")

    def __init__(self, breaker: Breaker, era: int, since_s: float) -> None:
        self._breaker: Breaker | None = breaker
        self.era = era
        self.since_s = since_s

    def succeeded(self) -> None:
        """The dependency answered as it should."""
        self._settle(failed=False)

    def failed(self) -> None:
        """The dependency did not answer, or answered that it cannot."""
        self._settle(failed=True)

    def abandoned(self) -> None:
        """The caller gave up for a reason of its own: evidence of nothing, but a probe's slot is free again."""
        self._settle(failed=None)

    def _settle(self, failed: bool | None) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker._settled(self, failed)


class Breaker:
    """
    Guards the calls to one dependency.

    with breaker.call():                 # raises Refused while open
        answer = await payments.post(...)    # an Exception is a failure, leaving the block is a success
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.policy = policy or Policy()
        self._clock = clock
        self._listeners = tuple(listeners)
        self._state = State.CLOSED
        self._era = 0  # grows with each change of state, so that a late result is known for what it is
        self._since_s = clock()
        self._results: deque[tuple[float, bool]] = deque(maxlen=self.policy.window)  # (when, failed)
        self._probes: list[Call] = []
        self._probes_passed = 0

    @property
    def state(self) -> State:
        """Open stays open after its rest until the next call asks: a breaker has no timer of its own."""
        return self._state

    def admit(self) -> Call:
        """Let one call begin, or raise Refused. The caller must settle what it gets; `call` does that by itself."""
        now_s = self._clock()
        if self._state is State.OPEN and now_s - self._since_s >= self.policy.open_s:
            self._move(State.HALF_OPEN, now_s)
        if self._state is State.CLOSED:
            return Call(self, self._era, now_s)
        if self._state is State.OPEN:
            raise self._refusal(self._since_s + self.policy.open_s - now_s)
        return self._admit_probe(now_s)

    @contextmanager
    def call(self) -> Iterator[Call]:
        """
        Guard the block: an Exception that leaves it is a failure, anything else that ends it early (cancellation) no
        evidence, its end a success; a result set in the block by hand goes first. Raises Refused.
        """
        call = self.admit()
        try:
            yield call
        except Exception:
            call.failed()
            raise
        except BaseException:
            call.abandoned()
            raise
        else:
            call.succeeded()

    def _admit_probe(self, now_s: float) -> Call:
        self._probes = [probe for probe in self._probes if now_s - probe.since_s < self.policy.probe_s]
        if len(self._probes) + self._probes_passed >= self.policy.probes:
            oldest_s = min(probe.since_s for probe in self._probes)
            raise self._refusal(oldest_s + self.policy.probe_s - now_s)
        probe = Call(self, self._era, now_s)
        self._probes.append(probe)
        return probe

    def _refusal(self, retry_after_s: float) -> Refused:
        for listener in self._listeners:
            listener.refused()
        return Refused(self._state, retry_after_s)

    def _settled(self, call: Call, failed: bool | None) -> None:
        if call.era != self._era:
            return
        now_s = self._clock()
        if self._state is State.HALF_OPEN:
            self._settle_probe(call, failed, now_s)
        elif failed is not None:
            self._results.append((now_s, failed))
            if self._too_many_failures(now_s):
                self._move(State.OPEN, now_s)

    def _settle_probe(self, probe: Call, failed: bool | None, now_s: float) -> None:
        if probe not in self._probes:  # given up long ago
            return
        self._probes.remove(probe)
        if failed:
            self._move(State.OPEN, now_s)
        elif failed is False:
            self._probes_passed += 1
            if self._probes_passed >= self.policy.probes:
                self._move(State.CLOSED, now_s)

    def _too_many_failures(self, now_s: float) -> bool:
        while now_s - self._results[0][0] > self.policy.window_s:
            self._results.popleft()
        failures = sum(failed for _, failed in self._results)
        calls = len(self._results)
        return calls >= self.policy.min_calls and failures >= self.policy.failure_ratio * calls

    def _move(self, to: State, now_s: float) -> None:
        self._state = to
        self._era += 1
        self._since_s = now_s
        self._results.clear()
        self._probes.clear()
        self._probes_passed = 0
        for listener in self._listeners:
            listener.moved(to)
