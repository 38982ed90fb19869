import hashlib
import socket
import threading
import time

import pytest
from proxy_harness import (
    Edge,
    Toxiproxy,
    Upstream,
    echo,
    ending,
    eventually,
    exactly,
    rest,
    round_trip_s,
    silent,
)

pytestmark = pytest.mark.e2e

BOTH = pytest.mark.parametrize("stream", ["upstream", "downstream"])
FOREVER_MS = 60_000


def test_everything_passes_whole(edge: Edge):
    """Megabytes go through both ways unchanged, on several connections."""
    data = b"".join(hashlib.sha512(bytes([number])).digest() * 16384 for number in range(4))
    for _ in range(3):
        with edge.connect() as sock:
            round_trip_s(sock, b"first")
            sock.settimeout(30)
            sender = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
            sender.start()
            assert hashlib.sha256(exactly(sock, len(data))).digest() == hashlib.sha256(data).digest()
            sender.join()


def test_a_slow_reader_holds_the_sender_back(server: Toxiproxy, upstream):
    """When nobody reads, the sender is stopped before the proxy has swallowed much."""
    sent = []

    def pour(sock):
        while True:
            sent.append(sock.send(bytes(65536)))

    edge = server.proxy(upstream(pour).address)
    with edge.connect():
        eventually(lambda: len(sent) > 0)
        before = -1
        while before != (before := len(sent)):
            time.sleep(0.3)
        assert sum(sent) < 64 * 1024 * 1024


def test_an_upstream_that_refuses(server: Toxiproxy, upstream):
    """Where nobody answers upstream, a client is accepted and closed at once."""
    gone = upstream(echo)
    gone.close()
    with server.proxy(gone.address).connect() as sock:
        assert ending(sock) in ("FIN", "RST")


def test_the_server_may_speak_first(server: Toxiproxy, upstream):
    """What the upstream says before the client does arrives."""
    edge = server.proxy(upstream(lambda sock: sock.sendall(b"hello")).address)
    with edge.connect() as sock:
        assert rest(sock) == b"hello"


def test_the_client_may_leave_first(server: Toxiproxy, upstream):
    """A client that sends and closes at once is heard in full, and its upstream sees the end."""
    heard = []
    edge = server.proxy(upstream(lambda sock: heard.append(rest(sock))).address)
    with edge.connect() as sock:
        sock.sendall(b"farewell" * 1000)
    eventually(lambda: heard == [b"farewell" * 1000])


def test_ipv6(server: Toxiproxy, upstream):
    """Both sides may be IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 on its loopback")
    edge = server.proxy(upstream(echo, "::1").address, listen="[::1]:0")
    assert edge.listen.startswith("[::1]:")
    with edge.connect() as sock:
        round_trip_s(sock)


def test_disabling(edge: Edge):
    """A disabled proxy closes its connections and refuses new ones; enabled, it serves at the same address."""
    sock = edge.connect()
    round_trip_s(sock)
    edge.change(enabled=False)
    assert ending(sock) in ("FIN", "RST")
    with pytest.raises(ConnectionRefusedError):
        edge.connect()
    assert edge.change(enabled=True)["listen"] == edge.listen
    with edge.connect() as sock:
        round_trip_s(sock)


def test_enabled_last_nothing_slips_through(server: Toxiproxy, upstream):
    """Created disabled, poisoned, then enabled: even the first connection is struck."""
    edge = server.proxy(upstream(echo).address, enabled=False)
    edge.add("limit_data", bytes=2)
    edge.listen = edge.change(enabled=True)["listen"]
    with edge.connect() as sock:
        sock.sendall(b"ping")
        assert rest(sock) == b"pi"


@BOTH
def test_latency(edge: Edge, stream):
    """Each direction's latency delays data, but not the handshake."""
    edge.add("latency", stream, latency=300)
    start_s = time.monotonic()
    with edge.connect() as sock:
        assert time.monotonic() - start_s < 0.3
        assert round_trip_s(sock) >= 0.3


