"""
The types of what a scenario file writes, checked from the annotations where it is written.

A word (`Link(...)`, `faults.latency(...)`) checks its arguments before it is made, so that the mistake has the line of
the file, and every rule after that may rely on the types. Libraries that do this for plain data (msgspec, pydantic)
build new objects from it; here the objects are given, and their identity counts (a service is one object).
"""

from __future__ import annotations

import inspect
import math
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache, wraps
from typing import Any, Literal, ParamSpec, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from lab.errors import WordError

P = ParamSpec("P")
T = TypeVar("T")

LARGEST = 1e15  # whole numbers up to here survive JSON, Parquet and a double alike
LONGEST = 100_000  # characters; an environment variable holds 128 kB
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")  # no environment, header or terminal takes them
_SIGNATURE = 8  # arguments that are shown at once
_SHOWN, _TOLD = 60, 300  # characters of a wrong value, of an exception's text


class Typed:
    """What is made of arguments that fit their annotations, or raises WordError: one sentence with what would fit."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Check the arguments; copying and unpickling make one without any."""
        if args or kwargs:
            _door(cls).check(args, kwargs)  # type: ignore[arg-type]  # mypy takes a class for not hashable
        return super().__new__(cls)


def checked(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Have a function's arguments checked likewise; `name` is what a scenario file calls it."""

    def wrap(function: Callable[P, T]) -> Callable[P, T]:
        door = Door(name, inspect.signature(function), get_type_hints(function))

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            door.check(args, kwargs)
            return function(*args, **kwargs)

        return call

    return wrap


def misfits(word: object) -> Iterator[str]:
    """What has come to be of the wrong type since a word was made, with all that it holds: lists can be changed."""
    waiting, seen = [word], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Typed) and is_dataclass(one):
            given = {each.name: getattr(one, each.name) for each in fields(one)}
            wrong = [wrong_type(given[name], hint, name) for name, hint in _hints(type(one)).items() if name in given]
            wrong = [f"{_called(type(one))}: {sentence}." for sentence in wrong if sentence]
            yield from wrong
            waiting += [] if wrong else given.values()
        elif isinstance(one, Mapping):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, Sequence) and not isinstance(one, str):
            waiting += one


def wrong_type(value: object, hint: Any, name: str) -> str:
    """Say what `name` takes where the value is none of it; empty where it is."""
    return "" if _fit(hint)(value) else _why(value, hint, name)


