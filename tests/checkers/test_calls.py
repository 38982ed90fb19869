"""Scenario files call checkers without the history: a readback is given as it is, and a mistake is told at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from registers import history

from lab import checkers
from lab.checkers.history import Finding
from lab.errors import WordError
from lab.model import Check, Readback, Service

A, B = (Readback(name, Service(name), "/log") for name in ("a", "b"))


def test_a_call_gives_what_a_record_keeps() -> None:
    """Plain values, of the arguments that were given alone: a readback is its name, several are `a, b`."""
    assert checkers.exactly_once(A, least=3) == Check("exactly_once", {"readback": "a", "least": 3})
    assert checkers.log_matching([A, B]) == Check("log_matching", {"readbacks": "a, b"})
    assert checkers.log_matching(A) == checkers.log_matching("a")
    assert checkers.bounded_staleness(2, initial=None) == Check("bounded_staleness", {"within_s": 2})


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: checkers.exactly_once(), 'checkers.exactly_once needs "readback"'),  # type: ignore[call-arg]
        (lambda: checkers.exactly_once(A, leest=3), 'did you mean "least"'),  # type: ignore[call-arg]
        (lambda: checkers.exactly_once(Service("a")), "checkers.exactly_once: readback is the service a"),  # type: ignore[arg-type]
        (lambda: checkers.log_matching([]), "checkers.log_matching: readbacks is"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(call: Callable[[], Check], told: str) -> None:
    """With the checker and the argument."""
    with pytest.raises(WordError, match=told):
        call()


def test_what_a_record_keeps_can_be_checked_again() -> None:
    """The checker of a record's name takes its arguments."""
    check = checkers.log_matching([A, B])
    found = checkers.run(check.name, history([]), dict(check.args))
    assert found == Finding("UNKNOWN", 'there is no readback "a": what that member holds is not known')
