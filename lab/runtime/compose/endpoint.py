"""
Where the Docker engine is: what DOCKER_HOST says, else the context in use, else its usual socket.

One on another machine publishes its ports at an address of that machine, which the load goes to: the one in its URL, or
LAB_ENGINE_ADDRESS where the engine itself is reached through a forwarded socket. See docs/more-than-one-machine.md.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.errors import LabError
from lab.runtime.programs import ask

USUAL = "unix:///var/run/docker.sock"
ASK_S = 5.0
HERE = "127.0.0.1"
ADDRESS = "LAB_ENGINE_ADDRESS"
# Where an engine's socket is forwarded to, in words of the shell: no other user can have made that name first.
FORWARDED = "${XDG_RUNTIME_DIR:-$HOME/.ssh}/lab-docker.sock"
PASSED_ON = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")


@dataclass(frozen=True)
class Endpoint:
    """An engine's address as Docker writes it: `unix:///var/run/docker.sock`, `tcp://host:2375`.

    `host` is the IP address at which its published ports answer.
    """

    url: str
    host: str = HERE

    @property
    def is_here(self) -> bool:
        """Whether it is this machine's: it sees the lab's files, and its ports are nobody else's to reach."""
        return self.host == HERE

    @property
    def socket(self) -> str | None:
        """The path of its socket; None where it is reached over TCP."""
        parts = urlsplit(self.url)
        return parts.path if parts.scheme == "unix" else None

    @property
    def base_url(self) -> str:
        """Where its API is over HTTP; behind a socket the host's name means nothing."""
        return "http://docker" if self.socket else f"http://{urlsplit(self.url).netloc}"


def endpoint() -> Endpoint:
    """The engine that `docker` would use. Raises LabError for one that only `docker` itself could reach."""
    url = os.environ.get("DOCKER_HOST") or _of_context() or USUAL
    if urlsplit(url).scheme not in ("unix", "tcp") or os.environ.get("DOCKER_TLS_VERIFY"):
        raise LabError(
            f"the Docker engine at {url} cannot be spoken to directly; forward its socket to this machine "
            f'(`ssh -nNT -o ExitOnForwardFailure=yes -L "{FORWARDED}:/var/run/docker.sock" HOST`), '
            f'set DOCKER_HOST="unix://{FORWARDED}", and '
            f"{ADDRESS} to an address of that machine which this one reaches; see docs/more-than-one-machine.md"
        )
    named = os.environ.get(ADDRESS) or (urlsplit(url).hostname if url.startswith("tcp:") else HERE)
    return Endpoint(url, _ip(named or HERE, url))


def environment() -> dict[str, str]:
    """What `docker` must be told to reach the same engine, for processes that get a clean environment."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _ip(name: str, url: str) -> str:
    """The address of a name: a port is published at an address."""
    try:
        found = str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise LabError(
            f"the Docker engine at {url} is to be reached at {name}, which has no address ({error.strerror}); "
            f"{ADDRESS} may name another"
        ) from error
    return HERE if found == "::1" else found


def _of_context() -> str:
    """The engine of the context in use; empty where none was chosen. `docker` is only asked where one was."""
    try:
        folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        chosen = os.environ.get("DOCKER_CONTEXT") or json.loads((folder / "config.json").read_text())["currentContext"]
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):  # the last: a user without a home
        return ""
    if chosen == "default":
        return ""
    command = ["docker", "context", "inspect", chosen, "--format", "{{.Endpoints.docker.Host}}"]
    try:
        done = ask(command, ASK_S)
        done.check_returncode()
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
