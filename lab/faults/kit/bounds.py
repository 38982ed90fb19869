"""Mistakes in the numbers of a fault, told while the scenario file is read."""

from __future__ import annotations


def whole(fault: str, name: str, value: object, least: int) -> None:
    """Raise ValueError unless `value` is a whole number of at least that much: the fault proxy takes no fractions."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{fault}: {name} is {value!r}; it takes a whole number of at least {least}")


def at_least(fault: str, name: str, value: object, least: float) -> None:
    """Raise ValueError unless `value` is a number of at least that much."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        raise ValueError(f"{fault}: {name} is {value!r}; it takes a number of at least {least:g}")


def share(fault: str, name: str, value: object, most: float = 1.0) -> None:
    """Raise ValueError unless `value` is a share: above 0 and at most `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise ValueError(f"{fault}: {name} is {value!r}; it takes a share above 0, up to {most:g}")