def bind(
    name: str, asked: inspect.Signature, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> inspect.BoundArguments:
    """Bind a call. Raises WordError where arguments are missing, or are none of the function's."""
    try:
        return asked.bind(*args, **kwargs)
    except TypeError:
        raise WordError(_unbound(name, asked, args, kwargs)) from None


def shown(value: object) -> str:
    """A value in few printable characters: services and links by name."""
    kind = type(value).__name__
    named = getattr(value, "name", None) if isinstance(value, Typed) else None
    if isinstance(named, str):
        return f"the {kind.lower()} {named}"
    if isinstance(value, Typed):
        return f"a {_called(type(value))}(...)"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    if isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        return f"a whole number of {len(str(abs(value))) if abs(value) < 10**4000 else 'thousands of'} digits"
    try:
        text = ascii(value) if isinstance(value, str) and _UNSENDABLE.search(value) else repr(value)
    except Exception:  # a number of 5,000 digits, an object whose __repr__ fails
        text = f"a value of the type {kind}"
    text = " ".join(text.split())
    if " at 0x" in text:
        return f"a value of the type {kind}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def told(error: BaseException) -> str:
    """An exception of a scenario file's own in one line."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # its __str__ is the file's, too
        text = ""
    text = _UNSENDABLE.sub(lambda found: ascii(found.group())[1:-1], text)
    return f"{type(error).__name__}: {text[:_TOLD]}".rstrip(": ")


def meant(word: str, known: Sequence[str]) -> str:
    """The name that was probably meant, or all that there are."""
    close = get_close_matches(word, known, n=1)
    return f'did you mean "{close[0]}"?' if close else f"there are {', '.join(known) or 'none'}."


# --- arguments ----------------------------------------------------------------------------------------------------


class Door:
    """What a word or a function takes, by name; `check` lets pass what it takes and raises WordError otherwise."""

    def __init__(self, name: str, asked: inspect.Signature, hints: Mapping[str, Any]) -> None:
        self._name, self._asked, self._hints = name, asked, hints
        self._names = list(asked.parameters)
        self._fits = {key: _fit(hints[key]) if key in hints else _anything for key in self._names}
        self._needs = {key for key, each in asked.parameters.items() if each.default is inspect.Parameter.empty}

    def check(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        """A load makes a request for each arrival: what is right is known without binding the arguments."""
        given = dict(zip(self._names, args, strict=False), **kwargs)
        for key, value in given.items():
            if key in self._hints and key in self._fits and not self._fits[key](value):
                raise WordError(f"{self._name}: {_why(value, self._hints[key], key)}")
        if len(given) != len(args) + len(kwargs) or not self._needs <= given.keys() <= self._fits.keys():
            bind(self._name, self._asked, args, kwargs)


def _anything(value: object) -> bool:
    return True


def _unbound(name: str, asked: inspect.Signature, args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
    takes = [p.name for p in asked.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    for key in kwargs:
        if key not in takes:
            return f'{name} takes no "{key}"; {meant(key, takes)}'
    by_place = [p.name for p in asked.parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    if len(args) > len(by_place):
        return (
            f"{name} takes at most {len(by_place)} values without their names ({', '.join(by_place)}); got {len(args)}"
        )
    for key in by_place[: len(args)]:
        if key in kwargs:
            return f'{name} is given "{key}" twice: by its place and by its name; leave one out'
    needs = [p.name for p in asked.parameters.values() if p.default is inspect.Parameter.empty]
    lacking = [key for key in needs if key not in kwargs and key not in by_place[: len(args)]]
    if len(asked.parameters) > _SIGNATURE:
        return f'{name} needs "{", ".join(lacking)}", which it is not given'
    written = str(asked.replace(return_annotation=inspect.Signature.empty)).replace("'", "")
    return f'{name} needs "{", ".join(lacking)}"; write {name}{written}'


def _called(cls: type) -> str:
    """What a scenario file calls it: `Link`, `faults.latency`."""
    return f"faults.{cls.__module__.rpartition('.')[2]}" if cls.__module__.startswith("lab.faults.") else cls.__name__


@cache
def _door(cls: type) -> Door:
    asked = inspect.signature(cls.__init__)  # type: ignore[misc]  # a class of ours: __init__ is its own
    return Door(_called(cls), asked.replace(parameters=list(asked.parameters.values())[1:]), _hints(cls))


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls) if is_dataclass(cls) else {}


# --- types --------------------------------------------------------------------------------------------------------


def _is_plain(value: object, kind: type) -> bool:
    """A class of a file's own that derives from text or a number could be anything; of an enumeration it is known."""
    return type(value) is kind or (isinstance(value, kind) and isinstance(value, Enum))


def _is_text(value: object) -> bool:
    return _is_plain(value, str) and isinstance(value, str) and len(value) <= LONGEST and not _UNSENDABLE.search(value)


def _is_whole(value: object) -> bool:
    return _is_plain(value, int) and isinstance(value, int) and -LARGEST <= value <= LARGEST


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value) and abs(value) <= LARGEST)


@dataclass(frozen=True)
class _Kind:
    fits: Callable[[object], bool]
    words: str


_PLAIN: dict[Any, _Kind] = {
    str: _Kind(_is_text, "text"),
    int: _Kind(_is_whole, "a whole number"),
    float: _Kind(_is_number, "a number"),
    bool: _Kind(lambda value: isinstance(value, bool), "True or False"),
    types.NoneType: _Kind(lambda value: value is None, "None"),
    object: _Kind(_anything, "anything"),
    Any: _Kind(_anything, "anything"),
}


@cache
def _fit(hint: Any) -> Callable[[object], bool]:
    """Whether a value fits an annotation."""
    if hint in _PLAIN:
        return _PLAIN[hint].fits
    of, inner = get_origin(hint), get_args(hint)
    if of in (Union, types.UnionType):
        return _any([_fit(each) for each in inner])
    if of is Literal:
        return lambda value: (value is None or isinstance(value, str)) and value in inner
    if of is Sequence:
        each = _fit(inner[0])
        return lambda value: _is_list(value) and all(map(each, value))  # type: ignore[call-overload]
    if of is Mapping:
        key, item = _fit(inner[0]), _fit(inner[1])
        return lambda value: isinstance(value, Mapping) and all(key(k) and item(v) for k, v in value.items())
    if of is Callable:
        return callable
    kind = of or hint  # of `tuple[int, ...]` and the like no more than the outer type
    return (lambda value: isinstance(value, kind)) if isinstance(kind, type) else _anything


