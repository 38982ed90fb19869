"""A guess is read in the claim's own unit, held against the claim that answers the question, and scored by a factor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import catalogue
from lab.errors import LabError
from lab.record import ClaimResult, ClaimSpec, MetricSpec, Prediction, QuestionSpec, read_run
from lab.record.predictions import answering, read, result_of, score, unit
from lab.run import guesses

MS = ClaimSpec("a", "on", "fault", MetricSpec("p90_ms", "ms"), at_most=50)
EXAMPLE = read_run(Path(__file__).resolve().parents[2] / "reports" / "example" / "circuit-breaker")
SECONDS = replace(MS, metric=MetricSpec("recovery_s", "s"))
SHARE = replace(MS, metric=MetricSpec("success_ratio", ""))
COUNT = replace(MS, metric=MetricSpec("attempts", ""))
RATE = replace(MS, metric=MetricSpec("counter_per_s", "/s"))
RATIO = replace(MS, of="off")


@pytest.mark.parametrize(
    ("typed", "claim", "value"),
    [
        ("500", MS, 500),
        (" 0.5 s ", MS, 500),
        ("0,5s", MS, 500),
        ("1,000", MS, 1000),
        ("1,234.5 ms", MS, 1234.5),
        ("~20 milliseconds", MS, 20),
        ("2 min", SECONDS, 120),
        ("300 ms", SECONDS, 0.3),
        ("1e3", COUNT, 1000),
        ("0", COUNT, 0),
        ("10/s", RATE, 10),
        ("75 %", SHARE, 0.75),
        ("75", SHARE, 0.75),
        ("0.75", SHARE, 0.75),
        ("0.5 %", SHARE, 0.005),
        ("0.25", RATIO, 0.25),
        ("2 x", RATIO, 2),
        ("25 %", RATIO, 0.25),
    ],
)
def test_a_guess_is_read_as_people_type_it(typed: str, claim: ClaimSpec, value: float) -> None:
    """With the unit or without, in another unit of time, with either comma."""
    assert read(typed, claim) == pytest.approx(value)


@pytest.mark.parametrize(
    ("typed", "claim", "said"),
    [
        ("soon", MS, "'soon' is no number; type milliseconds, such as 20 or 20 ms"),
        ("-3", COUNT, "'-3' is not a number of 0 or more; type a number, such as 20"),
        ("1e999", COUNT, "is not a number of 0 or more"),
        ("20 apples", MS, "'20 apples' has another unit"),
        ("20 ms", COUNT, "has another unit"),
        ("20 ms", RATIO, "type how many times that of off it is, such as 0.5"),
        ("5 s", SHARE, "type a percentage, such as 75 %"),
        ("ms", MS, "is no number"),
        (".", MS, "is no number"),
        ("e5", MS, "is no number"),
    ],
)
def test_what_cannot_be_read_says_what_to_type(typed: str, claim: ClaimSpec, said: str) -> None:
    """One sentence, with an example."""
    with pytest.raises(ValueError, match="such as") as raised:
        read(typed, claim)
    assert said in str(raised.value)


def test_the_unit_is_the_claims() -> None:
    """A ratio is a multiple, a share a percentage, a count has none."""
    assert [unit(claim) for claim in (MS, RATIO, SHARE, COUNT, RATE)] == ["ms", "multiple of off", "%", "", "/s"]


@pytest.mark.parametrize(
    ("guess", "measured", "text"),
    [
        (500, 500, "exact"),
        (500, 510, "right within 2 %"),
        (550, 500, "right within 10 %"),
        (250, 502, "2.0 × too low"),
        (600, 500, "1.20 × too high"),
        (3000, 26, "115 × too high"),
        (0, 26, "no factor from 0: too low"),
        (3, 0, "no factor from 0: too high"),
        (0, 0, "exact"),
    ],
)
def test_a_score_is_a_factor(guess: float, measured: float, text: str) -> None:
    """Either way 1 or more; where one of the two is 0 there is none."""
    found = score(guess, ClaimResult(MS, "PASS", measured, ""))
    assert found.text == text
    assert (found.factor is None) == text.startswith("no factor")


def test_a_censored_value_bounds_the_score() -> None:
    """What is only known to be at least so much may be all that was guessed."""
    result = ClaimResult(SECONDS, "PASS", 10, "", censored=True)
    assert score(20, result).factor is None
    assert score(5, result).text == "at least 2.0 × too low"


def test_a_question_is_answered_by_its_claim() -> None:
    """By text, or by the metric's name: then the pattern's rather than the control's; an invariant is no number."""
    spec = replace(
        catalogue.find("circuit-breaker").spec(),
        claims=[replace(MS, text="control", control=True), replace(MS, text="pattern"), replace(COUNT, text="other")],
    )
    answers = {name: answering(QuestionSpec("?", [name]), spec) for name in ("other", "p90_ms", "an invariant")}
    assert {name: claim and claim.text for name, claim in answers.items()} == {
        "other": "other",
        "p90_ms": "pattern",
        "an invariant": None,
    }


def test_what_was_not_measured_has_no_score() -> None:
    """A run that was never judged, a claim that is gone."""
    judged, claim = EXAMPLE.record.judgement, "callers wait out the timeout"
    assert judged
    found = result_of(Prediction("?", "5", 5, claim), judged)
    assert found
    assert found.claim.text == claim
    for prediction, judgement in (
        (Prediction("?", "5", 5, claim), None),
        (Prediction("?", "5", 5, "a claim that is gone"), judged),
        (Prediction("?", "because"), judged),
    ):
        assert result_of(prediction, judgement) is None


def test_predictions_wait_for_the_next_run(tmp_path: Path) -> None:
    """They are kept by experiment, and gone once a record has them; a damaged file is none."""
    folder = tmp_path / "predictions"
    made = [Prediction("?", "5 s", 5.0, "a"), Prediction("why?", "because")]
    assert guesses.kept("x", folder) == []
    guesses.keep("x", made, folder)
    assert guesses.kept("x", folder) == made
    assert guesses.kept("y", folder) == []
    guesses.drop("x", EXAMPLE, folder)  # a run that has others
    assert guesses.kept("x", folder) == made
    with_them = replace(EXAMPLE, record=replace(EXAMPLE.record, predictions=made))
    guesses.drop("x", with_them, folder)
    guesses.drop("x", with_them, folder)
    assert guesses.kept("x", folder) == []
    (folder / "x.json").write_text("[{")
    assert guesses.kept("x", folder) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="cannot be kept"):
        guesses.keep("x", made, tmp_path / "file")


def test_every_question_can_be_asked() -> None:
    """In the whole catalogue a question names a claim, which has a unit, or an invariant, answered in words."""
    for entry in catalogue.read_all()[0]:
        spec = entry.spec()
        invariants = {invariant.text for invariant in spec.invariants}
        for question in spec.questions:
            assert answering(question, spec) or invariants & set(question.answered_by), f"{entry.name}: {question.text}"
