"""Where the Docker engine is: what DOCKER_HOST says, else the context in use, else its usual socket."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.errors import LabError

USUAL = "unix:///var/run/docker.sock"
ASK_S = 5.0
PASSED_ON = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")


@dataclass(frozen=True)
class Endpoint:
    """An engine's address as Docker writes it: `unix:///var/run/docker.sock`, `tcp://host:2375`."""

    url: str

    @property
    def socket(self) -> str | None:
        """The path of its socket; None where it is reached over TCP."""
        parts = urlsplit(self.url)
        return parts.path if parts.scheme == "unix" else None

    @property
    def base_url(self) -> str:
        """Where its API is over HTTP; behind a socket the host's name means nothing."""
        return "http://docker" if self.socket else f"http://{urlsplit(self.url).netloc}"

    @property
    def host(self) -> str:
        """Where its published ports answer."""
        return "127.0.0.1" if self.socket else str(urlsplit(self.url).hostname)


def endpoint() -> Endpoint:
    """The engine that `docker` would use. Raises LabError for one that only `docker` itself could reach."""
    url = os.environ.get("DOCKER_HOST") or _of_context() or USUAL
    if urlsplit(url).scheme not in ("unix", "tcp") or os.environ.get("DOCKER_TLS_VERIFY"):
        raise LabError(
            f"the Docker engine at {url} cannot be spoken to directly; forward its socket to this machine "
            "(`ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST`) and set DOCKER_HOST=unix:///tmp/docker.sock"
        )
    return Endpoint(url)


def environment() -> dict[str, str]:
    """What `docker` must be told to reach the same engine, for processes that get a clean environment."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _of_context() -> str:
    """The engine of the context in use; empty where none was chosen. `docker` is only asked where one was."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        chosen = os.environ.get("DOCKER_CONTEXT") or json.loads((folder / "config.json").read_text())["currentContext"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if chosen == "default":
        return ""
    command = ["docker", "context", "inspect", chosen, "--format", "{{.Endpoints.docker.Host}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
