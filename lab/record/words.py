"""A claim's numbers in words, as the judge, the terminal and the report say them."""

from __future__ import annotations

import math

from lab.record.spec import ClaimSpec


def bounds(claim: ClaimSpec) -> str:
    """The bound in words: `at most 50 ms`."""
    parts = [("at least", claim.at_least), ("at most", claim.at_most)]
    return " and ".join(f"{word} {quantity(bound, claim)}" for word, bound in parts if bound is not None)


def quantity(value: float, claim: ClaimSpec) -> str:
    """A claim's value with its unit; a ratio to another variant says of which."""
    unit = f"x {claim.of}" if claim.of else claim.metric.unit
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    number = f"{value:,.{min(digits, 4)}f}"
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}".rstrip()
