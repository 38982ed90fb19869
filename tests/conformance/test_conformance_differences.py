"""Every place where the built-in proxy differs from Toxiproxy on purpose; each test holds both to what they do."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest
from proxy_harness import (
    BUILTIN,
    PATIENCE_S,
    Edge,
    Toxiproxy,
    Upstream,
    echo,
    eventually,
    exactly,
    rest,
    round_trip_s,
    running,
)

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("toxic", "refusal"),
    [
        ({"type": "bandwidth", "attributes": {"rate": -1}}, "bandwidth: rate is -1; it must be 0 or more"),
        ({"type": "slicer"}, "slicer: average_size is 0; with size_variation 0 it must be 1 or more"),
    ],
)
def test_settings_that_crash_toxiproxy_are_refused(kind, toxic, refusal):
    """Toxiproxy takes them and dies at the next data; the built-in server names attribute, value and range."""
    upstream = Upstream(echo)
    with running(kind) as server:
        edge = server.proxy(upstream.address)
        reply = server.call("POST", "/proxies/edge/toxics", toxic)
        with edge.connect() as sock:
            sock.sendall(b"ping")
            if server.builtin:
                assert (reply.status, reply.error()) == (400, f"bad request body: {refusal}")
                assert exactly(sock, 4) == b"ping"
                assert server.process.poll() is None
            else:
                assert reply.status == 200
                assert server.process.wait(PATIENCE_S) != 0
    upstream.close()


def test_an_update_is_checked_whole(server: Toxiproxy):
    """The built-in server refuses an update that would break a toxic, and keeps the old settings."""
    edge = server.proxy("127.0.0.1:1")
    edge.add("slicer", average_size=10)
    reply = server.call("PATCH", "/proxies/edge/toxics/slicer_downstream", {"attributes": {"average_size": 0}})
    assert reply.status == (400 if server.builtin else 200)
    kept = server.ok("GET", "/proxies/edge/toxics/slicer_downstream")["attributes"]["average_size"]
    assert kept == (10 if server.builtin else 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Host": "evil.test"},
        {"Host": "evil.test:8474"},
        {"Host": "127.0.0.1.evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_a_page_in_a_browser_is_refused(server: Toxiproxy, headers):
    """Toxiproxy opens a way to anywhere for a page whose name was bound to its address, or that hides its browser."""
    body = b'{"name":"way","listen":"0.0.0.0:0","upstream":"169.254.169.254:80"}'
    for method, path, sent in (("GET", "/version", None), ("GET", "/nowhere", None), ("POST", "/proxies", body)):
        reply = server.call(method, path, sent, headers)
        assert (reply.status == 403) == server.builtin, path
    assert ("way" in server.ok("GET", "/proxies")) != server.builtin


@pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST:8474", "127.0.0.1:1", "[::1]:8474", "192.0.2.1", "::1"])
def test_a_client_is_no_page_whatever_it_calls_the_server(server: Toxiproxy, host):
    """Loopback names and addresses are no name that was bound to another address; without Host as in HTTP/1.0."""
    assert server.call("GET", "/version", headers={"Host": host}).status == 200


@pytest.mark.parametrize("toxicity", [1.5, -0.1, 1e30])
def test_toxicity_has_a_range(server: Toxiproxy, toxicity):
    """Toxiproxy takes any share; the built-in server wants one from 0 to 1."""
    server.proxy("127.0.0.1:1")
    reply = server.call("POST", "/proxies/edge/toxics", {"type": "noop", "toxicity": toxicity})
    if server.builtin:
        assert (reply.status, "it must be from 0 to 1" in reply.error()) == (400, True)
    else:
        assert reply.status == 200


def struck(kind, seed):
    """Which of 40 connections a toxicity of 0.5 strikes."""
    upstream = Upstream(echo)
    pattern = []
    with running(kind, "-seed", str(seed)) as server:
        edge = server.proxy(upstream.address)
        edge.add("limit_data", toxicity=0.5, bytes=0)
        for _ in range(40):
            with edge.connect() as sock:
                sock.sendall(b"ping")
                pattern.append(exactly(sock, 4) == b"")
    upstream.close()
    return pattern


def test_the_seed_decides(kind):
    """Under one seed the built-in server strikes the same connections, under another one others; not so Toxiproxy."""
    first = struck(kind, 7)
    assert (struck(kind, 7) == first) is (kind == "builtin")
    assert struck(kind, 8) != first


def test_byte_counters_are_live(edge: Edge):
    """The built-in server counts bytes as they move, Toxiproxy only when a connection has ended."""

    def counted():
        text = edge.server.call("GET", "/metrics").body.decode()
        return any(
            line.startswith("toxiproxy_") and edge.listen in line and line.endswith(" 4.0")
            for line in text.splitlines()
        )

    with edge.connect() as sock:
        round_trip_s(sock)
        if edge.server.builtin:
            eventually(counted)
        else:
            time.sleep(0.2)
            assert not counted()


def test_runtime_metrics_are_of_the_runtime_there_is(kind):
    """-runtime-metrics shows the process of either; beside it Toxiproxy shows Go, the built-in server Python."""
    with running(kind, "-runtime-metrics") as server:
        text = server.call("GET", "/metrics").body.decode()
        names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
        assert {"process_resident_memory_bytes", "process_open_fds"} <= names
        runtimes = {name.partition("_")[0] for name in names} & {"go", "python"}
        assert runtimes == {"python" if server.builtin else "go"}


def test_half_closed_connections_stay_half_closed(server: Toxiproxy, upstream):
    """A client that has finished sending still gets its answer; through Toxiproxy the connection is gone."""

    def answer_at_the_end(sock):
        asked = rest(sock)
        time.sleep(0.1)
        sock.sendall(asked.upper())

    edge = server.proxy(upstream(answer_at_the_end).address)
    with edge.connect() as sock:
        sock.sendall(b"question")
        sock.shutdown(socket.SHUT_WR)
        assert rest(sock) == (b"QUESTION" if server.builtin else b"")


def test_a_silent_upstream_stalls_nobody_else(server: Toxiproxy):
    """While one dial waits for an upstream's handshake, the built-in server still serves the next client."""
    with ExitStack() as open_things, socket.create_server(("127.0.0.1", 0), backlog=0) as upstream:
        address = upstream.getsockname()
        fillers = [open_things.enter_context(socket.socket()) for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)  # the backlog is full, so the next SYN goes unanswered for a second
        time.sleep(0.1)
        edge = server.proxy(f"127.0.0.1:{address[1]}")
        waiting = open_things.enter_context(edge.connect())
        time.sleep(0.1)
        threading.Thread(target=serve, args=(upstream, open_things), daemon=True).start()
        time.sleep(0.1)
        served = []

        def ask(name, sock):
            round_trip_s(sock)
            served.append(name)

        second = open_things.enter_context(edge.connect())
        clients = [threading.Thread(target=ask, args=one) for one in (("waiting", waiting), ("second", second))]
        for client in clients:
            client.start()
        for client in clients:
            client.join(PATIENCE_S)
        assert served == (["second", "waiting"] if server.builtin else ["waiting", "second"])


