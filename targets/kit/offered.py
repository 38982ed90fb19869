"""
What each target can be told, for what must not import it: `python -m targets.kit.offered`, JSON in and JSON out.

    in    {"exchange": [{"BREAKER_OPEN_S": "10"}, ...], ...}   environments to look at, by target
    out   {"exchange": {"settings": [{"name": "BREAKER_OPEN_S", "takes": "a number from ...", "default": "5.0"}, ...],
                        "problems": [[], ...]}, ...}           its own settings; what is wrong with each environment
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, get_args

from targets.kit.settings import BaseUrl, Settings, SettingsError, read, variables, wanted

FOLDER = Path(__file__).resolve().parent.parent


def targets() -> list[str]:
    """Every target, by the name that `Service(module=...)` takes."""
    modules = [path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")]
    return sorted(modules + [path.parent.name for path in FOLDER.glob("*/__main__.py")])


def settings_of(target: str) -> type[Settings]:
    """The settings class of a target: the one that its own file, or its package's `settings`, defines."""
    package = (FOLDER / target).is_dir()
    module = importlib.import_module(f"targets.{target}.settings" if package else f"targets.{target}")
    (own,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Settings) and one.__module__ == module.__name__
    )
    return own


def own_variables(kind: type[Settings]) -> Iterator[tuple[str, Any, Any]]:
    """The name, type and default of each variable of a target's own."""
    common = {name for name, _, _ in variables(Settings)}
    return (each for each in variables(kind) if each[0] not in common)


def as_text(value: object) -> str:
    """A setting's value as the environment gives it."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def answer(asked: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, dict[str, Any]]:
    """What each target takes, and what is wrong with each environment that was given for it."""
    return {
        target: {"settings": list(_takes(kind := settings_of(target))), "problems": [_problems(kind, e) for e in envs]}
        for target, envs in asked.items()
    }


def _takes(kind: type[Settings]) -> Iterator[dict[str, str | None]]:
    """Addresses of callees are left out: links give them."""
    for name, hint, default in own_variables(kind):
        if not _is_address(hint):
            yield {"name": name, "takes": wanted(hint), "default": None if default is MISSING else as_text(default)}


def _problems(kind: type[Settings], env: Mapping[str, str]) -> list[str]:
    """What reading `env` complains of; of an address only the name counts, since links give it when a run starts."""
    addresses = {
        name: _example(hint)
        for name, hint, default in variables(kind)
        if _is_address(hint) and (default is MISSING or name in env)
    }
    try:
        read(kind, {**env, **addresses})
    except SettingsError as wrong:
        return wrong.problems
    return []


def _is_address(hint: Any) -> bool:
    return any(isinstance(rule, BaseUrl) for rule in get_args(hint))


def _example(hint: Any) -> str:
    return next(rule.example for rule in get_args(hint) if isinstance(rule, BaseUrl))


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
