"""Asks the targets what they can be told, in a process of theirs: the lab and its targets never import each other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from lab.errors import LabError
from lab.kit.places import ROOT

MODULE = "targets.kit.offered"
WITHIN_S = 60.0  # it takes half a second; a machine that measures something else may need much longer


@dataclass(frozen=True)
class Setting:
    """A setting of a target: what it takes in words, and its default as text, None where it must be given."""

    name: str
    takes: str
    default: str | None


def settings_of(targets: Sequence[str]) -> dict[str, dict[str, Setting]]:
    """The settings of each target's own, by name. Raises LabError where a target cannot be imported."""
    return _settings(tuple(sorted(set(targets))))


@cache
def _settings(targets: tuple[str, ...]) -> dict[str, dict[str, Setting]]:
    told = exchange({target: [] for target in targets})
    return {target: {each["name"]: Setting(**each) for each in told[target]["settings"]} for target in targets}


def ask(envs: Sequence[tuple[str, Mapping[str, str]]]) -> list[list[str]]:
    """What each target finds wrong with the environment beside its name; empty lists where nothing is."""
    by_target: dict[str, list[Mapping[str, str]]] = {}
    for target, env in envs:
        by_target.setdefault(target, []).append(env)
    told = exchange(by_target) if envs else {}
    found = {target: iter(told[target]["problems"]) for target in by_target}
    return [next(found[target]) for target, _ in envs]


def exchange(question: Mapping[str, Sequence[Mapping[str, str]]]) -> dict[str, Any]:
    """The answer of targets/kit/offered.py, which says what both look like."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", MODULE], input=json.dumps(question), capture_output=True, text=True, check=True,
            cwd=ROOT, timeout=WITHIN_S,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        last = str(getattr(error, "stderr", None) or error).strip().splitlines()[-1:]
        raise LabError(f"the settings of the targets cannot be read: {''.join(last)}") from error
    found: dict[str, Any] = json.loads(done.stdout)
    return found
