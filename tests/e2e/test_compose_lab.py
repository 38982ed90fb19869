"""The lab in containers, as somebody types it: a run, a run that is killed, what stays up, ports that are taken."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from contextlib import ExitStack

import aiohttp
import psutil
import pytest
from lab_runs import lab, listening, start, until
from runtimes import found, runtime_in

from lab.kit.places import ROOT
from lab.model import Link, Service
from lab.record import read_run
from lab.runtime.base import Stack
from lab.runtime.compose import cli, containers, dotenv, heal, names, runtime, shared, sources
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.found import find
from lab.runtime.ports import free_port
from lab.runtime.toxiproxy import FaultProxy

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
RUN = ("run", "circuit-breaker", "--runtime", "compose", "--json")
CHARGE = Link(Service("exchange"), Service("payments"))
STACK = Stack([CHARGE.callee, CHARGE.caller], [CHARGE], {CHARGE.caller: {"PAYMENTS_TIMEOUT_S": 30}})


def ask(look):
    """What the engine says, asked by `look(engine)`."""

    async def asked():
        engine = Engine(endpoint())
        try:
            return await look(engine)
        finally:
            await engine.close()

    return asyncio.run(asked())


@pytest.fixture(autouse=True)
def engine_and_images():
    """Skips, with a plain line, where there is no engine or no image."""
    asyncio.run(found([Service("exchange"), Service("payments")]))


def of_runs(reports):
    """Containers of the runs below a folder that have begun."""
    runs = {path.name for path in reports.glob("*/*") if path.is_dir()}
    return [c for c in ask(lambda e: e.containers(names.LABEL_RUN)) if c["Labels"][names.LABEL_RUN] in runs]


def in_force(run):
    """Whether the long fault was, in each variant; the blip is too short for the canary at a tenth of its length."""
    return [each.dose.in_force for episode in run.record.episodes for each in episode.receipts if each.phase == "fault"]


def test_a_run_in_containers(tmp_path):
    """It passes, or says that this machine is too busy; all is in the record, where and why too; nothing is left.

    At half length each phase has 2 s or more, which py-spy can sample.
    """
    before = listening()
    running = start(*RUN, "--scale", "0.5", "--reports", tmp_path)
    until(lambda: len(of_runs(tmp_path)) == 2)
    assert listening() == before
    done = running.finish()
    assert done.code in (0, 2), done.out + done.err
    (folder,) = (path for path in tmp_path.glob("circuit-breaker/2*") if path.is_dir())
    run = read_run(folder)
    assert (run.record.runtime, run.record.runtime_why) == ("compose", "--runtime asks for it")
    assert run.record.proxy.startswith("Toxiproxy ")
    assert {"Docker engine", "Docker Compose", "image of exchange"} <= set(run.record.versions)
    assert in_force(run) == [True, True]
    notes = [note for each in run.record.episodes for note in each.notes]
    assert not [note for note in notes if "no profile" in note]
    assert run.table("series").num_rows > 50
    assert "listening" in (folder / "logs" / "1-off" / "exchange.log").read_text()
    assert of_runs(tmp_path) == []


def test_kill_9_of_the_lab_leaves_what_heal_removes(tmp_path):
    """Containers outlive a lab that is killed; heal names and removes each, its proxies too, and finds no more then."""
    running = start(*RUN, "--reports", tmp_path)
    until(lambda: any(c["State"] == "running" for c in of_runs(tmp_path)))
    running.signal(signal.SIGKILL)
    running.finish()
    left = {c["Names"][0].lstrip("/") for c in until(lambda: of_runs(tmp_path))}
    said = lab("heal").out
    assert of_runs(tmp_path) == []
    assert all(f"removed container {name}" in said for name in left)
    assert "removed proxy exchange->payments from Toxiproxy" in said
    assert "removed" not in lab("heal").out


def test_ctrl_c_leaves_nothing(tmp_path):
    """A run that is interrupted takes its containers along."""
    running = start(*RUN, "--reports", tmp_path)
    until(lambda: any(c["State"] == "running" for c in of_runs(tmp_path)))
    runs = of_runs(tmp_path)
    running.signal(signal.SIGINT)
    assert running.finish().code == 130
    there = {c["Id"] for c in ask(lambda e: e.containers(names.LABEL_RUN))}
    assert not there & {c["Id"] for c in runs}


def copy_of_the_lab(folder):
    """What Compose needs of another folder, there."""
    for name in ("docker-compose.yml", "docker-compose.debian.yml", ".env"):
        shutil.copy(ROOT / name, folder)
    for name in ("docker", "targets"):
        shutil.copytree(ROOT / name, folder / name)


@pytest.fixture
def own():
    """A lab of its own, at ports of its own, beside the one that may be up; it is taken down at the end."""
    ports = [str(free_port()) for _ in range(2)]
    environment = {
        "COMPOSE_PROJECT_NAME": f"chaos-lab-test-{os.getpid()}",
        "LAB_NETWORK": f"chaos-lab-test-{os.getpid()}",
        "TOXIPROXY_PORT": ports[0],
        "PROMETHEUS_PORT": ports[1],
        "LINK_PORTS": "17900-17903",
        "GRAFANA_PORT": str(free_port()),
        "REPORTS_PORT": str(free_port()),
    }
    yield environment
    lab("down", env=environment)
    for volume in volumes(environment["COMPOSE_PROJECT_NAME"]):
        subprocess.run(["docker", "volume", "rm", "--force", volume], check=True, capture_output=True)


def volumes(project):
    """The names of a project's volumes, with those that were given none."""
    label = f"label=com.docker.compose.project={project}"
    command = ["docker", "volume", "ls", "--quiet", "--filter", label]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def by_hand(own, *words):
    """`docker compose`, as somebody types it."""
    command = ["docker", "compose", *words]
    env = {**os.environ, **own, sources.VARIABLE: sources.mark(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_by_hand_a_family_starts_answers_and_leaves_nothing(own):
    """As the first lines of docker-compose.yml promise: the exchange trades at a free port, the profiler is there."""
    asyncio.run(cli.config(ROOT))  # writes .env, as `make up` does
    before = set(subprocess.run(["docker", "volume", "ls", "-q"], check=True, capture_output=True).stdout.split())
    by_hand(own, "--profile", "profiling", "up", "--detach", "--wait", "exchange", "profiler")
    url, head = f"http://{by_hand(own, 'port', 'exchange', '8080')}/trades", {"Content-Type": "application/json"}
    asked = urllib.request.Request(url, data=b"{}", headers=head)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
        assert answer.status == 201
    assert {"exchange", "payments", "profiler"} <= set(by_hand(own, "ps", "--services").split())
    by_hand(own, "--profile", "*", "down")
    after = set(subprocess.run(["docker", "volume", "ls", "-q"], check=True, capture_output=True).stdout.split())
    assert after == before


def test_up_twice_is_harmless(own, tmp_path, monkeypatch):
    """The second `up` says that all is up; nothing was started anew. In another folder it says whose it is, too."""

    def ours():
        label = f"com.docker.compose.project={own['COMPOSE_PROJECT_NAME']}"
        return {c["Id"] for c in ask(lambda e: e.containers(label))}

    first = lab("up", env=own)
    assert first.code == 0, first.err
    before = ours()
    second = lab("up", env=own)
    assert second.code == 0
    assert second.out.count("(was up already)") == len(before) >= 2
    copy_of_the_lab(tmp_path)
    with monkeypatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
        *_, elsewhere = asyncio.run(containers.up(tmp_path))
    assert f"They were started in {ROOT}, " in elsewhere
    assert ours() == before
    assert lab("down", env=own).code == 0
    assert ours() == set()


def test_a_taken_port_is_named_with_its_owner(own):
    """Who has the port is said in one sentence, before Docker says less; nothing is started."""
    with socket.create_server(("127.0.0.1", int(own["TOXIPROXY_PORT"]))):
        done = lab("up", env=own)
    assert done.code == 3
    me = psutil.Process()
    assert f"port {own['TOXIPROXY_PORT']} of toxiproxy is taken by {me.name()} (process {me.pid}: " in done.err


def test_two_folders_on_one_engine_have_an_image_each(tmp_path):
    """Where code differs another image is built, beside that of the first folder, which stays what it was."""
    copy_of_the_lab(tmp_path)
    with (tmp_path / "targets" / "payments.py").open("a") as file:
        file.write(f"# {tmp_path}\n")
    payments = Service("payments")
    here, there = (ask(lambda e, root=root: find(root, [payments], [], e)) for root in (ROOT, tmp_path))
    try:
        assert here.images["payments"] != there.images["payments"]
        assert ask(lambda e: find(ROOT, [payments], [], e)).images == here.images
    finally:
        ask(lambda e: e.call("DELETE", f"/images/{there.base['services']['payments']['image']}"))


def test_the_doctor_names_each_image_that_is_missing(tmp_path, monkeypatch):
    """All that docker-compose.yml names are looked for; what is to be done is said."""

    def looked():
        (images,) = (each for each in lab("doctor", "--json").data if each["name"] == "images")
        return images

    assert "nobody-made-it" not in looked()["found"]
    extra = tmp_path / "extra.yml"
    extra.write_text("services: {redis: {image: chaos-lab/nobody-made-it:1}}")
    files = os.environ.get("COMPOSE_FILE") or dotenv.read(ROOT).get("COMPOSE_FILE", "docker-compose.yml")
    monkeypatch.setenv("COMPOSE_FILE", f"{files}:{extra}")
    images = looked()
    assert not images["ok"]
    assert re.search("missing: .*chaos-lab/nobody-made-it:1", images["found"])
    assert "`make images`" in images["remedy"]


def test_an_image_of_debian_packages_holds_its_packages_and_little_else():
    """Prometheus's had 720 MB: the base with Python has 166, its two programs 98, pages and what else it needs 20."""
    found = ask(lambda e: e.image("chaos-lab/prometheus:bookworm"))
    if found is None:
        pytest.skip("no image of Debian packages here")
    assert found["Size"] < 400e6


def test_a_server_that_takes_no_more_connections_holds_nobody_up_for_long():
    """Toxiproxy answers nobody while it stops a proxy that is connecting; the end of a run waits for it."""

    async def connect_and_close(engine):
        base = (await find(ROOT, [], [], engine)).base
        place, _ = await shared.ensure(engine, ROOT, base)
        network = await engine.call("GET", f"/networks/{base['networks']['lab']['name']}")
        gateway, run, port = network["IPAM"]["Config"][0]["Gateway"], f"full-{os.getpid()}", place.link_ports[0]
        proxy = FaultProxy(place.proxy)
        with ExitStack() as open_sockets:
            full = open_sockets.enter_context(socket.create_server((gateway, 0), backlog=0))
            open_sockets.enter_context(socket.create_connection(full.getsockname()))  # it takes no other now
            name = str(names.Proxy(run, "a->b"))
            await proxy.create(name, "{}:{}".format(*full.getsockname()), f"0.0.0.0:{port}")
            open_sockets.enter_context(socket.create_connection((place.link_host, port)))
            await asyncio.sleep(0.1)
            closed = await shared.close_links(proxy, lambda link: link.run == run)
        left = [name for name in await proxy.names() if run in name]
        proxy.close()
        return closed, left

    closed, left = ask(connect_and_close)
    assert (len(closed), left) == (1, [])


def test_a_proxy_that_stays_is_told_and_healed(own, tmp_path, monkeypatch):
    """Toxiproxy hangs while a stack ends: all else is stopped, the link named; heal takes it when the lab is gone."""
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    gone = subprocess.Popen(["true"])
    gone.wait()

    async def end_while_it_hangs(owner):
        monkeypatch.setattr(shared, "CLOSING_S", 0.0)
        monkeypatch.setattr(runtime, "owner", lambda: owner)
        async with runtime_in(tmp_path, "compose", STACK.members) as opened:
            running = await opened.start(STACK, tmp_path / "logs")
            label = f"com.docker.compose.project={own['COMPOSE_PROJECT_NAME']}"
            (toxiproxy,) = (
                each["Id"]
                for each in await opened._engine.containers(label)
                if each["Labels"]["com.docker.compose.service"] == "toxiproxy"
            )
            await opened._engine.order(toxiproxy, "pause")
            await running.stop()
            await opened._engine.order(toxiproxy, "unpause")
            run = opened._supervisor.run_id
            assert await opened._engine.containers(f"{names.LABEL_RUN}={run}") == []
            (sentence,) = opened.left
            assert sentence.startswith(f"Toxiproxy may still have exchange->payments of run {run}, ")
            return f"run {run}: removed proxy exchange->payments from Toxiproxy\n"

    of_a_living_lab = asyncio.run(end_while_it_hangs(heal.owner()))
    assert of_a_living_lab not in lab("heal").out
    of_a_dead_one = asyncio.run(end_while_it_hangs(f"{socket.gethostname()} {gone.pid} earlier"))
    assert of_a_dead_one in lab("heal").out
    assert "removed" not in lab("heal").out


def test_nobody_outside_is_asked_for_a_service_that_was_killed(own, tmp_path, monkeypatch):
    """A resolver outside that never answers is not even asked, so that a call to a killed service fails at once."""
    (bridge,) = ask(lambda e: e.network("bridge"))["IPAM"]["Config"]
    outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        outside.bind((bridge["Gateway"], 53))
    except OSError as error:
        pytest.skip(f"no resolver can be played on port 53 of Docker's bridge: {error.strerror}")
    outside.setblocking(False)
    (tmp_path / "extra.yml").write_text(f"services: {{toxiproxy: {{dns: [{bridge['Gateway']}]}}}}")
    files = os.environ.get("COMPOSE_FILE") or dotenv.read(ROOT).get("COMPOSE_FILE", "docker-compose.yml")
    for name, value in {**own, "COMPOSE_FILE": f"{files}:{tmp_path / 'extra.yml'}"}.items():
        monkeypatch.setenv(name, value)

    async def call_a_killed_service():
        async with runtime_in(tmp_path, "compose", STACK.members) as opened, aiohttp.ClientSession() as session:
            running = await opened.start(STACK, tmp_path / "logs")
            await running.process(CHARGE.callee).kill()
            async with session.post(f"{running.address(CHARGE.caller).url}/trades", json={}) as answer:
                status = answer.status
            await running.stop()
            return status

    with outside:
        assert asyncio.run(call_a_killed_service()) == 502
        with pytest.raises(BlockingIOError):
            outside.recv(512)


def test_an_engine_elsewhere(own, tmp_path):
    """Ports are at its address and nowhere else; a run brings its own Prometheus, and knows how that clock stands."""
    elsewhere = {**own, "LAB_ENGINE_ADDRESS": "127.0.0.2"}
    before = listening()
    running = start(*RUN, "--scale", "0.1", "--reports", tmp_path, env=elsewhere)
    until(lambda: len(of_runs(tmp_path)) == 2)
    assert {at.ip for at in listening() - before} == {"127.0.0.2"}
    done = running.finish()
    assert done.code in (0, 1, 2), done.err
    (folder,) = (path for path in tmp_path.glob("circuit-breaker/2*") if path.is_dir())
    run = read_run(folder)
    assert "whose ports are reached at 127.0.0.2" in run.record.runtime_why
    assert in_force(run) == [True, True]
    assert run.table("series").num_rows > 50
    assert "ms against this machine's, within" in run.record.versions["clock of the Docker engine"]
    assert "Prometheus" in run.record.versions
    refused = lab("up", env=elsewhere)
    assert refused.code == 3
    assert "does not see the folders here that Prometheus and Grafana read" in refused.err
