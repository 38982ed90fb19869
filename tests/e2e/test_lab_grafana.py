"""Runs that are drawn in a Grafana: one that is named, one that dies, one whose lab is killed, one of the run's own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lab_runs import ROOT, lab, of_a_run, start, until
from run_ids import fresh

from lab import ground
from lab.bench import Address
from lab.observe import which_grafana
from lab.observe.annotations import Grafana, GrafanaError
from lab.observe.marks import Marks
from lab.observe.panels import Watched
from lab.record import Run, read_run
from lab.runtime.supervisor import Supervisor

sys.path.insert(0, str(ROOT / "tests" / "observe"))

from fake_grafana import TOKEN, VERSION, Handler, grafana

pytestmark = pytest.mark.e2e
FAKE = ROOT / "tests" / "observe" / "fake_grafana.py"


def run_of(reports: Path) -> Run:
    """The one run below a folder."""
    return read_run(reports / "circuit-breaker" / "latest")


def at(url: str, **more: str) -> Mapping[str, str]:
    """What names a Grafana."""
    return {"GRAFANA_URL": url, "GRAFANA_TOKEN": TOKEN, **more}


def short(*more: str | Path) -> tuple[str | Path, ...]:
    """The shortest run of circuit-breaker."""
    return ("run", "circuit-breaker", "--scale", "0.05", *more)


def test_fault_windows_are_drawn_while_the_run_goes(tmp_path: Path) -> None:
    """A region for each variant and each fault, as long as the receipts say; the report leads to the dashboards."""
    with grafana() as (url, state):
        done = lab(*short("--reports", tmp_path), env=at(url))
        assert done.code in (0, 1, 2), done.err
    run = run_of(tmp_path)
    assert f"Grafana {VERSION} shows this run: {url}/d/lab-circuit-breaker?from=now-5m&to=now&var-run=" in done.out
    drawn = {
        kind: [one for one in state.annotations if one["tags"][3] == kind] for kind in ("variant", "phase", "fault")
    }
    assert {kind: len(each) for kind, each in drawn.items()} == {"variant": 2, "phase": 10, "fault": 4}
    for episode, variant in zip(run.record.episodes, drawn["variant"], strict=True):
        its = [fault for fault in drawn["fault"] if episode.variant in fault["tags"]]
        for receipt, fault in zip(episode.receipts, its, strict=True):
            assert receipt.removed_s is not None
            assert {"chaos-lab", "circuit-breaker", run.record.run, episode.variant, "silence"} <= set(fault["tags"])
            assert ">payments silent, answers lost</a>" in fault["text"]
            assert abs(fault["time"] / 1000 - episode.t0_epoch_s - receipt.injected_s) < 0.5  # stamped apart
            assert abs(fault["timeEnd"] / 1000 - episode.t0_epoch_s - receipt.removed_s) < 0.5
            assert variant["time"] < fault["time"] < fault["timeEnd"] < variant["timeEnd"]
        assert f">variant {episode.variant}, trial 1: baseline " in variant["text"]
    assert run.record.grafana == url
    assert run.record.versions["Grafana"] == VERSION
    assert not [note for note in run.record.notes if "Grafana" in note]
    assert f'href="{url}/d/lab-circuit-breaker?from=' in (run.path / "index.html").read_text("utf-8")


def test_a_grafana_that_dies_in_mid_run_disturbs_nothing(tmp_path: Path) -> None:
    """From the first fault on it hangs up; one sentence in the terminal and in the record, and a verdict as always."""

    def dies(handler: Handler) -> bool:
        if dead := len(state.annotations) == 1:
            handler.close_connection = True
        return dead

    with grafana() as (url, state):
        state.mood = dies
        done = lab(*short("--reports", tmp_path), env=at(url))
    run = run_of(tmp_path)
    assert done.code in (0, 1, 2), done.err
    assert run.record.judgement is not None
    (note,) = [note for note in run.record.notes if "Grafana" in note]
    assert note.startswith(f"Grafana at {url} ")
    assert note.endswith("; fault windows are missing there from now on, and nothing else")
    assert done.out.count(note[:40]) == 1
    assert [len(each.receipts) for each in run.record.episodes] == [2, 2]
    assert len(state.annotations) == 1


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


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder for PATH with a program that is called grafana."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "grafana"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    program.chmod(0o755)
    return folder


def test_a_grafana_on_path_is_started_for_the_run_and_ends_with_it(tmp_path: Path, installed: Path) -> None:
    """It listens on 127.0.0.1 with the run's Prometheus behind it, is drawn in, and is gone with all it had."""
    path = f"{installed}:{os.environ['PATH']}"
    env = {"PATH": path, "GRAFANA_URL": ""}
    done = lab(*short("--reports", tmp_path / "reports"), env=env)
    assert done.code in (0, 1, 2), done.err
    run = run_of(tmp_path / "reports")
    told, *drawn = [json.loads(line) for line in (run.logs / "grafana.log").read_text("utf-8").splitlines()]
    its: dict[str, Any] = told["environment"]
    assert told["arguments"][0] == "server"
    assert its["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert its["PROMETHEUS_URL"].startswith("http://127.0.0.1:")
    assert its["GF_PATHS_PROVISIONING"] == str(ROOT / "dashboards" / "provisioning")
    assert len({one["id"] for one in drawn}) == 16  # 2 variants of 5 phases, 2 of them with a fault
    assert all(one["timeEnd"] > one["time"] for one in {one["id"]: one for one in drawn}.values())
    assert f"Grafana {VERSION} shows this run: http://127.0.0.1:{its['GF_SERVER_HTTP_PORT']}/d/lab-circuit" in done.out
    assert run.record.grafana == ""
    assert not Path(its["GF_PATHS_DATA"]).parent.exists()
    assert of_a_run(tmp_path / "reports") == {}


async def test_one_that_cannot_start_or_hangs_is_told_and_left_out(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken installation, one that is mute, and an address that is none cost a sentence each."""
    (installed / "grafana").write_text("#!/bin/sh\necho no database; exit 1\n")
    monkeypatch.setenv("PATH", f"{installed}:{os.environ['PATH']}")
    monkeypatch.setattr(ground, "PATIENCE_S", 0.3)
    monkeypatch.setenv("GRAFANA_URL", "")
    async with Supervisor.open(tmp_path / "run", fresh("marks")) as supervisor:
        told: list[str] = []
        prometheus = cast("Watched", SimpleNamespace(address=Address("127.0.0.1", 9)))

        async def opened() -> Marks:
            return await ground.open_marks(prometheus, supervisor, tmp_path, "circuit-breaker", told.append)

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
