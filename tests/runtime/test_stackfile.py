"""The Compose file of a stack, made from docker-compose.yml as Compose resolves it."""

from __future__ import annotations

import pytest

from lab.model import Backing, Service
from lab.runtime.compose.stackfile import KEPT, Placed, stack_file

pytestmark = pytest.mark.e2e

EXCHANGE = {
    "build": {"context": "targets"},
    "cap_drop": ["ALL"],
    "command": ["targets.exchange"],
    "depends_on": {"payments": {"condition": "service_healthy"}},
    "environment": {"PAYMENTS_URL": "http://payments:8080"},
    "healthcheck": {"test": ["CMD", "true"]},
    "ports": [{"target": 8080, "published": "8080"}],
    "profiles": ["exchange"],
    "read_only": True,
    "volumes": [{"type": "volume", "target": "/data"}],
}
REDIS = {"environment": {"ANY": "kept"}, "command": ["redis-server"]}
BASE = {"services": {"exchange": EXCHANGE, "redis": REDIS}, "networks": {"lab": {"name": "chaos-lab"}}}


def made(place: Placed) -> dict[str, object]:
    """The service that one placed member becomes."""
    member = Backing("redis") if place.service == "redis" else Service("exchange")
    file = stack_file(BASE, "chaos-lab-r-1-off", {member: place}, {"chaos-lab.run": "r"})
    assert file["networks"] == {"lab": {"name": "chaos-lab", "external": True}}
    (service,) = file["services"].values()
    return dict(service)


def test_how_it_may_live_stays_and_what_people_need_goes() -> None:
    """Capabilities, file systems and volumes are those of docker-compose.yml; its order, build and checks are not."""
    service = made(Placed("exchange", "exchange-1-off-r", "sha256:1", 8080, ("127.0.0.1", 23_456)))
    assert (service["cap_drop"], service["read_only"], service["volumes"]) == (["ALL"], True, EXCHANGE["volumes"])
    assert not {"build", "depends_on", "profiles"} & set(service)
    assert service["healthcheck"] == {"disable": True}
    assert service["ports"] == [{"target": 8080, "host_ip": "127.0.0.1", "published": "23456"}]
    assert (service["image"], service["container_name"]) == ("sha256:1", "exchange-1-off-r")
    assert service["labels"] == {"chaos-lab.run": "r"}


def test_a_target_is_told_what_the_variant_says_and_no_more() -> None:
    """A neighbour of docker-compose.yml that the run has no link to is not there; a dollar stays a dollar."""
    place = Placed("exchange", "h", "i", 8080, ("127.0.0.1", 1), env={"WORD": "a$b"})
    assert made(place)["environment"] == {"WORD": "a$$b"}


def test_a_server_keeps_what_its_image_reads() -> None:
    """Its environment stays, beside the run's passwords; its command is the recipe's."""
    command, told = ("redis-server", "--save", ""), {"LAB_PASSWORD": "word"}
    place = Placed("redis", "h", "i", 6379, ("127.0.0.1", 1), told, command, keeps_env=True)
    service = made(place)
    assert service["environment"] == {"ANY": "kept", **told}
    assert service["command"] == ["redis-server", "--save", ""]


def test_what_a_service_keeps_by_hand_in_memory_is_on_a_volume_in_a_run() -> None:
    """A kill must not take it along; all else that is in memory stays there."""
    found = {**REDIS, "labels": {KEPT: "/data"}, "tmpfs": ["/tmp:size=16m", "/data:uid=999,gid=999,mode=755"]}
    base = {**BASE, "services": {"redis": found}}
    place = Placed("redis", "h", "i", 6379, ("127.0.0.1", 1))
    (service,) = stack_file(base, "p", {Backing("redis"): place}, {"chaos-lab.run": "r"})["services"].values()
    assert service["volumes"] == [{"type": "volume", "target": "/data"}]
    assert service["tmpfs"] == ["/tmp:size=16m"]
    assert service["labels"] == {KEPT: "/data", "chaos-lab.run": "r"}
