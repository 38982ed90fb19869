"""docker-compose.yml is whole, safe by default, and in step with the targets and the servers of the lab."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import catalogue
from lab.model.optional import links_of
from lab.runtime import backing
from lab.runtime.backing import etcd, mariadb, postgres, redis
from lab.runtime.compose.shared import READY
from scripts import targets_lock

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
DEBIAN = yaml.safe_load((ROOT / "docker-compose.debian.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OF_TARGETS = {name: each["command"] for name, each in SERVICES.items() if "chaos-lab/targets" in each["image"]}
OTHERS = {*READY, "profiler"}  # shared by all runs, or beside one target


def targets() -> set[str]:
    """Modules below `targets` that can be run."""
    files = {file.stem for file in (ROOT / "targets").glob("*.py")} - {"__init__"}
    return files | {file.parent.name for file in (ROOT / "targets").glob("*/__main__.py")}


def test_every_target_has_its_service_and_every_service_its_target() -> None:
    """A target `a_b` is the service `a-b`, which runs it; see docs/writing-a-target.md."""
    assert {name: [f"targets.{name.replace('-', '_')}"] for name in OF_TARGETS} == OF_TARGETS
    assert set(OF_TARGETS) == {target.replace("_", "-") for target in targets()}


def test_every_server_has_its_service_and_every_service_its_server() -> None:
    """A kind of lab.runtime.backing is a service of that name, and knows how its container is told its settings."""
    assert set(SERVICES) - OTHERS - set(OF_TARGETS) == set(backing.kinds())
    for kind in map(backing.kind_of, backing.kinds()):
        assert kind.recipe
        assert kind.port


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_safe_by_default(name: str) -> None:
    """Nothing can be written but to its volumes, no capability is kept, no port leaves this machine, limits hold."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    own = "${PUBLISH_AT:-127.0.0.1}:" if name == "toxiproxy" else "127.0.0.1:"
    assert all(str(port).startswith(own) for port in service.get("ports", []))
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert (service["dns_search"], service["dns_opt"]) == (["."], ["ndots:1"]), "no name of ours is asked for outside"
    assert not {"container_name", "privileged", "network_mode"} & set(service)
    assert service.get("cap_add", []) == (["SYS_PTRACE"] if name == "profiler" else [])
    assert re.fullmatch(r"[\w./-]+:(\$\{TARGETS_TAG:-)?v?\d[\w.-]*\}?", service["image"]), "a pinned tag"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"profiler", *READY}))
def test_a_service_says_how_it_is(name: str) -> None:
    """Each has a health check, waits for the health of what it needs, and is in a family's profile."""
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(each["condition"] == "service_healthy" for each in service.get("depends_on", {}).values())
    assert service["profiles"]


@pytest.mark.parametrize("name", READY)
def test_what_is_shared_does_nothing_while_a_run_measures(name: str) -> None:
    """Its health was looked at every 5 s, for 34 and 78 ms of CPU each: in the middle of every measurement."""
    assert not {"healthcheck", "profiles"} & set(SERVICES[name])


def test_no_service_runs_as_root() -> None:
    """Each names its user, or its image, ours, does."""
    ours = (ROOT / "targets" / "Dockerfile").read_text("utf-8")
    assert re.search(r"(?m)^USER 10001:10001$", ours[ours.index(" AS target") :])
    for name, service in SERVICES.items():
        if name not in OF_TARGETS and name != "profiler":  # which is root without any capability but one
            assert str(service["user"]).split(":")[0] not in ("0", "root", ""), name


def test_no_page_reads_prometheus_or_etcd() -> None:
    """By default they tell pages of every site that they may read their answers."""
    assert "--web.cors.origin=none" in SERVICES["prometheus"]["command"]
    assert f"--cors={etcd.DEFAULTS['cors']}" in SERVICES["etcd"]["command"]


