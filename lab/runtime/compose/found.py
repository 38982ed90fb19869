"""Whether this machine can run a scenario in containers, and what with: engine, Compose, services, images."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.model import Member, Service
from lab.runtime.compose import building, cli, dotenv, names, sources
from lab.runtime.compose.digests import pinned
from lab.runtime.compose.endpoint import Endpoint, endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.shared import READY, needed

BUILD_S = 900.0
HELP = "`make images`, or without a registry `make images-debian`"


class NoEngine(LabError):
    """There is no way to run containers here; says what is missing and the line to type."""


def why_not(unusable: LabError) -> str:
    """Why an engine that no one asked for is not used, without its remedy."""
    said = str(unusable).splitlines()[0]
    return said.partition(": ")[0] if isinstance(unusable, NoEngine) else said


@dataclass(frozen=True)
class Found:
    """All that a run in containers stands on. `images` gives each service's image by its id."""

    root: Path
    base: Mapping[str, Any]
    images: Mapping[str, str]
    versions: Mapping[str, str]


async def find(
    root: Path,
    members: Iterable[Member],
    spared: Iterable[Member],
    engine: Engine,
    beside: Iterable[str] = (),
    tell: Callable[[str], None] = lambda sentence: None,
) -> Found:
    """Look whether the engine answers, and whether it has all that these members need. Raises NoEngine.

    Those that can be `spared` are found where they are there, and no more; `beside` are services that no member is one
    of. Where targets changed since an image of them was built, it is built again, so that nobody measures yesterday's
    code; `tell` takes a sentence every few seconds of that.
    """
    if complaint := await engine.complaint():
        raise NoEngine(f"{complaint}, or run without (RUNTIME=local)")
    members, spared = list(members), list(spared)
    version, compose, base = await _each(engine.version(), cli.version(root), cli.config(root))
    wanted = _services(base, [*needed(engine.where), *beside, *map(names.service_of, members)])
    services = [*wanted, *(name for name in map(names.service_of, spared) if name in base["services"])]
    if not engine.where.is_here:
        services = seen(base, services, wanted, engine.where)
    images = {name: str(base["services"][name]["image"]) for name in services}
    known = {name: await engine.image(image) for name, image in images.items()}
    ours = [names.service_of(member) for member in members if isinstance(member, Service)]
    if any(known[name] is None for name in ours) and await engine.has_images(names.LABEL_SOURCES):
        await build(root, ours[0], tell=tell)
        known |= {name: await engine.image(images[name]) for name in ours}
    if missing := sorted({images[name] for name in wanted if known[name] is None}):
        raise NoEngine(f"{_count(missing)} missing ({', '.join(missing)}): {HELP}")
    there = {name: str(image["Id"]) for name, image in known.items() if image}
    told = {name: pinned(images[name], image) for name, image in known.items() if image}
    return Found(root, base, there, _versions(version, compose, told))


async def look(root: Path) -> None:
    """See that there are an engine and a Compose that will do. Raises LabError."""
    engine = Engine(endpoint())
    try:
        if complaint := await engine.complaint():
            raise NoEngine(complaint)
        await cli.version(root)
    finally:
        await engine.close()


async def build(root: Path, *services: str, tell: Callable[[str], None]) -> None:
    """Build images; .env then names that of targets, for whoever uses Compose by hand. Raises ComposeError."""
    try:
        async with asyncio.timeout(BUILD_S):
            await building.build(root, services, tell)
    except TimeoutError as error:
        raise cli.ComposeError(f"building images took longer than {BUILD_S:g} s; see {building.LOG}") from error
    dotenv.write(root, {sources.VARIABLE: sources.mark(root)})


async def lacking(root: Path, engine: Engine) -> tuple[dict[str, str], int]:
    """Services of docker-compose.yml whose image is not here, with its name, and how many images the file names.

    Grafana's counts only where `lab up` starts it. That of targets is here in whatever state of their code it was
    built: a run builds it again. Raises LabError where there is no engine or no Compose.
    """
    if complaint := await engine.complaint():
        raise NoEngine(complaint)
    await cli.version(root)
    services = (await cli.config(root))["services"]
    named = {
        name: str(each["image"]) for name, each in services.items() if name not in READY or not each.get("profiles")
    }
    gone = {image for image in set(named.values()) if await engine.image(image) is None}
    if await engine.has_images(names.LABEL_SOURCES):
        gone = {image for image in gone if not image.endswith(f":{sources.mark(root)}")}
    return {name: image for name, image in named.items() if image in gone}, len(set(named.values()))


async def _each(*looks: Awaitable[Any]) -> list[Any]:
    """All at once; where several fail, the first of them has its say, whichever failed first."""
    found = await asyncio.gather(*looks, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found


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