def serve(listener, open_things):
    """Accept and echo, until the listener is closed."""
    try:
        while True:
            sock, _ = listener.accept()
            open_things.enter_context(sock)
            threading.Thread(target=quietly_echo, args=(sock,), daemon=True).start()
    except OSError:
        return


def quietly_echo(sock):
    """Echo to a client that may go at any moment."""
    try:
        echo(sock)
    except OSError:
        return


def test_removing_a_toxic_never_hangs(kind):
    """Where a struck connection waits a minute for its reset, the built-in server removes the toxic at once."""
    upstream = Upstream(echo)
    with running(kind) as server:
        edge = server.proxy(upstream.address)
        edge.add("reset_peer", timeout=60_000)
        with edge.connect() as sock:
            sock.sendall(b"ping")
            time.sleep(0.2)
            if server.builtin:
                assert server.call("DELETE", "/proxies/edge/toxics/reset_peer_downstream").status == 204
                with pytest.raises(ConnectionResetError):
                    sock.recv(1)
            else:
                with pytest.raises(TimeoutError):
                    server.call("DELETE", "/proxies/edge/toxics/reset_peer_downstream", timeout_s=1)
    upstream.close()


def test_a_reset_that_strikes_nobody_changes_nothing():
    """Under reset_peer with toxicity 0 a slow reader gets all of an answer whose server closes at its end.

    The built-in server resets only what the toxic struck; Toxiproxy makes every connection opened under it close by
    RST, which throws away what is still on its way.
    """
    size_bytes = 3_000_000

    def answer(sock: socket.socket) -> None:
        rest(sock)
        sock.sendall(bytes(size_bytes))

    upstream = Upstream(answer)
    with running(BUILTIN) as server:
        edge = server.proxy(upstream.address)
        edge.add("reset_peer", toxicity=0)
        host, _, port = edge.listen.rpartition(":")
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            sock.settimeout(PATIENCE_S)
            sock.connect((host, int(port)))
            sock.sendall(b"ping")
            sock.shutdown(socket.SHUT_WR)
            time.sleep(0.3)  # the answer is on its way, its server gone
            assert len(rest(sock)) == size_bytes
    upstream.close()
