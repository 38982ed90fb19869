"""Every experiment's system as a run starts it: each variant's settings are taken, and each operation is answered."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout
from runtimes import runtime_in

from lab.catalogue import Entry, read_all
from lab.errors import MissingPart
from lab.model import Request
from lab.run.episode.plan import plan_of
from lab.runtime.base import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
CATALOGUE = read_all()[0]
LEADS_WITHIN_S = 20.0  # a cluster answers when it has elected a leader
NO_ROUTE = "404: Not Found"  # the detail that aiohttp gives; of a key that is not there a target says more
NOT_UNDERSTOOD = {400, 405, 415, 422}


async def answered(http: ClientSession, base: str, request: Request) -> tuple[int, str]:
    """Status and text of the answer; asked again while a server error says that it is too early."""
    until_s = time.monotonic() + LEADS_WITHIN_S
    while True:
        try:
            async with http.request(
                request.method, base + request.path, json=request.body, headers=dict(request.headers)
            ) as response:
                found = response.status, await response.text()
        except (ClientError, TimeoutError) as error:
            found = 599, repr(error)
        if found[0] < 500 or time.monotonic() > until_s:
            return found
        await asyncio.sleep(0.1)


@pytest.mark.by_turns(each=4)
@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
async def test_a_system_starts_and_takes_each_operation(entry: Entry, tmp_path: Path) -> None:
    """With the settings of its first and its last variant, behind the fault proxy, one request of each kind."""
    scenario = entry.scenario
    for variant in (scenario.variants[0], scenario.variants[-1]):
        plan = plan_of(scenario, variant)
        async with (
            runtime_in(tmp_path, "local", plan.members) as runtime,
            ClientSession(timeout=ClientTimeout(total=5)) as http,
        ):
            try:
                running = await runtime.start(
                    Stack(plan.members, plan.links, plan.env, variant.name), tmp_path / f"logs-{variant.name}"
                )
            except MissingPart as missing:
                pytest.skip(str(missing).splitlines()[0])
            try:
                for n, operation in enumerate(scenario.load.operations):
                    services = scenario.load.services
                    base = running.address(services[n % len(services)]).url
                    status, text = await answered(http, base, operation.make(Random(n), n))
                    said = f"{variant.name}, {operation.name}: {status} {text[:300]}"
                    assert status < 500, said
                    assert status not in NOT_UNDERSTOOD, said
                    assert NO_ROUTE not in text, said
            finally:
                await running.stop()
