"""What the environment may say to a target: a frozen dataclass, read with every problem named at once."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Between:
    """Both ends of a number's range belong to it."""

    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True)
class BaseUrl:
    """A text that is the base URL of a server, with one of these schemes."""

    schemes: tuple[str, ...]
    example: str


Seconds = Annotated[float, Between(0.001, 3_600, "seconds")]
Millis = Annotated[float, Between(0, 3_600_000, "milliseconds")]
Ratio = Annotated[float, Between(0.001, 1)]
Count = Annotated[int, Between(1, 1_000_000)]
Port = Annotated[int, Between(0, 65_535)]
Url = Annotated[str, BaseUrl(("http", "https"), "http://127.0.0.1:8080")]
PostgresUrl = Annotated[str, BaseUrl(("postgresql",), "postgresql://user@127.0.0.1:5432/database")]
RedisUrl = Annotated[str, BaseUrl(("redis",), "redis://127.0.0.1:6379/0")]
NatsUrl = Annotated[str, BaseUrl(("nats",), "nats://127.0.0.1:4222")]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    The settings that every target has; a target's own inherit from it.

    A field `open_s` is read from the variable OPEN_S. Its type says what is right: int, float, bool (on or off), str or
    Literal, or one of the Annotated types above. A field without a default must be given. A field whose type is itself
    a dataclass is a group, such as a pattern's: its fields are variables of their own, by their own names.
    """

    service_name: str
    host: str = "127.0.0.1"
    port: Port = 0  # 0: a free one, told by the log's first line
    run_id: str = ""  # the run that it belongs to, which /healthz tells; empty: it was started by hand
    data_dir: str = ""  # a folder of its own, which outlives the process; empty: it has none
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    shutdown_grace_s: Annotated[float, Between(0, 600, "seconds")] = 5.0
    allow_ptrace: bool = False  # lets py-spy attach without root where Yama forbids it
    barriers: bool = False  # lets the engine hold operations at named points; see targets/kit/barriers.py


S = TypeVar("S", bound=Settings)
T = TypeVar("T")


class SettingsError(Exception):
    """The environment cannot be used. `problems` holds a line for each mistake: what, where, what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read(kind: type[S], env: Mapping[str, str]) -> S:
    """Settings of `kind` from `env`. Raises SettingsError with all that is wrong, names that look mistyped included."""
    problems: list[str] = []
    values = _values(kind, env, problems)
    problems += mistyped(kind, env)
    if not problems:
        try:
            return _made(kind, values)
        except ValueError as wrong:  # numbers that do not fit together, found by the __post_init__ of target or group
            problems.append(str(wrong))
    raise SettingsError(problems)


def variables(kind: type) -> Iterator[tuple[str, Any, Any]]:
    """The name, type and default (MISSING without one) of each variable that settings of `kind` are read from."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint = hints[field.name]
        if is_dataclass(hint):
            yield from variables(cast(type, hint))
        else:
            yield field.name.upper(), hint, field.default


def _values(kind: type, env: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """What is given, by field, a group's in a dictionary of its own; what is wrong goes to `problems`."""
    hints = get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for field in fields(kind):
        name, hint = field.name.upper(), hints[field.name]
        if is_dataclass(hint):
            values[field.name] = _values(cast(type, hint), env, problems)
            continue
        text = env.get(name)
        if text is None:
            if field.default is MISSING:
                problems.append(f"{name} is missing: give {wanted(hint)}")
            continue
        try:
            values[field.name] = parse(hint, text)
        except ValueError:
            problems.append(f"{name}={without_login(text)!r} cannot be: give {wanted(hint)}{_or_default(field)}")
    return values


def _made(kind: type[T], values: Mapping[str, Any]) -> T:
    """Raises ValueError where values do not fit together."""
    hints = get_type_hints(kind)
    return kind(**{name: _made(hints[name], one) if isinstance(one, dict) else one for name, one in values.items()})


def parse(hint: Any, text: str) -> object:
    """The value of type `hint` that `text` stands for. Raises ValueError where it stands for none."""
    if get_origin(hint) is Annotated:
        base, rule = get_args(hint)
        value = parse(base, text)
        return base_url(text, rule.schemes) if isinstance(rule, BaseUrl) else _within(rule, value)
    if get_origin(hint) is Literal:
        return _one_of(get_args(hint), text.lower())
    if hint is bool:
        return {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}[_known(text)]
    if hint is str:
        return _one_of((text.strip(),), text.strip())
    number: int | float = hint(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def wanted(hint: Any) -> str:
    """What a value of type `hint` looks like, in words."""
    if get_origin(hint) is Annotated:
        base, rule = get_args(hint)
        if isinstance(rule, BaseUrl):
            return f"a base URL such as {rule.example}"
        return f"{wanted(base)} from {rule.low:,} to {rule.high:,} {rule.unit}".rstrip()
    if get_origin(hint) is Literal:
        return " or ".join(get_args(hint))
    return {bool: "on or off", int: "a whole number", float: "a number"}.get(hint, "a text")


def mistyped(kind: type[Settings], env: Mapping[str, str]) -> list[str]:
    """
    A line for each variable that nobody reads but that is all but the name of one of the target's own settings.

    Worth refusing to start: a mistyped switch makes an experiment compare a variant with itself.
    """
    everyone = {name for name, _, _ in variables(Settings)}
    names = {name for name, _, _ in variables(kind)}
    own = sorted(names - everyone)
    near = {variable: difflib.get_close_matches(variable.upper(), own, n=1, cutoff=0.85) for variable in env}
    return [
        f"{variable} is set but no setting is called that: is {match[0]} meant?"
        for variable, match in sorted(near.items())
        if match and variable not in names
    ]


def base_url(text: str, schemes: tuple[str, ...]) -> str:
    """`text` without a slash at its end. Raises ValueError where it is not the base URL of such a server."""
    parts = urlsplit(text)
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment or parts.port == 0:
        raise ValueError(text)
    return text.rstrip("/")


def without_login(text: str) -> str:
    """A text as logs and errors may show it: where it has a URL with a user and a password in it, without these."""
    return re.sub(r"(?<=//)[^/\s]*@", "", text)


def _within(rule: Between, value: object) -> object:
    if not isinstance(value, int | float) or not rule.low <= value <= rule.high:
        raise ValueError(value)
    return value


def _known(text: str) -> str:
    return str(_one_of(("on", "true", "1", "off", "false", "0"), text.lower()))


def _one_of(choices: tuple[str, ...], text: str) -> str:
    if not text or text not in choices:
        raise ValueError(text)
    return text


def _or_default(field: Field[Any]) -> str:
    if field.default is MISSING:
        return ""
    default = {True: "on", False: "off"}[field.default] if isinstance(field.default, bool) else field.default
    return f", or leave it out for {default}"
