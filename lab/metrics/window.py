"""One variant, one phase, one trial: everything that a metric may look at, read from a run when first asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from lab.record import Operations, PhaseWindow, Receipt, Run

Edge = Literal["start", "end"]
NEVER = float("nan")
SCRAPED_EVERY_S = 1.0
RANGE = re.compile(r"(?:\[|:|offset )(\d+(?:\.\d+)?)(ms|s|m|h)")
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


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

    `phase` is as planned, and so are the operations' phases; `from_s` to `to_s` is the part of it in which exactly its
    own faults were in force. `missing` says why nothing can be measured at all, where the run ended before.
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
        """How long the phase was planned to last."""
        return self.phase.end_s - self.phase.start_s

    @cached_property
    def from_s(self) -> float:
        """When the phase was as it should be: its first fault about to go in, those of earlier phases out.

        From there on an operation can be hit by the fault; before, it cannot. Never before the planned start.
        """
        own = [receipt.began_s for receipt in self.receipts if receipt.began_s is not None]
        return max(self.phase.start_s, min(own, default=self.phase.start_s), *self._out_s)

    @cached_property
    def to_s(self) -> float:
        """When the last of the phase's faults was about to be taken out, at the planned end at the latest."""
        own = [receipt.removing_s for receipt in self.receipts if receipt.removing_s is not None]
        return max(self.from_s, min(self.phase.end_s, max(own, default=self.phase.end_s)))

    @property
    def _out_s(self) -> list[float]:
        """When the faults of the phases before this one were out; those that never went count until its end."""
        episode = self.run.episode(self.variant, self.trial)
        if episode is None:
            return [self.phase.start_s]
        before = {phase.name for phase in episode.phases if phase.end_s <= self.phase.start_s}
        out = [self.phase.end_s if r.removed_s is None else r.removed_s for r in episode.receipts if r.phase in before]
        return [self.phase.start_s, *out]

    @property
    def baseline(self) -> Window | None:
        """The first phase of the same variant and trial, where it had no fault and is not this one."""
        episode = self.run.episode(self.variant, self.trial)
        first = episode.phases[0] if episode and episode.phases else self.phase
        broken = any(phase.faults for phase in self.run.record.spec.phases if phase.name == first.name)
        return None if broken or first.name == self.phase.name else replace(self, phase=first)

    @property
    def timeout_s(self) -> float:
        """How long the load waits for an answer."""
        return self.run.record.spec.load.timeout_s

    @cached_property
    def of_phase(self) -> Operations:
        """The operations that the schedule had due in this phase, by due time."""
        everything = self.all_operations
        return everything.where(everything.being("phase", self.phase.name))

    @cached_property
    def operations(self) -> Operations:
        """Those of them due from `from_s` on and before `to_s`."""
        planned = self.of_phase
        return planned.where((planned.due_s >= self.from_s) & (planned.due_s < self.to_s))

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

    def exposes(self, service: str, metrics: Collection[str], labels: Mapping[str, str]) -> bool:
        """Whether a service showed one of these in any snapshot of the run: if so, where they are absent they are 0."""
        return any(
            row["service"] == service and row["metric"] in metrics and carries(json.loads(row["labels"]), labels)
            for row in self.run.snapshots
        )

    def panel(self, title: str) -> list[float]:
        """Values of all series of a panel that tell of this phase and of nothing before it.

        A value at some moment tells of the seconds over which its expression looks back (`rate(...[5s])`), and of the
        scrape before, a second earlier at most: only those count that look back to the phase's start at the furthest.
        """
        looks_back_s = max([SCRAPED_EVERY_S, *self._ranges_s(title)])
        return [
            row["value"]
            for row in self.run.table("series").to_pylist()
            if (row["trial"], row["variant"], row["panel"]) == (self.trial, self.variant, title)
            and self.phase.start_s + looks_back_s <= row["at_s"] <= self.phase.end_s
        ]

    def _ranges_s(self, title: str) -> list[float]:
        """The ranges in a panel's expression, in seconds; a subquery's too, and an offset."""
        exprs = [panel.expr for panel in self.run.record.spec.panels if panel.title == title]
        found = [match for expr in exprs for match in RANGE.findall(expr)]
        return [float(number) * UNITS_S[unit] for number, unit in found]

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


def carries(labels: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Whether a series has the labels asked for; `"a, b"` asks for either value."""
    return all(labels.get(name) in [value, *value.split(", ")] for name, value in asked.items())


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
