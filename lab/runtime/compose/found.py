"""Whether this machine can run a scenario in containers, and what with: engine, Compose, services, images."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.model import Member, Service
from lab.runtime.compose import cli, names
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.shared import NEEDED

BUILT_FROM = ("*.py", "Dockerfile", "*.lock")
BUILD_S = 900.0
HELP = "`make images`, or without a registry `make images-debian`"


class NoEngine(LabError):
    """There is no way to run containers here; says what is missing and the line to type."""


@dataclass(frozen=True)
class Found:
    """All that a run in containers stands on. `images` gives each service's image by its id."""

    root: Path
    base: Mapping[str, Any]
    images: Mapping[str, str]
    versions: Mapping[str, str]


async def find(root: Path, members: Iterable[Member], spared: Iterable[Member], engine: Engine) -> Found:
    """Look whether the engine answers, and whether it has all that these members need. Raises NoEngine.

    Those that can be `spared` are found where they are there, and no more. Where targets changed since their image was
    built it is built again, so that nobody measures yesterday's code.
    """
    if not await engine.answers():
        raise NoEngine(f"no Docker engine answers at {engine.where.url}: start Docker, or run without (RUNTIME=local)")
    members, spared = list(members), list(spared)
    version, compose, base = await asyncio.gather(engine.version(), cli.version(root), cli.config(root))
    services = _services(base, members)
    services += [name for name in map(names.service_of, spared) if name in base["services"] and name not in services]
    images = {name: str(base["services"][name]["image"]) for name in services}
    known = {name: await engine.image(image) for name, image in images.items()}
    needed = {*NEEDED, *map(names.service_of, members)}
    if missing := sorted({images[name] for name in needed if known[name] is None}):
        raise NoEngine(f"{_count(missing)} missing ({', '.join(missing)}): {HELP}")
    ours = [names.service_of(member) for member in members if isinstance(member, Service)]
    if any(_built_from(known[name]) != sources(root) for name in ours):
        await build(root, ours[0])
        known |= {name: await engine.image(images[name]) for name in ours}
    there = {name: str(image["Id"]) for name, image in known.items() if image}
    return Found(root, base, there, _versions(version, compose, {name: images[name] for name in there}))


async def build(root: Path, *services: str) -> None:
    """Build images, those of targets with the mark of what they are built from."""
    marks = {"TARGETS_SOURCES": sources(root)}
    await cli.run(root, "--profile", "*", "build", "--quiet", *services, env=marks, within_s=BUILD_S)


def sources(root: Path) -> str:
    """A mark of all that the targets' image is built from."""
    folder, mark = root / "targets", hashlib.sha256()
    for file in sorted(file for pattern in BUILT_FROM for file in folder.rglob(pattern)):
        mark.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes() + b"\0")
    return mark.hexdigest()[:16]


def _services(base: Mapping[str, Any], members: Iterable[Member]) -> list[str]:
    """The services that members are ones of, and the shared ones. Raises NoEngine where the file has none."""
    wanted = dict.fromkeys([*NEEDED, *(names.service_of(member) for member in members)])
    if lacking := [name for name in wanted if name not in base["services"]]:
        raise NoEngine(f"docker-compose.yml has no service {', '.join(lacking)}; see docs/writing-a-target.md")
    return list(wanted)


def _versions(engine: str, compose: str, images: Mapping[str, str]) -> dict[str, str]:
    return {
        "Docker engine": engine,
        "Docker Compose": compose,
        **{f"image of {n}": image for n, image in images.items()},
    }


def _built_from(image: Mapping[str, Any] | None) -> str:
    labels = ((image or {}).get("Config") or {}).get("Labels") or {}
    return str(labels.get(names.LABEL_SOURCES, ""))


def _count(missing: list[str]) -> str:
    return "an image is" if len(missing) == 1 else f"{len(missing)} images are"
