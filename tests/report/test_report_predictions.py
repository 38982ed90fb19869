"""Where predictions were made the report scores them, and shows nothing measured until it is asked to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fabricate import Recipe, fabricate

from lab.record import Prediction, Run
from lab.report import write_report
from lab.report.numbers import quantity
from lab.report.sections import predict
from lab.report.view import View

ViewOf = Callable[[str], View]
ASKED = "What is <b>p90</b> in the fault?"


def guessed(run: Run, *predictions: Prediction) -> Run:
    """The run with these predictions."""
    return replace(run, record=replace(run.record, predictions=list(predictions)))


def test_a_guess_stands_beside_its_claim(view_of: ViewOf) -> None:
    """In its unit, with the factor, where it was measured; a question that was not answered stays as it was."""
    view = view_of("pass")
    question = view.spec.questions[0]
    first = Prediction(question.text, "0.5 s", 500.0, "callers wait out the timeout")
    data = predict.build(View(guessed(view.run, first, Prediction("Why?", "because")), view.handbook))
    assert data is not None
    scored, words = data.guesses
    assert scored.read_as == quantity(500, "ms")
    assert scored.measured.endswith("ms")
    assert scored.where == "callers wait out the timeout; off, fault"
    assert scored.far.endswith("× too low")
    assert (words.typed, words.measured, words.far) == ("because", "", "")
    assert question.text not in [asked.text for asked in data.questions]
    assert len(data.questions) == len(view.spec.questions) - 1


def test_without_predictions_nothing_is_hidden(view_of: ViewOf) -> None:
    """No box to tick."""
    data = predict.build(view_of("pass"))
    assert data is not None
    assert data.guesses == []


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of a run whose reader predicted."""
    run = fabricate(tmp_path_factory.mktemp("predicted"), Recipe(phases_s=(2, 3, 3), per_s=10))
    made = guessed(run, Prediction(ASKED, "500", 500.0, "callers wait out the timeout"))
    return write_report(made).read_text("utf-8")


def test_the_box_comes_before_all_that_it_hides(html: str) -> None:
    """Its state hides what stands after it: that takes no script and no server."""
    box = html.index('id="reveal"')
    assert box < html.index('<section id="verdict"')
    assert re.search(r"\.reveal:not\(:checked\) ~ section:not\(#verdict, #idea, #predict\)", html)
    assert html.count('for="reveal"') == 2


def test_what_was_typed_is_text(html: str) -> None:
    """A record from elsewhere makes no markup."""
    assert "What is &lt;b&gt;p90&lt;/b&gt; in the fault?" in html


def test_the_summary_has_the_score(tmp_path: Path) -> None:
    """A line each."""
    run = fabricate(tmp_path, Recipe(phases_s=(2, 3, 3), per_s=10))
    write_report(guessed(run, Prediction("How long?", "500", 500.0, "callers wait out the timeout")))
    text = (run.path / "summary.md").read_text("utf-8")
    assert re.search(r"\| How long\? \| 500.ms \| .+ \| .+ \|", text)
