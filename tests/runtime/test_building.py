"""Images: what is missing is said first, each is built once, a build tells how far it is, and why it failed."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_engine import docker, engine
from waits import gone, until

from lab.errors import LabError
from lab.runtime.compose import building, cli, containers, shared
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))


def answering(script: str, base: Any = COMPOSE) -> str:
    """A script of `docker` that knows its version and the file, and then runs this."""
    return f"""
case "$*" in
*version*) echo 2.39.4 ;;
*config*) cat <<'end'
{json.dumps(base)}
end
;;
*) {script} ;;
esac
"""


def test_one_image_is_built_once() -> None:
    """Twelve services are of one image: eleven dangling ones were left by each build."""
    assert building.once_each(COMPOSE, []) == ["exchange", "profiler"]
    assert building.once_each(COMPOSE, ["payments", "ledger", "profiler"]) == ["payments", "profiler"]
    assert building.once_each(COMPOSE, ["redis"]) == []
    assert building.once_each(COMPOSE, ["nonsense"]) == ["nonsense"], "which Compose complains of"
    debian = yaml.safe_load((ROOT / "docker-compose.debian.yml").read_text("utf-8"))["services"]
    both = {name: {**each, **debian[name]} for name, each in COMPOSE["services"].items()}
    built = building.once_each({"services": both}, [])
    assert built == ["toxiproxy", "prometheus", "exchange", "profiler", "postgres", "redis", "nats", "mariadb", "etcd"]


def test_a_build_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was silent for minutes. This one does not end before something was told."""
    monkeypatch.setattr(building, "EVERY_S", 0.01)
    (tmp_path / "targets").mkdir()
    script = "echo \"$*\" $BUILDKIT_PROGRESS; echo '#5 [packages 2/4] RUN pip'; until [ -e told ]; do :; done"
    docker(tmp_path, monkeypatch, answering(script))
    said: list[str] = []

    def tell(sentence: str) -> None:
        said.append(sentence)
        if sentence.endswith(" s: #5 [packages 2/4] RUN pip"):
            (tmp_path / "told").touch()

    asyncio.run(building.build(tmp_path, ["payments", "ledger"], tell))
    assert said[0] == "building payments"
    assert "#5 [packages 2/4] RUN pip" in said[-1]
    assert (tmp_path / building.LOG).read_text().splitlines()[0] == "compose --profile * build payments plain"


