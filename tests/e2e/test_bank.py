"""The bank on a real PostgreSQL: halves and wholes, lock orders, and what it answers while the server is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from run_ids import fresh

from lab import faults
from lab.errors import MissingPart
from lab.model import Backing
from lab.runtime.base import Running, Stack
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools
from targets.bank import BankSettings, build
from targets.kit import running

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]
postgres = Backing("postgres")
BARRIER = "/barriers/between-debit-and-credit"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A server for all tests of this file; each has transfers of its own."""
    try:
        Tools().need("postgres")
    except MissingPart as error:
        pytest.skip(str(error).splitlines()[0])
    folder: Path = tmp_path_factory.mktemp("bank")
    run = fresh("bank")
    async with Supervisor.open(folder / run, run) as supervisor:
        up = await LocalRuntime(supervisor, Tools()).start(Stack([postgres], []), folder / "logs")
        yield up
        await up.stop()


class Client:
    """Asks one bank."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self.http, self.url = http, url

    async def post(self, path: str, body: object) -> int:
        """The status of the answer."""
        async with self.http.post(self.url + path, json=body) as response:
            return response.status

    async def transfer(self, name: str, payer: int, payee: int, cents: int = 5) -> int:
        """The status of the answer."""
        return await self.post("/transfers", {"id": name, "payer": payer, "payee": payee, "cents": cents})

    async def books(self) -> Any:
        """What there is."""
        async with self.http.get(f"{self.url}/books") as response:
            return await response.json()


@asynccontextmanager
async def bank(server: Running, **said: Any) -> AsyncIterator[Client]:
    """A bank of its own."""
    said = {"postgres_pool": 4, "shutdown_grace_s": 0.001, **said}
    settings = BankSettings(service_name="bank", postgres_url=server.url(postgres), barriers=True, **said)
    async with ClientSession() as http, running(settings, build) as here:
        yield Client(http, here.url)


@pytest.mark.parametrize(("how", "halves"), [("statements", ["half-statements"]), ("transaction", [])])
async def test_a_bank_that_dies_between_the_halves(server: Running, how: str, halves: list[str]) -> None:
    """Two statements leave the debit alone; of a transaction nothing is left."""
    async with bank(server, transfer=how) as client:
        before = await client.books()
        assert await client.transfer(f"whole-{how}", 1, 2) == 201
        arming = asyncio.create_task(client.post(BARRIER, {"within_s": 5, "hold_s": 30}))
        await asyncio.sleep(0.05)
        held = asyncio.create_task(client.transfer(f"half-{how}", 3, 4, 7))
        assert await arming == 200
    await asyncio.gather(held, return_exceptions=True)  # the bank is gone, and with it its connections
    async with bank(server) as client:
        after = await client.books()
        missing = 7 if halves else 0
        assert [name for name in after["halves"] if name not in before["halves"]] == halves
        assert after["accounts"]["account 3"] == before["accounts"]["account 3"] - missing
        assert after["accounts"]["account 4"] == before["accounts"]["account 4"]
        assert after["accounts"]["account 2"] == before["accounts"]["account 2"] + 5
        assert sum(after["accounts"].values()) == sum(before["accounts"].values()) - missing


@pytest.mark.parametrize(("order", "deadlocks"), [("asked", True), ("sorted", False)])
async def test_opposite_transfers_meet(server: Running, order: str, deadlocks: bool) -> None:
    """Both hold one account and want the other: a deadlock, that the server breaks, unless both begin with the same."""
    async with bank(server, lock_order=order) as client:
        arming = asyncio.create_task(client.post(BARRIER, {"within_s": 5, "hold_s": 0.3}))
        await asyncio.sleep(0.05)
        pair = [client.transfer(f"{order}-there", 5, 6), client.transfer(f"{order}-back", 6, 5)]
        both = asyncio.gather(*pair)
        assert await arming == 200
        assert await both == [201, 201]
        async with client.http.get(f"{client.url}/metrics") as response:
            [line] = [each for each in (await response.text()).splitlines() if each.startswith("retries_total{")]
        assert (float(line.split()[-1]) > 0) is deadlocks


async def test_what_cannot_be_is_refused(server: Running) -> None:
    """To oneself, to no account, and a deposit under an id that is there."""
    async with bank(server) as client:
        assert await client.transfer("self", 1, 1) == 422
        assert await client.transfer("nowhere", 1, 101) == 422
        assert await client.post("/deposits", {"id": "d", "cents": 5}) == 201
        assert await client.post("/deposits", {"id": "d", "cents": 5}) == 409
        assert (await client.books())["deposits"] == {"d": 5}


async def test_while_the_server_is_away_nothing_is_done(server: Running) -> None:
    """503, and again 201 once it is back: the connections are opened anew."""
    async with bank(server) as client:
        async with faults.kill(postgres).inject(server):
            assert await client.post("/deposits", {"id": "away", "cents": 5}) == 503
        assert await client.post("/deposits", {"id": "back", "cents": 5}) == 201
        assert "away" not in (await client.books())["deposits"]
