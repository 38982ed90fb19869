import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from lab.errors import ProxyError
from lab.model.bench import Toxic
from lab.runtime.base import Address
from lab.runtime.toxiproxy import FaultProxy

pytestmark = pytest.mark.e2e

SLOW = Toxic("slow", "latency", attributes={"latency": 100})
PROXY = {"name": "a->b", "listen": "127.0.0.1:5000", "upstream": "127.0.0.1:5001", "enabled": True, "toxics": []}

LATENCY = {"attributes": {"latency": 100}}


def reported(**changes):
    """The toxic SLOW as a server reports it, with changes."""
    return {"name": "slow", "type": "latency", "stream": "downstream", "toxicity": 1, **LATENCY, **changes}


@asynccontextmanager
async def liar(**answers):
    """An adapter to a server that answers each `VERB_last-word-of-path` as told: (status, body) or only a body."""

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if length := next((line for line in head.lower().splitlines() if line.startswith("content-length")), ""):
            await reader.readexactly(int(length.split(":")[1]))
        verb, path, *_ = head.split()
        answer = answers.get(f"{verb}_{path.rpartition('/')[2].rpartition('%3E')[2]}", (200, PROXY))
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        proxy = FaultProxy(Address(*listening.sockets[0].getsockname()), timeout_s=2)
        yield proxy
        proxy.close()


@pytest.mark.parametrize(
    ("toxics", "complaint"),
    [
        ([], "toxic slow was accepted, and is not there when read back"),
        ([reported(attributes={"latency": 0})], "latency is 0, not 100"),
        ([reported(attributes={})], "latency is None, not 100"),
        ([reported(toxicity=0.5)], "toxicity is 0.5, not 1.0"),
        ([reported(stream="upstream")], "stream is upstream, not downstream"),
        ([reported(type="noop")], "type is noop, not latency"),
    ],
)
async def test_a_toxic_that_is_not_as_asked_is_found(toxics, complaint):
    """A server that takes a toxic and reports another, or none, is caught, when adding and when updating."""
    async with liar(GET_toxics=toxics) as proxy:
        link = await proxy.link("a->b")
        for change in (link.add, link.update):
            with pytest.raises(ProxyError, match=complaint):
                await change(SLOW)


async def test_a_toxic_that_stays_is_found():
    """A server that says it removed a toxic and still has it is caught."""
    async with liar(DELETE_slow=(204, ""), GET_toxics=[reported()]) as proxy:
        link = await proxy.link("a->b")
        with pytest.raises(ProxyError, match="toxic slow was removed, and is still there"):
            await link.remove("slow")


async def test_a_proxy_that_is_not_as_asked_is_found():
    """A server that says it disabled a proxy, or made one, and reports another state is caught."""
    async with liar(GET_proxies={}, POST_proxies=(201, PROXY)) as proxy:
        link = await proxy.create("a->b", "127.0.0.1:5001", "127.0.0.1:5000")
        assert str(link.address) == "127.0.0.1:5000"
        with pytest.raises(ProxyError, match="a->b: read back, enabled is True, not False"):
            await link.set_enabled(False)
        with pytest.raises(ProxyError, match=r"upstream is 127\.0\.0\.1:5001, not 127\.0\.0\.1:9"):
            await proxy.create("a->b", "127.0.0.1:9", "127.0.0.1:5000")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, '{"error":"out of order","status":500}'), r"out of order \(500\)"),
        ((503, "<html>busy</html>"), r"<html>busy</html> \(503\)"),
        ((502, ""), r"X \(502\)"),
        ((302, "elsewhere"), r"elsewhere \(302\)"),
        ((403, "User agent not allowed"), r"User agent not allowed \(403\)"),
    ],
)
async def test_every_refusal_is_an_error_with_the_servers_words(answer, words):
    """Whatever is not 2xx is an error, with what the server says in JSON, in text, or only by its status."""
    async with liar(GET_b=answer, DELETE_b=answer) as proxy:
        with pytest.raises(ProxyError, match=words):
            await proxy.link("a->b")
        with pytest.raises(ProxyError, match=words):
            await proxy.remove("a->b")


async def test_a_toxic_cannot_be_removed_where_the_server_refuses():
    """Only an answer of 404 means that a toxic is gone; a server that fails is an error."""
    async with liar(DELETE_slow=(500, "stuck")) as proxy:
        link = await proxy.link("a->b")
        with pytest.raises(ProxyError, match="stuck"):
            await link.remove("slow")


@pytest.mark.parametrize("answer", ["hello", "[]", '"x"'])
async def test_another_kind_of_server_is_told(answer):
    """A server that answers 200 and is no Toxiproxy is an error that asks who listens there."""
    async with liar(GET_version=answer, GET_toxics="[1]") as proxy:
        with pytest.raises(ProxyError, match="not as Toxiproxy does"):
            await proxy.version()
        with pytest.raises(ProxyError, match="not as Toxiproxy does"):
            await (await proxy.link("a->b")).toxics()


async def test_the_settings_of_a_shell_do_not_divert_requests(monkeypatch):
    """HTTP_PROXY in the environment does not send the lab's own requests elsewhere."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with liar(GET_version={"version": "2.12.0"}) as proxy:
        assert await proxy.version() == "2.12.0"
