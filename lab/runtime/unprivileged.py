"""Servers that refuse to be root: what stands before their command, and how their files become theirs."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

SERVED_BY = "nobody"


def as_nobody() -> list[str]:
    """What stands before a command that must not be root; nothing where we aren't.

    It keeps root's way into folders (CAP_DAC_OVERRIDE), so that a clone in root's own home works too, and asks
    again for the signal at the lab's death, which the kernel forgets at a change of user.
    """
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwnam(SERVED_BY)
    who = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig=KILL"]
    return ["setpriv", *who, "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]


def give(path: Path) -> None:
    """Make a file or folder theirs; nothing where we are not root."""
    if os.geteuid() == 0:
        owner = pwd.getpwnam(SERVED_BY)
        os.chown(path, owner.pw_uid, owner.pw_gid)


def copy_as_theirs(template: Path, folder: Path) -> None:
    """Copy a folder and make all of the copy theirs."""
    shutil.copytree(template, folder)
    for inside, _, files in os.walk(folder):
        for name in ("", *files):
            give(Path(inside) / name)
