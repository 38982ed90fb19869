"""Logs of services: one JSON object a line, between whatever else a process may print. Nothing in them is trusted."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

BLOCK_BYTES = 1 << 22  # searched at a time
SHORTENED = 400  # characters of a line that a reader is shown
_OWN = {"ts", "level", "service", "event", "trace_id", "span_id"}
_BAD = {"error", "critical", "fatal"}


@dataclass(frozen=True)
class Digest:
    """A log in short. `texts` counts the lines that are no JSON object: tracebacks, or a server that writes prose."""

    member: str
    by_level: dict[str, int]
    texts: int
    last_errors: tuple[str, ...]
    last_texts: tuple[str, ...]


def lines(file: Path, having: Collection[str] | None = None) -> Iterator[dict[str, Any] | str]:
    """Each line of a log: an object where it is one, else its text. Nothing where there is no such file.

    With `having` only those in which one of these words stands as it is: the others are not decoded.
    """
    decoder = msgspec.json.Decoder()
    try:
        opened = file.open("rb")
    except OSError:
        return
    with opened:
        for raw in opened if having is None else _holding(opened, [word.encode() for word in having]):
            line = raw.strip()
            if not line:
                continue
            try:
                found = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                found = None
            yield found if isinstance(found, dict) else line.decode(errors="replace")


def lines_with(file: Path, field: str, values: Collection[str]) -> Iterator[dict[str, Any]]:
    """As `lines`, only the objects whose text `field` has one of these values; thousands are as quick as one."""
    decoder = msgspec.json.Decoder()
    try:
        opened = file.open("rb")
    except OSError:
        return
    found = re.compile(rb'"%s"\s*:\s*"([^"]*)"' % re.escape(field).encode())
    wanted = {value.encode() for value in values}
    with opened:
        for raw in opened:
            if any(each[1] in wanted for each in found.finditer(raw)):
                try:
                    line = decoder.decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    continue
                if isinstance(line, dict):
                    yield line


def _holding(opened: BinaryIO, words: Sequence[bytes]) -> Iterator[bytes]:
    """The lines in which one of these words stands, in their order."""
    while block := opened.read(BLOCK_BYTES):
        block += opened.readline()
        found: dict[int, int] = {}  # where a line begins, and the next one
        for word in words:
            at = block.find(word)
            while at >= 0:
                after = block.find(b"\n", at) + 1 or len(block)
                found[block.rfind(b"\n", 0, at) + 1] = after
                at = block.find(word, after)
        for begin in sorted(found):
            yield block[begin : found[begin]]


def digests(folder: Path, last: int = 5) -> list[Digest]:
    """Every `<member>.log` of an episode's folder in short, by name, with the `last` errors and texts of each."""
    return [_digest(file, last) for file in sorted(folder.glob("*.log"))]


def _digest(file: Path, last: int) -> Digest:
    levels: Counter[str] = Counter()
    texts = 0
    last_errors: deque[str] = deque(maxlen=last)
    last_texts: deque[str] = deque(maxlen=last)
    for line in lines(file):
        if isinstance(line, str):
            texts += 1
            last_texts.append(_shortened(line))
            continue
        level = str(line.get("level", "unknown")).lower()
        levels[level] += 1
        if level in _BAD:
            last_errors.append(_shortened(_told(line)))
    return Digest(file.stem, dict(levels), texts, tuple(last_errors), tuple(last_texts))


def _told(line: dict[str, Any]) -> str:
    """A line for people: `14:03:11 charge failed (peer=payments, error=timeout)`."""
    at = line.get("ts")
    try:
        clock = time.strftime("%H:%M:%S ", time.localtime(at)) if isinstance(at, int | float) else ""
    except (ValueError, OverflowError, OSError):
        clock = ""
    more = ", ".join(f"{key}={value}" for key, value in line.items() if key not in _OWN)
    return f"{clock}{line.get('event', '')}" + (f" ({more})" if more else "")


def _shortened(text: str) -> str:
    return text if len(text) <= SHORTENED else text[: SHORTENED - 1] + "…"
