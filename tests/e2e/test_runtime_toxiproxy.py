import asyncio
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from run_ids import fresh
from waits import until

from lab.errors import ProxyError
from lab.model.bench import Toxic
from lab.runtime.base import Address
from lab.runtime.ports import free_port
from lab.runtime.supervisor import Supervisor
from lab.runtime.toxiproxy import FaultProxy

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

ROOT = Path(__file__).parents[2]
REAL = os.environ.get("TOXIPROXY_SERVER") or shutil.which(
    "toxiproxy-server", path=f"{os.environ['PATH']}:{ROOT}/.lab/bin"
)
SERVERS = {"builtin": [sys.executable, "-m", "lab.proxy"], "toxiproxy": [REAL]}


@pytest.fixture(params=SERVERS)
async def server(request, tmp_path):
    """A running fault proxy of each kind, through the adapter."""
    if SERVERS[request.param] == [None]:
        pytest.skip("no toxiproxy-server on PATH or in .lab/bin: `make toxiproxy` gets it")
    async with Supervisor.open(tmp_path / "run", fresh(f"adapter-{request.param}")) as supervisor:
        address = Address("127.0.0.1", free_port())
        argv = [*SERVERS[request.param], "-host", address.host, "-port", str(address.port)]
        child = supervisor.spawn("fault proxy", argv, log=tmp_path / "log", cwd=ROOT)
        await until(lambda: listens(address.port) or (child.returncode is not None and pytest.fail(child.tail())))
        proxy = FaultProxy(address)
        proxy.child = child
        yield proxy
        proxy.close()


@pytest.fixture
async def upstream():
    """An echo server; gives host:port."""

    async def echo(reader, writer):
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as listening:
        yield "127.0.0.1:{1}".format(*listening.sockets[0].getsockname())


