import asyncio
import resource
import socket

import pytest
from proxy_inside import connect, echo_server, inside, until

pytestmark = pytest.mark.e2e


async def test_an_upstream_that_never_answers_is_given_up():
    """After the connect timeout the client is closed, and nothing is left of the attempt."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as mute:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(mute.getsockname())
        await asyncio.sleep(0.05)
        async with inside(connect_timeout_s=0.2) as lab:
            proxy = await lab.proxy("127.0.0.1:{1}".format(*mute.getsockname()))
            reader, writer = await connect(proxy)
            assert await reader.read() == b""
            writer.close()
            await until(lambda: len(proxy.relay) == 0)
        for filler in fillers:
            filler.close()


async def test_upstreams_that_cannot_be_dialled():
    """An upstream that is no address, or no host, closes the client instead of keeping it waiting."""
    async with inside() as lab:
        for number, upstream in enumerate(["nonsense", "a:b:c", "nowhere.invalid:1", "x\0:1", ":0", "127.0.0.1:70000"]):
            proxy = await lab.proxy(upstream, str(number))
            reader, writer = await connect(proxy)
            assert await reader.read() == b"", upstream
            writer.close()


async def test_a_client_that_leaves_while_its_upstream_is_dialled():
    """The dial is given up with the client, whether it is reset or the proxy is disabled."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as mute:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(mute.getsockname())
        await asyncio.sleep(0.05)
        async with inside() as lab:
            proxy = await lab.proxy("127.0.0.1:{1}".format(*mute.getsockname()))
            _, writer = await connect(proxy)
            await until(lambda: len(proxy.relay) == 1)
            writer.transport.abort()
            reader, other = await connect(proxy)
            await until(lambda: len(proxy.relay) >= 1)
            proxy.stop()
            assert await reader.read() == b""
            other.close()
            await until(lambda: len(proxy.relay) == 0)
        for filler in fillers:
            filler.close()


@pytest.fixture
def many_files():
    """As many open files as this process may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.e2e
async def test_thousands_of_connections(many_files):
    """Thousands are open at once, each still works, also under a toxic, and all are let go."""
    count = 2_000
    if many_files < 4 * count + 1_000:
        pytest.skip(f"{count} connections need {4 * count} open files; this process may have {many_files}")
    async with inside() as lab, echo_server() as upstream:
        proxy = await lab.proxy(upstream)
        clients = [await connect(proxy) for _ in range(count)]
        await until(lambda: len(proxy.relay._flows) == count)
        await lab.call("POST", "/proxies/edge/toxics", {"type": "latency", "attributes": {"latency": 50}})
        for _, writer in clients:
            writer.write(b"ping")
        for reader, _ in clients:
            assert await asyncio.wait_for(reader.readexactly(4), 20) == b"ping"
        for _, writer in clients:
            writer.close()
        await until(lambda: len(proxy.relay) == 0)
        assert len(lab.timers) == 0


async def test_counters_move_with_the_bytes():
    """Bytes are counted in both directions while the connection is open, and shown with Prometheus' words."""
    async with inside() as lab, echo_server() as upstream:
        proxy = await lab.proxy(upstream)
        reader, writer = await connect(proxy)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        labels = f'direction="upstream",listener="{proxy.listen}",proxy="edge",upstream="{upstream}"'
        text = (await lab.call("GET", "/metrics"))[1]
        assert f"toxiproxy_proxy_received_bytes_total{{{labels}}} 4.0" in text
        assert "# TYPE toxiproxy_proxy_sent_bytes_total counter" in text
        assert "process_open_fds" in text
        writer.close()


async def test_the_same_seed_gives_the_same_jitter():
    """Jitter follows from seed, proxy, connection number, stream and toxic."""

    async def draws(seed):
        async with inside(seed=seed) as lab, echo_server() as upstream:
            proxy = await lab.proxy(upstream)
            await lab.call("POST", "/proxies/edge/toxics", {"type": "latency", "attributes": {"jitter": 1000}})
            clients = [await connect(proxy) for _ in range(3)]
            await until(lambda: len(proxy.relay._flows) == len(clients))
            found = [[flow.head.delay_s() for _ in range(5)] for flow in proxy.relay._flows.values()]
            for _, writer in clients:
                writer.close()
            return sorted(found)  # dials may finish in any order

    first, same, other = await draws(7), await draws(7), await draws(8)
    assert first == same != other
    assert first[0] != first[1]


@pytest.mark.skipif(not hasattr(socket, "TCP_CONGESTION"), reason="the system gives no choice of congestion control")
@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0", "[::]:0"])
async def test_no_network_is_modelled_on_the_loopback(listen):
    """Both sockets of a connection within the machine have the simplest congestion control, over IPv4 and IPv6."""
    async with inside() as lab, echo_server() as upstream:
        proxy = await lab.proxy(upstream, listen=listen)
        host = "::1" if listen == "[::1]:0" else "127.0.0.1"
        reader, writer = await asyncio.open_connection(host, int(proxy.listen.rpartition(":")[2]))
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        both = [flow.transport.get_extra_info("socket") for pair in proxy.relay._flows.items() for flow in pair]
        chosen = [sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") for sock in both]
        assert chosen == [b"reno", b"reno"]
        writer.close()
