"""What a metric gives: a number with its sample, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

ENOUGH = 20  # operations: below this a median says little, and a share moves by 5 points with each of them


@dataclass(frozen=True)
class Measured:
    """A number taken, or None and `why` not. `censored`: the true value is at least this, and may be more.

    `n` is the sample it rests on (operations, messages, profile samples), None where the metric counts none.
    """

    value: float | None
    censored: bool = False
    why: str = ""
    n: int | None = None


def too_few(n: int, things: str, where: str, least: int = ENOUGH) -> Measured | None:
    """The answer where a sample of `n` things is below the `least` that a metric takes; None where it is not."""
    if n >= least:
        return None
    what = f"no {things}" if not n else f"only {n:,} {things}"
    return Measured(None, why=f"{what} in {where}; the metric takes at least {least:,}", n=n)
