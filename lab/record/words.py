"""A claim's numbers in words, as the judge, the terminal and the report say them."""

from __future__ import annotations

import math
from collections.abc import Callable

from lab.record.spec import ClaimSpec, MetricSpec

DIGITS, MOST_DIGITS = 3, 15  # a double has 15 decimal digits that count


def bounds(claim: ClaimSpec) -> str:
    """The bound in words: `at most 50 ms`."""
    parts = [("at least", claim.at_least), ("at most", claim.at_most)]
    return " and ".join(f"{word} {quantity(bound, claim)}" for word, bound in parts if bound is not None)


def quantity(value: float, claim: ClaimSpec, beside: float | None = None) -> str:
    """A claim's value with its unit; a ratio to another variant says of which.

    Three digits that count; where `beside` (a bound) would then read the same though it is not, as many as it takes.
    """
    unit = f"x {claim.of}" if claim.of else claim.metric.unit
    return f"{told_apart(value, _number, beside)} {unit}".rstrip()


def told_apart(value: float, text: Callable[[float, int], str], *others: float | None) -> str:
    """`text(value, digits)` with the fewest digits, from three, that read unlike each other value."""
    return text(value, digits_apart(value, text, *others))


def digits_apart(value: float, text: Callable[[float, int], str], *others: float | None) -> int:
    """How many digits that takes."""
    differing = [other for other in others if other is not None and other != value]
    for digits in range(DIGITS, MOST_DIGITS):
        told = text(value, digits)
        if all(told not in (text(other, digits), text(other, DIGITS)) for other in differing):
            return digits
    return MOST_DIGITS


def bounds_of(claim: ClaimSpec) -> list[float]:
    """The bounds that a claim has: one or two."""
    return [bound for bound in (claim.at_least, claim.at_most) if bound is not None]


def nearest_bound(claim: ClaimSpec, value: float) -> float | None:
    """The bound that a value is closest to: the one that it must not be mistaken for."""
    return min(bounds_of(claim), key=lambda bound: abs(bound - value), default=None)


def whose(metric: MetricSpec) -> str:
    """Whose waits a latency is taken of: `of successes`; empty for what is no latency."""
    answers = {"ok": "of successes", "refused": "of rejections", "all": "of all requests"}
    return answers.get(str(metric.args.get("of", "all")), "") if metric.unit == "ms" else ""


def what_of_whom(metric: MetricSpec) -> str:
    """A metric as a line names it: `p90 of successes`, `recovery`, `attempts`."""
    name = metric.name.removesuffix(f"_{metric.unit}").replace("_", " ")
    return f"{name} {whose(metric)}".rstrip()


def lateness(late: float | None, claim: ClaimSpec) -> str:
    """How much of a latency is the load generator's own lateness: `of which 3.1 ms lateness`; empty where next to none.

    Next to none: less than a hundredth of the closest bound.
    """
    yardstick = min((abs(bound) for bound in bounds_of(claim)), default=0.0)
    if late is None or claim.of or late <= yardstick / 100:
        return ""
    return f"of which {_number(late, 2)} {claim.metric.unit} lateness"


def _number(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return "any number of" if value > 0 else "none"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    number = f"{value:,.{min(places, 4) if digits <= DIGITS else places}f}"
    return number.rstrip("0").rstrip(".") if "." in number else number
