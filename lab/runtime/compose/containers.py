"""`lab up`, `lab down`, `lab images`: the services of docker-compose.yml that stay, and the images of all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.errors import LabError
from lab.runtime.compose import building, cli, digests, dotenv, exposed, found, shared, sources
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.programs import ask

DEBIAN = "docker-compose.yml:docker-compose.debian.yml"
PINNED = f"docker-compose.yml:{digests.FILE}"
CHECK_S = 20.0
MAKE = ("docker/debian/make.sh",)  # what docker-compose.debian.yml builds from
TITLES = {"grafana": "Grafana", "reports": "Reports", "prometheus": "Prometheus", "toxiproxy": "Toxiproxy"}


async def up(root: Path) -> list[str]:
    """Start what all runs share, Grafana and the reports' server; a line for each with its address. Twice is once.

    One more line warns of an engine whose ports other machines reach.
    Raises LabError where there is no engine, an image is missing, or somebody has one of the ports.
    """
    engine = Engine(endpoint())
    try:
        if not engine.where.is_here:
            raise LabError(
                f"the engine at {engine.where.url} does not see the folders here that Prometheus and Grafana read: "
                "type `make up` on that machine; experiments need it not, they bring what they need"
            )
        base = (await found.find(root, [], [], engine)).base
        services = [name for name in TITLES if name in base["services"] and not base["services"][name].get("profiles")]
        place, started = await shared.ensure(engine, root, base, services, pull="missing")
        lines = [
            f"{TITLES[name]:<10} {shared.address(base, name, engine.where.host).url}"
            f"{'' if name in started else '  (was up already)'}"
            for name in services
        ]
        assert place.targets  # Prometheus is among them
        home = place.targets.parents[2]  # of .lab/compose/targets
        version = await engine.version()
        if open_to := exposed.warning(version):
            lines.append(f"This is Docker {version}; {open_to}.")
        other = [f"They were started in {home}, and show its dashboards and rules; runs of all folders share them."]
        return lines if home == root else [*lines, *other]
    finally:
        await engine.close()


async def down(root: Path) -> str:
    """Stop and remove what `up` started; what Prometheus and Grafana have kept stays in their volumes."""
    await cli.run(root, "--profile", "*", "down", "--remove-orphans")
    return (
        "Everything is down. The data of Prometheus and Grafana are kept (`docker compose down --volumes` drops them)."
    )


Tell = Callable[[str], None]  # takes a sentence every few seconds


async def images(root: Path, debian: bool, services: Sequence[str], tell: Tell) -> None:
    """Pull and build the images of services, all where none is named; with `debian` all are built, from its packages.

    Those that are pulled are those of docker-compose.digests.yml, where it is there. .env then says which files every
    later command uses. Raises LabError where something that it takes is missing, before anything is made, or where a
    step fails, with its last lines.
    """
    await _made(root, DEBIAN if debian else PINNED if (root / digests.FILE).exists() else None, debian, services, tell)


async def pin(root: Path, tell: Tell) -> str:
    """Pull all images by their tags and write down their digests, by which they are pulled from then on.

    Gives a sentence. Raises LabError where a step fails, or the engine knows no digest of an image.
    """
    await _made(root, None, False, [], tell)
    engine = Engine(endpoint())
    try:
        said = await digests.write(root, await cli.config(root), engine)
    finally:
        await engine.close()
    dotenv.write(root, {"COMPOSE_FILE": PINNED})
    return said


async def _made(root: Path, files: str | None, debian: bool, services: Sequence[str], tell: Tell) -> None:
    await found.look(root)
    if debian:
        checked = ask([*MAKE, "--check"], CHECK_S, cwd=root)
        if checked.returncode:
            raise LabError(checked.stderr.strip())
    dotenv.ensure(root)
    chosen = {"COMPOSE_FILE": files, "CA_BUNDLE": os.environ.get("CA_BUNDLE") or None}
    dotenv.write(root, {**chosen, sources.VARIABLE: sources.mark(root)})
    os.environ.pop("COMPOSE_FILE", None)
    if debian:
        await building.run(root, MAKE, os.environ, "making what the images start from, once", tell)
    else:
        pull = [*cli.argv("--profile", "*", "pull", "--ignore-buildable"), *services]
        await building.run(root, pull, cli.environment(root), "pulling images", tell)
    await building.build(root, services, tell)
