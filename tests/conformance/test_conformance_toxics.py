import time

import pytest
from proxy_harness import Edge, Toxiproxy, ending, eventually, exactly, rest, round_trip_s, silent

pytestmark = pytest.mark.e2e

BOTH = pytest.mark.parametrize("stream", ["upstream", "downstream"])
FOREVER_MS = 60_000


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
