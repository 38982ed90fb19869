"""
Takes away what Linux has and macOS lacks; Python imports this before anything else where the folder is on PYTHONPATH.

Gone are os.fdatasync and os.pidfd_open, the timerfds of the C library, and, for the lab's own code, /proc and /dev/shm:
it looks into them with pathlib, while psutil, which on macOS asks the kernel, keeps its own way.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

NOT_THERE = ("/proc", "/dev/shm")


def _missing(method: Callable[..., Any]) -> Callable[..., Any]:
    def ask(self: Path, *args: Any, **kwargs: Any) -> Any:
        if str(self).startswith(NOT_THERE):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return method(self, *args, **kwargs)

    return ask


def _never(method: Callable[..., Any]) -> Callable[..., Any]:
    def ask(self: Path, *args: Any, **kwargs: Any) -> bool:
        return not str(self).startswith(NOT_THERE) and bool(method(self, *args, **kwargs))

    return ask


class Library(ctypes.CDLL):
    """A C library without timerfds."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("timerfd"):
            raise AttributeError(name)
        return super().__getattr__(name)


for name in ("fdatasync", "pidfd_open"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("stat", "open", "iterdir", "readlink", "read_text", "read_bytes", "glob"):
    setattr(Path, name, _missing(getattr(Path, name)))
for name in ("exists", "is_file", "is_dir"):
    setattr(Path, name, _never(getattr(Path, name)))
setattr(ctypes, "CDLL", Library)  # noqa: B010 - mypy would not let a class be replaced
os.environ["PATH"] = f"{Path(__file__).parent / 'bin'}:{os.environ.get('PATH', os.defpath)}"
