"""What a scenario file writes has its types checked where it is written, each mistake in one sentence."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

import pytest

import lab.faults
import lab.model
from lab import Backing, Claim, Link, Load, Phase, Request, Role, Scenario, Service, Variant, faults, metrics, workloads
from lab.errors import WordError
from lab.model import Fault
from lab.model.typed import Typed, misfits, shown, told

exchange, payments = Service("exchange"), Service("payments")
link = Link(exchange, payments)
leader = Role("leader", [payments], "is_leader")
wrong: Any = None

MISTAKES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: faults.latency(wrong or payments, ms=3),
        "faults.latency: link is the service payments; it takes a Link: "
        "the one that leads there, such as Link(caller, payments)",
    ),
    (
        lambda: faults.latency(link, wait=50),  # type: ignore[call-arg]
        'faults.latency takes no "wait"; there are link, ms, jitter_ms, share, delays.',
    ),
    (lambda: faults.latency(link, jiter_ms=50), 'faults.latency takes no "jiter_ms"; did you mean "jitter_ms"?'),  # type: ignore[call-arg]
    (
        lambda: faults.latency(link),  # type: ignore[call-arg]
        'faults.latency needs "ms"; write faults.latency(link: Link, ms: int, jitter_ms: int = 0, share: float = 1.0, '
        'delays: "Literal[request] | None" = None)',
    ),
    (
        lambda: faults.kill(wrong or link),
        "faults.kill: member is the link exchange->payments; it takes a Service or a Backing",
    ),
    (
        lambda: faults.partition(wrong or exchange, [payments], [link]),
        "faults.partition: group is the service exchange; it takes a list: [a Service or a Backing, ...]",
    ),
    (
        lambda: faults.at(leader, lambda it: wrong, "x"),
        "faults.at: make gives None; it takes a function of a member that gives a fault",
    ),
    (lambda: Service(wrong), "Service: name is None; it takes text"),
    (
        lambda: Service("a", env={"A": "b\0"}),
        r"Service: env['A'] is 'b\x00'; leave out '\x00', which is no printable character",
    ),
    (
        lambda: Service("a", env={"A": "\ud800"}),
        r"Service: env['A'] is '\ud800'; leave out '\ud800', which is no printable character",
    ),
    (
        lambda: Service("a" * 100_001),
        f"Service: name is '{'a' * 59}...; it takes at most 100,000 characters, and this has 100,001",
    ),
    (
        lambda: Service("a", {}, "b", "c"),
        "Service takes at most 3 values without their names (name, env, module); got 4",
    ),  # type: ignore[call-arg]
    (lambda: Service("a", name="b"), 'Service is given "name" twice: by its place and by its name; leave one out'),  # type: ignore[misc]
    (
        lambda: Service("exchange-2", wrong or "exchange"),
        "Service: env is 'exchange'; it takes a mapping {text: text, a number or True or False}: "
        "for another instance of a target write Service(name, module='exchange')",
    ),
    (lambda: Link(exchange, payments, True), "Link: distance_ms is True; it takes a whole number"),
    (
        lambda: Link(exchange, payments, 10**400),
        "Link: distance_ms is a whole number of 401 digits; it takes a whole number from -1e+15 to 1e+15",
    ),
    (lambda: Link(exchange, payments, wrong or 0.5), "Link: distance_ms is 0.5; it takes a whole number"),
    (lambda: Backing(wrong or "postgress"), "Backing: kind is 'postgress'; did you mean \"postgres\"?"),
    (lambda: Backing(wrong or "x"), 'Backing: kind is \'x\'; it takes "postgres" or "redis" or '),
    (lambda: Phase("x", float("nan")), "Phase: lasts_s is nan; it takes a number from -1e+15 to 1e+15"),
    (lambda: Phase("x", True), "Phase: lasts_s is True; it takes a number"),
    (
        lambda: Phase("x", 1, wrong or faults.silence(link)),
        "Phase: faults is a faults.silence(...); it takes a list: [a Fault, ...]",
    ),
    (
        lambda: Phase("x", 1, [wrong or faults.silence]),
        "Phase: faults[0] is the class Silence; it takes a Fault: write it as a call, with ( and )",
    ),
    (
        lambda: Variant("x", {wrong or "exchange": {}}),
        "Variant: a key of env is 'exchange'; it takes a Service or a Backing",
    ),
    (
        lambda: Load("GET /", exchange, arrivals=wrong or "poison"),
        "Load: arrivals is 'poison'; did you mean \"poisson\"?",
    ),
    (lambda: Load(["GET /", wrong], exchange), "Load: mix[1] is None; it takes text or an Operation"),
    (
        lambda: Claim("x", "a", "b", wrong or metrics.p90_ms),
        "Claim: metric is the function p90_ms; it takes a Metric: write it as a call, with ( and )",
    ),
    (lambda: Request("GET", "/", key=wrong or 5), "Request: key is 5; it takes text or None"),
    (lambda: metrics.attempts(wrong or 5), "metrics.attempts: link is 5; it takes a Link or text"),
    (lambda: metrics.p90_ms(off="ok"), 'metrics.p90_ms takes no "off"; did you mean "of"?'),  # type: ignore[call-arg]
    (lambda: workloads.registers(wrong or "5"), "workloads.registers: keys is '5'; it takes a whole number"),
]


@pytest.mark.parametrize(("make", "says"), MISTAKES, ids=[says[:40] for _, says in MISTAKES])
def test_a_wrong_word_is_told_in_one_sentence(make: Callable[[], object], says: str) -> None:
    """Name of the word, of the argument, what it is and what would be right."""
    with pytest.raises(WordError) as raised:
        make()
    assert str(raised.value).startswith(says)
    assert "\n" not in str(raised.value)


MADE_BY_FAULTS = {"ProbeShape", "Sign", "Takes"}  # in code of the lab, which mypy reads
WORDS = [
    one
    for name, one in vars(lab.model).items()
    if isinstance(one, type) and is_dataclass(one) and name not in MADE_BY_FAULTS
]
FAULTS = [getattr(lab.faults, name) for name in lab.faults.__all__ if isinstance(getattr(lab.faults, name), type)]


@pytest.mark.parametrize("word", [*WORDS, *FAULTS], ids=lambda word: word.__name__)
def test_every_field_of_every_word_is_checked(word: type) -> None:
    """A value of a useless type is refused for each field of a word, so that a new word is not forgotten."""
    needed = {one.name for one in fields(word)} & set(get_type_hints(word))
    for name in needed:
        with pytest.raises(WordError, match=rf": {name} is a value of the type Odd"):
            word(**{name: Odd()})


class Odd:
    """Of no use to a scenario, and not even to be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_what_is_right_is_made() -> None:
    """Whole numbers where numbers are asked for, tuples and lists, texts with line breaks, copies."""
    phase = Phase("x", 1, (faults.silence(link),))
    assert replace(phase, lasts_s=2).lasts_s == 2
    assert copy.deepcopy(link) == pickle.loads(pickle.dumps(link)) == link
    assert Service("a", env={"A": "one\ntwo\t", "B": 1, "C": 0.5, "D": True}).env["C"] == 0.5


