"""How an experiment is asked to run, and a run in progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.catalogue import Entry
from lab.record import Prediction
from lab.record.unfinished import Unfinished
from lab.run.choice import Choice
from lab.run.episode import EpisodeCapture, EpisodePlan
from lab.run.lent import Lent


@dataclass(frozen=True)
class Options:
    """How an experiment is run. `runtime` None leaves the choice to the lab.

    `quiet` sends the progress to standard error, so that standard output is data. `load_workers` processes carry the
    load; with `load_master` (HOST:PORT) they join from other machines. `predictions` go into the record. `lent` has
    episodes that are not played again.
    """

    seed: int
    trials: int
    scale: float
    runtime: str | None
    reports: Path
    quiet: bool = False
    load_workers: int = 1
    load_master: str = ""
    predictions: Sequence[Prediction] = ()
    lent: Lent | None = None


@dataclass
class RunInProgress:
    """A run in progress: what it has so far."""

    entry: Entry
    options: Options
    choice: Choice
    run_id: str
    folder: Path
    unfinished: Unfinished
    started_epoch_s: float
    plans: Sequence[EpisodePlan]
    episodes: list[EpisodeCapture] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # what could not be stopped
    versions: dict[str, str] = field(default_factory=dict)
    proxy: str = ""
    grafana: str = ""

    @property
    def order(self) -> list[tuple[int, EpisodePlan]]:
        """Every variant that is played, in every trial.

        Odd trials begin with the control, even ones end with it (interleaving).
        """
        trials = range(1, self.options.trials + 1)
        lent = self.options.lent.variants if self.options.lent else ()
        plans = [plan for plan in self.plans if plan.variant.name not in lent]
        return [(trial, plan) for trial in trials for plan in (plans if trial % 2 else reversed(plans))]
