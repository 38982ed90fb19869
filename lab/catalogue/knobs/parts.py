"""The knobs of the load and of the phases with their faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial
from typing import Any

from lab.catalogue.knobs.knob import Knob, as_text, scalar
from lab.errors import LabError
from lab.faults import spec
from lab.model import Fault, Phase, Scenario

_LOAD = {
    "per_s": "arrivals a second, above 0",
    "arrivals": "uniform or poisson",
    "users": "a whole number from 1",
    "think_s": "seconds, 0 or more",
    "timeout_s": "seconds, above 0",
}
_OPEN, _CLOSED = ("per_s", "arrivals", "timeout_s"), ("users", "think_s", "timeout_s")


def load_knobs(scenario: Scenario) -> Iterator[Knob]:
    """Those that its model, open or closed, has."""
    every = tuple(variant.name for variant in scenario.variants)
    for field in _OPEN if scenario.load.is_open else _CLOSED:
        now = as_text(getattr(scenario.load, field))
        yield Knob(f"load.{field}", _LOAD[field], now, every, partial(_of_load, field))


def _of_load(field: str, scenario: Scenario, text: str) -> Scenario:
    return replace(scenario, load=_changed(f"load.{field}", scenario.load, field, text))


def phase_knobs(scenario: Scenario) -> Iterator[Knob]:
    """The length of each phase, and the numbers and words of its faults: those of one kind in a phase turn together."""
    every = tuple(variant.name for variant in scenario.variants)
    for phase in scenario.phases:
        name = f"{phase.name}.lasts_s"
        yield Knob(name, "seconds, above 0", as_text(phase.lasts_s), every, partial(_lasts, phase.name))
        for kind in dict.fromkeys(spec(fault).kind for fault in phase.faults):
            same = [fault for fault in phase.faults if spec(fault).kind == kind]
            for field in (one.name for one in fields(same[0]) if _turns(same[0], one.name)):  # type: ignore[arg-type]
                values = {as_text(getattr(fault, field)) for fault in same}
                now = values.pop() if len(values) == 1 else ""
                turn = partial(_of_fault, phase.name, kind, field)
                yield Knob(f"{phase.name}.{kind}.{field}", f"as faults.{kind} takes it", now, every, turn)


def _turns(fault: Fault, field: str) -> bool:
    return isinstance(getattr(fault, field), str | int | float | bool) and spec(fault).kind != "at"


def _lasts(phase: str, scenario: Scenario, text: str) -> Scenario:
    changed = [_changed(f"{p.name}.lasts_s", p, "lasts_s", text) if p.name == phase else p for p in scenario.phases]
    return replace(scenario, phases=changed)


def _of_fault(phase: str, kind: str, field: str, scenario: Scenario, text: str) -> Scenario:
    def faults(of: Phase) -> Phase:
        told = f"{phase}.{kind}.{field}"
        return replace(of, faults=[_changed(told, f, field, text) if spec(f).kind == kind else f for f in of.faults])

    return replace(scenario, phases=[faults(each) if each.name == phase else each for each in scenario.phases])


def _changed(knob: str, word: Any, field: str, text: str) -> Any:
    """A word of the scenario with another value; what it does not take is told as it would be in the file."""
    value: object = scalar(text)
    if isinstance(getattr(word, field), bool):
        value = {"on": True, "true": True, "off": False, "false": False}.get(text.lower(), text)
    try:
        return replace(word, **{field: value})
    except (TypeError, ValueError) as error:  # WordError is both
        raise LabError(f"{knob}={text}: {error}") from error
