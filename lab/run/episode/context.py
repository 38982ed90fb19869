"""What every episode of a run shares."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from lab.load.crew import Crew
from lab.model import Phase, Scenario
from lab.observe.marks import Marks
from lab.observe.panels import Watched
from lab.run.progress import Progress
from lab.runtime.base import Runtime
from lab.runtime.supervisor import Supervisor


@dataclass(frozen=True)
class RunContext:
    """What every episode of a run shares. `prometheus` is None where there is none; the notes say why."""

    scenario: Scenario
    name: str
    scale: float
    run_id: str
    folder: Path
    supervisor: Supervisor
    runtime: Runtime
    prometheus: Watched | None
    progress: Progress
    crew: Crew
    marks: Marks

    @property
    def phases(self) -> list[Phase]:
        """The phases, scaled."""
        return [Phase(p.name, p.lasts_s * self.scale, p.faults) for p in self.scenario.phases]

    @property
    def ends(self) -> list[tuple[str, float]]:
        """When each phase ends, in seconds since the load began."""
        ends_s = accumulate(phase.lasts_s for phase in self.phases)
        return [(phase.name, end_s) for phase, end_s in zip(self.phases, ends_s, strict=True)]
