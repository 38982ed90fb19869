"""Every protected variant claims the work that it still does: a pattern that refuses everything never passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import Claim, Invariant, Load, Phase, Scenario, Service, Variant, checkers, metrics
from lab.catalogue import Entry, read_all
from lab.catalogue.validate.work import unclaimed_work

SHOP = Service("exchange")
QUICK = Claim("quick", "on", "fault", metrics.p90_ms(of="all"), at_most=50)
SERVED = Claim("all are served", "on", "baseline", metrics.success_ratio(), at_least=0.99)
LOST = Claim("few are lost", "on", "fault", metrics.requests_lost(), at_most=3)
SCENARIO = Scenario(
    title="Planted",
    handbook="7.6",
    question="?",
    load=Load("GET /", to=SHOP, per_s=10),
    phases=[Phase("baseline", 5), Phase("fault", 5)],
    variants=[Variant("off"), Variant("on")],
    claims=[QUICK, SERVED, LOST],
)


def test_a_variant_that_claims_success_in_each_phase_is_sound() -> None:
    """By a ratio, or by what is lost at most."""
    assert list(unclaimed_work(SCENARIO)) == []


@pytest.mark.parametrize(
    "claims",
    [
        [QUICK, SERVED],
        [QUICK, SERVED, replace(LOST, at_most=None, at_least=3)],
        [QUICK, SERVED, replace(LOST, variant="off")],
    ],
)
def test_a_quick_refusal_is_no_work(claims: list[Claim]) -> None:
    """A latency, a loss of at least so many, and another variant's success say nothing of what this one does."""
    (problem,) = unclaimed_work(replace(SCENARIO, claims=claims))
    assert problem == (
        'variant "on" claims nothing about the work that it does in "fault": claim its success there, '
        'or say why not with unclaimed={"fault": "..."}.'
    )


def test_a_variant_may_say_why_not() -> None:
    """A reason for each phase, and for none in which it claims something, or that is not there."""
    excused = replace(SCENARIO, claims=[QUICK, SERVED])
    assert list(unclaimed_work(_with(excused, {"fault": "payments is silent: nothing can succeed"}))) == []
    assert ["gives no reason" in p for p in unclaimed_work(_with(excused, {"fault": " "}))] == [True]
    assert ["and claims something there" in p for p in unclaimed_work(_with(SCENARIO, {"fault": "x"}))] == [True]
    assert ['did you mean "fault"?' in p for p in unclaimed_work(_with(SCENARIO, {"fautl": "x"}))] == [True]


def test_a_variant_that_is_meant_to_break_an_invariant_is_not_protected() -> None:
    """Nothing is asked of it."""
    weak = Invariant("kept", checkers.as_expected(), broken_in=["on"])
    assert list(unclaimed_work(replace(SCENARIO, claims=[QUICK], invariants=[weak]))) == []


def _with(scenario: Scenario, unclaimed: dict[str, str]) -> Scenario:
    return replace(scenario, variants=[Variant("off"), Variant("on", unclaimed=unclaimed)])


@pytest.mark.parametrize("entry", read_all()[0], ids=lambda entry: entry.name)
def test_the_catalogue_claims_its_work(entry: Entry) -> None:
    """Each experiment."""
    assert list(unclaimed_work(entry.scenario)) == []
