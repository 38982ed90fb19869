"""An engine that was not asked for and cannot be used: the run is local and says why; the doctor says it beforehand."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from fake_engine import docker, engine

from lab.errors import LabError
from lab.kit.places import ROOT
from lab.model import Service
from lab.run import choice, doctor
from lab.runtime.compose import sources
from lab.runtime.compose.engine import Engine
from lab.runtime.compose.shared import READY

pytestmark = pytest.mark.e2e

SERVICES = ("toxiproxy", "prometheus", "payments", "profiler", "redis", "grafana")
BASE = {
    "services": {
        name: {
            "image": f"{name}:{sources.mark(ROOT) if name == 'payments' else 1}",
            "profiles": [] if name in READY else ["family"],
        }
        for name in SERVICES
    }
}
HAS_COMPOSE = f"""
case "$*" in
*version*) echo 2.39.4 ;;
*config*) cat <<'end'
{json.dumps(BASE)}
end
;;
esac
"""
SHORT_OF_COMPOSE = "there is no `docker compose`: https://docs.docker.com/compose/install/"
HELP = "echo \"Run 'docker --help' for more information\" >&2; exit 1"


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    """All servers of local processes are here, whatever this machine has; no runtime is asked for."""
    monkeypatch.setattr(choice, "Tools", lambda home: SimpleNamespace(need=lambda *names: {}, fault_proxy=lambda: ""))
    monkeypatch.delenv("LAB_RUNTIME", raising=False)
    monkeypatch.delenv("COMPOSE_FILE", raising=False)


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An engine with all images."""
    images = {f"/images/{each['image']}/json": {"Id": "sha256:1"} for each in BASE["services"].values()}
    with engine(tmp_path, monkeypatch, **images) as given:
        yield given


SCENARIO: Any = SimpleNamespace(
    members=[Service("payments")], variants=[], phases=[], links=[], load=None, profile=True, disks=()
)


def chosen(asked: str | None, monkeypatch: pytest.MonkeyPatch) -> choice.Choice:
    """Where a run would go."""
    monkeypatch.setattr(choice, "optional", lambda scenario: [])
    return asyncio.run(choice.choose(asked, SCENARIO))


def told(monkeypatch: pytest.MonkeyPatch) -> str:
    """What the doctor says that a run would do."""
    found = doctor._runs()
    assert (found.ok, found.needed) == (True, False)
    return found.found


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo \"docker: 'compose' is not a docker command.\" >&2; {HELP}", SHORT_OF_COMPOSE),
        (f"echo 'docker: unknown command: docker compose' >&2; {HELP}", SHORT_OF_COMPOSE),
        (f"echo 'unknown flag: --short' >&2; {HELP}", SHORT_OF_COMPOSE),
        (f"echo 'unknown flag: --profile' >&2; {HELP}", SHORT_OF_COMPOSE),
        ("echo 2.17.3", "Docker Compose is 2.17.3; 2.20 or newer is needed: https://docs.docker.com/compose/install/"),
        ("echo 'no such thing' >&2; exit 1", "`docker compose version` failed: no such thing"),
    ],
)
def test_without_a_compose_that_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str) -> None:
    """Debian 12 offers an engine without Compose: the flagship ended with Docker's advice to read its help."""
    docker(tmp_path, monkeypatch, script)
    found = chosen(None, monkeypatch)
    assert (found.name, found.found) == ("local", None)
    assert found.text == f"services run as local processes ({found.why})"
    assert found.why == why
    with pytest.raises(LabError):
        chosen("compose", monkeypatch)
    assert told(monkeypatch) == f"as local processes ({why})"


@pytest.mark.usefixtures("answers")
def test_with_all_that_it_needs_a_run_is_in_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engine, Compose and images: what the cases around this one each lack."""
    docker(tmp_path, monkeypatch, HAS_COMPOSE)
    assert chosen(None, monkeypatch).text == (
        "services run in containers (a Docker engine answers and the images are there)"
    )
    assert told(monkeypatch) == "in containers"


@pytest.mark.parametrize(
    ("image", "does", "doctor_says"),
    [
        ("toxiproxy:1", "local", "as local processes (images are missing: toxiproxy:1)"),
        ("profiler:1", "local", "in containers, but as local processes where an experiment needs profiler: no image"),
        ("redis:1", "compose", "in containers, but as local processes where an experiment needs redis: no image"),
        ("grafana:1", "compose", "in containers"),
    ],
)
def test_where_an_image_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, Any],
    image: str,
    does: str,
    doctor_says: str,
) -> None:
    """Only one that the experiment needs has a say in where it runs."""
    docker(tmp_path, monkeypatch, HAS_COMPOSE)
    del answers[f"/images/{image}/json"]
    found = chosen(None, monkeypatch)
    assert found.name == does
    assert (found.why == f"an image is missing ({image})") == (does == "local")
    assert told(monkeypatch) == doctor_says


def test_an_engine_that_may_not_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for none, and the remedy was to start it."""
    docker(tmp_path, monkeypatch, HAS_COMPOSE)
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")

    def refuse(*_: object, **__: object) -> None:
        raise aiohttp.ClientOSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Engine, "_request", refuse)
    why = "this user may not use the Docker engine at unix:///run/docker.sock"
    assert chosen(None, monkeypatch).why == why
    assert told(monkeypatch) == f"as local processes ({why})"
    with pytest.raises(LabError, match=r"usermod -aG docker"):
        chosen("compose", monkeypatch)


def test_an_engine_that_only_docker_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_HOST of somebody's other work stopped every run."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://far")
    found = chosen(None, monkeypatch)
    assert found.name == "local"
    assert found.why.startswith("the Docker engine at ssh://far cannot be spoken to directly")
    with pytest.raises(LabError, match="ssh://far"):
        chosen("compose", monkeypatch)


def test_what_is_asked_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAB_RUNTIME chooses for every run."""
    monkeypatch.setenv("LAB_RUNTIME", "compose")
    assert told(monkeypatch) == "LAB_RUNTIME asks for compose"
