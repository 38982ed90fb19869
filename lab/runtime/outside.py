"""A run's folder outside of the clone: for data of servers that run as another user, who cannot reach the clone."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

HOME = Path("/var/tmp")  # on disk, as the clone is: a server's fsync costs what it costs


def make(run: str) -> Path:
    """A new folder that everybody may pass through and only we may list or change; its name cannot be foreseen."""
    folder = Path(tempfile.mkdtemp(prefix=_prefix(run), dir=HOME))
    folder.chmod(0o711)
    return folder


def of_run(run: str) -> list[Path]:
    """The folders that `make` made for a run: known by name, owner and kind, also where the lab died right after."""
    return [folder for folder in HOME.iterdir() if _is_one(folder, run)]


def _is_one(folder: Path, run: str) -> bool:
    if not re.fullmatch(re.escape(_prefix(run)) + r"\w{8}", folder.name):
        return False
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _prefix(run: str) -> str:
    return f"chaos-lab-{run}-"
