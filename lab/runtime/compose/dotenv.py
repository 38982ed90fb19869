""".env beside docker-compose.yml: what differs from machine to machine, and passwords that nobody has to type."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from lab.runtime.credentials import SERVICE_VARIABLE, STATISTICS_VARIABLE, password, write_private

NAME = ".env"
PASSWORD = "GRAFANA_ADMIN_PASSWORD"
PASSWORDS = (PASSWORD, SERVICE_VARIABLE, STATISTICS_VARIABLE)


def ensure(root: Path) -> None:
    """Make the file, readable by its owner alone, where it lacks Grafana's admin password or those of servers."""
    there = {**read(root), **os.environ}
    missing = {name: password() for name in PASSWORDS if name not in there}
    if missing:
        write(root, missing)


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
