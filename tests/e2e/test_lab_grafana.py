"""
Runs that are drawn in a Grafana: one that is named and dies, one whose lab is killed, one of the run's own.

Two of them ask their own Prometheus every query of their dashboard, with either proxy: no panel stays empty, and what
panels of rates show adds up to what was counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lab_runs import CIRCUIT_BREAKER, ROOT, Done, lab, of_a_run, start, until
from run_ids import fresh

from lab.dashboards.asked import panels, scenario_that_asks
from lab.dashboards.integrals import LOG, SERVICES, integrals
from lab.model.bench import Address
from lab.observe import which_grafana
from lab.observe.annotations import Grafana, GrafanaError
from lab.observe.marks import RunAnnotations
from lab.observe.panels import Watched
from lab.record import Run, read_run
from lab.run import opening
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

sys.path.insert(0, str(ROOT / "tests" / "observe"))

from fake_grafana import TOKEN, VERSION, Handler, grafana

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]
CLOCK_S = 0.01  # between the clock of the machine, which Grafana has, and that of the run
FAKE = ROOT / "tests" / "observe" / "fake_grafana.py"


# In a run as short as this no alert has to fire, and where the breaker is off it has no state.
QUIET = {
    ("Alerts firing", "off"),
    ("Alerts firing", "on"),
    ("Breaker", "off"),
    ("Breaker: calls rejected", "off"),
    ("Breaker: transitions", "off"),
}


@dataclass(frozen=True)
class Drawn:
    """A run that was drawn in a Grafana, and asked its Prometheus all queries of its dashboard."""

    run: Run
    done: Done
    url: str = ""
    annotations: Sequence[Mapping[str, Any]] = ()
    toxiproxy: bool = False


def at(url: str, **more: str) -> Mapping[str, str]:
    """What names a Grafana."""
    return {"GRAFANA_URL": url, "GRAFANA_TOKEN": TOKEN, **more}


def asked(folder: Path, env: Mapping[str, str]) -> tuple[Run, Done]:
    """A short run of circuit-breaker with its dashboard's queries for panels."""
    file = folder / CIRCUIT_BREAKER.name  # so that it bears the name that the queries ask for
    file.write_text(scenario_that_asks(CIRCUIT_BREAKER, "circuit-breaker"), "utf-8")
    done = lab("run", file, "--scale", "0.15", "--reports", folder / "reports", env=env)
    assert done.code in (0, 1, 2), done.err
    return read_run(folder / "reports" / "circuit-breaker" / "latest"), done


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Drawn in a Grafana that is named, and that hangs up from the second variant's first fault on."""

    def dies(handler: Handler) -> bool:
        if dead := any({"fault", "on"} <= set(one["tags"]) for one in state.annotations):
            handler.close_connection = True
        return dead

    with grafana() as (url, state):
        state.mood = dies
        run, done = asked(tmp_path_factory.mktemp("named"), at(url, TOXIPROXY="builtin"))
        return Drawn(run, done, url, state.annotations)