@pytest.mark.parametrize(
    ("pip", "hinted"),
    [
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate'))", True),
        ("ERROR: No matching distribution found for aiohttp==9", False),
    ],
)
def test_a_build_that_fails_shows_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pip: str, hinted: bool
) -> None:
    """Of a failed pip nothing but `exit code: 1` was to be seen; with certificates of its own CA_BUNDLE is named."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "said").write_text(f"#9 1.2 {pip}\n------\nfailed to solve: exit code: 1\n")
    docker(tmp_path, monkeypatch, answering("seq 100; cat said; exit 17"))
    with pytest.raises(cli.ComposeError) as caught:
        asyncio.run(building.build(tmp_path, ["payments"], lambda sentence: None))
    lines = str(caught.value).splitlines()
    assert lines[0] == "building payments failed (exit code 17); its last lines (.lab/compose/build.log):"
    assert lines[1:16] == [*map(str, range(89, 101)), f"#9 1.2 {pip}", "------", "failed to solve: exit code: 1"]
    assert (building.BUNDLE in lines) == hinted


def test_a_build_that_is_left_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker` has its plugin do the work: both end."""
    (tmp_path / "targets").mkdir()
    docker(tmp_path, monkeypatch, answering("sleep 60 & echo $! >pid; wait"))

    async def leave() -> None:
        work = asyncio.create_task(building.build(tmp_path, ["payments"], lambda sentence: None))
        await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await gone(int((tmp_path / "pid").read_text()))

    asyncio.run(leave())


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A project with what images are made of, and a PATH with a shell's own programs alone."""
    shutil.copytree(ROOT / "docker", tmp_path / "docker")
    (tmp_path / "bin").mkdir()
    for name in ("dirname", "mkdir", "cat", "seq"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def test_all_that_is_missing_is_said_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes of work were done before Go was found to be missing: nothing is begun."""
    with engine(bare, monkeypatch):
        docker(bare, monkeypatch, answering("exit 1"))
        monkeypatch.setenv("PATH", f"{bare / 'bin'}")
        with pytest.raises(LabError) as caught:
            asyncio.run(containers.images(bare, True, [], print))
    assert str(caught.value) == (
        "make images-debian needs mmdebstrap (`apt-get install mmdebstrap`); "
        "go (https://go.dev/dl/, or `apt-get install golang-go`)"
    )
    assert not (bare / building.LOG).exists()


@pytest.mark.parametrize("debian", [True, False])
def test_without_compose_nothing_is_begun(bare: Path, monkeypatch: pytest.MonkeyPatch, debian: bool) -> None:
    """It is what `make images` needs last and says first."""
    with engine(bare, monkeypatch):
        docker(bare, monkeypatch, "echo 'docker: unknown command: docker compose' >&2; exit 1")
        with pytest.raises(LabError, match="there is no `docker compose`"):
            asyncio.run(containers.images(bare, debian, [], print))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{bare}/none.sock")
    with pytest.raises(LabError, match="no Docker engine answers"):
        asyncio.run(containers.images(bare, debian, [], print))
    assert not (bare / building.LOG).exists()


def test_what_is_here_is_not_missing(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With base and Toxiproxy made, neither mmdebstrap nor Go is asked for."""
    docker(bare, monkeypatch, "exit 0")
    (bare / ".lab" / "compose" / "toxiproxy").mkdir(parents=True)
    made = bare / ".lab" / "compose" / "toxiproxy" / "toxiproxy-cli"
    made.write_text("")
    made.chmod(0o755)
    done = subprocess.run(["docker/debian/make.sh"], cwd=bare, env={"PATH": str(bare / "bin")}, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_an_image_of_debian_packages_is_one_layer_over_its_base() -> None:
    """Prometheus's had 720 MB, most of it lists and archives of a layer below: what is removed later stays."""
    text = (ROOT / "docker" / "debian" / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    stages = text.split("\nFROM ")[1:]
    assert len(stages) == 6
    for stage in stages:
        assert stage.startswith("${BASE} AS "), stage
        (install,) = [line for line in stage.splitlines() if line.startswith("RUN ")]
        assert install.startswith("RUN --mount=type=bind,source=install.sh,target=/install.sh sh /install.sh ")
        assert "apt" not in stage
    script = (ROOT / "docker" / "debian" / "install.sh").read_text("utf-8")
    assert script.index("apt-get -qq install") < script.index("apt-get clean") < script.index("/var/lib/apt/lists/*")


def said(text: str) -> bytes:
    """A piece of a log as the engine frames it."""
    return b"\1\0\0\0" + len(text.encode()).to_bytes(4, "big") + text.encode()


def test_a_shared_container_that_exited_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make up` waited for a minute and said that Prometheus did not answer; its log has the reason."""
    monkeypatch.setattr(shared, "PATIENCE_S", 1e9)
    monkeypatch.setattr(shared, "http_ok", never)
    each = {
        "Id": "1",
        "State": "exited",
        "Status": "Exited (2) 1 second ago",
        "Names": ["/chaos-lab-prometheus-1"],
        "Labels": {"com.docker.compose.service": "prometheus"},
    }
    log = said("Starting\n") + said("open /etc/prometheus/prometheus.yml: permission denied\n")
    base = {"name": "chaos-lab", "services": {"prometheus": {"ports": [{"target": 9090, "published": "1"}]}}}

    async def wait() -> None:
        asked = Engine(endpoint())
        try:
            await shared._answer(asked, base, "prometheus")
        finally:
            await asked.close()

    with engine(tmp_path, monkeypatch) as answers:
        answers["/containers/json"] = [each]
        answers["/containers/1/logs"] = log
        with pytest.raises(LabError) as caught:
            asyncio.run(wait())
    assert str(caught.value) == (
        "prometheus exited (Exited (2) 1 second ago); `make up` starts it again; the last log lines of its container "
        "chaos-lab-prometheus-1:\nStarting\nopen /etc/prometheus/prometheus.yml: permission denied"
    )


async def never(*_: object) -> bool:
    """Nothing answers."""
    return False
