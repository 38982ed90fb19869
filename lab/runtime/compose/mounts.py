"""Modes of what containers get from this machine: a server in there is another user, whatever umask this one has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

OF_PEOPLE = "reports"  # its modes are those that its owner gave it


def open_to_all(path: Path) -> None:
    """Let everybody read a file, or a folder with all that is in it; what is another user's stays as it is."""
    for each in (path, *path.rglob("*")):
        with suppress(OSError):
            mode = each.stat().st_mode
            wanted = mode | (0o555 if each.is_dir() else 0o444)
            if wanted != mode:
                each.chmod(wanted)


def open_sources(root: Path, base: Mapping[str, Any], services: Iterable[str]) -> None:
    """Let everybody read what docker-compose.yml mounts from the project into these services."""
    for service in services:
        for volume in base["services"][service].get("volumes", []):
            source = Path(volume.get("source", ""))
            if volume["type"] == "bind" and source.is_relative_to(root) and source != root / OF_PEOPLE:
                open_to_all(source)
