"""A knob: its name as it is typed, what it takes, where it stands, and what turning it makes of a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.model import Scalar, Scenario


@dataclass(frozen=True)
class Knob:
    """One thing that can be turned.

    `turns` names the variants that it changes. `now` is its value as text, empty where those that it turns differ.
    With `instead` it cannot be turned: the sentence says what to turn instead.
    """

    name: str
    takes: str
    now: str
    turns: tuple[str, ...]
    apply: Callable[[Scenario, str], Scenario]
    instead: str = ""


def scalar(text: str) -> Scalar:
    """A value as a scenario file would write it: a number where the text is one, and the text otherwise."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if str(number) == text or kind is float:
            return number
    return text


def as_text(value: object) -> str:
    """A value as it would be typed."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
