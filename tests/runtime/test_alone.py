"""Locks between labs, templates of data that are made anew, and modes of what is mounted."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from run_ids import fresh
from waits import until

from lab.errors import LabError, StartError
from lab.kit.tasks import awaited
from lab.runtime import template
from lab.runtime.alone import alone
from lab.runtime.compose import endpoint, mounts, shared
from lab.runtime.compose.endpoint import Endpoint
from lab.runtime.member_process import Command
from lab.runtime.supervisor import Supervisor
from lab.runtime.unprivileged import give

pytestmark = pytest.mark.e2e


async def test_one_holds_the_lock_and_the_other_waits(tmp_path: Path) -> None:
    """What is awaited is named for a second Ctrl-C; the wait has an end; a holder that is gone holds nothing."""
    async with alone(tmp_path, "another lab", 10.0):
        with pytest.raises(StartError, match=r"waited 0\.2 s for another lab; that lab holds .*lock\. End that lab"):
            async with alone(tmp_path, "another lab", 0.2):
                raise AssertionError("two hold it")
        waiting = asyncio.ensure_future(_hold(tmp_path))
        await asyncio.sleep(0)
        assert awaited() == ["the other"]
    assert await waiting == "held"


async def _hold(folder: Path) -> str:
    async with alone(folder, "the other", 10.0):
        return "held"


class Docker:
    """An engine and a `docker compose up` of which two at once fail, as they do."""

    def __init__(self) -> None:
        self.up: set[str] = set()
        self.starting = 0
        self.started: list[tuple[str, ...]] = []
        self.where = Endpoint("")

    async def containers(self, label: str) -> list[dict[str, object]]:
        """Those that run."""
        await asyncio.sleep(0)
        return [
            {
                "Labels": {"com.docker.compose.service": name},
                "State": "running",
                "NetworkSettings": {"Networks": {}},
                "Mounts": [{"Source": str(self.targets), "Destination": shared.TARGETS}],
            }
            for name in self.up
        ]

    targets = Path()

    async def run(self, root: Path, *words: str, **_: object) -> str:
        """`docker compose up`."""
        self.starting += 1
        assert self.starting == 1, "Conflict. The container name is already in use"
        self.started.append(words[-2:])
        await asyncio.sleep(0.01)
        self.up |= set(words[-2:])
        self.starting -= 1
        return ""


async def test_two_labs_start_the_shared_containers_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the first, and finds them up."""
    docker = Docker()
    docker.targets = tmp_path / ".lab/compose/targets"

    async def answer(engine: object, base: object, name: str) -> None:
        """At once."""

    monkeypatch.setattr(shared.cli, "run", docker.run)
    monkeypatch.setattr(shared, "taken_ports", lambda base, missing: "")
    monkeypatch.setattr(shared, "_answer", answer)
    base = {
        "name": "p",
        "services": {
            "toxiproxy": {"ports": [{"target": 8474, "published": "8474"}, {"target": 30000, "published": "30000"}]},
            "prometheus": {"ports": [{"target": 9090, "published": "9090"}]},
        },
    }
    both = await asyncio.gather(*(shared.ensure(docker, tmp_path, base) for _ in range(2)))  # type: ignore[arg-type]
    assert docker.started == [("toxiproxy", "prometheus")]
    assert sorted(len(started) for _, started in both) == [0, 2]


async def test_a_template_that_was_given_up_is_made_again(tmp_path: Path) -> None:
    """A port was taken while initdb ran: the second try meets nothing of the first, which goes with its try."""
    script = "import sys, time; open('made', 'w'); time.sleep(60 if sys.argv[1] == 'slow' else 0)"

    def install(how: str) -> Command:
        return Command([sys.executable, "-I", "-S", "-c", script, how], {})

    async with Supervisor.open(tmp_path / "state", fresh("template")) as supervisor:
        folder = supervisor.scratch / "shared"
        folder.mkdir()
        give(folder)
        ground = SimpleNamespace(shared=folder, supervisor=supervisor, name="postgres")
        first = asyncio.ensure_future(
            template.fresh_copy(ground, tmp_path / "a", "initdb", lambda draft: install("slow"))  # type: ignore[arg-type]
        )
        await until(lambda: list(folder.glob(".initdb-template*/made")))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert [path.name for path in folder.iterdir()] == ["initdb-template.log"]
        await template.fresh_copy(ground, tmp_path / "b", "initdb", lambda draft: install("quick"))  # type: ignore[arg-type]
        assert (tmp_path / "b" / "made").exists()


@pytest.mark.parametrize("umask", [0o027, 0o077])
def test_what_is_mounted_can_be_read_by_all(tmp_path: Path, umask: int) -> None:
    """Whatever the umask: folders are opened with what is in them, reports and what lies elsewhere are left alone."""
    before = os.umask(umask)
    try:
        for name in ("dashboards/rules/a.yml", ".lab/compose/targets/x.json", "reports/r.html", "secret/key"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("")
    finally:
        os.umask(before)
    mounted = ["dashboards/rules", ".lab/compose/targets", "reports"]
    volumes = [{"type": "bind", "source": str(tmp_path / name)} for name in mounted] + [
        {"type": "volume", "source": "v"}
    ]
    mounts.open_sources(tmp_path, {"services": {"prometheus": {"volumes": volumes}, "toxiproxy": {}}}, ["prometheus"])
    readable = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.stat().st_mode & 0o004}
    assert readable == {
        "dashboards/rules",
        "dashboards/rules/a.yml",
        ".lab/compose/targets",
        ".lab/compose/targets/x.json",
    }
    assert (tmp_path / "dashboards/rules").stat().st_mode & 0o777 == 0o755


def test_a_user_without_a_home_has_the_engine_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOME and no entry in passwd, as in many a container: local runs need neither."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert endpoint.endpoint().is_here


def test_root_without_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without the user that servers become says so in a sentence."""

    def missing(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr("lab.runtime.unprivileged.os.geteuid", lambda: 0)
    monkeypatch.setattr("lab.runtime.unprivileged.pwd.getpwnam", missing)
    with pytest.raises(LabError, match="no user nobody to run them as; run the lab as a user other than root"):
        give(Path("/nowhere"))
