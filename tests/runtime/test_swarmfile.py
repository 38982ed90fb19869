"""What becomes of a service of docker-compose.yml on a Swarm, and the file that `make stack` writes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.errors import LabError
from lab.runtime.compose.stack import stack_text
from lab.runtime.compose.swarmfile import swarm_service

pytestmark = pytest.mark.e2e

TOXIPROXY = {
    "cap_drop": ["ALL"],
    "command": ["-host=0.0.0.0"],
    "deploy": {"resources": {"limits": {"cpus": 1, "memory": "268435456", "pids": 256}}},
    "entrypoint": None,
    "image": "toxiproxy:2",
    "networks": {"lab": None},
    "ports": [
        {"mode": "ingress", "target": port, "published": str(port), "host_ip": "127.0.0.1", "protocol": "tcp"}
        for port in (8474, 18_000, 18_001)
    ],
    "read_only": True,
    "security_opt": ["no-new-privileges:true"],
}
POSTGRES = {
    "build": {"context": "docker/debian"},
    "depends_on": {"toxiproxy": {"condition": "service_healthy"}},
    "dns_opt": ["ndots:1"],
    "dns_search": ["."],
    "develop": {"watch": []},
    "healthcheck": {"test": ["CMD", "pg_isready"], "interval": "5s"},
    "image": "postgres:17",
    "networks": {"lab": None},
    "profiles": ["postgres", "rates"],
    "shm_size": "128m",
    "tmpfs": ["/tmp", "/run/postgresql:mode=1777,size=16m"],
    "volumes": [
        {"type": "volume", "target": "/data", "volume": {}},
        {"type": "volume", "source": "kept", "target": "/kept", "volume": {}},
        {"type": "bind", "source": "/here", "target": "/there", "read_only": True, "bind": {"create_host_path": True}},
    ],
}
PROFILER = {"image": "profiler:1", "pid": "service:postgres", "profiles": ["profiling"]}
BASE = {
    "services": {"toxiproxy": TOXIPROXY, "postgres": POSTGRES, "profiler": PROFILER},
    "networks": {"lab": {"name": "chaos-lab", "ipam": {}}},
    "volumes": {"kept": {"name": "chaos-lab_kept"}, "other": {"name": "chaos-lab_other"}},
    "secrets": {"ca_bundle": {"file": "/here/ca.pem"}},
}


def written(*profiles: str, ports: bool = False) -> dict[str, Any]:
    """The file's content."""
    return dict(yaml.safe_load(stack_text(BASE, profiles, ports, "here")))


def test_what_a_swarm_knows_nothing_of_is_gone() -> None:
    """No building, no profiles, no waiting for others, no empty keys; how it may live stays."""
    service = swarm_service(POSTGRES)
    assert not {"build", "depends_on", "develop", "profiles", "tmpfs", "shm_size", "ports"} & set(service)
    assert service["healthcheck"] == POSTGRES["healthcheck"]
    toxiproxy = swarm_service(TOXIPROXY)
    assert (toxiproxy["read_only"], toxiproxy["cap_drop"]) == (True, ["ALL"])
    assert not {"entrypoint", "security_opt"} & set(toxiproxy)


def test_limits_are_of_the_types_that_a_swarm_takes() -> None:
    """Processors and memory are words, processes a number; names are answered with the tasks' own addresses."""
    deploy = swarm_service(TOXIPROXY, ["node.id == 7"], {"label": "value"})["deploy"]
    assert deploy["resources"]["limits"] == {"cpus": "1", "memory": "268435456", "pids": 256}
    assert (deploy["endpoint_mode"], deploy["restart_policy"]) == ("dnsrr", {"condition": "none"})
    assert (deploy["placement"], deploy["labels"]) == ({"constraints": ["node.id == 7"]}, {"label": "value"})


