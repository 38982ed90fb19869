"""Whether this machine can run a scenario in containers, and what with: engine, Compose, services, images."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.model import Member, Service
from lab.runtime.compose import cli, dotenv, names, sources
from lab.runtime.compose.digests import pinned
from lab.runtime.compose.endpoint import Endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.shared import READY, needed

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


async def find(
    root: Path, members: Iterable[Member], spared: Iterable[Member], engine: Engine, beside: Iterable[str] = ()
) -> Found:
    """Look whether the engine answers, and whether it has all that these members need. Raises NoEngine.

    Those that can be `spared` are found where they are there, and no more; `beside` are services that no member is one
    of. Where targets changed since an image of them was built, it is built again, so that nobody measures yesterday's
    code.
    """
    if not await engine.answers():
        raise NoEngine(f"no Docker engine answers at {engine.where.url}: start Docker, or run without (RUNTIME=local)")
    members, spared = list(members), list(spared)
    version, compose, base = await asyncio.gather(engine.version(), cli.version(root), cli.config(root))
    wanted = _services(base, [*needed(engine.where), *beside, *map(names.service_of, members)])
    services = [*wanted, *(name for name in map(names.service_of, spared) if name in base["services"])]
    if not engine.where.is_here:
        services = seen(base, services, wanted, engine.where)
    images = {name: str(base["services"][name]["image"]) for name in services}
    known = {name: await engine.image(image) for name, image in images.items()}
    ours = [names.service_of(member) for member in members if isinstance(member, Service)]
    if any(known[name] is None for name in ours) and await engine.has_images(names.LABEL_SOURCES):
        await build(root, ours[0])
        known |= {name: await engine.image(images[name]) for name in ours}
    if missing := sorted({images[name] for name in wanted if known[name] is None}):
        raise NoEngine(f"{_count(missing)} missing ({', '.join(missing)}): {HELP}")
    there = {name: str(image["Id"]) for name, image in known.items() if image}
    told = {name: pinned(images[name], image) for name, image in known.items() if image}
    return Found(root, base, there, _versions(version, compose, told))


async def build(root: Path, *services: str) -> None:
    """Build images; .env then names that of targets, for whoever uses Compose by hand."""
    await cli.run(root, "--profile", "*", "build", "--quiet", *services, within_s=BUILD_S)
    dotenv.write(root, {sources.VARIABLE: sources.mark(root)})


async def lacking(root: Path, engine: Engine) -> tuple[list[str], int]:
    """Images of docker-compose.yml that are not here, and how many it names; Grafana's only where `lab up` starts it.

    That of targets is here in whatever state of their code it was built: a run builds it again. Raises LabError where
    there is no engine or no Compose.
    """
    if not await engine.answers():
        raise NoEngine("no Docker engine answers")
    services = (await cli.config(root))["services"]
    named = {each["image"] for name, each in services.items() if name not in READY or not each.get("profiles")}
    missing = [image for image in named if await engine.image(image) is None]
    if await engine.has_images(names.LABEL_SOURCES):
        missing = [image for image in missing if not image.endswith(f":{sources.mark(root)}")]
    return sorted(missing), len(named)


def _services(base: Mapping[str, Any], wanted: Iterable[str]) -> list[str]:
    """Each of them once. Raises NoEngine where the file has none of that name."""
    wanted = dict.fromkeys(wanted)
    if unknown := [name for name in wanted if name not in base["services"]]:
        raise NoEngine(f"docker-compose.yml has no service {', '.join(unknown)}; see docs/writing-a-target.md")
    return list(wanted)


def seen(base: Mapping[str, Any], services: Iterable[str], wanted: Collection[str], where: Endpoint) -> list[str]:
    """The services that need no file of this machine, which an engine elsewhere does not see.

    Raises NoEngine where one that is wanted does.
    """
    mounts = {name: base["services"][name].get("volumes") or [] for name in services}
    files = {name: [each["source"] for each in mounts[name] if each["type"] == "bind"] for name in mounts}
    if unseen := [f"{name} is given {', '.join(files[name])}" for name in files if files[name] and name in wanted]:
        raise NoEngine(
            f"the engine at {where.url} does not see the files of this machine, and {'; '.join(unseen)}: "
            "run the lab on that machine, or without containers (RUNTIME=local)"
        )
    return [name for name in files if not files[name]]


def _versions(engine: str, compose: str, images: Mapping[str, str]) -> dict[str, str]:
    return {
        "Docker engine": engine,
        "Docker Compose": compose,
        **{f"image of {n}": image for n, image in images.items()},
    }


def _count(missing: list[str]) -> str:
    return "an image is" if len(missing) == 1 else f"{len(missing)} images are"
