"""Images by digest, from what the engine's API documents of an image; no registry is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.errors import LabError
from lab.runtime.compose import containers, digests
from lab.runtime.compose.digests import override, pinned

pytestmark = pytest.mark.e2e

ONE, OTHER = (f"sha256:{digit * 64}" for digit in "ab")
COMPOSE = yaml.safe_load((Path(__file__).resolve().parents[2] / "docker-compose.yml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("postgres:17.5-bookworm", [f"postgres@{ONE}"], f"postgres:17.5-bookworm@{ONE}"),
        ("postgres:17.5", [f"mirror.test/library/postgres@{OTHER}", f"postgres@{ONE}"], f"postgres:17.5@{ONE}"),
        ("postgres:17.5", [f"docker.io/library/postgres@{ONE}"], f"postgres:17.5@{ONE}"),
        ("prom/prometheus:v3", [f"docker.io/prom/prometheus@{ONE}"], f"prom/prometheus:v3@{ONE}"),
        ("quay.io/coreos/etcd:v3.5.21", [f"quay.io/coreos/etcd@{ONE}"], f"quay.io/coreos/etcd:v3.5.21@{ONE}"),
        (f"postgres:17.5@{OTHER}", [f"postgres@{ONE}"], f"postgres:17.5@{ONE}"),
        ("postgres:17.5", [f"someone/postgres@{ONE}"], "postgres:17.5"),
        ("postgres:17.5", ["postgres@sha256:short", "<none>@<none>"], "postgres:17.5"),
        ("chaos-lab/targets:1", [], "chaos-lab/targets:1"),
        ("chaos-lab/targets:1", None, "chaos-lab/targets:1"),
    ],
)
def test_a_digest_is_that_of_the_images_own_repository(name: str, said: list[str] | None, expected: str) -> None:
    """The engine tells every registry from which an image was pulled; a built one has none."""
    assert pinned(name, {"RepoDigests": said}) == expected


def known() -> dict[str, dict[str, Any]]:
    """Each pulled image of docker-compose.yml as an engine knows it."""
    names = {each["image"] for each in COMPOSE["services"].values() if "build" not in each}
    return {name: {"RepoDigests": [f"{name.rpartition(':')[0]}@{ONE}"]} for name in names}


def test_every_pulled_image_gets_its_digest_and_the_built_ones_that_of_their_base() -> None:
    """No image of the override can come to mean another."""
    services = yaml.safe_load(override(COMPOSE, known()))["services"]
    assert set(services) == set(COMPOSE["services"])
    for name, each in services.items():
        image = each["image"] if "image" in each else each["build"]["args"]["BASE"]
        assert image.endswith(f"@{ONE}"), name
        assert image.startswith(COMPOSE["services"][name if "image" in each else "reports"]["image"]), name


def test_an_image_without_a_digest_is_named() -> None:
    """Half a file would say that all are pinned."""
    with pytest.raises(LabError, match=r"the engine knows no digest of grafana/grafana:[\d.]+; pull it"):
        override(COMPOSE, {name: each for name, each in known().items() if "grafana" not in name})


class Engine:
    """What a pull leaves in an engine, by the API's documentation."""

    async def image(self, name: str) -> dict[str, Any] | None:
        return known().get(name)

    async def close(self) -> None:
        """Nothing is open."""


def test_pulled_by_tag_once_and_by_digest_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of `make images PIN=1`, then `make images`: .env names the override, and the pull uses it."""
    steps: list[str] = []

    async def run(root: Path, *words: object) -> None:
        steps.append((tmp_path / ".env").read_text())

    async def config(root: Path) -> dict[str, Any]:
        return dict(COMPOSE)

    async def look(root: Path) -> None:
        """Engine and Compose are there."""

    monkeypatch.setattr(containers.building, "run", run)
    monkeypatch.setattr(containers.cli, "config", config)
    monkeypatch.setattr(containers.found, "look", look)
    monkeypatch.setattr(containers, "Engine", lambda where: Engine())
    monkeypatch.setattr(containers, "MAKE", ["true"])
    (tmp_path / "targets").mkdir()
    (tmp_path / digests.FILE).write_text("services: {of: {an: earlier pin}}")
    assert asyncio.run(containers.pin(tmp_path, print)).startswith(
        "wrote docker-compose.digests.yml: 9 images by digest"
    )
    assert len(steps) == 2
    assert all("COMPOSE_FILE" not in env for env in steps), "by tag: not by the digests of an earlier time"
    assert yaml.safe_load((tmp_path / digests.FILE).read_text())["services"]["redis"]["image"].endswith(ONE)
    assert "COMPOSE_FILE=docker-compose.yml:docker-compose.digests.yml" in (tmp_path / ".env").read_text()
    steps.clear()
    asyncio.run(containers.images(tmp_path, False, [], print))
    assert all("COMPOSE_FILE=docker-compose.yml:docker-compose.digests.yml" in env for env in steps)
    asyncio.run(containers.images(tmp_path, True, [], print))
    assert "COMPOSE_FILE=docker-compose.yml:docker-compose.debian.yml" in (tmp_path / ".env").read_text()