def _any(fits: Sequence[Callable[[object], bool]]) -> Callable[[object], bool]:
    return lambda value: any(fit(value) for fit in fits)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _why(value: object, hint: Any, name: str) -> str:
    """Why a value does not fit: down to the item of a list, and the key of a mapping."""
    arms = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for arm in arms:
        of, inner = get_origin(arm), get_args(arm)
        if of is Sequence and _is_list(value):
            items = ((f"{name}[{n}]", item, inner[0]) for n, item in enumerate(value))  # type: ignore[var-annotated, arg-type]
            return next(_why(item, kind, where) for where, item, kind in items if not _fit(kind)(item))
        if of is Mapping and isinstance(value, Mapping):
            parts = [(f"a key of {name}", key, inner[0]) for key in value]
            parts += [(f"{name}[{shown(key)}]", item, inner[1]) for key, item in value.items()]
            return next(_why(item, kind, where) for where, item, kind in parts if not _fit(kind)(item))
    return f"{name} is {shown(value)}; {_instead(value, arms)}"


def _instead(value: object, arms: Sequence[Any]) -> str:
    """What it takes, and what to write where that is easily told."""
    if isinstance(value, str) and str in arms:
        return _unsendable(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and {int, float} & {*arms}:
        return _unusual(value, arms)
    words = [word for arm in arms for word in _literals(arm)]
    if isinstance(value, str) and words and (close := get_close_matches(value, words, n=1)):
        return f'did you mean "{close[0]}"?'
    takes = f"it takes {_one_of(arms)}"
    classes = [arm for arm in arms if isinstance(arm, type) and arm not in _PLAIN]
    if (isinstance(value, type) or inspect.isroutine(value)) and classes:
        return f"{takes}: write it as a call, with ( and )"
    if [arm.__name__ for arm in classes] == ["Link"] and hasattr(value, "name"):
        return f"{takes}: the one that leads there, such as Link(caller, {value.name})"
    if isinstance(value, str) and any(get_origin(arm) is Mapping for arm in arms):
        return f"{takes}: for another instance of a target write Service(name, module={shown(value)})"
    return takes


def _unsendable(value: str) -> str:
    if len(value) > LONGEST:
        return f"it takes at most {LONGEST:,} characters, and this has {len(value):,}"
    found = _UNSENDABLE.search(value)
    return f"leave out {found.group()!a}, which is no printable character" if found else "it takes other text"


def _unusual(value: float, arms: Sequence[Any]) -> str:
    if isinstance(value, float) and float not in arms:
        return "it takes a whole number"
    return f"it takes a {'' if float in arms else 'whole '}number from {-LARGEST:g} to {LARGEST:g}"


def _literals(arm: Any) -> list[str]:
    return [word for word in get_args(arm) if isinstance(word, str)] if get_origin(arm) is Literal else []


def _words(arm: Any) -> str:
    """An annotation in words."""
    if arm in _PLAIN:
        return _PLAIN[arm].words
    of, inner = get_origin(arm), get_args(arm)
    if of in (Union, types.UnionType):
        return _one_of(inner)
    if of is Literal:
        return " or ".join(f'"{word}"' if isinstance(word, str) else repr(word) for word in inner)
    if of is Sequence:
        return f"a list: [{_words(inner[0])}, ...]"
    if of is Mapping:
        return f"a mapping {{{_words(inner[0])}: {_words(inner[1])}}}"
    name = getattr(of or arm, "__name__", str(arm))
    return "a function" if of is Callable else f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _one_of(arms: Sequence[Any]) -> str:
    """`text, a number, True or False`: that a number may be whole is not said."""
    arms = [arm for arm in arms if arm is not int or float not in arms]
    *first, last = dict.fromkeys(_words(arm) for arm in arms)
    return f"{', '.join(first)} or {last}" if first else last
