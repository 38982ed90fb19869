"""Modes of what containers get from this machine: a server in there is another user, whatever umask this one has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.kit.files import open_to_all

OF_PEOPLE = "reports"  # its modes are those that its owner gave it


def open_sources(root: Path, base: Mapping[str, Any], services: Iterable[str]) -> None:
    """Let everybody read what docker-compose.yml mounts from the project into these services."""
    for service in services:
        for volume in base["services"][service].get("volumes", []):
            source = Path(volume.get("source", ""))
            if volume["type"] == "bind" and source.is_relative_to(root) and source != root / OF_PEOPLE:
                open_to_all(source)