def test_a_list_that_was_changed_afterwards() -> None:
    """What was right when it was written, and is not any more."""
    phases: list[Any] = [Phase("x", 1)]
    env: dict[Any, Any] = {}
    scenario = Scenario("t", "1", "q", Load("GET /", exchange, per_s=1), phases, [Variant("v", {exchange: env})], [])
    assert list(misfits(scenario)) == []
    phases.append("y")
    env["A"] = None
    assert list(misfits(scenario)) == ["Scenario: phases[1] is 'y'; it takes a Phase."]
    phases.pop()
    assert [sentence.partition(";")[0] for sentence in misfits(scenario)] == [
        "Variant: env[the service exchange]['A'] is None"
    ]


def test_a_fault_of_an_author_is_checked_too() -> None:
    """By its own annotations, with no further word."""
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Mine(Fault):
        link: Link
        per_s: float = 1.0
        pair: tuple[int, ...] = ()

    Mine.__annotations__["link"], Mine.__annotations__["per_s"] = Link, float
    Mine.__annotations__["pair"] = tuple[int, ...]
    with pytest.raises(WordError, match="Mine: per_s is 'x'; it takes a number"):
        Mine(link, per_s=wrong or "x")
    with pytest.raises(WordError, match="Mine: pair is 3; it takes a tuple"):
        Mine(link, pair=wrong or 3)
    assert isinstance(Mine(link), Typed)


def test_values_and_errors_are_shown_in_one_printable_line() -> None:
    """Whatever a file makes of them."""
    assert shown("a\x1b[31m\n") == r"'a\x1b[31m\n'"
    assert shown(print) == "the function print"
    assert told(ValueError("one\ntwo\x1b")) == r"ValueError: one two\x1b"
    odd: Mapping[str, object] = {"a": Odd()}
    assert shown(odd) == "a value of the type dict"
