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


def is_one(folder: Path, run: str) -> bool:
    """Whether this is a folder that `make` made for this run: a journal is believed no further than that."""
    if folder.parent != HOME or not re.fullmatch(re.escape(_prefix(run)) + r"\w{8}", folder.name):
        return False
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _prefix(run: str) -> str:
    return f"chaos-lab-{run}-"
