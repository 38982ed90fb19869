"""Counts what a checker does, in bytecodes: a figure that no other load on the machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import lab

_LAB = str(Path(lab.__file__).parent)


class TooMuch(BaseException):
    """More bytecodes than were allowed; no Exception, since `checkers.run` makes a verdict of those."""


def bytecodes(call: Callable[[], object], most: int | None = None) -> int:
    """How many bytecodes of the lab's code a call executes. Raises TooMuch beyond `most`."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if event == "call":
            if not frame.f_code.co_filename.startswith(_LAB):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            count += 1
            if most is not None and count > most:
                raise TooMuch(f"more than {most:,} bytecodes")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
