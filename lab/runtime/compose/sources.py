"""What the targets' image is built from, as a mark that is its tag: another folder's code has another image."""

from __future__ import annotations

import hashlib
from pathlib import Path

VARIABLE = "TARGETS_TAG"  # by which docker-compose.yml is told
BUILT_FROM = ("*.py", "Dockerfile", "*.lock")


def mark(root: Path) -> str:
    """A mark of all that the image is built from."""
    folder, found = root / "targets", hashlib.sha256()
    for file in sorted(file for pattern in BUILT_FROM for file in folder.rglob(pattern)):
        found.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]
