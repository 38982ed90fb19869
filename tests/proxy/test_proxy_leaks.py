import asyncio
import gc
import random
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from proxy_inside import connect, echo_server, inside, until

from lab.proxy.chain import Chain
from lab.proxy.flow import Flow
from lab.proxy.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

CONNECTIONS = 2_000
AT_ONCE = 60


def descriptors():
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def use(proxy, dice):
    """One connection, ended in one of many ways at one of many moments."""
    reader, writer = await connect(proxy)
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        ending = dice.choice(["close", "abort", "half", "unread", "idle"])
        if ending != "idle":
            writer.write(bytes(dice.randrange(1, 40_000)))
        if ending == "half":
            writer.write_eof()
        if ending in ("half", "close"):
            await asyncio.wait_for(reader.read(dice.randrange(1, 40_000)), 0.05)
        if ending == "abort":
            writer.transport.abort()
    writer.close()


async def meddle(lab, dice):
    """Adds, updates and removes toxics, and switches the proxy off and on, for ever."""
    kinds = {
        "latency": {"latency": 5, "jitter": 5},
        "bandwidth": {"rate": 100},
        "slicer": {"average_size": 500, "size_variation": 100, "delay": 10},
        "slow_close": {"delay": 20},
        "timeout": {"timeout": 10},
        "reset_peer": {"timeout": 5},
        "limit_data": {"bytes": 100},
    }
    while True:
        kind = dice.choice(list(kinds))
        stream = dice.choice(["upstream", "downstream"])
        body = {"type": kind, "stream": stream, "attributes": kinds[kind], "toxicity": dice.choice([1, 0.5])}
        await lab.call("POST", "/proxies/edge/toxics", body)
        await asyncio.sleep(dice.random() * 0.02)
        await lab.call("PATCH", f"/proxies/edge/toxics/{kind}_{stream}", {"toxicity": dice.random()})
        await asyncio.sleep(dice.random() * 0.02)
        match dice.randrange(6):
            case 0:
                await lab.call("POST", "/reset")
            case 1:
                await lab.call("PATCH", "/proxies/edge", {"enabled": False})
                await lab.call("PATCH", "/proxies/edge", {"enabled": True})
            case _:
                await lab.call("DELETE", f"/proxies/edge/toxics/{kind}_{stream}")


@pytest.mark.e2e
@pytest.mark.parametrize("counted", [True, False])
async def test_churn_leaves_nothing(counted):
    """Thousands of connections, reset, half-closed, cut and poisoned midway, leave no task, socket, timer or byte."""
    dice = random.Random(4)
    async with inside(counted=counted) as lab, echo_server() as upstream:
        proxy = await lab.proxy(upstream)
        await use(proxy, dice)
        await until(lambda: len(proxy.relay) == 0)
        gc.collect()
        sockets, tasks = descriptors(), len(asyncio.all_tasks())
        meddler = asyncio.create_task(meddle(lab, random.Random(5)))
        slots = asyncio.Semaphore(AT_ONCE)

        async def one():
            async with slots:
                with suppress(ConnectionRefusedError, ConnectionResetError):
                    await use(proxy, dice)

        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
        meddler.cancel()
        with suppress(asyncio.CancelledError):
            await meddler
        assert (await lab.call("POST", "/reset"))[0] == 204
        await until(lambda: len(proxy.relay) == 0, within_s=20)
        assert len(lab.timers) == 0
        await until(lambda: descriptors() <= sockets + 1, within_s=20)
        assert len(asyncio.all_tasks()) <= tasks + 1  # the API's connection may have been made anew
        gc.collect()
        left = [type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, Flow | Chain | Stage)]
        assert left == []


@pytest.mark.parametrize("counted", [True, False])
async def test_a_connection_is_freed_without_the_collector(counted):
    """When both sockets are gone, reference counting alone frees a connection: no pauses to collect them."""
    async with inside(counted=counted) as lab, echo_server() as upstream:
        proxy = await lab.proxy(upstream)
        await lab.call("POST", "/proxies/edge/toxics", {"type": "latency", "attributes": {"latency": 1}})
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                reader, writer = await connect(proxy)
                writer.write(b"ping")
                assert await reader.readexactly(4) == b"ping"
                writer.close()
            await until(lambda: len(proxy.relay) == 0)
            await asyncio.sleep(0.05)
            left = [thing for thing in gc.get_objects() if isinstance(thing, Flow)]
            assert left == [], gc.get_referrers(left[0])
        finally:
            gc.enable()


async def test_what_a_slow_reader_leaves_is_bounded():
    """A reader that never reads costs one chunk in the proxy and no more, with toxics and without."""
    if sys.platform != "linux":
        pytest.skip("counts what the kernel's socket buffers take, as Linux does")
    poured = 0

    async def pour(_, writer):
        nonlocal poured
        with suppress(OSError):
            while True:
                writer.write(bytes(65536))
                await writer.drain()
                poured += 65536

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    async with inside() as lab:
        proxy = await lab.proxy("127.0.0.1:{1}".format(*server.sockets[0].getsockname()))
        for kind in (None, {"type": "noop"}, {"type": "latency", "attributes": {"latency": 20}}):
            if kind:
                await lab.call("POST", "/proxies/edge/toxics", kind)
            reader, writer = await connect(proxy)
            before = -1
            while before != (before := poured):  # noqa: ASYNC110 - it stops when it stops
                await asyncio.sleep(0.1)
            (flow,) = proxy.relay._flows.values()
            held = flow.counter.received_bytes - flow.counter.sent_bytes
            waiting = flow.peer.transport.get_write_buffer_size()
            assert held + waiting < 34 * 1024 * 1024
            writer.transport.abort()
            del reader
            await until(lambda: len(proxy.relay) == 0)
    server.close()
