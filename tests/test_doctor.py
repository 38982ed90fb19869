import resource
import stat
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "observe"))

import fake_grafana

from lab.run import doctor
from lab.runtime import debian, tools
from lab.runtime.compose import exposed
from lab.runtime.tools import Tools

pytestmark = pytest.mark.e2e


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine with an empty PATH and an empty .lab."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "PLACES", ())
    monkeypatch.setattr(debian, "available", lambda: False)
    return tmp_path


def program(path, script):
    """Put a program there."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def found(name, findings):
    """The finding of that name."""
    return next(finding for finding in findings if finding.name == name)


def test_this_machine_is_examined_whole():
    """Every part is looked at once, nothing raises, and whatever is not well has a remedy."""
    findings = doctor.examine()
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names)) >= 20
    assert found("Python", findings).ok
    assert all(finding.ok or finding.remedy for finding in findings)
    assert all(finding.purpose and finding.found for finding in findings)


def test_a_bare_machine_is_told_what_it_lacks(bare):
    """On a machine with nothing, each missing thing has a way to get it; only what no run can do without is needed."""
    findings = doctor.examine(Tools(bare / ".lab"))
    lacking = {finding.name for finding in findings if not finding.ok}
    assert {"make", "git", "Prometheus", "PostgreSQL", "Docker engine", "Docker Compose", "Chromium", "Go"} <= lacking
    assert found("Prometheus", findings).needed
    assert not found("PostgreSQL", findings).needed
    assert "brew install redis" in found("Redis", findings).remedy


def test_what_can_be_fetched_is_no_lack(bare, monkeypatch):
    """A server that the lab fetches by itself is well, and said to be fetched."""
    monkeypatch.setattr(debian, "available", lambda: True)
    redis = found("Redis", doctor.examine(Tools(bare / ".lab")))
    assert (redis.ok, redis.found) == (True, "fetched when first needed")


def test_a_wrong_choice_of_proxy_is_found(bare, monkeypatch):
    """TOXIPROXY naming nothing is found before a run trips over it."""
    monkeypatch.setenv("TOXIPROXY", "/no/such")
    proxy = found("fault proxy", doctor.examine(Tools(bare / ".lab")))
    assert not proxy.ok
    assert proxy.needed
    assert "/no/such" in proxy.found


def test_docker_is_there_only_when_its_engine_answers(bare):
    """A docker command without an engine is missing; with one it is told with its version, and Compose apart."""
    program(bare / "docker", "echo 'Cannot connect' >&2; exit 1")
    findings = doctor.examine(Tools(bare / ".lab"))
    assert found("Docker engine", findings).found == "docker is there, but no engine answers"
    program(bare / "docker", '[ "$1" = version ] && echo 27.3.1 || echo v2.29.7')
    findings = doctor.examine(Tools(bare / ".lab"))
    assert found("Docker engine", findings).found.startswith("27.3.1 (")
    assert found("Docker engine", findings).found.endswith("); " + exposed.OPEN)
    assert found("Docker Compose", findings).found == "v2.29.7"
    program(bare / "docker", "echo 28.0.0")
    assert found("Docker engine", doctor.examine(Tools(bare / ".lab"))).found.endswith("docker)")


def test_the_grafana_that_a_run_would_draw_in_is_told(bare, monkeypatch):
    """None with the ways to one, a program on PATH, a named one that lets us in or not, and none on purpose."""
    monkeypatch.setattr(doctor, "ROOT", bare)

    def grafana(url="", token=""):
        monkeypatch.setenv("GRAFANA_URL", url)
        monkeypatch.setenv("GRAFANA_TOKEN", token)
        return doctor._grafana()

    lacking = grafana()
    assert (lacking.ok, lacking.needed, lacking.found) == (False, False, "none here")
    assert "GRAFANA_URL and GRAFANA_TOKEN" in lacking.remedy
    program(bare / "grafana", "echo grafana version 12.1.0")
    assert grafana().found == f"for each local run 12.1.0 ({bare / 'grafana'})"
    with fake_grafana.grafana() as (url, state):
        assert grafana(url, fake_grafana.TOKEN).found == f"{fake_grafana.VERSION} at {url} (GRAFANA_URL names it)"
        refused = grafana(url, "wrong")
        assert not refused.ok
        assert refused.found.startswith(f"Grafana at {url} refuses: Invalid API key (401); give GRAFANA_TOKEN")
        assert "GRAFANA_TOKEN" in refused.remedy
        state.mood = lambda _: time.sleep(9) or True
        monkeypatch.setattr(doctor, "ASK_S", 0.2)
        assert grafana(url).found == "it takes too long to answer"
    assert not grafana("nowhere").ok
    assert grafana("none").found == "GRAFANA_URL wants none"


def test_a_profiler_that_may_not_attach_is_found(bare):
    """py-spy is tried for real: where it may not read a process, that is told with what to do."""
    program(bare / "py-spy", "echo 'Permission denied' >&2; exit 1")
    profiler = found("py-spy", doctor.examine(Tools(bare / ".lab")))
    assert not profiler.ok
    assert profiler.found == "may not read our processes"
    assert profiler.remedy


@pytest.mark.parametrize(
    ("platform", "scope", "remedy"),
    [("darwin", "", "sudo make"), ("linux", "2", "sysctl"), ("linux", "", "SYS_PTRACE")],
)
def test_the_remedy_for_a_profiler_follows_the_system(monkeypatch, platform, scope, remedy):
    """What to do about a profiler depends on the system and on its kernel's setting."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(doctor, "_read", lambda path: scope)
    assert remedy in doctor._profiler_remedy()


def test_a_small_machine_is_told_so(monkeypatch, tmp_path):
    """One core, little memory, little disk, few open files and a slow clock are each found."""
    monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda pid: {0}, raising=False)
    monkeypatch.setattr(doctor, "_read", lambda path: "MemAvailable:  1000 kB")
    monkeypatch.setattr(doctor, "ENOUGH_DISK_BYTES", 2**80)
    monkeypatch.setattr(resource, "getrlimit", lambda what: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: None)  # else lowered for every later test
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    ticks = iter(range(1_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    looks = [doctor._cores(), doctor._memory(), doctor._disk(tmp_path / "a/b"), doctor._files(), doctor._clock()]
    assert not any(look.ok for look in looks)
    assert all(look.needed and look.remedy for look in looks)
    assert "1024 (now 256; a run raises it)" in looks[3].found


def test_memory_is_known_on_macos_too(bare, monkeypatch):
    """Where there is no /proc/meminfo, vm_stat tells the free pages; where neither is there it is left open."""
    monkeypatch.setattr(doctor, "_read", lambda path: "")
    assert doctor._memory().found == "not known on this system"
    program(bare / "vm_stat", "echo 'Pages free:   1000.'; echo 'Pages inactive: 500.'; echo 'Pages wired down: 9.'")
    assert doctor._free_memory_bytes() == 1500 * resource.getpagesize()


@pytest.mark.parametrize(
    ("said", "ok"), [("2.40.3", True), ("v2.27.0-desktop.2", True), ("dev", True), ("Usage: docker COMMAND", False)]
)
def test_compose_is_known_by_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, ok: bool) -> None:
    """One that was built from source has no number, and is there all the same."""
    (tmp_path / "docker").write_text(f"#!/bin/sh\necho '{said}'\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._compose().ok == ok
