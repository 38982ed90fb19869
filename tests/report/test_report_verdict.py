"""The head of a report: what the pattern gained, and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.report.numbers import metric_value
from lab.report.sections import verdict
from lab.report.view import View

pytestmark = pytest.mark.e2e

ViewOf = Callable[[str], View]


def test_the_verdict_contrasts_control_and_pattern(view_of: ViewOf) -> None:
    """For each claim about the pattern: what the control showed in the same phase, and what the pattern did."""
    found = {c.text: c for c in verdict.build(view_of("pass")).gained}
    refusals = found["refusals are immediate"]
    assert (refusals.metric, refusals.control, refusals.variant) == ("p90 of all requests in fault", "off", "on")
    assert refusals.control_value == "1,011 ms"
    assert refusals.value.endswith(" ms")
    assert (found["payments is spared"].control_value, found["payments is spared"].value) == ("1,000", "63")
    assert "callers wait out the timeout" not in found


def test_what_got_worse_is_never_left_out(view_of: ViewOf) -> None:
    """A control that rejected nothing recovers at once: that the breaker takes seconds stands beside what it gained."""
    data = verdict.build(view_of("pass"))
    paid = {c.text: (c.control_value, c.value) for c in data.paid}
    assert paid["payments is let back in"] == ("0 s", "4.18 s")
    assert not {c.text for c in data.gained} & set(paid)


def test_a_price_is_paid_even_where_it_is_less_than_the_controls(view_of: ViewOf) -> None:
    """The scenario says what is a price; that the control's number is larger makes it no gain."""
    view = view_of("pass")
    priced = [replace(claim, price=claim.text == "payments is spared") for claim in view.spec.claims]
    run = replace(view.run, record=replace(view.record, spec=replace(view.spec, claims=priced)))
    data = verdict.build(replace(view, run=run))
    assert "payments is spared" in {c.text for c in data.paid}
    assert "payments is spared" not in {c.text for c in data.gained}


def test_contrasts_are_of_all_trials(view_of: ViewOf) -> None:
    """As the claims are: the medians, whichever trial the charts draw."""
    view = view_of("quick trials")
    shown = {c.text: c.value for c in [*verdict.build(view).gained, *verdict.build(view).paid]}
    assert view.judgement is not None
    judged = {r.claim.text: r for r in view.judgement.claims if not r.claim.control and r.claim.of is None}
    typical = {text: r for text, r in judged.items() if text in shown and not r.claim.holds_always}
    assert typical
    for text, result in typical.items():
        assert result.value is not None
        assert shown[text].removeprefix("≥ ") == metric_value(result.value, result.claim.metric), text
