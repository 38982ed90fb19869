"""Links in the Toxiproxy that runs share: one that cannot be removed is told, and heal knows it by its name alone."""

import os
import signal
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from run_ids import fresh
from waits import until

from lab.model import Link, Service
from lab.runtime.base import Address, Stack
from lab.runtime.compose import names, shared
from lab.runtime.compose.endpoint import Endpoint
from lab.runtime.compose.heal import owner, unlink
from lab.runtime.compose.runtime import ComposeRunning
from lab.runtime.credentials import Credentials
from lab.runtime.ports import free_port
from lab.runtime.supervisor import Supervisor
from lab.runtime.toxiproxy import FaultProxy

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
RUN = fresh("links")
CHARGE = Link(Service("exchange"), Service("payments"))
LOGIN = Credentials.fresh()
GONE = f"{socket.gethostname()} {os.getpid()} earlier"  # that process id is another's now


@pytest.fixture
async def supervisor(tmp_path):
    """Of one run."""
    async with Supervisor.open(tmp_path / "run", RUN) as supervisor:
        yield supervisor


@pytest.fixture
async def process(supervisor, tmp_path):
    """The built-in fault proxy, in Toxiproxy's place."""
    argv = [sys.executable, "-m", "lab.proxy", "-port", str(free_port())]
    process = supervisor.spawn("fault proxy", argv, log=tmp_path / "log", cwd=ROOT)
    process.address = Address("127.0.0.1", int(argv[-1]))
    with socket.socket() as probe:
        await until(lambda: probe.connect_ex((process.address.host, process.address.port)) == 0)
    return process


@pytest.fixture
async def proxy(process):
    """The lab's way to it."""
    proxy = FaultProxy(process.address)
    yield proxy
    proxy.close()


def container(port, state="running"):
    """Toxiproxy's, as the engine lists it."""
    ports = [{"PrivatePort": 8474, "PublicPort": port}]
    return {"Names": ["/chaos-lab-toxiproxy-1"], "Ports": ports, "State": state}


class NoContainers:
    """An engine in which there is none."""

    where = Endpoint("unix:///nowhere")

    async def containers(self, *labels):
        """None."""
        return []


@pytest.mark.parametrize("name", ["a->b", "r1:a->b", "r1:a of b", "my own: proxy->of mine", "r1:x:a->b of c"])
def test_a_proxy_that_no_lab_named_is_nobodys(name):
    """Whatever somebody else calls his proxies, they are not taken for a lab's."""
    assert names.Proxy.read(name) is None


def test_a_proxy_says_whose_it_is():
    """Run, link and lab stand in the name, and are read back from it."""
    link = names.Proxy("20260101T000000Z-ab12", CHARGE.name, owner())
    assert names.Proxy.read(str(link)) == link


@pytest.mark.parametrize("member", ["payments", "a_member_whose_name_is_as_long_as_somebody_cared_to_make_it"])
def test_a_host_has_no_dot(member):
    """Only such a name is not asked for outside when its container is gone; it is no longer than a name may be."""
    hosts = {names.host("20260101T000000Z-ab12", label, member) for label in ("1-off", "2-off", "1-on")}
    assert len(hosts) == 3
    assert all("." not in host and len(host) <= 63 for host in hosts)


async def test_heal_finds_proxies_by_what_their_names_say(proxy):
    """Those of labs that are gone go; those of a living lab, of one elsewhere, and of no lab stay."""
    kept = ["payments", str(names.Proxy("r3", "a->b", owner())), str(names.Proxy("r4", "a->b", "elsewhere 1 earlier"))]
    for name in [*kept, str(names.Proxy("r2", "a->b", GONE)), str(names.Proxy("r1", "c->d", "elsewhere 1 earlier"))]:
        await proxy.create(name, "127.0.0.1:9")
    said = await unlink(container(proxy.address.port), "127.0.0.1", {"r1"})
    assert sorted(said) == [
        "run r1: removed proxy c->d from Toxiproxy",
        "run r2: removed proxy a->b from Toxiproxy",
    ]
    assert sorted(await proxy.names()) == sorted(kept)
    assert await unlink(container(proxy.address.port), "127.0.0.1", {"r1"}) == []


async def test_a_toxiproxy_that_cannot_be_asked_is_told():
    """Heal says which container does not answer, and what can be done."""
    (said,) = await unlink(container(free_port()), "127.0.0.1", set())
    assert "container chaos-lab-toxiproxy-1) cannot be removed: " in said
    assert "`make heal` again when it answers, or `make down`" in said


@pytest.mark.parametrize("state", ["created", "exited", "dead"])
async def test_a_toxiproxy_that_has_ended_holds_no_proxy(state):
    """After a crash of the engine, or of the machine, it is listed with its ports: nobody is asked, nothing is told."""
    assert await unlink(container(free_port(), state), "127.0.0.1", {"r1"}) == []


async def test_a_proxy_that_stays_is_told_at_the_end_and_healed_later(
    supervisor, process, proxy, tmp_path, monkeypatch
):
    """A fault proxy that hangs when the stack stops: the sentence names link, run, reason and what to do; it helps."""
    monkeypatch.setattr(shared, "CLOSING_S", 0.0)
    upstreams = {CHARGE: "127.0.0.1:9"}
    await shared.open_links(proxy, [free_port() for _ in range(9)], RUN, GONE, upstreams)
    place, left = shared.Shared(process.address, None, "127.0.0.1", [], None), []
    stack = Stack([], [CHARGE])
    running = ComposeRunning(stack, tmp_path, supervisor, SimpleNamespace(), NoContainers(), place, left, LOGIN)
    process.signal(signal.SIGSTOP)
    await running.stop()
    process.signal(signal.SIGCONT)
    (sentence,) = left
    assert sentence.startswith(f"Toxiproxy may still have exchange->payments of run {RUN}, which it did not remove (")
    assert "no answer to GET /proxies within 3 s" in sentence
    assert sentence.endswith("`make heal` removes what is left, `make down` ends Toxiproxy with all its proxies")
    said = await unlink(container(proxy.address.port), "127.0.0.1", set())
    assert said == [f"run {RUN}: removed proxy exchange->payments from Toxiproxy"]
    assert await proxy.names() == []