def test_file_systems_in_memory_become_mounts() -> None:
    """`tmpfs` and `shm_size`, with their sizes in bytes; volumes lose what only Compose knows."""
    assert swarm_service(POSTGRES)["volumes"] == [
        {"type": "volume", "target": "/data"},
        {"type": "volume", "source": "kept", "target": "/kept"},
        {"type": "bind", "source": "/here", "target": "/there", "read_only": True},
        {"type": "tmpfs", "target": "/tmp"},
        {"type": "tmpfs", "target": "/run/postgresql", "tmpfs": {"size": 16 << 20}},
        {"type": "tmpfs", "target": "/dev/shm", "tmpfs": {"size": 128 << 20}},
    ]


def test_no_port_is_published_unless_asked_for() -> None:
    """A Swarm cannot bind to 127.0.0.1: the file says so, and names what it opens where it does."""
    assert "ports" not in written()["services"]["toxiproxy"]
    assert "No port is published: a Swarm cannot bind one to 127.0.0.1" in stack_text(BASE, [], False, "here")
    assert written(ports=True)["services"]["toxiproxy"]["ports"] == [
        {"mode": "host", "target": port, "published": port} for port in (8474, 18_000, 18_001)
    ]
    assert "OPEN TO EVERYBODY who reaches the node, without a password: 8474, 18000-18001;" in stack_text(
        BASE, [], True, "here"
    )


def test_profiles_are_chosen_as_compose_chooses() -> None:
    """What has no profile is always there; who is given files of this machine runs on it; volumes are those used."""
    assert list(written()["services"]) == ["toxiproxy"]
    found = written("rates")
    assert list(found["services"]) == ["toxiproxy", "postgres"]
    assert found["services"]["postgres"]["deploy"]["placement"]["constraints"] == ["node.hostname == here"]
    assert found["volumes"] == {"kept": {"name": "chaos-lab_kept"}}
    assert found["networks"] == {"lab": {"name": "chaos-lab-stack", "driver": "overlay", "attachable": True}}
    assert "secrets" not in found


@pytest.mark.parametrize(("profile", "said"), [("rate", "there are postgres, profiling, rates"), ("profiling", "prof")])
def test_what_cannot_be_is_refused(profile: str, said: str) -> None:
    """A profile that is not there is named with those that are; nor can a Swarm share a process namespace."""
    with pytest.raises(LabError, match=said):
        written(profile)


def test_docker_takes_the_file(tmp_path: Path) -> None:
    """`docker stack config` finds nothing wrong with it; it needs no engine."""
    if (
        not shutil.which("docker")
        or subprocess.run(["docker", "stack", "config", "--help"], capture_output=True).returncode
    ):
        pytest.skip("no docker here that has `stack config`")
    file = tmp_path / "stack.yml"
    file.write_text(stack_text(BASE, ["rates"], True, "here"))
    done = subprocess.run(["docker", "stack", "config", "--compose-file", str(file)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_secret_of_a_file_is_one_of_the_swarm() -> None:
    """Only what a chosen service is given; by hand kept in memory is on a volume here, for a task is started again."""
    grafana = {
        "image": "grafana:12",
        "labels": {"chaos-lab.kept": "/data"},
        "ports": [{"host_ip": "127.0.0.1", "target": 8080}],
        "profiles": ["grafana"],
        "secrets": [{"source": "word", "target": "/run/secrets/word"}],
        "tmpfs": ["/data:uid=999"],
    }
    base = {
        **BASE,
        "services": {**BASE["services"], "grafana": grafana},
        "secrets": {**BASE["secrets"], "word": {"name": "chaos-lab_word", "file": "/here/word"}},
    }
    assert "secrets" not in yaml.safe_load(stack_text(base, [], False, "here"))
    found = yaml.safe_load(stack_text(base, ["grafana"], True, "here"))
    assert found["secrets"] == {"word": {"file": "/here/word"}}
    assert found["services"]["grafana"]["secrets"] == grafana["secrets"]
    assert found["services"]["grafana"]["volumes"] == [{"type": "volume", "target": "/data"}]
    assert "ports" not in found["services"]["grafana"], "a free one of 127.0.0.1 is what a Swarm has not"
