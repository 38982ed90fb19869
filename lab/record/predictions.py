"""Guesses made before a run: which claim answers a question, how a guess is read, how far off it was."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from lab.record.facts import ClaimResult, Judgement, Prediction
from lab.record.spec import ClaimSpec, QuestionSpec, Spec

CLOSE = 1.1  # a factor up to which a guess is called right
_NUMBER = re.compile(
    r"[≈~]?\s*([+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:[.,]\d+)?|[.,]\d+)(?:e[+-]?\d+)?)\s*(.*)", re.IGNORECASE
)
_MS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0}
_WORDS = {"seconds": "s", "second": "s", "sec": "s", "milliseconds": "ms", "minutes": "min", "percent": "%"}
_WORDS |= {"times": "x"}


def answering(question: QuestionSpec, spec: Spec) -> ClaimSpec | None:
    """The claim that a guess is held against: the first that is named, of several with a metric the pattern's.

    None where no claim answers it, such as where an invariant does: then the answer is in words.
    """
    for name in question.answered_by:
        found = [claim for claim in spec.claims if name in (claim.text, claim.metric.name)]
        if found:
            return next((claim for claim in found if not claim.control), found[0])
    return None


def unit(claim: ClaimSpec) -> str:
    """What a guess is asked in: `ms`, `%`, `multiple of off` for a ratio, empty for a count."""
    if claim.of:
        return f"multiple of {claim.of}"
    return "%" if claim.is_share else claim.metric.unit


def read(text: str, claim: ClaimSpec) -> float:
    """A guess as a number in the claim's own unit; `0.5 s` is 500 where that is ms. Raises ValueError in a sentence.

    `1,000` is a thousand and `0,5` a half. A share may be given as `75 %`, as `75` or as `0.75`.
    """
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text.strip()!r} is no number; {_wanted(claim)}")
    value = float(_plain(found[1]))
    given = found[2].strip().lower().rstrip(".")
    given = _WORDS.get(given, given)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{text.strip()!r} is not a number of 0 or more; {_wanted(claim)}")
    return _converted(value, given, claim, text.strip())


def _plain(digits: str) -> str:
    """Digits as Python reads them: a comma between groups of three goes, any other one is a decimal point."""
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", digits):
        return digits.replace(",", "")
    return digits.replace(",", ".")


def _converted(value: float, given: str, claim: ClaimSpec, text: str) -> float:
    own = claim.metric.unit
    if claim.of:
        if given in ("", "x", "×", f"x {claim.of}".lower(), f"times {claim.of}".lower()):
            return value
        if given == "%":
            return value / 100
    elif claim.is_share:
        if given == "%" or (given == "" and value > 1):
            return value / 100
        if given == "":
            return value
    elif given in _MS and own in _MS:
        return value * _MS[given] / _MS[own]
    elif given in ("", own.lower()):
        return value
    raise ValueError(f"{text!r} has another unit; {_wanted(claim)}")


def _wanted(claim: ClaimSpec) -> str:
    """What to type, with an example."""
    if claim.of:
        return f"type how many times that of {claim.of} it is, such as 0.5"
    if claim.is_share:
        return "type a percentage, such as 75 %"
    if claim.metric.unit in _MS:
        return f"type {'seconds' if claim.metric.unit == 's' else 'milliseconds'}, such as 20 or 20 {claim.metric.unit}"
    return "type a number, such as 20"


@dataclass(frozen=True)
class Score:
    """How far a guess is from what was measured: `factor` is 1 or more; None where there is none."""

    text: str
    factor: float | None = None


def result_of(prediction: Prediction, judgement: Judgement | None) -> ClaimResult | None:
    """What was measured of what was guessed; None where nothing was."""
    results = judgement.claims if judgement and prediction.claim else []
    return next((r for r in results if r.claim.text == prediction.claim and r.value is not None), None)


def score(guess: float, result: ClaimResult) -> Score:
    """A guess against a claim that was measured."""
    measured = result.value
    assert measured is not None
    if result.censored and guess >= measured:
        return Score("not known: it is at least what was measured")
    if guess == measured:
        return Score("exact", 1.0)
    if guess == 0 or measured == 0:
        return Score("no factor from 0: too " + ("low" if guess < measured else "high"))
    factor = max(guess / measured, measured / guess)
    if factor <= CLOSE and not result.censored:
        return Score(f"right within {math.ceil((factor - 1) * 100 - 1e-9)} %", factor)
    least = "at least " if result.censored else ""
    return Score(f"{least}{_digits(factor)} × too {'low' if guess < measured else 'high'}", factor)


def _digits(factor: float) -> str:
    return f"{factor:.2f}" if factor < 2 else f"{factor:.1f}" if factor < 10 else f"{factor:,.0f}"
