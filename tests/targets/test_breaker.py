"""The circuit breaker, on a fake clock."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from targets.patterns.breaker import Breaker, Call, Policy, Refused, State

POLICY = Policy(open_s=5, window=20, window_s=10, failure_ratio=0.5, min_calls=10, probes=1, probe_s=4)


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Diary:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def moved(self, to: State) -> None:
        self.said.append(to.name)

    def refused(self) -> None:
        self.said.append("refused")


@pytest.fixture
def clock() -> Clock:
    """Stands still at 0."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """Closed, with POLICY."""
    return Breaker(POLICY, clock=clock)


def state(breaker: Breaker) -> State:
    """Where it stands now, read anew each time."""
    return breaker.state


def fail(breaker: Breaker, times: int) -> None:
    """Let calls fail one after the other."""
    for _ in range(times):
        breaker.admit().failed()


def open_and_rest(breaker: Breaker, clock: Clock) -> None:
    """Bring the breaker to the very end of its rest."""
    fail(breaker, breaker.policy.min_calls)
    assert state(breaker) is State.OPEN
    clock.now_s += breaker.policy.open_s


def admitted(breaker: Breaker, callers: int) -> list[Call]:
    """Those of so many callers at once that get in."""
    calls = []
    for _ in range(callers):
        with contextlib.suppress(Refused):
            calls.append(breaker.admit())
    return calls


def test_too_few_calls_prove_nothing(breaker: Breaker) -> None:
    """Nine failures of ten wanted calls leave the breaker closed; the tenth result opens it."""
    fail(breaker, 9)
    assert state(breaker) is State.CLOSED
    fail(breaker, 1)
    assert state(breaker) is State.OPEN


def test_a_success_can_complete_the_evidence(breaker: Breaker) -> None:
    """The tenth result opens the breaker even where it is a success, for nine of ten failed."""
    fail(breaker, 9)
    breaker.admit().succeeded()
    assert state(breaker) is State.OPEN


def test_the_ratio_decides(breaker: Breaker) -> None:
    """Just under half failing is borne, half is not."""
    for _ in range(11):
        breaker.admit().succeeded()
    fail(breaker, 9)
    assert state(breaker) is State.CLOSED
    fail(breaker, 1)  # the oldest success slides out: 10 of 20
    assert state(breaker) is State.OPEN


def test_old_results_are_forgotten(breaker: Breaker, clock: Clock) -> None:
    """Results older than the window's seconds count no more."""
    fail(breaker, 9)
    clock.now_s += 10.1
    fail(breaker, 9)
    assert state(breaker) is State.CLOSED
    fail(breaker, 1)
    assert state(breaker) is State.OPEN


def test_open_refuses_until_its_rest_is_over(breaker: Breaker, clock: Clock) -> None:
    """An open breaker refuses until its rest is over, says how long that is, then admits exactly one probe."""
    fail(breaker, 10)
    clock.now_s += 3
    with pytest.raises(Refused, match="open; ask again in 2 s") as refused:
        breaker.admit()
    assert refused.value.retry_after_s == pytest.approx(2)
    clock.now_s += 2
    assert len(admitted(breaker, 2)) == 1
    assert state(breaker) is State.HALF_OPEN


@pytest.mark.parametrize("probes", [1, 3])
async def test_fifty_callers_get_no_more_probes_than_allowed(probes: int, clock: Clock) -> None:
    """Of 50 callers that wait for the end of the rest, exactly as many get in as there may be probes."""
    breaker = Breaker(Policy(probes=probes), clock=clock)
    open_and_rest(breaker, clock)
    go = asyncio.Event()
    inside = 0

    async def caller() -> bool:
        nonlocal inside
        await go.wait()
        with breaker.call():
            inside += 1
            await asyncio.sleep(0.01)
        return True

    callers = [asyncio.create_task(caller()) for _ in range(50)]
    go.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert inside == probes
    assert sum(isinstance(result, Refused) for result in results) == 50 - probes
    assert state(breaker) is State.CLOSED


def test_a_failed_probe_opens_again(breaker: Breaker, clock: Clock) -> None:
    """A probe that fails opens the breaker for a whole new rest."""
    open_and_rest(breaker, clock)
    breaker.admit().failed()
    assert state(breaker) is State.OPEN
    clock.now_s += 4.9
    assert admitted(breaker, 1) == []
    clock.now_s += 0.1
    assert len(admitted(breaker, 1)) == 1


