"""A fault proxy that lies, dies or hangs: no fault passes as in force, and no error is lost."""

import asyncio
import os
import re
import signal
import time
from contextlib import asynccontextmanager, contextmanager

import pytest
from aiohttp import web
from fault_season import link_from, payments, stack_up

from lab import faults
from lab.errors import LabError, ProxyError
from lab.observe.canary import Canary, CanaryTarget
from lab.runtime.base import Address
from lab.runtime.toxiproxy import FaultProxy

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
LINK = link_from("exchange")

ALL = {
    "latency": faults.latency(LINK, ms=100),
    "latency on some": faults.latency(LINK, ms=100, share=0.5),
    "bandwidth": faults.bandwidth(LINK, kilobytes_per_s=100),
    "silence": faults.silence(LINK),
    "reset": faults.reset(LINK),
    "truncate": faults.truncate(LINK, after_bytes=20),
    "slice": faults.slice(LINK, average_bytes=10, delay_us=5_000),
    "slow_close": faults.slow_close(LINK, ms=150),
    "down": faults.down(LINK),
    "flaky": faults.flaky(LINK, share=0.5),
}


class LyingProxy:
    """Speaks Toxiproxy's API well enough to be believed, and passes every byte on whatever it was asked."""

    def __init__(self, upstream, lie):
        self.upstream = upstream
        self.lie = lie
        self.enabled = True
        self.kept = {}

    def routes(self):
        """The API of one proxy."""
        return [
            web.get("/proxies/{p}", self.proxy),
            web.post("/proxies/{p}", self.switch),
            web.get("/proxies/{p}/toxics", self.toxics),
            web.post("/proxies/{p}/toxics", self.add),
            web.delete("/proxies/{p}/toxics/{t}", self.remove),
        ]

    async def proxy(self, request):
        listen = f"{self.address.host}:{self.address.port}"
        return web.json_response(
            {
                "name": request.match_info["p"],
                "listen": listen,
                "upstream": str(self.upstream),
                "enabled": self.enabled,
                "toxics": list(self.kept.values()),
            }
        )

    async def switch(self, request):
        self.enabled = (await request.json())["enabled"]
        return await self.proxy(request)

    async def toxics(self, request):
        return web.json_response(list(self.kept.values()))

    async def add(self, request):
        toxic = await request.json()
        said = {**toxic, "toxicity": toxic.get("toxicity", 1)}
        if self.lie == "drops attributes":
            said = {**said, "attributes": {}}
        if self.lie == "forgets toxicity":
            said = {**said, "toxicity": 1}
        if self.lie != "keeps nothing":
            self.kept[toxic["name"]] = said
        return web.json_response(said)

    async def remove(self, request):
        self.kept.pop(request.match_info["t"], None)
        return web.Response(status=204)

    async def forward(self, reader, writer):
        """Pass everything on, both ways."""
        there, back = await asyncio.open_connection(self.upstream.host, self.upstream.port)

        async def copy(source, sink):
            while data := await source.read(65_536):
                sink.write(data)
            sink.write_eof()

        await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)
        back.close()
        writer.close()


class LyingBench:
    """A bench whose one link is that proxy."""

    def __init__(self, link):
        self.the_link = link

    def link(self, link):
        return self.the_link

    @contextmanager
    def journal(self, what, **facts):
        yield


@asynccontextmanager
async def lying(folder, lie):
    """Payments, truly, behind a proxy that lies; gives the bench and a maker of canary targets."""
    async with stack_up(folder, [payments], []) as running:
        proxy = LyingProxy(running.address(payments), lie)
        listening = await asyncio.start_server(proxy.forward, "127.0.0.1", 0)
        proxy.address = Address(*listening.sockets[0].getsockname()[:2])
        app = web.Application()
        app.add_routes(proxy.routes())
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = FaultProxy(Address(*runner.addresses[0][:2]))
        try:
            bench = LyingBench(await client.link(LINK.name))
            yield bench, lambda shape: CanaryTarget(LINK.name, "service", proxy.upstream, proxy.address, shape)
        finally:
            client.close()
            await runner.cleanup()
            listening.close()


async def test_a_toxic_that_does_nothing_is_found_out_by_the_canary(tmp_path):
    """Each fault, accepted and read back by a proxy that passes everything on, was not in force."""
    async with lying(tmp_path, "does nothing") as (bench, target):
        canaries = {name: Canary([target(fault.probe)], time.perf_counter()) for name, fault in ALL.items()}

        async def one(name):
            async with canaries[name], ALL[name].inject(bench) as read_back:
                await asyncio.sleep(2.2)
            assert read_back
            return ALL[name].dose(canaries[name].probes)

        doses = dict(zip(ALL, await asyncio.gather(*map(one, ALL)), strict=True))
    assert [name for name, dose in doses.items() if dose.in_force] == []
    assert all(dose.why and not re.search("too few", dose.why) for dose in doses.values()), doses


@pytest.mark.parametrize(
    ("lie", "name", "words"),
    [
        ("keeps nothing", "silence", "not there when read back"),
        ("drops attributes", "latency", "latency is None, not 100"),
        ("forgets toxicity", "flaky", "toxicity is 1, not 0.5"),
    ],
)
async def test_a_toxic_that_is_not_what_was_asked_is_found_out_by_reading_back(tmp_path, lie, name, words):
    """A fault does not begin where the proxy's own words differ from what was asked, and leaves nothing behind."""
    async with lying(tmp_path, lie) as (bench, _):
        with pytest.raises(ProxyError, match=words):
            async with ALL[name].inject(bench):
                raise AssertionError("it must not get here")
        assert await bench.the_link.toxics() == []


@asynccontextmanager
async def proxied(folder):
    """Payments behind the fault proxy; gives the stack and the proxy's process id."""
    async with stack_up(folder, [payments], [LINK]) as running:
        yield running, running._proxy_child.pid


async def test_a_proxy_that_dies_is_told(tmp_path):
    """Where the proxy is gone at the end of a phase, the fault says that it could not be undone."""
    async with proxied(tmp_path) as (running, pid):
        with pytest.raises(LabError, match=r"payments silent: could not be undone .*not reached"):
            async with faults.silence(LINK).inject(running):
                os.kill(pid, signal.SIGKILL)


async def test_a_proxy_that_dies_hides_no_other_error(tmp_path):
    """The error that ended the phase is raised; the proxy's death is a note on it."""
    async with proxied(tmp_path) as (running, pid):

        async def phase():
            async with faults.silence(LINK).inject(running):
                os.kill(pid, signal.SIGKILL)
                raise KeyError("the phase broke")

        with pytest.raises(KeyError) as raised:
            await phase()
    assert "could not be undone" in raised.value.__notes__[0]


async def test_a_proxy_that_hangs_is_given_up(tmp_path):
    """A paused proxy does not hold the lab for ever: the fault never begins, in a sentence."""
    async with proxied(tmp_path) as (running, pid):
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(ProxyError, match="no answer") as raised:
            async with faults.silence(LINK).inject(running):
                raise AssertionError("it must not get here")
        assert time.monotonic() - began < 30
        assert "could not be undone" in raised.value.__notes__[0]
