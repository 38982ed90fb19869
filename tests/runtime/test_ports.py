import random
import socket
from pathlib import Path

import pytest

from lab.errors import StartError
from lab.runtime import ports

pytestmark = pytest.mark.e2e


def test_no_port_is_given_out_twice():
    """Ports of one lab differ from each other, and a server can listen on each."""
    found = [ports.free_port() for _ in range(50)]
    assert len(set(found)) == 50
    assert all(ports.is_free(port) for port in found)


def test_ports_are_not_lent_to_outgoing_connections():
    """A port lies below those that the kernel lends, else a client could take it while its service is down."""
    lent = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(lent.read_text().split()[0]) if lent.exists() else 32_768
    assert lowest <= ports.LOWEST + 1_000 or ports.free_port() < lowest


def test_a_port_somebody_listens_on_is_not_free():
    """A port with a listener is not free, and is once the listener is gone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
    assert ports.is_free(port)


def test_what_seeds_random_does_not_choose_the_ports(monkeypatch):
    """A scenario that seeds `random`, as each lab that runs it does, draws other ports each time."""
    drawn = []
    for _ in range(2):
        monkeypatch.setattr(ports, "_given", set())
        random.seed(7)
        drawn.append([ports.free_port() for _ in range(10)])
    assert drawn[0] != drawn[1]


def test_no_port_left_is_an_error_with_a_way_out(monkeypatch):
    """When every port is taken the error says so."""
    monkeypatch.setattr(ports, "is_free", lambda port: False)
    with pytest.raises(StartError, match=r"no free port on 127\.0\.0\.1 between 20000 and"):
        ports.free_port()


@pytest.mark.parametrize(
    ("said", "highest"), [("32768\t60999", 32_768), ("25000 60999", 25_000), ("1024 65535", 32_768), ("", 32_768)]
)
def test_the_limit_follows_the_kernels_setting(monkeypatch, said, highest):
    """The ports drawn from end where the kernel begins to lend, where that leaves any."""
    monkeypatch.setattr(Path, "read_text", lambda path: said)
    assert ports._highest() == highest
