"""What a report section may look at: one run, the trial it draws, and the fault windows of each variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from lab import metrics
from lab.catalogue.handbook import Section
from lab.record import Episode, Event, Judgement, MetricSpec, PhaseWindow, Record, Run, Spec


@dataclass(frozen=True)
class Neighbour:
    """A report or page to go to next: `href` is relative to the report's folder."""

    label: str
    title: str
    href: str


@dataclass(frozen=True)
class FaultWindow:
    """When a fault was in; `in_force` is False where it was asked and did not arrive."""

    text: str
    start_s: float
    end_s: float
    in_force: bool

    @property
    def label(self) -> str:
        """As it stands on a chart."""
        return self.text if self.in_force else f"{self.text} (asked, not in force)"


@dataclass(frozen=True)
class View:
    """A run as the sections see it. Charts draw trial `trial`; claims speak of all trials."""

    run: Run
    handbook: Mapping[str, Section]
    neighbours: Sequence[Neighbour] = field(default_factory=tuple)
    until_s: float = 0.0  # the time axis reaches so far at least: beside another run, as far as that one's

    @property
    def record(self) -> Record:
        """The run's record."""
        return self.run.record

    @property
    def spec(self) -> Spec:
        """The scenario as it was asked."""
        return self.run.record.spec

    @property
    def judgement(self) -> Judgement | None:
        """What was judged, None where the run was never judged."""
        return self.run.record.judgement

    @cached_property
    def trial(self) -> int:
        """The trial that the charts draw: the first that reached every variant, else the first there is."""
        wanted = {variant.name for variant in self.spec.variants}
        trials = sorted({episode.trial for episode in self.record.episodes})
        whole = (t for t in trials if {e.variant for e in self.record.episodes if e.trial == t} == wanted)
        return next(whole, trials[0] if trials else 1)

    @cached_property
    def variants(self) -> list[str]:
        """Variants with something to draw, the control first."""
        return [v.name for v in self.spec.variants if self.run.episode(v.name, self.trial) is not None]

    @property
    def missing(self) -> list[str]:
        """Variants that this trial never reached."""
        return [v.name for v in self.spec.variants if v.name not in self.variants]

    def episode(self, variant: str) -> Episode:
        """The pass of a variant in `variants`."""
        episode = self.run.episode(variant, self.trial)
        if episode is None:
            raise KeyError(variant)
        return episode

    def phases(self, variant: str) -> list[PhaseWindow]:
        """The phases as they really were."""
        return self.episode(variant).phases

    @cached_property
    def end_s(self) -> float:
        """Where the shared time axis ends: what was asked, or longer where a phase ran over."""
        ends = [phase.end_s for variant in self.variants for phase in self.phases(variant)]
        return max([self.spec.lasts_s, self.until_s, *ends])

    def ended_s(self, variant: str) -> float:
        """When the last phase that a variant reached ended."""
        phases = self.phases(variant)
        return phases[-1].end_s if phases else self.end_s

    def faults(self, variant: str) -> list[FaultWindow]:
        """Every fault window of a variant: from its receipt, or, where it has none, from the phase that asked.

        A window ends where the load does at the latest; of a fault that went in only then there is none.
        """
        episode = self.episode(variant)
        last_s = self.ended_s(variant)
        found = [
            FaultWindow(
                r.fault.text,
                r.injected_s,
                last_s if r.removed_s is None else min(r.removed_s, last_s),
                r.dose.in_force,
            )
            for r in episode.receipts
            if r.injected_s < last_s
        ]
        for phase in self.spec.phases:
            window = next((w for w in episode.phases if w.name == phase.name), None)
            if window is None:
                continue
            found.extend(
                FaultWindow(fault.text, window.start_s, window.end_s, in_force=False)
                for fault in phase.faults
                if not any(r.phase == phase.name and r.fault == fault for r in episode.receipts)
            )
        return sorted(found, key=lambda f: (f.start_s, f.text))

    def events(self, variant: str) -> list[Event]:
        """The events of a variant while its load lasted; none in records of labs that kept none."""
        return [e for e in self.episode(variant).events or [] if 0 <= e.at_s <= self.ended_s(variant)]

    @cached_property
    def _windows(self) -> dict[tuple[str, str, int], metrics.Window]:
        return {}

    def measure(self, metric: MetricSpec, variant: str, phase: str, trial: int | None = None) -> metrics.Measured:
        """Take a metric of one variant and phase, in the drawn trial unless told."""
        key = (variant, phase, trial or self.trial)
        if key not in self._windows:  # a window reads its operations once, and many metrics look at the same
            self._windows[key] = metrics.window(self.run, *key)
        return metrics.measure(metric, self._windows[key])

    def forget(self) -> None:
        """Let go of what was read of operations; it is read again where it is asked for again."""
        self._windows.clear()
        self.run.forget()

    def notes_on(self, *words: str) -> list[str]:
        """Notes of the run and of the drawn trial that speak of one of these words, with the variant they are of."""
        notes = [("", note) for note in self.record.notes]
        notes += [(f"{variant}: ", note) for variant in self.variants for note in self.episode(variant).notes]
        return [where + note for where, note in notes if any(word in note for word in words)]

    def section_title(self, number: str) -> str:
        """`7.6.1.3 Circuit Breaker Pattern`, or the number alone where the handbook has no such section."""
        section = self.handbook.get(number)
        return f"{number} {section.title}" if section else number
