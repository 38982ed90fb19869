"""How many files, and so connections, this process and its children may have open."""

from __future__ import annotations

import resource

ENOUGH = 1_024  # below this a load of some hundred operations a second with a timeout of 2 s cannot be held
MOST = 65_536  # for the lab and each child


def raise_open_files(most: int = MOST) -> int:
    """Raise the limit up to `most`, as far as the system allows; gives what it is then.

    macOS begins with 256 and refuses what is above a limit that it does not tell: the wish is halved until it fits.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    wish = most if hard == resource.RLIM_INFINITY else min(hard, most)
    while wish > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wish, hard))
            return wish
        except (ValueError, OSError):
            wish //= 2
    return soft


def complaint(files: int) -> str:
    """What to do where that many are too few; empty where they suffice."""
    if files >= ENOUGH:
        return ""
    return (
        f"A process may have only {files} files open here: more than some {files // 2} connections at once fail. "
        f"Raise it with `ulimit -n {ENOUGH}` (macOS: `sudo launchctl limit maxfiles {MOST} {MOST}`)."
    )
