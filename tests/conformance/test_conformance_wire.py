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
)

pytestmark = pytest.mark.e2e


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
        again.settimeout(10)
        answer, _ = again.accept()
        answer.sendall(b"back")
        answer.close()
        assert rest(sock) == b"back"