def test_latency_is_pipelined(server: Toxiproxy, upstream):
    """Chunks that come one after another wait side by side."""

    def drip(sock):
        for number in range(20):
            sock.sendall(bytes([number]))
            time.sleep(0.02)

    edge = server.proxy(upstream(drip).address)
    edge.add("latency", latency=500)
    start_s = time.monotonic()
    with edge.connect() as sock:
        assert rest(sock) == bytes(range(20))
    assert 0.5 <= time.monotonic() - start_s < 20 * 0.5


def test_jitter_keeps_the_order(server: Toxiproxy, upstream):
    """Jitter moves chunks in time but never past one another."""

    def drip(sock):
        for number in range(50):
            sock.sendall(bytes([number]))
            time.sleep(0.002)

    edge = server.proxy(upstream(drip).address)
    edge.add("latency", latency=20, jitter=20)
    with edge.connect() as sock:
        assert rest(sock) == bytes(range(50))


def test_updating_latency_frees_what_is_held(edge: Edge):
    """A shorter latency holds for data already waiting."""
    edge.add("latency", latency=FOREVER_MS)
    with edge.connect() as sock:
        sock.sendall(b"ping")
        assert silent(sock, 0.1)
        edge.set("latency_downstream", latency=0)
        assert exactly(sock, 4) == b"ping"
        assert round_trip_s(sock) < 5


@pytest.mark.parametrize(("kind", "values"), [("latency", {"latency": FOREVER_MS}), ("bandwidth", {"rate": 0})])
@BOTH
def test_removal_frees_what_is_held(edge: Edge, stream, kind, values):
    """What latency or a rate of 0 held arrives whole when the toxic goes, on the same connection."""
    edge.add(kind, stream, **values)
    with edge.connect() as sock:
        for number in range(5):
            sock.sendall(b"%d" % number * 100)
            time.sleep(0.01)
        assert silent(sock, 0.1)
        edge.drop(f"{kind}_{stream}")
        assert exactly(sock, 500) == b"".join(b"%d" % number * 100 for number in range(5))
        round_trip_s(sock)


@BOTH
def test_bandwidth(edge: Edge, stream):
    """100 KB at 200 KB/s take half a second."""
    edge.add("bandwidth", stream, rate=200)
    with edge.connect() as sock:
        assert 0.45 <= round_trip_s(sock, bytes(100_000)) < 5


def test_bandwidth_is_per_connection(edge: Edge):
    """Two connections have twice the rate between them."""
    edge.add("bandwidth", rate=100)
    with edge.connect() as one, edge.connect() as other:
        start_s = time.monotonic()
        for sock in (one, other):
            sock.sendall(bytes(100_000))
        for sock in (one, other):
            exactly(sock, 100_000)
        assert 0.9 <= time.monotonic() - start_s < 1.8


def test_bandwidth_can_be_raised(edge: Edge):
    """A new rate holds for the data that is waiting."""
    edge.add("bandwidth", rate=1)
    with edge.connect() as sock:
        sock.sendall(bytes(50_000))
        assert len(exactly(sock, 100)) == 100
        edge.set("bandwidth_downstream", rate=100_000)
        start_s = time.monotonic()
        assert len(exactly(sock, 49_900)) == 49_900
        assert time.monotonic() - start_s < 10


def test_slow_close(server: Toxiproxy, upstream):
    """Data is on time, the close is late."""
    edge = server.proxy(upstream(lambda sock: sock.sendall(b"bye")).address)
    edge.add("slow_close", delay=500)
    start_s = time.monotonic()
    with edge.connect() as sock:
        assert exactly(sock, 3) == b"bye"
        assert time.monotonic() - start_s < 0.5
        assert sock.recv(1) == b""
        assert time.monotonic() - start_s >= 0.5


def test_removing_slow_close_closes(server: Toxiproxy, upstream):
    """A close that is held goes out when the toxic does."""
    edge = server.proxy(upstream(lambda sock: sock.sendall(b"bye")).address)
    edge.add("slow_close", delay=FOREVER_MS)
    with edge.connect() as sock:
        assert exactly(sock, 3) == b"bye"
        assert silent(sock, 0.2)
        edge.drop("slow_close_downstream")
        assert sock.recv(1) == b""


