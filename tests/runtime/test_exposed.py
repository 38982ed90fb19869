"""Docker before 28 lets neighbours reach what is published on 127.0.0.1; `make up` and doctor say so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lab.runtime.base import Address
from lab.runtime.compose import containers, exposed
from lab.runtime.compose.found import Found
from lab.runtime.compose.shared import Shared

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("version", "open_to"),
    [
        ("20.10.24+dfsg1", exposed.OPEN),
        ("27.5.1", exposed.OPEN),
        ("28.0.0", ""),
        ("28.0.0-rc.1", ""),
        ("100.1", ""),
        ("dev", ""),
        ("", ""),
    ],
)
def test_the_engine_is_known_by_its_major_version(version: str, open_to: str) -> None:
    """Versions are numbers, not texts; one without a number is not guessed at."""
    assert exposed.warning(version) == open_to


@pytest.mark.parametrize(("version", "warned"), [("27.5.1", True), ("28.0.4", False)])
def test_make_up_warns_of_an_older_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, warned: bool
) -> None:
    """After the addresses comes a line with the version and where to read on; a newer engine gets none."""
    base = {"services": {name: {} for name in containers.TITLES}}

    async def there(*_: object) -> Found:
        return Found(tmp_path, base, {}, {})

    async def ensured(*_: object, **__: object) -> tuple[Shared, list[str]]:
        targets = tmp_path / ".lab" / "compose" / "targets"
        return Shared(Address("127.0.0.1", 9), None, "127.0.0.1", [], targets), list(base["services"])

    monkeypatch.setattr(containers.found, "find", there)
    monkeypatch.setattr(containers.shared, "ensure", ensured)
    monkeypatch.setattr(containers.shared, "address", lambda *_: Address("127.0.0.1", 3000))
    lines = asyncio.run(_up_by_an_engine_of(version, tmp_path, monkeypatch))
    assert len(lines) == len(containers.TITLES) + warned
    assert (lines[-1] == f"This is Docker {version}; {exposed.OPEN}.") == warned


async def _up_by_an_engine_of(version: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    async def answer(_: web.Request) -> web.Response:
        said: dict[str, Any] = {"Version": version}
        return web.json_response(said)

    app = web.Application()
    app.router.add_get("/version", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{runner.addresses[0][1]}")
        monkeypatch.delenv("LAB_ENGINE_ADDRESS", raising=False)
        return await containers.up(root)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md"])
def test_it_stands_where_people_look(page: str) -> None:
    """Beside the version that is needed, and in what is not protected."""
    text = " ".join((ROOT / page).read_text("utf-8").split())
    assert "before Docker 28 other machines" in text or "Docker before 28 lets other machines" in text
