"""docker-compose.yml by hand, as its first lines promise: each profile is whole, is reached, and leaves nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.runtime.compose.dotenv import PASSWORDS, SECRET
from lab.runtime.compose.shared import READY
from lab.runtime.compose.stackfile import KEPT, on_volumes

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROFILES = sorted({profile for each in SERVICES.values() for profile in each.get("profiles", [])})
OF_TARGETS = sorted(name for name, each in SERVICES.items() if "chaos-lab/targets" in each["image"])
KEEPING = sorted(set(SERVICES) - {*READY, "profiler"})


def in_memory(service: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The options of each folder in memory."""
    split = [each.partition(":") for each in service.get("tmpfs", [])]
    return {folder: dict(word.split("=") for word in options.split(",") if word) for folder, _, options in split}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_whole(profile: str) -> None:
    """`--profile profiling` named a service that was not there."""
    there = {name for name, each in SERVICES.items() if not each.get("profiles") or profile in each["profiles"]}
    for name in there:
        neighbours = {*SERVICES[name].get("depends_on", ()), SERVICES[name].get("pid", "").removeprefix("service:")}
        assert neighbours - {""} <= there, name


@pytest.mark.parametrize("profile", ["*", *PROFILES])
def test_compose_takes_each_profile(profile: str) -> None:
    """So does Compose itself, with either file, and all of them at once."""
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("no docker compose here")
    for files in ("docker-compose.yml", "docker-compose.yml:docker-compose.debian.yml"):
        environment = {**os.environ, "COMPOSE_FILE": files, **dict.fromkeys(PASSWORDS, "any")}
        command = ["docker", "compose", "--profile", profile, "config", "--quiet"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_down_leaves_no_volume(name: str) -> None:
    """It left 17 without a name. By hand data are in memory; what has a name is Prometheus's and Grafana's."""
    for volume in SERVICES[name].get("volumes", []):
        source, _, target = volume.partition(":")
        assert target, f"{volume} is a volume without a name"
        assert source.startswith("./") or source in ("prometheus-data", "grafana-data")


@pytest.mark.parametrize("name", KEEPING)
def test_what_a_service_keeps_is_on_a_volume_in_a_run(name: str) -> None:
    """A kill takes what is in memory; a volume goes with the run's container."""
    (folder,) = SERVICES[name]["labels"][KEPT].split()
    assert folder in in_memory(SERVICES[name])
    service = on_volumes(SERVICES[name])
    assert {"type": "volume", "target": folder} in service["volumes"]
    assert folder not in in_memory(service)
    assert set(in_memory(service)) == set(in_memory(SERVICES[name])) - {folder}


@pytest.mark.parametrize("name", KEEPING)
def test_a_folder_in_memory_is_its_users(name: str) -> None:
    """runc before 1.1.8 takes the mode from the image and `mode=` for nothing: the owner has to be right."""
    user = "10001" if name in OF_TARGETS else SERVICES[name]["user"].split(":")[0]
    for folder, options in in_memory(SERVICES[name]).items():
        assert folder == "/tmp" or (options["uid"], options["gid"]) == (user, user), folder


@pytest.mark.parametrize("name", OF_TARGETS)
def test_a_target_is_reached(name: str) -> None:
    """At a free port of this machine, so that two families do not collide; `docker compose port` names it."""
    assert SERVICES[name]["ports"] == ["127.0.0.1::8080"]


def test_grafanas_password_is_in_a_file_and_its_volume_is_that_passwords() -> None:
    """A second clone, or a lost .env, met the volume of another password, and every annotation a 401."""
    grafana = SERVICES["grafana"]
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    assert "PASSWORD}" not in str(grafana)
    assert grafana["secrets"] == ["grafana_password"]
    assert COMPOSE["secrets"]["grafana_password"]["file"] == f"./{SECRET}"
    assert "GRAFANA_DATA" in COMPOSE["volumes"]["grafana-data"]["name"]


def test_the_page_of_images_names_those_of_the_file() -> None:
    """Each that is pulled is in its table with the line that its tag is of."""
    text = (ROOT / "docs" / "images.md").read_text("utf-8")
    table = dict(re.findall(r"^\| `([\w./-]+)` \| ([\d.]+)", text, re.M))
    pulled = {each["image"] for each in SERVICES.values() if "build" not in each}
    assert {image.partition(":")[0] for image in pulled} == set(table)
    for image in pulled:
        name, _, tag = image.partition(":")
        assert re.match(rf"v?{re.escape(table[name])}[.-]", tag), image


def test_a_bot_looks_after_the_images() -> None:
    """Of docker-compose.yml, of the targets' image, and of the workflow."""
    bot = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))
    assert {(each["package-ecosystem"], each["directory"]) for each in bot["updates"]} == {
        ("docker-compose", "/"),
        ("docker", "/targets"),
        ("github-actions", "/"),
    }
