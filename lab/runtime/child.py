"""
Becomes another program that the kernel kills when the lab dies (Linux); run as a program only.

    python -I -S child.py <pid of the lab> <program> <arguments>...

It stands between fork and exec instead of a `preexec_fn`, which may deadlock in a process that has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(lab: int, argv: list[str]) -> None:
    """Ask for SIGKILL at the lab's death, then turn into `argv`; exits 127 where there is no such program."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != lab:  # it died before we asked: nobody would ever tell us
        sys.exit(f"{argv[0]}: not started, the lab is gone")
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
