""".env beside docker-compose.yml: what differs from machine to machine, and passwords that nobody has to type."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from lab.kit.files import put_in_place
from lab.runtime.credentials import SERVICE_VARIABLE, STATISTICS_VARIABLE, password, write_private

NAME = ".env"
PASSWORD = "GRAFANA_ADMIN_PASSWORD"
PASSWORDS = (PASSWORD, SERVICE_VARIABLE, STATISTICS_VARIABLE)
VOLUME = "GRAFANA_DATA"  # which of Grafana's volumes is the one that has its password
SECRET = Path(".lab", "compose", "secrets", "grafana-password")


def ensure(root: Path) -> None:
    """Make the file, readable by its owner alone, where it lacks Grafana's admin password or those of servers.

    Grafana reads its own from a file: another user in its container must be able to, and none of this machine who may
    not pass the folder. A new password has a new volume: an old one would keep the password of its first start.
    """
    there = {**read(root), **os.environ}
    missing = {name: password() for name in PASSWORDS if name not in there}
    if PASSWORD in missing:
        missing[VOLUME] = secrets.token_hex(4)
    if missing:
        write(root, missing)
    file, wanted = root / SECRET, {**there, **missing}[PASSWORD]
    if not file.exists() or file.read_text("utf-8") != wanted:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.parent.chmod(0o700)
        put_in_place(file, wanted).chmod(0o444)


def read(root: Path) -> dict[str, str]:
    """The variables that the file sets."""
    try:
        text = (root / NAME).read_text("utf-8")
    except FileNotFoundError:
        return {}
    return dict(re.findall(r"(?m)^([A-Z_]+)=(.*?)\s*$", text))


def write(root: Path, values: Mapping[str, str | None]) -> None:
    """Set variables, or take those out whose value is None; all other lines stay as they are."""
    file = root / NAME
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    kept = [line for line in lines if line.partition("=")[0] not in values]
    new = [f"{name}={value}" for name, value in values.items() if value is not None]
    write_private(file, "\n".join([*kept, *new]) + "\n")
