"""What a reader of a verdict would do next."""

from __future__ import annotations

import math
import os
import shlex

from lab.record import ClaimResult, Record

MIN_TRIALS_FOR_INTERVAL = 6  # with fewer no interval of a median reaches 95 %


def try_next(record: Record) -> str:
    """One line: what a reader of this verdict would do next."""
    judgement, make = record.judgement, f"make scenario NAME={shlex.quote(_name(record))}"
    if judgement is None:
        return typed(record.command)
    if record.turned:
        return f"{typed(make)}, which is the catalogue's own run; {typed('make compare')} sets the two side by side"
    more = typed(f"{make} TRIALS={max(MIN_TRIALS_FOR_INTERVAL, 2 * record.trials)}")
    show = typed(f"make show NAME={_name(record)}")
    if judgement.verdict == "PASS" and record.scale >= 1:
        if record.trials < MIN_TRIALS_FOR_INTERVAL:
            return f"{more}, to see how far chance moves the numbers"
        return _exercise(record) or f"{show}, and change what it shows"
    unmet = {condition.name for condition in judgement.conditions if not condition.met}
    if {"load reached", "load on time", "host not saturated"} & unmet:
        return f"{typed('make doctor')}, stop what else keeps this machine busy, then {typed(record.command)}"
    if unmet:
        return f"{typed(record.command)}, once you have fixed what the reason names"
    if record.scale < 1:
        return f"{typed(make)}, at full length: its bounds were set for that"
    if any(_inconclusive(result) for result in judgement.claims):
        return f"{more}: more trials make the interval narrower"
    if record.trials < MIN_TRIALS_FOR_INTERVAL:
        return f"{more}, to see whether it was chance"
    return f"{show}, and compare each claim with what the report shows"


def typed(make: str) -> str:
    """A make line as the reader types it: who runs `bin/lab`, for its exit codes, is told `bin/lab run`."""
    own = os.environ.get("LAB_COMMAND")
    if not own:
        return make
    _, target, *words = shlex.split(make)
    given = [word.partition("=") for word in words]
    names = [value for name, _, value in given if name in _PLACES]
    options = [part for name, _, value in given if name not in _PLACES for part in (_option(name), value)]
    return shlex.join([own, {"scenario": "run"}.get(target, target), *names, *options])


_PLACES = ("NAME", "RUN")  # what stands without an option's name


def _option(variable: str) -> str:
    return f"--{variable.lower().replace('_', '-')}"


def _name(record: Record) -> str:
    """What NAME= takes: as the run was asked for."""
    found = [word for word in shlex.split(record.command) if word.startswith("NAME=")]
    return found[0].removeprefix("NAME=") if found else record.spec.name


def _inconclusive(result: ClaimResult) -> bool:
    return result.verdict == "UNKNOWN" and result.interval is not None


def _exercise(record: Record) -> str | None:
    """One of the exercises, another after each run, so that all have their turn."""
    exercises = record.spec.exercises
    if not exercises:
        return None
    chosen = exercises[math.floor(record.started_epoch_s) % len(exercises)]
    if chosen.knob.startswith("SET="):
        return f"{typed(f'make scenario NAME={_name(record)} {chosen.knob}')}: {chosen.text}"
    return f"{chosen.text} ({chosen.knob})"
