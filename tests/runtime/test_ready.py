import asyncio
import sys
from contextlib import asynccontextmanager
from functools import partial

import pytest
from run_ids import fresh
from waits import printed

from lab.errors import StartError
from lab.runtime.base import Address
from lab.runtime.ready import AnothersAnswer, PortTaken, http_ok, says, service_ok, wait_ready
from lab.runtime.supervisor import Supervisor

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def child(folder, script):
    """A process that runs a script."""
    async with Supervisor.open(folder / "run", fresh("ready")) as supervisor:
        yield supervisor.spawn("payments", [sys.executable, "-c", script], log=folder / "log")


@asynccontextmanager
async def server(answer, ask=b""):
    """A server that reads as much as `ask` has, answers and closes."""

    async def serve(reader, writer):
        await reader.readexactly(len(ask))
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield Address(*listening.sockets[0].getsockname())


async def never():
    """Not ready, now or later."""
    return False


async def refused():
    """Nobody there."""
    raise ConnectionRefusedError


async def test_it_is_tried_until_it_answers(tmp_path):
    """A server that first refuses, then says no, then yes, is ready."""
    tries = iter([refused, never, refused])

    async def ready():
        return await next(tries, lambda: asyncio.sleep(0, True))()

    async with child(tmp_path, "import time; time.sleep(30)") as process:
        await wait_ready(process, ready, "here")
    assert list(tries) == []


async def test_an_early_end_shows_the_last_words(tmp_path):
    """A process that ends before it is ready is named with its exit code and its last log lines."""
    async with child(tmp_path, "print('no such table'); raise SystemExit(3)") as process:
        with pytest.raises(
            StartError, match=r"(?s)payments ended before it was ready \(exit code 3\).*    no such table"
        ):
            await wait_ready(process, never, "here")


async def test_a_silent_end_says_that_the_log_is_empty(tmp_path):
    """A process that ends without a word is told to have said nothing, and where its log is."""
    async with child(tmp_path, "raise SystemExit(1)") as process:
        with pytest.raises(StartError, match=r"it wrote nothing to its log .*log"):
            await wait_ready(process, refused, "here")


async def test_one_that_never_answers_is_given_up(tmp_path):
    """A process that runs and never answers is given up after the patience, with where it was asked."""
    async with child(tmp_path, "import time; print('thinking', flush=True); time.sleep(30)") as process:
        with pytest.raises(StartError, match=r"payments did not answer at 127.0.0.1:1 within 0.2 s"):
            await wait_ready(process, never, "127.0.0.1:1", patience_s=0.2)


async def test_a_taken_port_is_told_apart(tmp_path):
    """A process that ends because its port is in use is an error of its own kind: another port will do."""
    async with child(tmp_path, "raise SystemExit('bind: Address already in use')") as process:
        with pytest.raises(PortTaken):
            await wait_ready(process, refused, "here")


async def test_an_answer_of_another_program_is_none(tmp_path):
    """A child whose port another program holds is not ready, however well that one answers."""
    async with (
        server(b"HTTP/1.1 200 OK\r\n\r\n", ask=b"GET /up HTTP/1.1\r\n") as address,
        child(tmp_path, "import time; time.sleep(30)") as process,
    ):
        ready = partial(http_ok, address, "/up")
        await wait_ready(process, ready, str(address))
        with pytest.raises(StartError, match=r"within 0.2 s \(another program answers there\)"):
            await wait_ready(process, ready, str(address), patience_s=0.2, listens_at=address.port)


async def test_a_child_that_holds_its_port_is_ready(tmp_path):
    """A port that the child, or a child of its, listens at is its own."""
    script = """
import socket, subprocess, sys, time
if sys.argv[1:]:
    time.sleep(30)
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], pass_fds=[server.fileno()])
server.close()
time.sleep(30)
"""
    async with child(tmp_path, script) as process:
        port = int(await printed(process.log))
        await wait_ready(process, partial(asyncio.sleep, 0, True), "here", listens_at=port)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"status":"ok","service":"payments","run":"r-1"}', True),
        (b'{"status":"ok","service":"payments","run":"r-2"}', "service payments of run r-2 answers there"),
        (b'{"status":"ok","service":"exchange","run":"r-1"}', "service exchange of run r-1 answers there"),
        (b'{"status":"ok","service":"payments","run":""}', "service payments of run none answers there"),
        (b'{"status":"ok"}', "does not name its run"),
        (b"ok", "does not name its run"),
    ],
)
async def test_a_service_of_another_run_is_not_taken_for_ours(body, said):
    """/healthz names service and run, and both are compared: another lab may have taken the port."""
    async with server(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body, ask=b"GET /healthz HTTP/1.1\r\n"
    ) as address:
        if said is True:
            assert await service_ok(address, "payments", "r-1")
        else:
            with pytest.raises(AnothersAnswer, match=said):
                await service_ok(address, "payments", "r-1")


async def test_a_service_that_is_not_healthy_is_not_ready():
    """Whatever it says of itself, a service that answers 503 is not ready."""
    async with server(b"HTTP/1.1 503 no\r\n\r\n", ask=b"GET /healthz HTTP/1.1\r\n") as address:
        assert not await service_ok(address, "payments", "r-1")


@pytest.mark.parametrize(("status", "good"), [(b"200 OK", True), (b"503 Service Unavailable", False), (b"", False)])
async def test_only_200_is_healthy(status, good):
    """A health check counts only when answered with 200."""
    async with server(b"HTTP/1.1 " + status + b"\r\n\r\n", ask=b"GET /up HTTP/1.1\r\n") as address:
        assert await http_ok(address, "/up") is good


async def test_a_greeting_is_compared_from_its_beginning():
    """A server is ready when its answer begins as expected; a shorter one is an EOFError, which means not yet."""
    async with server(b"+PONG\r\nand more", ask=b"PING\r\n") as address:
        assert await says(address, b"PING\r\n", b"+PONG\r\n")
    async with server(b"-LOADING", ask=b"PING\r\n") as address:
        assert not await says(address, b"PING\r\n", b"+PONG\r\n")
    async with server(b"+") as address:
        with pytest.raises(EOFError):
            await says(address, b"", b"+PONG\r\n")
