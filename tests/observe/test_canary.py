"""The canary on real sockets: what each way of failing is called, and that a hung probe delays no other."""

import asyncio
import socket
import struct
import time
from contextlib import asynccontextmanager

import pytest

from lab import faults
from lab.model import Backing, Link, ProbeShape, Role, Service
from lab.observe.canary import Canary, CanaryTarget, watch
from lab.observe.ping import can_pad, ping
from lab.runtime.base import Address

pytestmark = pytest.mark.e2e

USUAL = ProbeShape()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@asynccontextmanager
async def server(talk):
    """A server that talks so; gives its address."""

    async def guarded(reader, writer):
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with listening:
        yield Address(*listening.sockets[0].getsockname()[:2])


async def healthy(reader, writer):
    """Answers at once and closes."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK + b"hello")
    await writer.drain()


async def hanging(reader, writer):
    """Reads until nobody is there any more, says nothing."""
    while await reader.read(1024):
        pass


async def resetting(reader, writer):
    """Resets as soon as it is spoken to."""
    await reader.read(1)
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def closing(reader, writer):
    """Closes before it has answered."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1")
    await writer.drain()


async def late_closing(reader, writer):
    """Answers in two halves, and closes later still."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await asyncio.sleep(0.15)
    writer.write(b"hello")
    await asyncio.sleep(0.15)


def free_address():
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return Address(*taken.getsockname())


@pytest.mark.parametrize(
    ("talk", "outcome"), [(healthy, "answered"), (resetting, "reset"), (closing, "error"), (hanging, "timeout")]
)
async def test_what_a_probe_is_called(talk, outcome):
    """An answer, a reset, a close without an answer and silence are told apart; only an answer has a latency."""
    async with server(talk) as address:
        got, latency_ms = await ping(address, "service", ProbeShape(timeout_s=0.3))
    assert got == outcome
    assert (latency_ms is not None) == (outcome == "answered")


async def test_nobody_there_is_refused():
    """A port at which nobody listens refuses."""
    assert await ping(free_address(), "service", USUAL) == ("refused", None)


async def test_a_server_that_cannot_be_talked_to_answers_by_letting_in():
    """For a kind without a question, a connection is the answer."""
    async with server(hanging) as address:
        assert (await ping(address, "unheard-of", USUAL))[0] == "answered"


async def test_a_probe_can_wait_for_the_whole_answer_and_for_the_close():
    """The first byte, the whole answer and the close come one after the other, each later."""
    async with server(late_closing) as address:
        first, whole, close = [
            (await ping(address, "service", ProbeShape(until=until)))[1] for until in ("answer", "whole", "close")
        ]
    assert first < whole < close
    assert whole > 100
    assert close > 250


@pytest.mark.parametrize(("kind", "says"), [("redis", b"+PONG\r\n"), ("postgres", b"N")])
async def test_a_server_that_keeps_open_is_told_that_no_more_comes(kind, says):
    """To hear the close of a server that waits for more, the probe ends its own side first."""
    closed = []

    async def keeps_open(reader, writer):
        await reader.read(100)
        writer.write(says)
        closed.append(await reader.read())

    async with server(keeps_open) as address:
        assert (await ping(address, kind, ProbeShape(until="close")))[0] == "answered"
    assert closed == [b""]


@pytest.mark.parametrize("kind", ["nats", "mariadb"])
async def test_a_server_that_speaks_first_is_listened_to(kind):
    """NATS and MariaDB greet; the probe says nothing."""

    async def greets(reader, writer):
        writer.write(b'INFO {"server_id":"x"}\r\n')
        await reader.read()

    async with server(greets) as address:
        assert (await ping(address, kind, USUAL))[0] == "answered"


@pytest.mark.parametrize("kind", ["service", "nginx", "haproxy", "etcd", "redis"])
async def test_a_question_can_be_as_long_as_a_fault_needs(kind):
    """A padded question has at least the bytes asked for, in headers that every server takes."""
    heard = []

    async def listens(reader, writer):
        heard.append(await reader.read(100_000))
        heard.append(await asyncio.wait_for(reader.read(100_000), 0.05))

    async with server(listens) as address:
        await ping(address, kind, ProbeShape(timeout_s=0.3, sends_bytes=9_000))
    assert 9_000 <= sum(map(len, heard)) < 10_000
    assert max(map(len, b"".join(heard).split(b"\r\n"))) < (9_001 if kind == "redis" else 8_000)


def test_who_can_be_asked_at_length():
    """Servers of a fixed question cannot."""
    assert can_pad(Service("payments"))
    assert can_pad(Backing("redis"))
    assert not can_pad(Backing("postgres"))
    assert not can_pad(Backing("nats"))


async def test_a_probe_that_hangs_delays_no_other():
    """Ten probes a second are begun through a silent link and beside it alike."""
    async with server(healthy) as good, server(hanging) as silent:
        async with Canary([CanaryTarget("a->b", "service", good, silent)], time.perf_counter()) as canary:
            await asyncio.sleep(1.3)
        through = [probe for probe in canary.probes if probe.path == "through"]
        beside = [probe for probe in canary.probes if probe.path == "beside"]
    assert {probe.outcome for probe in through} == {"timeout"}
    assert {probe.outcome for probe in beside} == {"answered"}
    assert 8 <= len(through) <= 14
    assert 8 <= len(beside) <= 14


async def test_the_end_waits_a_second_at_most_and_counts_the_rest_as_timeouts():
    """Probes under way at the end are given a second; a longer wait of theirs is cut short and told as a timeout."""
    patient = ProbeShape(timeout_s=60)
    async with server(hanging) as silent:
        async with Canary([CanaryTarget("b", "service", silent, shape=patient)], time.perf_counter()) as canary:
            await asyncio.sleep(0.35)
            leaving = time.monotonic()
        assert time.monotonic() - leaving < 3
    assert {(probe.outcome, probe.latency_ms) for probe in canary.probes} == {("timeout", None)}
    assert len(canary.probes) >= 3


async def test_times_count_from_the_start_of_the_load():
    """Probes before the load have negative times; all are in order, and a window is cut out by them."""
    async with (
        server(healthy) as address,
        Canary([CanaryTarget("b", "service", address)], time.perf_counter() + 0.25) as canary,
    ):
        await asyncio.sleep(0.6)
    times = [probe.at_s for probe in canary.probes]
    assert times == sorted(times)
    assert times[0] < 0 < times[-1]
    assert canary.between(0, 9) == [probe for probe in canary.probes if probe.at_s >= 0]
    assert {probe.path for probe in canary.probes} == {"beside"}


async def test_beside_many_links_to_one_callee_it_is_asked_once():
    """Twenty links to one service are no twenty times the load on it."""
    connections = []

    async def counts(reader, writer):
        connections.append(1)
        await healthy(reader, writer)

    async with server(counts) as address:
        through = free_address()
        targets = [CanaryTarget(f"{n}->b", "service", address, through) for n in range(20)]
        async with Canary(targets, time.perf_counter()) as canary:
            await asyncio.sleep(0.55)
    assert len(connections) <= 7
    assert {probe.target for probe in canary.probes if probe.path == "beside"} == {target.name for target in targets}


class Addresses:
    """A stack that only knows who is there, and where."""

    def __init__(self, *members):
        self.there = members

    def members(self):
        return self.there

    def address(self, member):
        return Address("127.0.0.1", len(member.name))

    def link_address(self, link):
        return Address("127.0.0.1", 1_000)

    def url(self, member):
        return f"redis://:word@{self.address(member)}/0"


def test_watch_gives_each_target_probes_that_can_show_all_its_faults():
    """Faults of several phases on one link share its probes, which then wait for the longest and the last."""
    a, b, cache = Service("a"), Service("b"), Backing("redis")
    link, to_cache = Link(a, b), Link(a, cache)
    given = [faults.latency(link, ms=500), faults.slow_close(link, ms=900), faults.kill(b), faults.silence(to_cache)]
    assert watch(given, Addresses(a, b, cache)) == [
        CanaryTarget(
            "a->b", "service", Address("127.0.0.1", 1), Address("127.0.0.1", 1_000), "", ProbeShape(1.9, until="close")
        ),
        CanaryTarget("b", "service", Address("127.0.0.1", 1)),
        CanaryTarget("a->redis", "redis", Address("127.0.0.1", 5), Address("127.0.0.1", 1_000), "word"),
    ]
    assert watch([], Addresses()) == []


def test_whatever_a_fault_may_touch_is_watched():
    """A fault at whoever plays a role is watched at each who may, but for those whom a variant does not have."""
    few, absent = [Service("a"), Service("b")], Service("etcd-1")
    killed = faults.at(Role("leader", [*few, absent], gauge="is_leader"), faults.kill, "leader killed")
    between = [Link(few[0], few[1]), Link(few[1], few[0])]
    cut = faults.at(
        Role("leader", few, gauge="is_leader"),
        lambda it: faults.partition([it], [each for each in few if each != it], between),
        "leader cut off",
    )
    names = [target.name for target in watch([killed, cut], Addresses(*few))]
    assert names == ["a", "b", "a->b", "b->a"]


async def test_many_targets_are_asked_less_often_each():
    """A mesh of thirty links is no thirty times the load: together they are asked as often as fifteen."""
    async with server(healthy) as address:
        targets = [CanaryTarget(f"{n}", "service", Address(f"127.0.0.{n + 1}", address.port)) for n in range(30)]
        async with Canary(targets, time.perf_counter()) as canary:
            await asyncio.sleep(1.05)
    assert 90 <= len(canary.probes) <= 180