@BOTH
def test_timeout_closes_after_silence(edge: Edge, stream):
    """Data is dropped, and the connection is closed when none has come for that long."""
    edge.add("timeout", stream, timeout=300)
    with edge.connect() as sock:
        start_s = time.monotonic()
        sock.sendall(b"ping")
        assert sock.recv(1) == b""
        assert time.monotonic() - start_s >= 0.3


def test_timeout_counts_from_the_last_data(edge: Edge):
    """Data that keeps coming keeps the connection open."""
    edge.add("timeout", timeout=1000)
    with edge.connect() as sock:
        until_s = time.monotonic() + 1.5
        while time.monotonic() < until_s:
            sock.sendall(b"ping")
            assert silent(sock, 0.1)
        assert sock.recv(1) == b""


@BOTH
def test_timeout_for_ever(edge: Edge, stream):
    """A timeout of 0 swallows without an end; its removal closes the connection."""
    edge.add("timeout", stream, timeout=0)
    with edge.connect() as sock:
        sock.sendall(b"ping")
        assert silent(sock, 0.3)
        edge.drop(f"timeout_{stream}")
        assert ending(sock) in ("FIN", "RST")
    with edge.connect() as sock:
        round_trip_s(sock)


@BOTH
def test_reset_peer_resets_new_connections(edge: Edge, stream):
    """A connection opened under the toxic is reset after its first data and the time given."""
    edge.add("reset_peer", stream, timeout=200)
    with edge.connect() as sock:
        start_s = time.monotonic()
        sock.sendall(b"ping")
        assert ending(sock) == "RST"
        assert time.monotonic() - start_s >= 0.2


def test_reset_peer_ends_older_connections(edge: Edge):
    """A connection older than the toxic is closed in the ordinary way; what it was sent is swallowed."""
    with edge.connect() as sock:
        round_trip_s(sock)
        edge.add("reset_peer", timeout=0)
        sock.sendall(b"ping")
        assert sock.recv(1) == b""


def test_reset_peer_leaves_the_idle_alone(edge: Edge):
    """Nothing happens to a connection on which nothing happens."""
    edge.add("reset_peer", timeout=0)
    with edge.connect() as sock:
        assert silent(sock, 0.3)
        edge.drop("reset_peer_downstream")
        round_trip_s(sock)


@BOTH
def test_slicer_cuts_but_loses_nothing(edge: Edge, stream):
    """Pieces arrive in order, each after its delay."""
    edge.add("slicer", stream, average_size=100, size_variation=20, delay=5_000)
    data = bytes(number % 251 for number in range(4_000))
    with edge.connect() as sock:
        start_s = time.monotonic()
        sock.sendall(data)
        pieces = []
        while sum(map(len, pieces)) < len(data):
            pieces.append(sock.recv(65536))
        assert b"".join(pieces) == data
        assert time.monotonic() - start_s >= 30 * 0.005
    if stream == "downstream":
        assert len(pieces) >= 10


def test_limit_data(edge: Edge):
    """Exactly so many bytes pass on each connection, in however many chunks, and then it is closed."""
    edge.add("limit_data", bytes=10)
    for _ in range(2):
        with edge.connect() as sock:
            round_trip_s(sock, b"1234")
            sock.sendall(b"567890abc")
            assert rest(sock) == b"567890"


def test_limit_data_upstream(server: Toxiproxy, upstream):
    """The limit holds for what clients send as well, and both sides are closed."""
    heard = []
    edge = server.proxy(upstream(lambda sock: heard.append(rest(sock))).address)
    edge.add("limit_data", "upstream", bytes=10)
    with edge.connect() as sock:
        for data in (b"1234", b"567890abc"):
            sock.sendall(data)
        assert ending(sock) in ("FIN", "RST")
    eventually(lambda: heard == [b"1234567890"])


def test_limit_data_of_nothing(edge: Edge):
    """A limit of 0 lets the connection open and closes it at the first data."""
    edge.add("limit_data", bytes=0)
    with edge.connect() as sock:
        assert silent(sock, 0.2)
        sock.sendall(b"ping")
        assert sock.recv(1) == b""


