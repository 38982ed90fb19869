"""The proxy's benchmark has a loopback of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lab.kit.places import ROOT

ASK = """
import os, socket
from benchmarks.namespace import own_network
before = os.readlink("/proc/self/ns/net")
if not own_network():
    print("none")
else:
    assert os.readlink("/proc/self/ns/net") != before
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        print(*(line.split(":")[0].strip() for line in open("/proc/self/net/dev").readlines()[2:]))
"""


def test_it_has_a_network_of_its_own() -> None:
    """Docker's rules had the kernel follow every packet of the machine's loopback, for a tenth of the rate."""
    done = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    if done.stdout == "none\n":
        pytest.skip("no network namespace can be made here")
    assert "lo" in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.startswith(("eth", "en", "docker", "veth"))]
