"""How a measuring function becomes a metric that scenarios name and records can take again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, wraps
from inspect import Parameter, Signature, signature
from typing import Concatenate, Literal, ParamSpec, get_args, get_origin, get_type_hints

from lab.errors import WordError
from lab.metrics.definition import Definition, define, page_of
from lab.metrics.measured import Measured
from lab.metrics.window import Window
from lab.model import Backing, Link, Metric, Scalar, Service
from lab.model.typed import bind, shown, wrong_type
from lab.record import MetricSpec

P = ParamSpec("P")


Answer = Measured | float | None
_METRICS: dict[str, Callable[..., Answer]] = {}
_UNITS: dict[str, str] = {}
_HINTS: dict[str, dict[str, object]] = {}
_CHOICES: dict[str, dict[str, tuple[str, ...]]] = {}  # by metric and argument: the words that it takes
_WHOSE = "of"
_WHOSE_IN_OLD_RECORDS = "all"  # records of before claims said whose waits they take


def metric(unit: str) -> Callable[[Callable[Concatenate[Window, P], Answer]], Callable[P, Metric]]:
    """Turn `measure(window, **args)` into the function that scenario files call, which gives a Metric.

    Arguments become plain values: a link or a service its name, several `a, b`; those left out their defaults, so that
    a record keeps its meaning when a default changes; None is not kept. Metrics are told apart by the function's name.
    """

    def declare(function: Callable[Concatenate[Window, P], Answer]) -> Callable[P, Metric]:
        name = function.__name__
        if name in _METRICS:
            raise ValueError(f"two metrics are called {name}; records tell metrics apart by name")
        _METRICS[name], _UNITS[name] = function, unit
        _HINTS[name] = get_type_hints(function)
        _CHOICES[name] = {arg: get_args(hint) for arg, hint in _HINTS[name].items() if get_origin(hint) is Literal}
        window_first = signature(function)
        asked = window_first.replace(parameters=list(window_first.parameters.values())[1:])

        @wraps(function)
        def factory(*args: P.args, **kwargs: P.kwargs) -> Metric:
            return Metric(name, unit, _plain(name, asked, args, kwargs))

        factory.__dict__["__signature__"] = asked.replace(return_annotation=Metric)
        return factory

    return declare


def _plain(name: str, asked: Signature, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, Scalar]:
    known = kwargs.keys() <= asked.parameters.keys()  # else a name is misspelled, perhaps this one
    if _WHOSE in _CHOICES[name] and known and _WHOSE not in kwargs:
        words = _or([f'{_WHOSE}="{word}"' for word in _CHOICES[name][_WHOSE]])
        raise WordError(f"metrics.{name}: say whose waits it takes, {words}")
    bound = bind(f"metrics.{name}", asked, args, kwargs)
    bound.apply_defaults()
    given: dict[str, object] = {}
    for key, value in bound.arguments.items():
        if asked.parameters[key].kind is Parameter.VAR_KEYWORD:
            given.update(value)
        else:
            given[key] = value
    for key, value in given.items():
        hint = _HINTS[name][key] if key in asked.parameters else object
        if wrong := wrong_type(value, hint, key):
            raise WordError(f"metrics.{name}: {wrong}")
    return {key: _scalar(name, key, value) for key, value in given.items() if value is not None}


def _wrong_word(name: str, args: Mapping[str, Scalar]) -> str:
    for key, words in _CHOICES[name].items():
        if key in args and args[key] not in words:
            return f"{key} is {args[key]!r}; it takes " + _or([f'"{word}"' for word in words])
    return ""


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _scalar(name: str, key: str, value: object) -> Scalar:
    if isinstance(value, Link | Service | Backing):
        return value.name
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Sequence) and value and all(isinstance(one, Link | Service | Backing) for one in value):
        return ", ".join(one.name for one in value)
    raise WordError(f"metrics.{name}: {key} is {shown(value)}; it takes text, a number, a link or a service")


def names_of(services: Service | Backing | str | Sequence[Service]) -> list[str]:
    """The names of one service or of several; scenarios give the objects, records `a, b`."""
    if isinstance(services, Service | Backing):
        return [services.name]
    return services.split(", ") if isinstance(services, str) else [service.name for service in services]


def name_of(thing: Link | Service | Backing | str) -> str:
    """The name of a link or a service; scenarios give the object, records its name."""
    return thing if isinstance(thing, str) else thing.name


def names() -> tuple[str, ...]:
    """Every metric there is."""
    return tuple(sorted(_METRICS))


def parameters(name: str) -> tuple[str, ...]:
    """What a metric of this lab takes by name, the labels of a counter apart."""
    asked = list(signature(_METRICS[name]).parameters.values())[1:]
    return tuple(each.name for each in asked if each.kind is not Parameter.VAR_KEYWORD)


@cache
def definition(name: str) -> Definition | None:
    """What a metric measures, in words; None where this lab has none of that name."""
    function = _METRICS.get(name)
    if function is None:
        return None
    asked = list(signature(function).parameters.values())[1:]
    written = [str(each).replace(f"'{each.annotation}'", str(each.annotation)) for each in asked]
    first_named = next((k for k, each in enumerate(asked) if each.kind is Parameter.KEYWORD_ONLY), None)
    if first_named is not None:
        written.insert(first_named, "*")
    return define(function, _UNITS[name], f"({', '.join(written)})")


def page() -> str:
    """The page docs/metrics.md: every metric's definition, in Markdown."""
    return page_of([found for name in names() if (found := definition(name))])


def measure(spec: MetricSpec, window: Window) -> Measured:
    """Take a metric of one variant, phase and trial.

    Gives None with a reason where there is nothing to measure, where this lab does not know the metric or its
    arguments, and where the number would not be finite; never raises for what a record holds.
    """
    if window.missing:
        return Measured(None, why=window.missing)
    function = _METRICS.get(spec.name)
    if function is None:
        return Measured(None, why=f'this lab has no metric "{spec.name}"')
    args = {_WHOSE: _WHOSE_IN_OLD_RECORDS, **spec.args} if _WHOSE in _CHOICES[spec.name] else spec.args
    try:
        signature(function).bind(window, **args)
    except TypeError as error:
        return Measured(None, why=f"{spec.name} does not take the recorded arguments: {error}")
    wrong = _wrong_word(spec.name, args)
    if wrong:
        return Measured(None, why=f"{spec.name} does not take the recorded arguments: {wrong}")
    try:
        answer = function(window, **args)
    except Exception as error:  # a record may hold anything; a run is not to end for one number
        return Measured(None, why=f"{spec.name} cannot read {window.text}: {type(error).__name__}: {error}")
    measured = answer if isinstance(answer, Measured) else Measured(answer)
    if measured.value is None:
        return measured if measured.why else replace(measured, why=f"{spec.name} had nothing to measure")
    if not math.isfinite(measured.value):
        return Measured(None, why=f"{spec.name} came out as {measured.value}")
    return measured
