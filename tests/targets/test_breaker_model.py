"""The circuit breaker against a model of it, over arbitrary histories of calls, results and time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from targets.patterns.breaker import Breaker, Call, Policy, Refused, State

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]


@dataclass
class Model:
    """
    What the breaker should be, told as a history: nothing is ever deleted, all is worked out anew.

    `moves` are (when, state); `results` are (when, failed, move in force at the call's beginning).
    """

    policy: Policy
    moves: list[tuple[float, State]] = field(default_factory=lambda: [(0.0, State.CLOSED)])
    results: list[tuple[float, bool, int]] = field(default_factory=list)
    out: dict[int, tuple[float, int]] = field(default_factory=dict)  # call -> (begun, move then in force)

    @property
    def era(self) -> int:
        return len(self.moves) - 1

    @property
    def state(self) -> State:
        return self.moves[-1][1]

    def passed(self) -> int:
        return sum(1 for _, failed, era in self.results if era == self.era and not failed)

    def may_begin(self, now_s: float) -> bool:
        since_s, state = self.moves[-1]
        if state is State.OPEN:
            if now_s - since_s < self.policy.open_s:
                return False
            self.moves.append((now_s, State.HALF_OPEN))
            return True
        if state is State.HALF_OPEN:
            probing = [b for b, era in self.out.values() if era == self.era and now_s - b < self.policy.probe_s]
            return len(probing) + self.passed() < self.policy.probes
        return True

    def end(self, call: int, failed: bool | None, now_s: float, given_up: bool) -> None:
        _, era = self.out.pop(call)
        if era != self.era or failed is None or given_up:
            return
        self.results.append((now_s, failed, era))
        if self.state is State.HALF_OPEN:
            if failed:
                self.moves.append((now_s, State.OPEN))
            elif self.passed() >= self.policy.probes:
                self.moves.append((now_s, State.CLOSED))
            return
        seen = [(when, bad) for when, bad, at in self.results if at == self.era][-self.policy.window :]
        fresh = [bad for when, bad in seen if now_s - when <= self.policy.window_s]
        if len(fresh) >= self.policy.min_calls and sum(fresh) / len(fresh) >= self.policy.failure_ratio:
            self.moves.append((now_s, State.OPEN))


class BreakerAgainstModel(RuleBasedStateMachine):
    """Time stands in whole units, so that both sides compare exactly."""

    @initialize(probes=st.integers(1, 3), window=st.integers(2, 6), probe_s=st.integers(2, 8))
    def begin(self, probes: int, window: int, probe_s: int) -> None:
        policy = Policy(
            open_s=5, window=window, window_s=8, failure_ratio=0.5, min_calls=2, probes=probes, probe_s=probe_s
        )
        self.now_s = 0.0
        self.breaker = Breaker(policy, clock=lambda: self.now_s)
        self.model = Model(policy)
        self.calls: dict[int, Call] = {}
        self.given_up: set[int] = set()
        self.begun = 0

    @rule(units=st.integers(1, 6))
    def time_passes(self, units: int) -> None:
        self.now_s += units

    @rule()
    def the_rest_ends(self) -> None:
        self.now_s += self.model.policy.open_s

    @rule()
    def somebody_calls(self) -> None:
        expected = self.model.may_begin(self.now_s)
        self.forget_lost_probes()
        if not expected:
            with pytest.raises(Refused) as refused:
                self.breaker.admit()
            assert refused.value.retry_after_s > 0
            return
        call = self.breaker.admit()
        self.begun += 1
        self.calls[self.begun] = call
        self.model.out[self.begun] = (self.now_s, self.model.era)

    def forget_lost_probes(self) -> None:
        # A slot is taken back when somebody asks for it, not by a timer: until then a late result still counts.
        if self.model.state is State.HALF_OPEN:
            policy = self.model.policy
            self.given_up |= {
                n
                for n, (begun, era) in self.model.out.items()
                if era == self.model.era and self.now_s - begun >= policy.probe_s
            }

    @precondition(lambda self: self.calls)
    @rule(last=st.booleans(), failed=st.sampled_from([True, False, None]))
    def a_call_ends(self, last: bool, failed: bool | None) -> None:
        self.end((max if last else min)(self.calls), failed)

    @rule(callers=st.integers(2, 6), failed=st.booleans())
    def many_call_and_end_alike(self, callers: int, failed: bool) -> None:
        before = self.begun
        for _ in range(callers):
            self.somebody_calls()
        for number in range(before + 1, self.begun + 1):
            self.end(number, failed)

    @precondition(lambda self: self.calls)
    @rule(failed=st.booleans())
    def all_that_are_out_end_alike(self, failed: bool) -> None:
        for number in sorted(self.calls):
            self.end(number, failed)

    @rule(callers=st.integers(2, 6))
    def many_call(self, callers: int) -> None:
        for _ in range(callers):
            self.somebody_calls()

    def end(self, number: int, failed: bool | None) -> None:
        call = self.calls.pop(number)
        {True: call.failed, False: call.succeeded, None: call.abandoned}[failed]()
        self.model.end(number, failed, self.now_s, number in self.given_up)

    @invariant()
    def they_agree(self) -> None:
        assert self.breaker.state is self.model.state

    @invariant()
    def probes_are_bounded(self) -> None:
        if self.model.state is State.HALF_OPEN:
            fresh = [
                n for n, (begun, era) in self.model.out.items() if era == self.model.era and n not in self.given_up
            ]
            assert len(fresh) <= self.model.policy.probes


TestBreakerAgainstModel = BreakerAgainstModel.TestCase
TestBreakerAgainstModel.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
