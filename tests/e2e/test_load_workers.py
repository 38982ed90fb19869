"""Several load workers under one master: here, with another clock, joined by the command line, and killed."""

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import psutil
import pytest
import zmq
from lab_runs import lab, of_a_run, start
from lab_runs import until as blocking_until
from rogue import Seen, rogue
from run_ids import fresh
from waits import gone, until

from lab.errors import StartError
from lab.kit.places import ROOT, STATE
from lab.load.crew import Crew
from lab.load.driver import LoadDriver, Plan, Result
from lab.model import Load, Operation, Request, Service
from lab.runtime.ports import free_port, is_free
from lab.runtime.supervisor import Managed, Supervisor

pytestmark = [pytest.mark.e2e, pytest.mark.greenlets]
TARGET = Service("target")
OTHER_CLOCK = ("unshare", "--time", "--monotonic", "5000", "--boottime", "5000")


class Watched:
    """The supervisor's spawn, with what it started by name; `before` stands before the command of a name."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.started: dict[str, Managed] = {}
        self.before: dict[str, tuple[str, ...]] = {}

    def __call__(self, name: str, argv: Any, **options: Any) -> Managed:
        self.started[name] = self.supervisor.spawn(name, [*self.before.get(name, ()), *argv], **options)
        return self.started[name]


@pytest.fixture
async def spawn(tmp_path: Path) -> AsyncIterator[Watched]:
    """Start processes under a supervisor."""
    async with Supervisor.open(tmp_path / "state", fresh("load")) as supervisor:
        yield Watched(supervisor)


def has_time_namespaces() -> bool:
    """Whether a process can be given another clock here."""
    try:
        return subprocess.run([*OTHER_CLOCK, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def two() -> Crew:
    """Two workers here."""
    return Crew(2, port=free_port())


async def send(spawn: Watched, seen: Seen, load: Load, folder: Path, crew: Crew, lasts_s: float = 1.0) -> Result:
    """Run a load to its end."""
    driver = await LoadDriver.start(Plan([seen.url], load, lasts_s, seed=1), spawn, folder, crew)
    driver.begin(time.perf_counter() + 0.3)
    return await driver.finish()


async def test_two_workers_share_a_schedule(spawn, tmp_path):
    """Each operation is sent once, when it is due, by the worker whose turn it is; both are told of."""
    mix = Operation("numbered", lambda rng, n: Request("GET", "/ok", key=str(n)))
    async with rogue() as seen:
        plan = Plan([seen.url], Load(mix, to=TARGET, per_s=100), 1.5, seed=1)
        driver = await LoadDriver.start(plan, spawn, tmp_path / "load", two())
        assert driver.progress() is None
        driver.begin(time.perf_counter() + 0.3)
        result = await driver.finish()
    assert [row["n"] for row in result.rows] == [int(row["key"]) for row in result.rows] == list(range(150))
    assert [row["due_s"] for row in result.rows] == driver.due_s
    assert all(0 <= row["start_s"] - row["due_s"] < 0.5 for row in result.rows)
    assert seen.counts == {"GET /ok": 150}
    assert result.notes == []
    facts = result.facts
    assert (facts.asked, facts.started, facts.finished) == (150, 150, 150)
    assert [(w.worker, w.asked, w.started, w.finished, w.lost) for w in facts.workers] == [
        (0, 75, 75, 75, ""),
        (1, 75, 75, 75, ""),
    ]
    assert facts.cpu_s == pytest.approx(sum(w.cpu_s for w in facts.workers))
    sample = driver.progress()
    assert sample is not None
    assert (sample.asked, sample.started, sample.ok, sample.in_flight) == (150, 150, 150, 0)


async def test_users_are_shared_too(spawn, tmp_path, monkeypatch):
    """Users of a closed model are shared out; each worker's take turns of the stream, and more when used up."""
    monkeypatch.setattr("lab.load.driver._AHEAD", 40)
    load = Load(Operation("read", lambda rng, n: Request("GET", "/slow", key=str(n))), to=TARGET, users=5)
    async with rogue() as seen:
        result = await send(spawn, seen, load, tmp_path / "load", two(), lasts_s=2.0)
    assert seen.most_at_once == 5
    assert len({row["n"] for row in result.rows}) == len(result.rows) == seen.counts["GET /slow"] > 40
    assert all(row["n"] == int(row["key"]) and row["start_s"] < 2.0 for row in result.rows)
    assert all(worker.started > 10 for worker in result.facts.workers)


