import asyncio
import os
import re
import shutil
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from fault_season import link_from, payments, season, stack_up

from lab import faults
from lab.model import Link, ProbeShape, Service
from lab.observe.ping import ping

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module"), pytest.mark.alone]

NODES = [Service(f"node-{n}", module="payments") for n in range(3)]
MESH = [Link(a, b) for a in NODES for b in NODES if a != b]
OVER, BACK = link_from("east", NODES[0]), link_from("west", NODES[1])

FAULTS = {
    "noop": faults.noop(link_from("noop")),
    "latency": faults.latency(link_from("latency"), ms=100, jitter_ms=20),
    "latency beyond a second": faults.latency(link_from("late"), ms=1_100),
    "latency on some": faults.latency(link_from("some-late"), ms=100, share=0.5),
    "bandwidth": faults.bandwidth(link_from("bandwidth"), kilobytes_per_s=100),
    "bandwidth of a modem": faults.bandwidth(link_from("modem"), kilobytes_per_s=5),
    "bandwidth nobody can see": faults.bandwidth(link_from("fibre"), kilobytes_per_s=100_000),
    "bandwidth 0": faults.bandwidth(link_from("held"), kilobytes_per_s=0),
    "silence": faults.silence(link_from("silence")),
    "silence of answers": faults.silence(link_from("unanswered"), swallows="answer"),
    "reset": faults.reset(link_from("reset")),
    "reset of requests": faults.reset(link_from("unheard"), swallows="request"),
    "truncate": faults.truncate(link_from("truncate"), after_bytes=20),
    "truncate above answers": faults.truncate(link_from("cut-late"), after_bytes=100_000),
    "slice": faults.slice(link_from("slice"), average_bytes=10, variation_bytes=2, delay_us=5_000),
    "slice without pauses": faults.slice(link_from("pieces"), average_bytes=10),
    "slow_close": faults.slow_close(link_from("slow-close"), ms=150),
    "down": faults.down(link_from("down")),
    "flaky": faults.flaky(link_from("flaky"), share=0.5),
    "partition": faults.partition(NODES[:1], NODES[1:], links=MESH),
    "partition one way": faults.partition([OVER.caller, BACK.callee], [OVER.callee, BACK.caller], [OVER, BACK], True),
}


@pytest.fixture(scope="module", params=["builtin", "toxiproxy", "compose"])
def proxy(request):
    """Which fault proxy is used: the built-in one, the real one where it is there, the real one in a container."""
    if request.param == "compose":
        yield request.param
        return
    real = os.environ.get("TOXIPROXY_SERVER") or shutil.which("toxiproxy-server", path=f".lab/bin:{os.environ['PATH']}")
    if request.param == "toxiproxy" and not real:
        pytest.skip("no toxiproxy-server on PATH or in .lab/bin: `make toxiproxy` gets it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOXIPROXY", real if request.param == "toxiproxy" else "builtin")
        yield request.param


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(proxy, tmp_path_factory):
    """Payments and three nodes, with a link for each fault."""
    links = {target for fault in FAULTS.values() for target in fault.targets}
    kind = "compose" if proxy == "compose" else "local"
    async with stack_up(tmp_path_factory.mktemp("stack"), [payments, *NODES], [*links.union(MESH)], kind) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def passed(running):
    """All faults of FAULTS, at once."""
    return await season(running, FAULTS, lasts_s=3.2)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_in_force_and_then_gone(passed, name):
    """Every link fault is seen by the canary while it is in, by nobody before and after, and leaves no toxic."""
    fault = passed[name]
    assert fault.dose.in_force, fault.dose
    assert fault.read_back
    assert fault.before == {"answered"}
    assert fault.after == {"answered"}
    assert fault.left == []


@pytest.mark.parametrize("name", FAULTS)
async def test_a_cancelled_fault_is_taken_out(running, passed, name):
    """A phase that is cut short takes its fault out too, before the cancellation goes on."""
    fault = FAULTS[name]
    task = asyncio.create_task(hold(running, fault, entered := asyncio.Event()))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for link in fault.targets:
        assert await running.link(link).toxics() == []
        outcome, _ = await ping(running.link_address(link), "service", ProbeShape())
        assert outcome == "answered"


async def hold(running, fault, entered):
    """A phase that ends only when it is cancelled."""
    async with fault.inject(running):
        entered.set()
        await asyncio.sleep(60)


@asynccontextmanager
async def kept_open(running, link):
    """A connection that has had an answer, as in a caller's pool; gives `ask`, which says what became of a request."""
    address = running.link_address(link)
    reader, writer = await asyncio.open_connection(address.host, address.port)

    async def ask(within_s=0.5):
        try:
            writer.write(b"GET /charges HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(within_s):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])
                await reader.readexactly(length)
        except TimeoutError:
            return "nothing"
        except asyncio.IncompleteReadError:
            return "closed"
        except ConnectionResetError:
            return "reset"
        return "answered"

    try:
        assert await ask(5) == "answered"
        yield ask
    finally:
        writer.close()


async def charge(running, link, key, within_s=0.5):
    """Ask for a charge over a fresh connection; the status, or the name of the error."""
    body = {"amount_cents": 1, "buyer": "ann", "seller": "bob"}
    url = running.link_address(link).url + "/charges"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=within_s)) as session:
        try:
            async with session.post(url, json=body, headers={"Idempotency-Key": key}) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__


