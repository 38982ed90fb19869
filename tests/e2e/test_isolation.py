"""The isolation target on real servers: every cell of the matrix, and what is asked of it under load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from run_ids import fresh

from lab.model import Backing
from lab.runtime.base import Stack
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools
from scenarios.systems.isolation import ANOMALIES, PUBLISHED
from targets.isolation.server import build
from targets.isolation.settings import IsolationSettings
from targets.kit import running

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

LEVELS = ("read-uncommitted", "read-committed", "repeatable-read", "serializable")


@asynccontextmanager
async def server(folder: Path, kind: Any, **settings: bool) -> AsyncIterator[dict[str, str]]:
    """A server that is up; gives the setting that names it."""
    member = Backing(kind, settings=settings)
    run = fresh(f"isolation-{kind}")
    async with Supervisor.open(folder / run, run) as supervisor:
        up = await LocalRuntime(supervisor, Tools()).start(Stack([member], []), folder / "logs")
        yield {f"{kind}_url": up.url(member)}
        await up.stop()


class Client:
    """Asks one target."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self.http, self.url = http, url

    async def post(self, path: str, body: object, status: int | None = None) -> Any:
        async with self.http.post(self.url + path, json=body) as response:
            answer = await response.json(content_type=None)
            assert response.status == status if status else response.status < 300, answer
            return answer

    async def books(self) -> Any:
        async with self.http.get(f"{self.url}/books") as response:
            return await response.json()


@asynccontextmanager
async def target(urls: dict[str, str], level: str, **said: float | str) -> AsyncIterator[Client]:
    """The target at one level."""
    settings = IsolationSettings(service_name="isolation", level=level, **urls, **said)  # type: ignore[arg-type]
    async with running(settings, build) as here, ClientSession() as http:
        yield Client(http, here.url)


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_every_cell_is_as_published(tmp_path: Path, kind: str) -> None:
    """Ten anomalies at four levels on a real server: what Hermitage has published, and a transcript that shows it."""
    measured = {}
    async with server(tmp_path, kind) as urls:
        for level in LEVELS:
            async with target(urls, level) as client:
                cells = await asyncio.gather(*(client.post("/anomalies", {"anomaly": name}) for name in ANOMALIES))
                measured[cells[0]["row"]] = " ".join(cell["prevented"] for cell in cells)
                second = cells[0]["scripts"][0]["steps"][1]
                assert second[:2] == ["T2", "update test set value = 12 where id = 1"]
                assert second[2].startswith("waited, then: ")
                assert (await client.post("/anomalies", {"anomaly": "G9"}, 404))["detail"].startswith("There is no")
    assert measured == {row: cells for row, cells in PUBLISHED.items() if row.startswith(kind)}


async def test_mariadb_with_snapshot_isolation_is_stronger_than_published(tmp_path: Path) -> None:
    """Updates of what somebody else has changed meanwhile are refused, as in PostgreSQL's repeatable read."""
    async with (
        server(tmp_path, "mariadb", INNODB_SNAPSHOT_ISOLATION=True) as urls,
        target(urls, "repeatable-read") as client,
    ):
        cells = [await client.post("/anomalies", {"anomaly": name}) for name in ("PMP", "P4", "G-single", "G2-item")]
        assert [cell["prevented"] for cell in cells] == ["yes", "yes", "yes", "no"]
        assert "1020: Record has changed since last read" in str(cells[1]["scripts"])


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_work_suffers_at_a_weak_level_and_not_at_the_strongest(tmp_path: Path, kind: str) -> None:
    """Read committed loses deposits and lets both doctors go; serializable tries again, and keeps all."""
    async with server(tmp_path, kind) as urls:
        async with target(urls, "read-committed", think_ms=50) as client:
            deposits = [client.post("/deposits", {"account": 1, "cents": 7}, 201) for _ in range(4)]
            assert len({answer["before"] for answer in await asyncio.gather(*deposits)}) < 4
            books = await client.books()
            assert books["accounts"]["account 1"] < 4 * 7
            assert await both_leave(client, 0) == [True, True]
            books = await client.books()
            assert (books["on_call"], books["empty"]) == ({"shift 0": 0}, ["shift 0"])
            assert await audit_during_a_transfer(client) == 200_000 + 5
        async with target(urls, "serializable", think_ms=50) as client:
            deposits = [client.post("/deposits", {"account": 2, "cents": 7}, 201) for _ in range(4)]
            assert sorted(answer["after"] for answer in await asyncio.gather(*deposits)) == [7, 14, 21, 28]
            assert sorted(await both_leave(client, 1)) == [False, True]
            books = await client.books()
            assert books["accounts"]["account 2"] == 28
            assert books["on_call"] == {"shift 0": 0, "shift 1": 1}
            assert await audit_during_a_transfer(client) == 200_000
        async with target(urls, "serializable", think_ms=50, attempts=1) as client:
            answers = await asyncio.gather(
                *(client.post("/deposits", {"account": 2, "cents": 1}) for _ in range(4)), return_exceptions=True
            )
            refused = [answer for answer in answers if "too-many-conflicts" in str(answer)]
            assert refused
            assert (await client.books())["accounts"]["account 2"] == 28 + 4 - len(refused)


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_each_cure_keeps_deposits_and_shifts_at_read_committed(tmp_path: Path, kind: str) -> None:
    """The database adds, the read locks, or the update asks for what was read: none is lost at a level that loses."""
    async with server(tmp_path, kind) as urls:
        for count, cure in enumerate(("atomic", "for-update", "version"), start=1):
            async with target(urls, "read-committed", think_ms=50, deposits=cure) as client:
                deposits = [client.post("/deposits", {"account": 1, "cents": 7}, 201) for _ in range(4)]
                before = sorted(answer["before"] for answer in await asyncio.gather(*deposits))
                assert before == [28 * (count - 1) + 7 * n for n in range(4)], cure
                assert (await client.books())["accounts"]["account 1"] == 28 * count, cure
        async with target(urls, "read-committed", think_ms=50, leaves="for-update") as client:
            assert sorted(await both_leave(client, 0)) == [False, True]
            assert (await client.books())["empty"] == []


async def both_leave(client: Client, shift: int) -> list[bool]:
    """Both doctors of a shift ask at once."""
    asked = (client.post("/leaves", {"shift": shift, "doctor": doctor}) for doctor in (1, 2))
    return [answer["granted"] for answer in await asyncio.gather(*asked)]


async def audit_during_a_transfer(client: Client) -> int:
    """Money moves while an audit thinks, between its two reads."""
    audit = asyncio.create_task(client.post("/audits", {}))
    await asyncio.sleep(0.025)
    await client.post("/transfers", {"cents": 5}, 201)
    total: int = (await audit)["total_cents"]
    return total
