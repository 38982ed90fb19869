"""
Which Grafana a run draws in: the one that is named, else for runs in containers that of `make up`, else for local runs
one that is on PATH and is started for the run.

One is named by GRAFANA_URL, with GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD, in the environment or in `.env`;
`GRAFANA_URL=none` wants none at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from lab.errors import LabError
from lab.observe.grafana import Place
from lab.runtime.compose import dotenv
from lab.runtime.compose.endpoint import endpoint
from lab.runtime.compose.engine import Engine

NAMES = ("GRAFANA_URL", "GRAFANA_TOKEN", "GRAFANA_USER", "GRAFANA_PASSWORD")
NONE = "none"
PORT = 3000  # in its container
OTHER_PASSWORD = (
    "its volume keeps the password of its first start: put that one into .env as GRAFANA_ADMIN_PASSWORD, or set "
    "the new one with `docker compose exec grafana grafana cli admin reset-admin-password PASSWORD`"
)


@dataclass(frozen=True)
class Named:
    """What the settings say. `wanted` is False where they want none; `place` None where they name none."""

    wanted: bool = True
    place: Place | None = None


def named(root: Path) -> Named:
    """The Grafana of the environment, else of `.env`. Raises LabError for an address that is none."""
    settings = _settings(root)
    url = settings.get("GRAFANA_URL", "")
    if url.lower() == NONE:
        return Named(wanted=False)
    if not url:
        return Named()
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise LabError("GRAFANA_URL is no address such as http://127.0.0.1:3000; mend it, or set it to none")
    plain = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
    user = settings.get("GRAFANA_USER") or unquote(parts.username or "") or "admin"
    password = settings.get("GRAFANA_PASSWORD") or unquote(parts.password or "")
    login = settings.get("GRAFANA_TOKEN") or ((user, password) if password else None)
    cure = "give GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD, as this Grafana has them"
    return Named(place=Place(plain, "GRAFANA_URL names it", login, cure=cure))


async def of_compose(root: Path) -> Place | None:
    """The Grafana that `lab up` has started from this folder, if it runs; `.env` has its password."""
    try:
        engine = Engine(endpoint())
    except LabError:
        return None
    labels = (f"com.docker.compose.project.working_dir={root}", "com.docker.compose.service=grafana")
    try:
        found = await engine.containers(*labels) if await engine.answers() else []
    except LabError:
        found = []
    finally:
        await engine.close()
    ports = [port for each in found if each["State"] == "running" for port in each["Ports"]]
    published = [port["PublicPort"] for port in ports if port["PrivatePort"] == PORT and "PublicPort" in port]
    password = os.environ.get(dotenv.PASSWORD) or dotenv.read(root).get(dotenv.PASSWORD)
    if not published:
        return None
    url = f"http://{engine.where.host}:{published[0]}"
    return Place(url, "`make up` has started it", ("admin", password) if password else None, cure=OTHER_PASSWORD)


def on_path() -> Path | None:
    """The program of a Grafana on this machine."""
    found = shutil.which("grafana") or shutil.which("grafana-server")
    return Path(found) if found else None


def _settings(root: Path) -> Mapping[str, str]:
    """The variables that name a Grafana; those of the environment come first, and together."""
    ours = {name: os.environ[name] for name in NAMES if os.environ.get(name)}
    if "GRAFANA_URL" in ours:  # a token that stands in a file is another Grafana's
        return ours
    filed = {name: value.strip("'\"") for name, value in dotenv.read(root).items() if name in NAMES}
    return {**filed, **ours}