@pytest.mark.skipif(not has_time_namespaces(), reason="no time namespaces here: they need Linux 5.6 and root")
async def test_due_times_are_of_the_worker_s_own_clock(spawn, tmp_path):
    """A worker whose steady clock is 5,000 s ahead sends on time: the beginning is translated to it."""
    spawn.before["locust-worker-1"] = OTHER_CLOCK
    async with rogue() as seen:
        result = await send(spawn, seen, Load("GET /ok", to=TARGET, per_s=100), tmp_path / "load", two())
    assert len(result.rows) == 100
    assert all(-0.01 < row["start_s"] - row["due_s"] < 0.5 for row in result.rows)
    for worker in result.facts.workers:
        # Both have the same wall clock: as read, it is off by the doubt at most, and what ntpd does meanwhile.
        assert abs(worker.clock_ahead_ms) <= worker.clock_within_ms + 1
        assert worker.clock_drift_ms is not None


async def test_one_of_two_is_killed(spawn, tmp_path):
    """The other sends its share to the end; what the dead one had told is kept, and the result says who died."""
    async with rogue() as seen:
        plan = Plan([seen.url], Load("GET /ok", to=TARGET, per_s=100, timeout_s=1), 3.0, seed=1)
        driver = await LoadDriver.start(plan, spawn, tmp_path / "load", two())
        driver.begin(time.perf_counter() + 0.3)
        await until(lambda: (sample := driver.progress()) and sample.finished > 50)
        os.kill(spawn.started["locust-worker-0"].pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            result = await driver.finish()
    lost = [worker for worker in result.facts.workers if worker.lost]
    assert len(lost) == 1
    assert lost[0].lost.startswith("died (killed by signal 9) after ")
    assert result.notes == [f"Load worker {lost[0].worker} on {lost[0].host} {lost[0].lost}."]
    alive = [row["n"] for row in result.rows if row["n"] % 2 != lost[0].worker]
    assert len(alive) == 150
    assert 150 + 20 < len(result.rows) < 290
    assert result.facts.asked == 300


async def test_stopped_with_operations_in_flight(spawn, tmp_path):
    """Asked to end early, both workers still tell what is unanswered, and the master writes it down."""
    async with rogue() as seen:
        plan = Plan([seen.url], Load("POST /silent", to=TARGET, per_s=50, timeout_s=20), 30.0, seed=1)
        driver = await LoadDriver.start(plan, spawn, tmp_path / "load", two())
        driver.begin(time.perf_counter() + 0.1)
        await until(lambda: seen.at_once > 10)
        await driver.stop()
        result = await driver.finish()
        for process in spawn.started.values():
            await gone(process.pid)
    assert len(result.rows) >= seen.counts["POST /silent"] > 10
    assert {row["n"] % 2 for row in result.rows} == {0, 1}
    assert {(row["outcome"], row["end_s"], row["error"]) for row in result.rows} == {("info", None, "unanswered")}


async def test_a_worker_that_cannot_start(spawn, tmp_path):
    """It is named, with its last lines, and nothing is left running."""
    spawn.before["locust-worker-1"] = ("sh", "-c", "echo no luck; exit 7")
    async with rogue() as seen:
        with pytest.raises(StartError, match=r"(?s)load worker 1: exit code 7 at start.*no luck"):
            await send(spawn, seen, Load("GET /ok", to=TARGET, per_s=100), tmp_path / "load", two())
    for process in spawn.started.values():
        await gone(process.pid)


async def test_the_way_in_is_taken(spawn, tmp_path):
    """Where somebody listens at the port above the master's, the error says which port that is."""
    port = free_port()
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", port + 1)
    crew = Crew(1, port=port, joined=True)
    async with server, rogue() as seen:
        with pytest.raises(StartError, match=rf"(?s)127\.0\.0\.1:{port + 1}, above the port of --load-master.*in use"):
            await send(spawn, seen, Load("GET /ok", to=TARGET, per_s=10), tmp_path / "load", crew)


async def test_a_worker_joins_by_the_command_line(spawn, tmp_path):
    """`lab load-worker` carries one load after another, through the way in that the master's machine opens."""
    port = free_port()
    worker = start("load-worker", "--master", f"127.0.0.1:{port}")
    try:
        async with rogue() as seen:
            for folder in ("one", "two"):
                crew = Crew(1, port=port, joined=True)
                result = await send(spawn, seen, Load("GET /ok", to=TARGET, per_s=50), tmp_path / folder, crew)
                assert [row["outcome"] for row in result.rows] == ["ok"] * 50
                assert [(w.started, w.lost) for w in result.facts.workers] == [(50, "")]
        assert seen.counts["GET /ok"] == 100
        assert is_free(port + 1)
    finally:
        worker.signal(signal.SIGTERM)
        done = await asyncio.to_thread(worker.finish)
    assert done.code == 143
    assert done.out.count("Carried a load to its end.") >= 1
    assert "interrupted; everything was stopped" in done.err


@pytest.mark.untraced
def test_a_run_that_loses_a_worker_is_unknown(tmp_path: Path) -> None:
    """Everything listens on 127.0.0.1; a load worker killed in the middle: the run ends, UNKNOWN, and says why."""
    reports = tmp_path / "reports"
    running = start("run", "circuit-breaker", "--scale", "0.2", "--load-workers", "2", "--json", "--reports", reports)
    blocking_until(lambda: list(reports.glob("*/2*")))
    [run] = [folder.name for folder in reports.glob("*/2*")]
    operations = STATE / run / "scratch" / "load-1-off" / "operations.jsonl"
    blocking_until(lambda: operations.exists() and operations.stat().st_size)
    mine = of_a_run(reports)
    listening = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in mine]
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
    workers = [pid for pid, command in mine.items() if "--master-host" in command]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    done = running.finish()
    assert done.code == 2, done.out + done.err
    assert done.data["verdict"] == "UNKNOWN"
    assert "the load was not reached: load worker" in done.data["reasons"][0]
    assert "died (killed by signal 9)" in done.data["reasons"][0]