async def charged(running, link, key):
    """Whether the callee of the link has charged under that key, asked beside the link."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(running.address(link.callee).url + "/charges/keys") as answer,
    ):
        return key in (await answer.json())["effects"]


async def test_silence_takes_in_connections_that_were_open(running):
    """A connection from a pool goes silent with the link, unclosed, until the fault ends and closes it."""
    fault = FAULTS["silence"]
    async with kept_open(running, fault.link) as ask:
        async with fault.inject(running):
            assert [await ask() for _ in range(2)] == ["nothing", "nothing"]
            assert await charge(running, fault.link, "silent") == "TimeoutError"
            assert not await charged(running, fault.link, "silent")
        assert await ask(5) in ("closed", "reset")
    assert await charge(running, fault.link, "audible", 5) == 201


async def test_down_closes_connections_that_were_open(running):
    """A link that goes down closes what is open and refuses what is new."""
    fault = FAULTS["down"]
    async with kept_open(running, fault.link) as ask, fault.inject(running):
        assert await ask() in ("closed", "reset")
        assert await charge(running, fault.link, "down") == "ClientConnectorError"


@pytest.mark.parametrize(("name", "done"), [("reset", True), ("reset of requests", False)])
async def test_a_reset_swallows_the_answer_or_the_request(running, name, done):
    """The caller sees the same either way; only the callee knows whether the charge was made."""
    fault = FAULTS[name]
    async with fault.inject(running):
        assert await charge(running, fault.link, name) in ("ClientOSError", "ServerDisconnectedError")
        await asyncio.sleep(0.1)
        assert await charged(running, fault.link, name) is done


async def test_flaky_casts_the_die_for_a_connection_not_for_a_request(running):
    """A kept connection fails at its first request in the fault or never."""
    fault = FAULTS["flaky"]
    async with fault.inject(running):
        address = running.link_address(fault.link)
        firsts, seconds = [], []
        for _ in range(40):
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
                outcomes = [await status(session, address.url + "/healthz") for _ in range(4)]
            firsts.append(outcomes[0])
            if outcomes[0] == 200:
                seconds.extend(outcomes[1:])
        assert 5 <= firsts.count(200) <= 35  # 0.5 of 40; outside this once in ten million
        assert set(seconds) == {200}


async def status(session, url):
    """The status of a GET, 0 where the connection failed."""
    try:
        async with session.get(url) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0


async def test_bandwidth_0_holds_back_and_loses_nothing(running):
    """What was sent into a held link arrives when the fault ends, on the same connection."""
    fault = FAULTS["bandwidth 0"]
    async with fault.inject(running):
        waiting = asyncio.create_task(charge(running, fault.link, "held", 10))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        assert not await charged(running, fault.link, "held")
    assert await waiting == 201


async def test_truncate_passes_exactly_so_many_bytes(running):
    """The connection carries 20 bytes of the answer, no more and no fewer, and is closed."""
    fault = FAULTS["truncate"]
    address = running.link_address(fault.link)
    async with fault.inject(running):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len(await asyncio.wait_for(reader.read(), 5)) == 20
        writer.close()


async def test_a_partition_leaves_each_group_whole(running):
    """Links within a group go on while every link across is silent."""
    within = next(link for link in MESH if link not in FAULTS["partition"].targets)
    async with FAULTS["partition"].inject(running):
        assert await charge(running, within, "within", 5) == 201
        across = [await charge(running, link, "across", 0.2) for link in FAULTS["partition"].targets]
        assert set(across) == {"TimeoutError"}


async def test_a_one_way_partition_loses_what_one_side_sends(running):
    """What the cut-off group asks never arrives; what it is asked does, and its answer is lost."""
    async with FAULTS["partition one way"].inject(running) as read_back:
        assert {f"{OVER.name} timeout upstream", f"{BACK.name} timeout downstream"} < read_back.keys()
        assert read_back["in_took_ms"] > 0
        assert await charge(running, OVER, "asked") == "TimeoutError"
        assert await charge(running, BACK, "answered") == "TimeoutError"
        assert not await charged(running, OVER, "asked")
        assert await charged(running, BACK, "answered")
    assert read_back["out_took_ms"] > 0
    assert [await charge(running, link, "healed", 5) for link in (OVER, BACK)] == [201, 201]


async def test_two_faults_of_a_kind_do_not_take_each_other_out(running):
    """The end of one fault leaves another of its kind on the same link in force."""
    link = FAULTS["latency"].link
    async with faults.latency(link, ms=10).inject(running):
        async with faults.latency(link, ms=20).inject(running):
            assert len(await running.link(link).toxics()) == 2
        (left,) = await running.link(link).toxics()
        assert left.attributes["latency"] == 10
