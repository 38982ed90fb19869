"""One variant, one phase, one trial: everything that a metric may look at, read from a run when first asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from lab.record import Operations, PhaseWindow, Receipt, Run

Edge = Literal["start", "end"]
NEVER = float("nan")


@dataclass(frozen=True)
class Sample:
    """One counter or gauge of a service, as it stood when it was asked."""

    metric: str
    labels: dict[str, str]
    at_s: float
    value: float


@dataclass(frozen=True)
class Window:
    """One variant, one phase, one trial. Times count seconds from the start of the variant's load.

    `missing` says why nothing can be measured at all, where the run ended before.
    """

    run: Run
    variant: str
    trial: int
    phase: PhaseWindow
    missing: str = ""

    @property
    def text(self) -> str:
        """Where this is, for a sentence: `fault of off`."""
        trial = f", trial {self.trial}" if self.run.record.trials > 1 else ""
        return f"{self.phase.name} of {self.variant}{trial}"

    @property
    def lasts_s(self) -> float:
        """How long the phase really was."""
        return self.phase.end_s - self.phase.start_s

    @property
    def timeout_s(self) -> float:
        """How long the load waits for an answer."""
        return self.run.record.spec.load.timeout_s

    @cached_property
    def operations(self) -> Operations:
        """The operations that were due in this phase, by due time."""
        everything = self.all_operations
        return everything.where(everything.being("phase", self.phase.name))

    @cached_property
    def all_operations(self) -> Operations:
        """The operations of all phases of this variant and trial: some of them still in flight in this phase."""
        return self.run.operations(self.variant, self.trial)

    @property
    def receipts(self) -> list[Receipt]:
        """Of the faults of this phase, in order of injection."""
        episode = self.run.episode(self.variant, self.trial)
        mine = [r for r in episode.receipts if r.phase == self.phase.name] if episode else []
        return sorted(mine, key=lambda receipt: receipt.injected_s)

    def snapshot(self, service: str, edge: Edge) -> Sequence[Sample]:
        """What a service counted at an edge of this phase; empty where it did not answer then."""
        rows = self.run.snapshot(self.variant, self.phase.name, edge, service, self.trial)
        return [Sample(row["metric"], json.loads(row["labels"]), row["at_s"], row["value"]) for row in rows]

    def exposes(self, service: str, metric: str, labels: dict[str, str]) -> bool:
        """Whether a service counted this in any snapshot of the run: if so, where it is absent it is 0."""
        return any(
            row["service"] == service
            and row["metric"] == metric
            and labels.items() <= json.loads(row["labels"]).items()
            for row in self.run.snapshots
        )

    def panel(self, title: str) -> list[float]:
        """Values of all series of a panel within this phase."""
        return [
            row["value"]
            for row in self.run.table("series").to_pylist()
            if (row["trial"], row["variant"], row["panel"]) == (self.trial, self.variant, title)
            and self.phase.start_s <= row["at_s"] <= self.phase.end_s
        ]

    def readback(self, name: str) -> Any:
        """What a service answered after the load; None where it was not asked or did not answer."""
        return self.run.readbacks(self.variant, self.trial).get(name)

    @property
    def t0_epoch_s(self) -> float:
        """When the variant's load began, on the clock."""
        episode = self.run.episode(self.variant, self.trial)
        return episode.t0_epoch_s if episode else NEVER

    def profile(self, service: str) -> str | None:
        """Collapsed stacks of a service in this phase; None where it was not profiled."""
        file = self.run.profiles / f"{self.trial}-{self.variant}" / f"{service}.{self.phase.name}.folded"
        return file.read_text(errors="replace") if file.is_file() else None


def window(run: Run, variant: str, phase: str, trial: int = 1) -> Window:
    """Open one variant, phase and trial (from 1) of a run; where the run ended before, `missing` says so."""
    episode = run.episode(variant, trial)
    if episode is None:
        nowhere = PhaseWindow(phase, NEVER, NEVER)
        return Window(run, variant, trial, nowhere, f"the run has no {variant} in trial {trial}: it ended before")
    for found in episode.phases:
        if found.name == phase:
            return Window(run, variant, trial, found)
    nowhere = PhaseWindow(phase, NEVER, NEVER)
    return Window(
        run, variant, trial, nowhere, f"{variant} did not come to {phase} in trial {trial}: the run ended before"
    )
