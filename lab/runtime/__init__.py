"""Where a scenario's services run: as local processes or in containers, behind one small protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.runtime.base import Runtime
    from lab.runtime.supervisor import Supervisor
    from lab.runtime.tools import Tools


def choose(name: str, supervisor: Supervisor, tools: Tools) -> Runtime:
    """A runtime by name. Raises LabError where there is none of that name."""
    if name == "local":
        from lab.runtime.local import LocalRuntime

        return LocalRuntime(supervisor, tools)
    raise LabError(f"there is no runtime {name}: give `local`")
