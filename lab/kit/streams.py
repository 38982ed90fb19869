"""Standard input, output and error as they should be: also where one is closed, full, or its reader has gone."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import sys
from typing import Any

LEAST_COLUMNS = 20  # a narrower terminal, or one that does not know its size, is written to as one of 80
LONGEST_WORD, LONGEST_LINE = 400, 2_000  # characters of a message: a name that was given may have 100,000
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    r"""The text with its control characters written out (`\x1b`), and those that turn the direction of writing.

    Whatever comes from elsewhere passes through here on its way to a terminal: names, records, logs. Line ends and
    tabs stay.
    """
    return UNSEEN.sub(lambda found: _written_out(ord(found[0])), text)


def brief(text: str) -> str:
    """The text with words and lines cut where they are endless; it says how many characters there were."""
    text = re.sub(rf"\S{{{LONGEST_WORD},}}", lambda word: f"{word[0][:40]}... ({len(word[0]):,} characters)", text)
    return re.sub(rf"[^\n]{{{LONGEST_LINE},}}", lambda line: _middle_out(line[0]), text)


def tell(text: str, *, aside: bool = False) -> None:
    """Write to standard output, `aside` to standard error, with what a terminal would obey written out."""
    print(visible(text), file=sys.stderr if aside else sys.stdout, flush=True)


def say(text: str) -> None:
    """Write a message of the lab to standard error."""
    tell(f"lab: {brief(text)}", aside=True)


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _middle_out(line: str) -> str:
    half = LONGEST_LINE // 2 - 50
    return f"{line[:half]} ... ({len(line):,} characters) ... {line[-half:]}"


class Outlet(io.FileIO):
    """A stream that what it serves never notices: what cannot be written goes nowhere.

    A reader that goes away changes nothing (`lab run NAME | head -2`). A full disk is an error that can wait until
    the work is done: `lost` says it then.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lost: OSError | None = None

    def write(self, piece: Any) -> int:
        """Write as much as goes; what cannot be written counts as written."""
        try:
            return super().write(piece)
        except OSError as error:
            if not self._gone(error):
                self.lost = self.lost or error
            with contextlib.suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.fileno())
                os.close(nowhere)
            return len(memoryview(piece).cast("B"))

    def _gone(self, error: OSError) -> bool:
        """Whether a reader closed its pipe, or a terminal was closed."""
        if error.errno == errno.EIO:
            return stat.S_ISCHR(os.fstat(self.fileno()).st_mode)  # from a disk it is a loss
        return error.errno in (errno.EPIPE, errno.EBADF)


def settle() -> None:
    """Give this process three open streams, before it opens anything that could take their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # `lab list >&-`: the next file would be standard output, and be written into
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - it is open as long as the process is
    sys.stdout = _outlet(1, sys.stdout)
    sys.stderr = _outlet(2, sys.stderr)
    columns()


def columns() -> None:
    """Take a width that makes no sense (`COLUMNS=0`) out of the environment, before rich and click read it."""
    width = os.environ.get("COLUMNS", "")
    if not width.isdecimal() or int(width) < LEAST_COLUMNS:
        os.environ.pop("COLUMNS", None)


def lost() -> str:
    """What could not be written to standard output or error, in a sentence; empty where nothing was lost."""
    for name, stream in (("output", sys.stdout), ("error", sys.stderr)):
        with contextlib.suppress(ValueError, OSError, AttributeError):
            stream.flush()
        raw = getattr(getattr(stream, "buffer", None), "raw", None)
        if isinstance(raw, Outlet) and raw.lost:
            return f"writing to standard {name} failed ({raw.lost.strerror}); the output there is incomplete"
    return ""


def _outlet(descriptor: int, before: Any) -> Any:
    """A text stream like the one before, which may be None where it was closed."""
    tty = os.isatty(descriptor)
    with contextlib.suppress(ValueError, OSError):
        if before is not None:
            before.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Outlet(descriptor)),
        encoding=getattr(before, "encoding", None) or "utf-8",
        errors="replace",  # a terminal that knows no ✓ shows something else; it breaks nothing
        line_buffering=tty or descriptor == 2,
    )
