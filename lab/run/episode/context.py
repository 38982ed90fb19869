"""What every episode of a run shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.load.crew import Crew
from lab.model import Scenario
from lab.observe.marks import RunAnnotations
from lab.observe.panels import Watched
from lab.run.progress import Progress
from lab.runtime.base import Runtime
from lab.runtime.supervisor import Supervisor


@dataclass(frozen=True)
class RunContext:
    """What every episode of a run shares. `prometheus` is None where there is none; the notes say why."""

    scenario: Scenario
    name: str
    run_id: str
    folder: Path
    supervisor: Supervisor
    runtime: Runtime
    prometheus: Watched | None
    progress: Progress
    crew: Crew
    marks: RunAnnotations