def test_a_raised_limit_counts_what_has_passed(edge: Edge):
    """After an update the bytes already passed still count."""
    edge.add("limit_data", bytes=1000)
    with edge.connect() as sock:
        round_trip_s(sock, b"1234")
        edge.set("limit_data_downstream", bytes=6)
        sock.sendall(b"5678")
        assert rest(sock) == b"56"


def test_toxics_chain(edge: Edge):
    """Both streams' toxics act, and those of one stream one after another."""
    edge.add("latency", "upstream", name="a", latency=150)
    edge.add("slicer", "downstream", average_size=1)
    edge.add("latency", "downstream", latency=150)
    edge.add("noop", "downstream")
    edge.add("limit_data", "downstream", bytes=3)
    with edge.connect() as sock:
        start_s = time.monotonic()
        sock.sendall(b"ping")
        assert rest(sock) == b"pin"
        assert time.monotonic() - start_s >= 0.3


def test_toxics_act_on_open_connections(edge: Edge):
    """Added, updated and removed, a toxic takes effect on connections there are, and none is dropped."""
    with edge.connect() as sock:
        round_trip_s(sock)
        edge.add("latency", latency=300)
        assert round_trip_s(sock) >= 0.3
        edge.set("latency_downstream", latency=100)
        assert 0.1 <= round_trip_s(sock) < 5
        edge.add("bandwidth", rate=1000)
        edge.drop("latency_downstream")
        edge.drop("bandwidth_downstream")
        assert round_trip_s(sock) < 5


def test_toxicity_is_thrown_per_connection(edge: Edge):
    """Some connections are struck and others spared, and a spared one stays so."""
    edge.add("limit_data", toxicity=0.5, bytes=0)
    spared = 0
    for _ in range(40):
        with edge.connect() as sock:
            sock.sendall(b"ping")
            if exactly(sock, 4) == b"ping":
                spared += 1
                for _ in range(5):
                    round_trip_s(sock)
    assert 0 < spared < 40


def test_toxicity_of_nothing(edge: Edge):
    """At toxicity 0 nobody is struck; raised, open connections are."""
    edge.add("timeout", toxicity=0, timeout=0)
    with edge.connect() as sock:
        round_trip_s(sock)
        edge.server.ok("PATCH", "/proxies/edge/toxics/timeout_downstream", {"toxicity": 1})
        sock.sendall(b"ping")
        assert silent(sock, 0.2)


def test_bytes_are_counted(edge: Edge):
    """Each direction's bytes stand under /metrics when a connection has ended, with the proxy's labels."""
    upstream = edge.server.ok("GET", "/proxies/edge")["upstream"]
    with edge.connect() as sock:
        round_trip_s(sock, bytes(1000))

    def shown():
        text = edge.server.call("GET", "/metrics").body.decode()
        return all(counted(text, edge.listen, upstream))

    eventually(shown)


def counted(text, listen, upstream):
    """Whether each of the four counters of a proxy says 1000."""
    for name in ("received", "sent"):
        for direction in ("upstream", "downstream"):
            labels = f'direction="{direction}",listener="{listen}",proxy="edge",upstream="{upstream}"'
            series = f"toxiproxy_proxy_{name}_bytes_total{{{labels}}} "
            yield [float(line.split()[-1]) for line in text.splitlines() if line.startswith(series)] == [1000.0]


def test_many_connections(edge: Edge):
    """Hundreds of connections are open at once, and each still works."""
    socks = [edge.connect() for _ in range(300)]
    try:
        for sock in socks:
            sock.sendall(b"ping")
        for sock in socks:
            assert exactly(sock, 4) == b"ping"
    finally:
        for sock in socks:
            sock.close()


def test_upstream_is_asked_anew_each_time(server: Toxiproxy):
    """An upstream that comes back is found by the next connection."""
    first = Upstream(echo)
    edge = server.proxy(first.address)
    first.close()
    with edge.connect() as sock:
        assert ending(sock) in ("FIN", "RST")
    with socket.create_server(("127.0.0.1", int(first.address.rpartition(":")[2]))) as again, edge.connect() as sock:
        answer, _ = again.accept()
        answer.sendall(b"back")
        answer.close()
        assert rest(sock) == b"back"
