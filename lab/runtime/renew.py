"""
What the lab fetched into `.lab/`: how old it is, and fetching it anew.

The system's package manager does not know of it, so that security fixes reach it by a renewal alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.runtime import debian
from lab.runtime.heal import living_runs
from lab.runtime.parts import PARTS, Part
from lab.runtime.tools import Tools, alone_in, build, version_of

DAY_S = 86_400.0
OLD_DAYS = 60.0  # Debian's stable release has a new point release every two months, with all security fixes before it


@dataclass(frozen=True)
class Fetched:
    """A part in `.lab/`: where, its version, and when it was fetched, in seconds since the epoch."""

    part: Part
    path: Path
    version: str
    at_epoch_s: float

    def days(self, now_epoch_s: float) -> float:
        """Its age."""
        return max(0.0, (now_epoch_s - self.at_epoch_s) / DAY_S)


def fetched(tools: Tools) -> list[Fetched]:
    """Each part whose programs are the lab's own, one for each folder of packages; none that the machine has itself."""
    return list({each.path: each for each in reversed(list(_fetched(tools)))}.values())[::-1]


def _fetched(tools: Tools) -> Iterator[Fetched]:
    for part in PARTS.values():
        program = (tools.find(part.name) or {}).get(part.programs[0])
        if program and program.path.is_relative_to(tools.home):
            path = program.tree or program.path
            yield Fetched(part, path, version_of(program), path.stat().st_mtime)


def renew(tools: Tools) -> list[str]:
    """Fetch anew what is there, from package lists of now or at the pinned version; a sentence for each.

    One that cannot be had stays as it was, and its sentence says why. Raises LabError while a run goes on: its servers
    may be started again from what is replaced.
    """
    if living := living_runs(tools.home / "runs"):
        raise LabError(f"run {living[0]} is in progress; renew servers when it has ended")
    old = fetched(tools)
    with alone_in(tools.home):
        failed = {each.path: problem for each in old if (problem := _renewed(tools, each))}
    now = {each.path: each.version for each in fetched(Tools(tools.home, tools.say))}
    return [
        f"{each.part.title} stays at {each.version}: {failed[each.path]}"
        if each.path in failed
        else f"{each.part.title} {each.version} -> {now.get(each.path, 'missing')}"
        for each in old
    ]


def _renewed(tools: Tools, one: Fetched) -> str:
    """Fetch one anew; gives why that failed, else nothing."""
    part = one.part
    try:
        if one.path.is_dir():
            debian.fetch(part.title, part.debian, part.programs, one.path, tools.home / "apt", tools.say, fresh=True)
        elif part.go and shutil.which("go"):
            build(part, one.path.parent, tools.say)
        else:
            return "there is no Go to build it" if part.go else "nothing here knows how it was fetched"
    except debian.FetchError as error:
        return str(error)
    return ""
