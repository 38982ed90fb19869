"""Which engine is meant, whether it is this machine's, and where its ports answer."""

from __future__ import annotations

import pytest

from lab.errors import LabError
from lab.runtime.compose.endpoint import Endpoint, endpoint
from lab.runtime.compose.found import NoEngine, seen
from lab.runtime.compose.shared import needed

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Nobody's environment and no context has a say."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "LAB_ENGINE_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.mark.parametrize(
    ("url", "address", "host", "is_here"),
    [
        ("", "", "127.0.0.1", True),
        ("unix:///run/user/1000/docker.sock", "", "127.0.0.1", True),
        ("tcp://127.0.0.1:2375", "", "127.0.0.1", True),
        ("tcp://[::1]:2375", "", "127.0.0.1", True),
        ("tcp://10.0.0.7:2375", "", "10.0.0.7", False),
        ("unix:///tmp/forwarded.sock", "10.0.0.7", "10.0.0.7", False),
        ("tcp://10.0.0.7:2375", "10.1.0.7", "10.1.0.7", False),
    ],
)
def test_where_ports_answer(url, address, host, is_here, monkeypatch) -> None:
    """Behind a socket and on loopback it is this machine's; otherwise the URL says where, or LAB_ENGINE_ADDRESS."""
    monkeypatch.setenv("DOCKER_HOST", url)
    monkeypatch.setenv("LAB_ENGINE_ADDRESS", address)
    found = endpoint()
    assert (found.host, found.is_here) == (host, is_here)
    assert needed(found) == (("toxiproxy", "prometheus") if is_here else ("toxiproxy",))


def test_a_context_is_heard(monkeypatch, tmp_path) -> None:
    """A context that names a socket is used as DOCKER_HOST would be; `docker` is asked what it names."""
    (tmp_path / "config.json").write_text('{"currentContext": "rootless"}')
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\n[ $1 = context ] && [ $3 = rootless ] && echo unix:///run/user/7/docker.sock\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert endpoint().socket == "/run/user/7/docker.sock"


@pytest.mark.parametrize("url", ["ssh://somebody@far", "https://far:2376"])
def test_what_only_docker_itself_can_reach_is_refused(url, monkeypatch) -> None:
    """One sentence says what to forward and what to set."""
    monkeypatch.setenv("DOCKER_HOST", url)
    with pytest.raises(LabError, match=r"ssh -nNT .*-L .* LAB_ENGINE_ADDRESS to an address of that machine"):
        endpoint()


def test_a_name_without_an_address_is_refused(monkeypatch) -> None:
    """The sentence names it, and what may be set instead."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://nowhere.invalid:2375")
    with pytest.raises(LabError, match=r"nowhere\.invalid, which has no address .* LAB_ENGINE_ADDRESS"):
        endpoint()


def test_an_engine_elsewhere_is_given_no_file_of_this_machine() -> None:
    """A server that is given one is left out where it can be spared, and refused by name where it is wanted."""
    sql = {"type": "bind", "source": "/here/lab.sql", "target": "/there"}
    base = {"services": {"redis": {"volumes": [{"type": "volume", "target": "/data"}]}, "mariadb": {"volumes": [sql]}}}
    elsewhere = Endpoint("tcp://10.0.0.7:2375", "10.0.0.7")
    assert seen(base, ["redis", "mariadb"], {"redis"}, elsewhere) == ["redis"]
    with pytest.raises(NoEngine, match=r"tcp://10\.0\.0\.7:2375 .* mariadb is given /here/lab\.sql: run the lab"):
        seen(base, ["redis", "mariadb"], {"mariadb"}, elsewhere)
