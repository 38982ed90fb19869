"""A disk's process: mounts, serves its control, and ends when it is unmounted. Started by lab.runtime.disk alone."""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import signal
import sys
import threading
from pathlib import Path

from lab.disk.control import Control, serve
from lab.disk.store import Store
from lab.disk.trouble import Trouble

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Mount `--home`'s files at `--at`; with `--user` nothing is done as root once that is done."""
    parser = argparse.ArgumentParser(prog="python -m lab.disk")
    parser.add_argument("--home", type=Path, required=True, help="the folder that holds its files and the removed ones")
    parser.add_argument("--at", required=True, help="the folder to mount at")
    parser.add_argument("--port", type=int, required=True, help="of 127.0.0.1, for its control")
    parser.add_argument("--user", help="owner of the files; needs root")
    parser.add_argument("--strict", action="store_true", help="grant none of ext4's habits")
    words = parser.parse_args()
    from lab.disk.filesystem import Fuse, Operations  # loads libfuse, which may not be there

    os.umask(0)
    store = Store(words.home, strict=words.strict)
    trouble = Trouble(store.counts.errors)
    server = serve(Control(store, trouble, os.environ.get("DISK_TOKEN", "")), words.port)

    def mounted() -> None:
        if words.user:
            _become(words.user)
        threading.Thread(target=server.serve_forever, daemon=True, name="control").start()

    root = os.geteuid() == 0
    options = {"allow_other": True} if root else {}
    operations = Operations(store, trouble, mounted)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # it ends when it is unmounted, or killed
        signal.signal(number, signal.SIG_IGN)
    Fuse(operations, words.at, raw_fi=True, foreground=True, default_permissions=True, fsname="lab-disk", **options)
    return 0


def _become(user: str) -> None:
    """Be another user from now on, in all threads; the kernel forgets at that whose death is to be ours too."""
    owner = pwd.getpwnam(user)
    os.setgroups([])
    os.setresgid(owner.pw_gid, owner.pw_gid, owner.pw_gid)
    os.setresuid(owner.pw_uid, owner.pw_uid, owner.pw_uid)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
