"""A name that no resolver answers holds up neither numbers nor other names, and not for ever."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest
from proxy_inside import inside

from lab.proxy import addresses
from lab.proxy.addresses import AddressError, listen, resolve
from lab.proxy.bodies import ProxyInput


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A resolver that answers for localhost and numbers alone, until it is set."""
    real, over = socket.getaddrinfo, threading.Event()

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if more.get("flags") != socket.AI_NUMERICHOST and host != "localhost":
            over.wait(60)
            raise socket.gaierror
        return real(host, *rest, **more)

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
    return over


async def test_other_addresses_do_not_wait(mute: threading.Event) -> None:
    """However many names hang: a pool of threads would be full of them."""
    hanging = [asyncio.create_task(resolve(f"mute-{n}.test:5")) for n in range(64)]
    await asyncio.sleep(0)
    assert str(await resolve("localhost:5")) == "127.0.0.1:5"
    sock, _ = await listen("127.0.0.1:0")
    sock.close()
    assert not any(task.done() for task in hanging)
    mute.set()
    assert {type(found) for found in await asyncio.gather(*hanging, return_exceptions=True)} == {AddressError}


async def test_the_wait_has_a_bound(mute: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends in Go's words."""
    monkeypatch.setattr(addresses, "RESOLVE_S", 0.05)
    with pytest.raises(AddressError, match=r"^lookup mute\.test: i/o timeout$"):
        await resolve("mute.test:5")
    with pytest.raises(AddressError, match=r"^listen tcp: lookup mute\.test: i/o timeout$"):
        await listen("mute.test:5")
    mute.set()


async def test_no_change_of_another_proxy_waits_for_a_resolver(mute: threading.Event) -> None:
    """One name that no resolver answered held up every change of every proxy for 5 s."""
    async with inside() as ours, asyncio.timeout(30):
        proxies = ours.proxies
        other = await proxies.create(ProxyInput("other", "127.0.0.1:0", "127.0.0.1:1", enabled=True))
        slow = ProxyInput("slow", "mute.test:0", "127.0.0.1:1", enabled=True)
        changes = [
            proxies.create(slow),
            proxies.populate([slow]),
            proxies.update("other", "mute.test:0", "127.0.0.1:1", enabled=True),
        ]
        hanging = [asyncio.create_task(change) for change in changes]
        await asyncio.sleep(0)
        assert (await proxies.update("other", other.listen, "127.0.0.1:2", enabled=True)).upstream == "127.0.0.1:2"
        await proxies.create(ProxyInput("third", "127.0.0.1:0", "127.0.0.1:1", enabled=False))
        await proxies.reset()
        await proxies.delete("third")
        assert not any(task.done() for task in hanging)
        mute.set()
        created, populated, updated = await asyncio.gather(*hanging, return_exceptions=True)
        assert str(created) == "listen tcp: lookup mute.test: no such host"
        assert populated == ([], str(created))
        assert str(updated) == "lookup mute.test: no such host"
