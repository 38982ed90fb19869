"""What docs/images.md says that each official image expects, held against the commands and settings of containers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import catalogue
from lab.model import Backing, Env
from lab.runtime import backing

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]


def commands(kind: str) -> Iterator[list[str]]:
    """Every command that a container of this kind gets: by hand, without settings, and from each scenario."""
    yield list(SERVICES[kind].get("command", []))
    recipe = backing.kind_of(kind).recipe
    assert recipe
    yield list(recipe({}).command)
    for entry in catalogue.read_all()[0]:
        for member in entry.scenario.members:
            if isinstance(member, Backing) and member.kind == kind:
                yield list(recipe(member.settings).command)


def options(command: list[str]) -> Env:
    """What PostgreSQL is told by `-c name=value`."""
    return dict(word.split("=", 1) for flag, word in pairwise(command) if flag == "-c")


def test_postgres_is_started_as_its_entrypoint_wants() -> None:
    """Its temporary server has no TCP, so that without a socket it listens nowhere: it could not start at all."""
    for command in commands("postgres"):
        assert command[0] == "postgres"
        assert "unix_socket_directories" not in options(command)
        assert not {"-?", "--help", "--version", "-V", "--describe-config", "-D", "-k"} & set(command)


def test_postgres_has_what_its_entrypoint_reads() -> None:
    """A password that is not empty, its folders as its own user, and the mount of its major version."""
    service = SERVICES["postgres"]
    assert re.search(r"export POSTGRES_PASSWORD=\$\$\(od .*urandom", service["entrypoint"][2])
    assert service["entrypoint"][2].rstrip().endswith('exec docker-entrypoint.sh "$$@"')
    assert ">/docker-entrypoint-initdb.d/lab.sql" in service["entrypoint"][2]
    folders = {each.partition(":")[0] for each in service["tmpfs"]}
    assert {"/var/run/postgresql", "/docker-entrypoint-initdb.d"} <= folders
    major = int(re.match(r"postgres:(\d+)", service["image"])[1])  # type: ignore[index]
    assert (major < 18) == ("/var/lib/postgresql/data" in folders), "18 has its data elsewhere"
    assert service["user"] == "999:999"
    assert service["environment"]["POSTGRES_INITDB_ARGS"] == "--auth-host=scram-sha-256", "initdb trusts 127.0.0.1"


def test_mariadb_is_started_as_its_entrypoint_wants() -> None:
    """Words without blanks, since it passes others not on to its installer; a socket; no time zones."""
    service = SERVICES["mariadb"]
    for command in commands("mariadb"):
        assert command[0] == "mariadbd"
        assert not [word for word in command if re.search(r"\s", word)]
        sockets = [word for word in command if word.startswith("--socket=")]
        assert sockets == ["--socket=/tmp/mariadb.sock"] or command == ["mariadbd"]
    assert service["environment"]["MARIADB_INITDB_SKIP_TZINFO"] == "1"
    assert service["environment"]["MARIADB_ROOT_HOST"] == "localhost"
    assert re.search(r"export MARIADB_ROOT_PASSWORD=\$\$\(od .*urandom", service["entrypoint"][2])
    assert service["entrypoint"][2].rstrip().endswith('exec docker-entrypoint.sh "$$@"')


def test_redis_and_nats_go_past_their_entrypoints_and_etcd_needs_no_shell() -> None:
    """Those of redis and nats change users or add options; etcd's image has no shell."""
    for kind, last in (("redis", 'exec "$$@"'), ("nats", 'exec nats-server -c /tmp/nats.conf "$$@"')):
        assert SERVICES[kind]["entrypoint"][:2] == ["sh", "-ec"]
        assert SERVICES[kind]["entrypoint"][2].rstrip().endswith(last)
        assert "docker-entrypoint.sh" not in SERVICES[kind]["entrypoint"][2]
    assert all(command[0] == "redis-server" for command in commands("redis"))
    assert not next(iter(commands("nats")))
    assert "entrypoint" not in SERVICES["etcd"]
    assert all(command[0] == "etcd" for command in commands("etcd"))
    assert "sh" not in SERVICES["etcd"]["healthcheck"]["test"]


@pytest.mark.parametrize("kind", ["postgres", "redis", "nats", "mariadb"])
def test_what_runs_before_a_server_is_sound_shell(kind: str) -> None:
    """Compose takes `$$` for `$`."""
    script = SERVICES[kind]["entrypoint"][2].replace("$$", "$")
    done = subprocess.run(["sh", "-n", "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
