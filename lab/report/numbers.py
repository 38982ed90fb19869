"""Numbers as a reader wants them: three digits that count, and always a unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from lab.record import ClaimSpec, MetricSpec
from lab.record.words import DIGITS, digits_apart, nearest_bound

_THIN = " "  # narrow no-break space between number and unit


def number(value: float, digits: int = 3) -> str:
    """Three digits that count, thousands apart: 1,003 and 2.98 and 0.0063."""
    if not math.isfinite(value):
        return "none"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(places, 6) if digits <= DIGITS else places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def measured(value: float, digits: int = 3) -> str:
    """As `number`, but zeros that were measured stay: 1.00, beside 0.97, is not 1."""
    if value == int(value) or not math.isfinite(value):
        return number(value, digits)
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 6) if digits <= DIGITS else places}f}"


def quantity(value: float, unit: str, text: Callable[[float], str] = number) -> str:
    """A number with its unit: `1,003 ms`."""
    return f"{text(value)}{_THIN}{unit}" if unit else text(value)


def duration(seconds: float) -> str:
    """Seconds in the unit that fits: `0.4 ms`, `2.1 s`, `3 min 20 s`."""
    if seconds < 1:
        return quantity(seconds * 1000, "ms", measured)
    if seconds < 120:
        return quantity(seconds, "s", measured)
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def percent(ratio: float, digits: int = DIGITS) -> str:
    """A share as a percentage that never rounds an almost to 100 or 0."""
    if digits > DIGITS:
        return f"{number(ratio * 100, digits)}{_THIN}%"
    if 0.9995 <= ratio < 1:
        return f"{math.floor(ratio * 1e5) / 1e3:g}{_THIN}%"
    if 0 < ratio < 0.001:
        return f"{number(ratio * 100, 2)}{_THIN}%"
    return f"{number(ratio * 100)}{_THIN}%"


def claim_value(value: float, claim: ClaimSpec) -> str:
    """A claim's value with its unit; a ratio names the variant it was divided by, a share is a percentage.

    With as many digits as it takes to tell it from the bound.
    """
    beside = nearest_bound(claim, value)
    digits = digits_apart(value, lambda v, d: _in_unit(v, claim, partial(number, digits=d), d), beside)
    return _in_unit(value, claim, partial(measured, digits=digits), digits)


def _in_unit(value: float, claim: ClaimSpec, text: Callable[[float], str], digits: int = DIGITS) -> str:
    return quantity(value, f"× {claim.of}", text) if claim.of else metric_value(value, claim.metric, text, digits)


def metric_value(
    value: float, metric: MetricSpec, text: Callable[[float], str] = measured, digits: int = DIGITS
) -> str:
    """A metric's value with its unit; a share is a percentage."""
    if metric.is_share:
        return percent(value, digits)
    if metric.unit == "s" and 0 < value < 1:
        return quantity(value * 1000, "ms", text)
    return quantity(value, metric.unit, text)


def link_text(text: str) -> str:
    """Names of links with a real arrow: `exchange→payments`, which no line break can tear apart."""
    return text.replace("->", "→")


def bound(claim: ClaimSpec) -> str:
    """The bound in symbols: `≤ 50 ms`."""
    given = (("≥", claim.at_least), ("≤", claim.at_most))
    return " and ".join(f"{sign}{_THIN}{_in_unit(value, claim, number)}" for sign, value in given if value is not None)


def at(seconds: float | None) -> str:
    """A moment of the run: `12.3 s`."""
    return "–" if seconds is None else f"{seconds:.1f}{_THIN}s"


def clock(epoch_s: float) -> str:
    """Date and time, UTC."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def bytes_of(count: float) -> str:
    """Bytes in the unit that fits, powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return quantity(count, unit)
        count /= 1000
    return quantity(count, "TB")


_UNITS = {"short": "", "none": "", "ms": "ms", "reqps": "req/s", "ops": "ops/s", "cps": "/s", "percent": "%"}


def panel_value(value: float, unit: str, names: Mapping[int, str]) -> str:
    """A panel's sample in its Grafana unit, or the state that the number stands for."""
    if names and value == int(value) and int(value) in names:
        return names[int(value)]
    if unit == "s":
        return duration(value) if value >= 0 else quantity(value, "s")
    if unit == "percentunit":
        return percent(value)
    if unit in {"bytes", "decbytes"}:
        return bytes_of(value)
    if unit == "Bps":
        return bytes_of(value) + "/s"
    return quantity(value, _UNITS.get(unit, unit))