def test_an_address_that_is_none_is_said_at_once(tmp_path: Path) -> None:
    """Nothing is started for it."""
    done = lab("run", "circuit-breaker", "--load-master", "5557", "--reports", tmp_path / "reports")
    assert done.code == 3
    assert "--load-master takes HOST:PORT, such as 10.0.0.5:5557; '5557' is not that" in done.err


STRANGE = {
    "garbage": "rows=b'garbage'",
    "endless": "rows=b'[' * 100_000 + b'\\n'",
    "of no schedule": "rows=row(999_999_999)",
    "of another": "rows=row((worker + 1) % 8)",
    "counts of another": 'rows=b\'\', count=0, beat=b\'{"at_s":1,"started":9,"finished":9,"cpu_s":1,"worker":9}\\n\'',
    "no bytes": "rows=7",
    "nothing": "",
}
REPORTS_STRANGELY = """
from lab.load.channel import Messages, words
def row(n):
    return b'[%d,0.0,0.0,0.1,"ok",200,null,null]\\n' % n
def report(self, rows, beat):
    if beat.at_s < 1:
        return honestly(self, rows, beat)
    worker, beat = beat.worker, self._encoder.encode_lines([beat])
    self._say(words.REPORT, **{"count": 1, "beat": beat, **dict(WHAT)})
honestly, Messages.report = Messages.report, report
"""


@pytest.mark.untraced
async def test_a_worker_that_reports_what_it_cannot_know_is_lost(spawn, tmp_path):
    """It ended the run, or wrote another's share: now it is lost, with a note, and the other's operations are kept.

    One worker is honest, and each of the others is strange in a way of its own.
    """
    for number, what in enumerate(STRANGE, start=1):
        folder = tmp_path / f"strange-{number}"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(REPORTS_STRANGELY.replace("WHAT", STRANGE[what]))
        spawn.before[f"locust-worker-{number}"] = ("env", f"PYTHONPATH={folder}:{ROOT}")
    async with rogue() as seen:
        load = Load("GET /ok", to=TARGET, per_s=50, timeout_s=1)
        crew = Crew(1 + len(STRANGE), port=free_port())
        result = await send(spawn, seen, load, tmp_path / "load", crew, lasts_s=2.0)
    lost = [worker for worker in result.facts.workers if worker.lost]
    (honest,) = [worker.worker for worker in result.facts.workers if not worker.lost]
    assert [worker.lost for worker in lost if not worker.lost.startswith("sent an invalid message (")] == []
    assert {f"Load worker {worker.worker} on {worker.host} {worker.lost}." for worker in lost} <= set(result.notes)
    numbers = [row["n"] for row in result.rows]
    assert [n for n in numbers if n % 8 == honest] == list(range(honest, 100, 8))
    assert len(set(numbers)) == len(numbers)


async def test_who_has_no_seat_is_not_heard(spawn, tmp_path):
    """A stranger at the master's port, by its own name or by that of a worker, changes nothing."""
    crew = two()
    async with rogue() as seen:
        plan = Plan([seen.url], Load("GET /ok", to=TARGET, per_s=50), 1.5, seed=1)
        driver = await LoadDriver.start(plan, spawn, tmp_path / "load", crew)
        driver.begin(time.perf_counter() + 0.3)
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, b"stranger")
        socket.connect(f"tcp://127.0.0.1:{crew.port}")
        names = set(re.findall(r"\w[\w.-]*_[0-9a-f]{32}", (tmp_path / "load" / "locust.log").read_text()))
        for name in ("stranger", *names):
            for kind, data in (("lab_report", {"rows": b"garbage", "count": 1, "beat": b"{}"}), ("client_ready", [])):
                socket.send(msgpack.dumps((kind, data, name)))
        for kind in ("lab_done", "lab_time", "stats", "quit", "exception", "heartbeat", "spawning"):
            socket.send(msgpack.dumps((kind, {"recorded": 1}, "stranger")))
        result = await driver.finish()
        socket.close(linger=0)
    assert result.notes == []
    assert [row["n"] for row in result.rows] == list(range(75))