def test_it_closes_only_when_every_probe_has_passed(clock: Clock) -> None:
    """With three probes, two successes are not enough, and free no slot for a fourth caller."""
    breaker = Breaker(Policy(probes=3), clock=clock)
    open_and_rest(breaker, clock)
    first, second, third = admitted(breaker, 50)
    first.succeeded()
    second.succeeded()
    assert state(breaker) is State.HALF_OPEN
    assert admitted(breaker, 1) == []
    third.succeeded()
    assert state(breaker) is State.CLOSED


def test_closing_forgets_the_past(breaker: Breaker, clock: Clock) -> None:
    """A breaker that has closed starts with no results: nine failures do not open it again."""
    open_and_rest(breaker, clock)
    breaker.admit().succeeded()
    fail(breaker, 9)
    assert state(breaker) is State.CLOSED


async def test_a_cancelled_probe_gives_its_slot_back(breaker: Breaker, clock: Clock) -> None:
    """A cancelled probe is evidence of nothing, and the next caller may probe at once."""
    open_and_rest(breaker, clock)

    async def probe() -> None:
        with breaker.call():
            await asyncio.sleep(60)

    task = asyncio.create_task(probe())
    await asyncio.sleep(0)
    assert admitted(breaker, 1) == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert state(breaker) is State.HALF_OPEN
    assert len(admitted(breaker, 2)) == 1


def test_a_probe_that_never_returns_gives_its_slot_back(breaker: Breaker, clock: Clock) -> None:
    """A probe without a result is given up after its time; what it says later counts for nothing."""
    open_and_rest(breaker, clock)
    lost = breaker.admit()
    clock.now_s += 3.9
    with pytest.raises(Refused, match="half-open") as refused:
        breaker.admit()
    assert refused.value.retry_after_s == pytest.approx(0.1)
    clock.now_s += 0.1
    (second,) = admitted(breaker, 2)
    lost.failed()
    assert state(breaker) is State.HALF_OPEN
    second.succeeded()
    assert state(breaker) is State.CLOSED


def test_results_of_an_earlier_state_do_not_count(breaker: Breaker, clock: Clock) -> None:
    """Calls begun while closed and ending while half-open or closed again are not held against the new state."""
    late = admitted(breaker, 40)
    open_and_rest(breaker, clock)
    probe = breaker.admit()
    late[0].failed()
    late[1].succeeded()
    assert state(breaker) is State.HALF_OPEN
    probe.succeeded()
    for call in late[2:]:
        call.failed()
    assert state(breaker) is State.CLOSED


def test_a_cancelled_call_is_no_evidence(breaker: Breaker) -> None:
    """Calls abandoned while closed neither count as failures nor push failures out of the window."""
    fail(breaker, 9)
    for call in admitted(breaker, 20):
        call.abandoned()
    assert state(breaker) is State.CLOSED
    fail(breaker, 1)
    assert state(breaker) is State.OPEN


def test_only_the_first_result_of_a_call_counts(breaker: Breaker) -> None:
    """A block that says it failed and then ends well has failed, once."""
    for _ in range(9):
        with breaker.call() as call:
            call.failed()
            call.failed()
    assert state(breaker) is State.CLOSED
    with pytest.raises(KeyError), breaker.call():
        raise KeyError
    assert state(breaker) is State.OPEN


def test_listeners_hear_every_move_and_refusal(clock: Clock) -> None:
    """A listener hears each change of state and each refusal in order."""
    diary = Diary()
    breaker = Breaker(POLICY, clock=clock, listeners=[diary])
    open_and_rest(breaker, clock)
    admitted(breaker, 2)
    clock.now_s += POLICY.probe_s
    breaker.admit().succeeded()
    assert diary.said == ["OPEN", "HALF_OPEN", "refused", "CLOSED"]


def test_a_policy_that_cannot_be_is_refused_whole() -> None:
    """Every number that cannot be is named at once."""
    with pytest.raises(ValueError) as wrong:
        Policy(open_s=0, failure_ratio=1.5, min_calls=21, window=20)
    assert str(wrong.value) == (
        "open_s is 0; it must be over 0; failure_ratio is 1.5; it must be at most 1; "
        "min_calls is 21, more than the window of 20 calls ever holds"
    )


def test_probes_of_an_earlier_try_hold_no_slot(clock: Clock) -> None:
    """After a failed probe the next try has all its slots, though others of the first are still out."""
    breaker = Breaker(Policy(probes=3), clock=clock)
    open_and_rest(breaker, clock)
    admitted(breaker, 3)[0].failed()
    clock.now_s += breaker.policy.open_s
    assert len(admitted(breaker, 50)) == 3