def test_no_page_of_a_run_has_grafanas_origin() -> None:
    """A run from elsewhere may hold any page: a server at a port of its own is given them, and no other service."""
    given = {name for name, each in SERVICES.items() if any("reports" in str(v) for v in each.get("volumes", []))}
    assert given == {"reports"}
    assert SERVICES["reports"]["volumes"] == [
        "./reports:/reports:ro",
        "./scripts/serve_reports.py:/serve_reports.py:ro",
    ]
    assert SERVICES["reports"]["command"] == ["python3", "/serve_reports.py", "/reports", "8080", "0.0.0.0"]
    base = (ROOT / "targets" / "Dockerfile").read_text("utf-8")
    assert f"ARG BASE={SERVICES['reports']['image']}\n" in base, "an image that is here already"


def test_servers_want_the_passwords_that_they_are_told() -> None:
    """Each but etcd, with the roles that local servers have; nothing of a password is a word of a command."""
    service, statistics = "$$LAB_PASSWORD", "$$LAB_STATISTICS_PASSWORD"
    scripts = {name: SERVICES[name]["entrypoint"][2] for name in backing.kinds() if name != "etcd"}
    for name in scripts:
        assert {"LAB_PASSWORD", "LAB_STATISTICS_PASSWORD"} <= set(SERVICES[name]["environment"]), name
        assert "PASSWORD" not in str(SERVICES[name].get("command")), name
    for statement in postgres.ROLES:
        assert statement.format(service=service, statistics=statistics) in scripts["postgres"]
    by = {"service": f"IDENTIFIED BY '{service}'", "statistics": f"IDENTIFIED BY '{statistics}'"}
    for statement in mariadb.USERS:
        assert statement.format(**by) + ";" in scripts["mariadb"]
    assert redis.RIGHTS in scripts["redis"]
    assert not re.search("trust|ALLOW_EMPTY", str(COMPOSE))


def test_targets_are_live_under_watch() -> None:
    """`docker compose watch` takes an edit of a target over."""
    for name in OF_TARGETS:
        assert SERVICES[name]["develop"]["watch"], name


def test_the_file_is_of_today() -> None:
    """It has a name and no version."""
    assert COMPOSE["name"] == "chaos-lab"
    assert "version" not in COMPOSE


def test_every_scenario_finds_ports_for_its_links() -> None:
    """Where links need published ports, as on Docker Desktop, each variant of each scenario has enough."""
    (ports,) = re.findall(r"LINK_PORTS:-(\d+)-(\d+)\}:", str(SERVICES["toxiproxy"]["ports"]))
    entries, broken = catalogue.read_all()
    assert not broken
    most = max(len(links_of(entry.scenario, each)) for entry in entries for each in entry.scenario.variants)
    assert 25 <= most <= int(ports[1]) - int(ports[0]) + 1


def test_every_image_but_grafanas_can_be_made_of_debian_packages() -> None:
    """The override builds each of them; Grafana waits in a profile that nobody starts."""
    assert set(DEBIAN["services"]) == set(SERVICES)
    assert DEBIAN["services"]["grafana"] == {"profiles": ["grafana"]}
    for name, service in DEBIAN["services"].items():
        assert name in ("grafana", "reports") or service["build"], name
    base = DEBIAN["services"]["exchange"]["build"]["args"]["BASE"]
    assert DEBIAN["services"]["reports"] == {"image": base}, "the base of all others"


def test_the_targets_lock_files_are_current() -> None:
    """What containers install is what requirements.lock pins, less what targets do not need."""
    lock = targets_lock.LOCK.read_text("utf-8")
    for file, roots in targets_lock.WANTED.items():
        assert file.read_text("utf-8") == targets_lock.closure(lock, roots), "run scripts/targets_lock.py"


def test_targets_import_only_what_their_image_has() -> None:
    """A package that a target imports is in scripts/targets_lock.py."""
    for file in (ROOT / "targets").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in {name.partition(".")[0] for name in names}:
                assert name in {"targets", *sys.stdlib_module_names, *targets_lock.TARGETS}, f"{file}: {name}"