def listens(port):
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def echoed(address, text=b"hello", within_s=2.0):
    """What comes back for `text`: the text, nothing (closed), or None (silence)."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(text)
        return await asyncio.wait_for(reader.read(1024), within_s)
    except TimeoutError:
        return None
    finally:
        writer.close()


async def test_a_link_carries_what_is_sent_until_it_is_made_silent(server, upstream):
    """A link carries bytes, a timeout toxic holds them back, and removing it lets them pass again."""
    link = await server.create("exchange->payments", upstream)
    assert await echoed(link.address) == b"hello"
    silent = Toxic("silence", "timeout", "downstream", attributes={"timeout": 0})
    assert await link.add(silent) == silent
    assert await link.toxics() == [silent]
    assert await echoed(link.address, within_s=0.3) is None
    await link.remove("silence")
    assert await link.toxics() == []
    assert await echoed(link.address) == b"hello"


async def test_removing_a_toxic_twice_is_harmless(server, upstream):
    """A toxic, or a proxy, that is not there is removed without an error."""
    link = await server.create("exchange->payments", upstream)
    await link.remove("never added")
    await server.remove("exchange->payments")
    await server.remove("exchange->payments")
    await link.remove("never added")


async def test_a_toxic_is_updated_in_place(server, upstream):
    """Attributes and toxicity of a toxic are changed, and what was not named stays."""
    link = await server.create("a->b", upstream)
    await link.add(Toxic("slow", "latency", attributes={"latency": 10, "jitter": 3}))
    now = await link.update(Toxic("slow", "latency", toxicity=0.1, attributes={"latency": 20}))
    assert now == Toxic("slow", "latency", toxicity=now.toxicity, attributes={"latency": 20, "jitter": 3})
    assert now.toxicity == pytest.approx(0.1)
    with pytest.raises(ProxyError, match="toxic not found"):
        await link.update(Toxic("other", "latency", attributes={"latency": 20}))


async def test_an_attribute_the_server_does_not_know_is_an_error(server, upstream):
    """A misspelt attribute, which the server drops without a word, is found when read back."""
    link = await server.create("a->b", upstream)
    with pytest.raises(ProxyError, match="milliseconds is None, not 10"):
        await link.add(Toxic("slow", "latency", attributes={"milliseconds": 10}))


async def test_the_servers_own_words_are_in_the_error(server, upstream):
    """A refusal carries what the server said, and its status."""
    link = await server.create("a->b", upstream)
    with pytest.raises(ProxyError, match=r"POST /proxies/a->b/toxics: invalid toxic type \(400\)"):
        await link.add(Toxic("x", "no-such-type"))
    await link.add(Toxic("x", "latency"))
    with pytest.raises(ProxyError, match=r"toxic already exists \(409\)"):
        await link.add(Toxic("x", "latency"))
    with pytest.raises(ProxyError, match="there is a proxy a->b already"):
        await server.create("a->b", upstream)
    with pytest.raises(ProxyError, match=r"proxy not found \(404\)"):
        await server.link("c->d")


async def test_a_busy_port_is_an_error_on_create(server, upstream):
    """A port that is taken (an answer of 500, which the library takes for a proxy) is an error."""
    with pytest.raises(ProxyError, match=r"address already in use.* \(500\)"):
        await server.create("a->b", upstream, listen=upstream)


async def test_a_busy_port_is_an_error_on_enable(server, upstream):
    """A proxy that cannot listen again because its port was taken is an error, not a success."""
    link = await server.create("a->b", upstream)
    await link.set_enabled(False)
    assert not listens(link.address.port)
    with socket.create_server(("127.0.0.1", link.address.port)), pytest.raises(ProxyError, match="already in use"):
        await link.set_enabled(True)
    await link.set_enabled(True)
    assert await echoed(link.address) == b"hello"


async def test_a_free_port_is_drawn_again_when_taken(server, upstream, monkeypatch):
    """A port that somebody takes between drawing and listening costs another try, not the run."""
    taken = int(upstream.rpartition(":")[2])
    ports = iter([taken, taken, free_port()])
    monkeypatch.setattr("lab.runtime.toxiproxy.free_port", lambda: next(ports))
    link = await server.create("a->b", upstream)
    assert await echoed(link.address) == b"hello"


async def test_any_name_can_be_used(server, upstream):
    """A link can have any name: each is quoted on its way, those with a slash too, and none is taken for another."""
    names = ["a/b", "100%", "exchange->payments", "a b/c?d#e", "ünïcode", "a%2Fb"]
    for name in names:
        link = await server.create(name, upstream)
        toxic = await link.add(Toxic("a toxic/of mine", "latency", attributes={"latency": 1}))
        assert await link.update(toxic) == toxic
        await link.set_enabled(False)
        await link.set_enabled(True)
        assert (await server.link(name)).address == link.address
        await link.remove(toxic.name)
        assert await link.toxics() == []
    assert set(await server.names()) == set(names)


async def test_two_servers_do_not_mix(server, upstream, tmp_path):
    """Two adapters work at two servers at the same time; the library alone knows only one."""
    async with Supervisor.open(tmp_path / "second", fresh("second")) as supervisor:
        address = Address("127.0.0.1", free_port())
        argv = [*SERVERS["toxiproxy" if REAL else "builtin"], "-host", address.host, "-port", str(address.port)]
        supervisor.spawn("second", argv, log=tmp_path / "second.log", cwd=ROOT)
        await until(lambda: listens(address.port))
        other = FaultProxy(address)
        await asyncio.gather(*(each.create(f"link {n}", upstream) for n in range(5) for each in (server, other)))
        await other.remove("link 0")
        assert len(await server.names()) == 5
        assert len(await other.names()) == 4
        other.close()


async def test_reset_restores_every_link(server, upstream):
    """Reset enables every proxy and removes every toxic."""
    link = await server.create("a->b", upstream, enabled=False)
    await link.add(Toxic("slow", "latency", attributes={"latency": 10}))
    await server.reset()
    assert await link.toxics() == []
    assert (await link.read_back({}))["enabled"] is True


async def test_a_server_that_has_ended_is_named(server, upstream):
    """A server that is gone is an error that says so, at once."""
    link = await server.create("a->b", upstream)
    await server.child.kill()
    with pytest.raises(ProxyError, match=r"not reached for GET /proxies/a->b/toxics; it has ended"):
        await link.toxics()


async def test_a_paused_server_does_not_hold_the_lab(server, upstream):
    """A server that takes the request and says nothing is given up after the timeout, in a plain sentence."""
    hasty = FaultProxy(server.address, timeout_s=0.3)
    link = await hasty.create("a->b", upstream)
    os.kill(server.child.pid, 19)
    with pytest.raises(ProxyError, match=r"no answer to GET /proxies/a->b/toxics within 0.3 s"):
        await link.toxics()
    os.kill(server.child.pid, 18)
    assert await link.toxics() == []
    hasty.close()


async def test_the_version_is_told(server):
    """The server tells its version."""
    assert await server.version()
