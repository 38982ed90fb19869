"""The handbook's table of contents: section numbers and their titles."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Section:
    """A numbered section: `7.6.1.3`, `Circuit Breaker Pattern`."""

    number: str
    title: str

    @property
    def depth(self) -> int:
        """1 for a chapter, 2 for `7.6`, and so on."""
        return self.number.count(".") + 1

    @property
    def chapter(self) -> int:
        """The chapter's number."""
        return int(self.number.split(".")[0])


@cache
def sections() -> dict[str, Section]:
    """Every section by number, in the handbook's order."""
    data = tomllib.loads(Path(__file__).with_name("handbook.toml").read_text("utf-8"))
    return {number: Section(number, title) for number, title in data["sections"].items()}