@pytest.fixture(scope="module")
def on_path(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Drawn in a Grafana that is on PATH, with the real Toxiproxy where it is there."""
    folder = tmp_path_factory.mktemp("on-path")
    programs = Tools(ROOT / ".lab").find("toxiproxy")
    proxy = str(programs["toxiproxy-server"].path) if programs else "builtin"
    path = f"{installed_in(folder)}:{os.environ['PATH']}"
    run, done = asked(folder, {"PATH": path, "GRAFANA_URL": "", "TOXIPROXY": proxy})
    return Drawn(run, done, toxiproxy=programs is not None)


@pytest.fixture(params=["named", "on_path"])
def drawn(request: pytest.FixtureRequest) -> Drawn:
    """Either run: one with the built-in proxy, one with Toxiproxy."""
    this: Drawn = request.getfixturevalue(request.param)
    if request.param == "on_path" and not this.toxiproxy:
        pytest.skip("no toxiproxy-server on PATH or in .lab/bin: `make toxiproxy` gets it")
    return this


def test_fault_windows_are_drawn_while_the_run_goes(named: Drawn) -> None:
    """A region for each variant and each fault, as long as the receipts say; the report leads to the dashboards."""
    run, url = named.run, named.url
    assert (
        f"Grafana {VERSION} shows this run: {url}/d/lab-circuit-breaker?from=now-5m&to=now&var-run=" in named.done.out
    )
    regions = [one for one in named.annotations if "off" in one["tags"]]
    assert [sum(kind in one["tags"] for one in regions) for kind in ("variant", "phase", "fault")] == [1, 5, 2]
    variant, faults = regions[0], [one for one in regions if "fault" in one["tags"]]
    episode = run.record.episodes[0]
    assert variant["tags"] == ["chaos-lab", "circuit-breaker", run.record.run, "variant", "off"]
    assert ">variant off, trial 1: baseline " in variant["text"]
    for receipt, fault in zip(episode.receipts, faults, strict=True):
        start_s, end_s = (fault[name] / 1000 - episode.t0_epoch_s for name in ("time", "timeEnd"))
        assert receipt.removed_s is not None
        assert receipt.removing_s is not None
        assert receipt.injected_s - CLOCK_S < start_s < receipt.removing_s
        assert receipt.removing_s - CLOCK_S < end_s < receipt.removed_s + CLOCK_S
        assert fault["tags"] == ["chaos-lab", "circuit-breaker", run.record.run, "fault", "off", "silence"]
        assert ">payments silent, answers lost</a>" in fault["text"]
        assert variant["time"] < fault["time"] < fault["timeEnd"] < variant["timeEnd"]
    assert run.record.grafana == url
    assert run.record.versions["Grafana"] == VERSION
    assert f'href="{url}/d/lab-circuit-breaker?from=' in (run.path / "index.html").read_text("utf-8")


def test_a_grafana_that_dies_in_mid_run_disturbs_nothing(named: Drawn) -> None:
    """It costs the regions from then on, one sentence in the terminal and in the record, and no verdict."""
    run = named.run
    assert run.record.judgement is not None
    (note,) = [note for note in run.record.notes if "Grafana" in note]
    assert note.startswith(f"Grafana at {named.url} ")
    assert note.endswith("; fault windows are missing there from now on, and nothing else")
    assert named.done.out.count(note[:40]) == 1
    assert [len(each.receipts) for each in run.record.episodes] == [2, 2]
    after = [one for one in named.annotations if "on" in one["tags"]]
    assert [sum(kind in one["tags"] for one in after) for kind in ("variant", "phase", "fault")] == [1, 1, 1]
    assert all(one["time"] < one["timeEnd"] for one in after)  # as planned, where the end was never told


def test_every_graph_has_something_to_show(drawn: Drawn) -> None:
    """Each query of the dashboard gave samples in every variant, and Prometheus refused none."""
    filled = {(row["panel"], row["variant"]) for row in drawn.run.table("series").to_pylist()}
    empty = {
        (panel["title"], variant)
        for panel, queries in panels("circuit-breaker")
        for query in queries
        for variant in ("off", "on")
        if (query.key, variant) not in filled
    }
    assert empty <= QUIET
    assert not [note for each in drawn.run.record.episodes for note in each.notes if note.startswith("panel ")]


def test_every_panel_of_rates_adds_up_to_what_was_counted(drawn: Drawn) -> None:
    """By the operation log, or by the services themselves."""
    found = list(integrals(drawn.run))
    assert {(one.variant, one.counted.by) for one in found} == {
        (v, by) for v in ("off", "on") for by in (LOG, SERVICES)
    }
    assert [one for one in found if one.verdict == "DIFFERS"] == []


def test_the_proxys_graphs_tell_each_link_and_direction(drawn: Drawn) -> None:
    """Bytes went through the one link both ways, and were passed on."""
    (key,) = [q.key for panel, each in panels("circuit-breaker") for q in each if panel["title"] == "Bytes sent"]
    rows = [row for row in drawn.run.table("series").to_pylist() if row["panel"] == key]
    for direction in ("upstream", "downstream"):
        values = [row["value"] for row in rows if row["series"] == f"exchange->payments, {direction}"]
        assert max(values) > 1_000
    assert len({row["series"] for row in rows}) == 2


def test_heal_ends_what_a_killed_lab_left_open(tmp_path: Path) -> None:
    """`kill -9` in mid fault: the regions end as planned until `lab heal`, with the same settings, says when."""
    with grafana() as (url, state):
        running = start("run", "circuit-breaker", "--scale", "0.3", "--reports", tmp_path, env=at(url))
        until(lambda: any(">payments silent, answers lost<" in one["text"] for one in state.annotations))
        running.signal(signal.SIGKILL)
        running.finish()
        planned = {one["id"]: one["timeEnd"] for one in state.annotations}
        assert all(one["time"] < one["timeEnd"] for one in state.annotations)
        said = lab("heal", env=at(url)).out
        assert f'ended the annotation "payments silent, answers lost" in Grafana at {url}' in said
        variant = next(one for one in state.annotations if one["tags"][3] == "variant")
        assert variant["time"] < variant["timeEnd"] <= time.time() * 1000 < planned[variant["id"]]
        assert "annotation" not in lab("heal", env=at(url)).out


def installed_in(folder: Path) -> Path:
    """A folder for PATH, below this one, with a program that is called grafana."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "grafana"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    program.chmod(0o755)
    return folder / "bin"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder for PATH with a program that is called grafana."""
    return installed_in(tmp_path)


def test_a_grafana_on_path_is_started_for_the_run_and_ends_with_it(on_path: Drawn) -> None:
    """It listens on 127.0.0.1 with the run's Prometheus behind it, is drawn in, and is gone with all it had."""
    run = on_path.run
    told, *drawn = [json.loads(line) for line in (run.logs / "grafana.log").read_text("utf-8").splitlines()]
    its: dict[str, Any] = told["environment"]
    assert told["arguments"][0] == "server"
    assert its["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert its["PROMETHEUS_URL"].startswith("http://127.0.0.1:")
    assert its["GF_PATHS_PROVISIONING"] == str(ROOT / "dashboards" / "provisioning")
    last = {one["id"]: one for one in drawn}.values()
    regions = [one for one in last if one.get("timeEnd", one["time"]) > one["time"]]
    assert len(regions) == 16  # 2 variants of 5 phases, 2 of them with a fault
    assert len(last) > len(regions)  # events are points
    shows = f"Grafana {VERSION} shows this run: http://127.0.0.1:{its['GF_SERVER_HTTP_PORT']}/d/lab-circuit"
    assert shows in on_path.done.out
    assert not [note for note in run.record.notes if "Grafana" in note]
    assert run.record.grafana == ""
    assert not Path(its["GF_PATHS_DATA"]).parent.exists()
    assert of_a_run(run.path.parents[1]) == {}


async def test_one_that_cannot_start_or_hangs_is_told_and_left_out(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken installation, one that is mute, and an address that is none cost a sentence each."""
    (installed / "grafana").write_text("#!/bin/sh\necho no database; exit 1\n")
    monkeypatch.setenv("PATH", f"{installed}:{os.environ['PATH']}")
    monkeypatch.setattr(opening, "PATIENCE_S", 0.3)
    monkeypatch.setenv("GRAFANA_URL", "")
    async with Supervisor.open(tmp_path / "run", fresh("marks")) as supervisor:
        told: list[str] = []
        prometheus = cast("Watched", SimpleNamespace(address=Address("127.0.0.1", 9)))

        async def opened() -> RunAnnotations:
            return await opening.open_marks(prometheus, supervisor, tmp_path, "circuit-breaker", told.append)

        assert (await opened()).dashboard == ""
        with grafana(mood=lambda _: time.sleep(9) or True) as (url, _):
            monkeypatch.setenv("GRAFANA_URL", url)
            assert (await opened()).version == ""
        monkeypatch.setenv("GRAFANA_URL", "nowhere")
        await opened()
        monkeypatch.setenv("GRAFANA_URL", "none")
        await opened()
    assert [sentence.removesuffix("; the run goes on without it") for sentence in told] == [
        f"grafana ended before it was ready (exit code 1); its last log lines ({tmp_path}/grafana.log)",
        "Grafana takes too long to answer",
        "GRAFANA_URL is no address such as http://127.0.0.1:3000; mend it, or set it to none",
    ]


def docker(*words: str) -> str:
    """What docker prints; nothing where there is no docker, or no engine."""
    try:
        return subprocess.run(["docker", *words], capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def test_the_grafana_that_make_up_has_started_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the labels that Compose gives its container, in this folder alone; `.env` has its password."""
    images = docker("images", "--quiet", "chaos-lab/targets").split()
    if not images:
        pytest.skip("no containers here: no Docker engine, or no image with a Python in it; `make images`")
    (tmp_path / ".env").write_text("GRAFANA_ADMIN_PASSWORD=of-the-file\n")
    monkeypatch.delenv("GRAFANA_ADMIN_PASSWORD", raising=False)
    labels = (f"com.docker.compose.project.working_dir={tmp_path}", "com.docker.compose.service=grafana")
    settings = ("SECURITY_ADMIN_PASSWORD=of-the-file", "SERVER_HTTP_ADDR=0.0.0.0", "SERVER_HTTP_PORT=3000")
    options = [word for label in labels for word in ("--label", label)]
    options += [word for setting in settings for word in ("--env", f"GF_{setting}")]
    options += ["--publish", "127.0.0.1::3000", "--volume", f"{FAKE}:/fake.py:ro", "--entrypoint", "python3"]
    assert asyncio.run(which_grafana.of_compose(tmp_path)) is None
    container = docker("run", "--detach", "--rm", *options, images[0], "/fake.py")
    try:
        place = asyncio.run(which_grafana.of_compose(tmp_path))
        assert place is not None
        assert place.login == ("admin", "of-the-file")
        one = Grafana(place)
        until(lambda: answers(one), within_s=20)
        assert one.find(["chaos-lab"]) == []
        assert asyncio.run(which_grafana.of_compose(tmp_path / "elsewhere")) is None
    finally:
        docker("kill", container)


def answers(one: Grafana) -> bool:
    """Whether it is up by now."""
    try:
        return one.version() == VERSION
    except GrafanaError:
        return False
