"""What a sweep asks: an experiment, a knob with its values, how each point is run; all checked before a start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from lab.catalogue import Entry, knobs
from lab.errors import LabError

EXAMPLE = "on:exchange.BREAKER_OPEN_S=1,2,5,10"
MOST_VALUES = 30


class Asked(msgspec.Struct, frozen=True):
    """What tells one sweep from another. `turned` are further knobs, `NAME=VALUE` each, the same at every point."""

    name: str
    knob: str
    values: tuple[str, ...]
    turned: tuple[str, ...] = ()
    seed: int = 1
    trials: int = 1
    scale: float = 1.0
    runtime: str | None = None


class Question(msgspec.Struct, frozen=True):
    """A sweep that can be run: an experiment for each value, and the variants that the knob turns."""

    asked: Asked
    points: tuple[tuple[str, Entry], ...]
    turns: tuple[str, ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """The variants that are the same at every point, which are played once."""
        return tuple(each.name for each in self.points[0][1].scenario.variants if each.name not in self.turns)


def values_of(text: str) -> tuple[str, tuple[str, ...]]:
    """The knob and its values of `KNOB=V1,V2,...`. Raises LabError."""
    name, _, listed = text.partition("=")
    values = tuple(value.strip() for value in listed.split(",") if value.strip())
    if not name or len(values) < 2:
        raise LabError(f'"{text}" is no sweep; give a knob and two values or more, such as {EXAMPLE}')
    for value, count in Counter(values).items():
        if count > 1:
            raise LabError(f"{name} is swept over {value} twice; leave one out")
    if len(values) > MOST_VALUES:
        raise LabError(f"{name} is swept over {len(values)} values; a sweep takes at most {MOST_VALUES}")
    return name.strip(), values


def question(entry: Entry, asked: Asked) -> Question:
    """Turn the knob to each value, without running anything. Raises LabError with one sentence."""
    if asked.knob in {name for name, _ in knobs.split(asked.turned)}:
        raise LabError(f"{asked.knob} is both swept and set; leave one out")
    points = tuple((value, knobs.turn(entry, [*asked.turned, f"{asked.knob}={value}"])) for value in asked.values)
    knob = next(knob for knob in knobs.knobs_of(entry.scenario) if knob.name == asked.knob)
    return Question(asked, points, knob.turns)


def command(asked: Asked) -> str:
    """What repeats it, or goes on with it."""
    import shlex

    words: Sequence[str] = [
        "make sweep",
        f"NAME={shlex.quote(asked.name)}",
        f'KNOB="{asked.knob}={",".join(asked.values)}"',
        *([f"SET={shlex.quote(' '.join(asked.turned))}"] if asked.turned else []),
        *([f"SEED={asked.seed}"] if asked.seed != 1 else []),
        *([f"TRIALS={asked.trials}"] if asked.trials != 1 else []),
        *([f"SCALE={asked.scale:g}"] if asked.scale != 1 else []),
        *([f"RUNTIME={asked.runtime}"] if asked.runtime else []),
    ]
    return " ".join(words)
