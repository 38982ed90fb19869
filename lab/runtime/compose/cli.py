"""`docker compose`, as far as the lab needs the program itself: reading the file for people, starting a stack."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.kit.tasks import awaiting
from lab.runtime import programs
from lab.runtime.compose import dotenv, sources

OLDEST = (2, 20)
PATIENCE_S = 60.0
INSTALL = "https://docs.docker.com/compose/install/"
# How `docker` without the plugin says so: of the command, until version 27 and since, or of the first flag after it.
NO_COMPOSE = (
    "'compose' is not a docker command",
    "unknown command: docker compose",
    "unknown shorthand flag",
    "unknown flag: --short",
    "unknown flag: --profile",
    "unknown flag: --project-name",
)


class ComposeError(LabError):
    """`docker compose` failed; in its own words."""


async def version(root: Path) -> str:
    """The version of Compose. Raises ComposeError where there is none, or one too old."""
    said = (await run(root, "version", "--short")).strip().removeprefix("v")
    number = re.match(r"(\d+)\.(\d+)", said)
    if number and (int(number[1]), int(number[2])) < OLDEST:
        raise ComposeError(f"Docker Compose is {said}; {'.'.join(map(str, OLDEST))} or newer is needed: {INSTALL}")
    return said


async def config(root: Path) -> dict[str, Any]:
    """docker-compose.yml, with what .env and COMPOSE_FILE lay over it, every profile, and all variables filled in."""
    said = await run(root, "--profile", "*", "config", "--format", "json")
    try:
        return dict(json.loads(said))
    except ValueError as error:
        raise ComposeError(f"`docker compose config` gave no JSON, but {said[:80]!r}") from error


async def run(root: Path, *words: str, within_s: float = PATIENCE_S, env: Mapping[str, str] | None = None) -> str:
    """Run `docker compose WORDS` in a folder, for targets as they are there now; gives what it prints.

    Raises ComposeError with its last words.
    """
    try:
        dotenv.ensure(root)
    except OSError as error:
        raise ComposeError(f"{error.filename or root}: cannot be written ({error.strerror})") from error
    begun = programs.running(argv(*words), root, {**environment(root), **(env or {})}, subprocess.PIPE, subprocess.PIPE)
    try:
        with awaiting(f"`docker compose {_verb(words)}`"):
            async with begun as process, asyncio.timeout(within_s):
                out, err = await process.communicate()
    except FileNotFoundError as error:
        raise ComposeError("there is no `docker` on PATH: https://docs.docker.com/engine/install/") from error
    except TimeoutError as error:
        raise ComposeError(f"`docker compose {' '.join(words)}` took longer than {within_s:g} s") from error
    if process.returncode:
        raise ComposeError(last_words(words, err.decode(errors="replace")))
    return out.decode(errors="replace")


def environment(root: Path) -> dict[str, str]:
    """What `docker compose` is told there: the image of targets is that of their code."""
    return {**os.environ, sources.VARIABLE: sources.mark(root)}


def argv(*words: str) -> Sequence[str]:
    """The command."""
    return ("docker", "compose", *words)


def last_words(words: Sequence[str], said: str) -> str:
    """Its complaint in a sentence."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    complaint = lines[-1] if lines else "it said nothing"
    if any(words in said for words in NO_COMPOSE):
        return f"there is no `docker compose`: {INSTALL}"
    return f"`docker compose {_verb(words)}` failed: {complaint}"


def _verb(words: Sequence[str]) -> str:
    return next((word for word in words if not word.startswith("-") and word != "*"), "")
