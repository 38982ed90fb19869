"""What happened in a run, and what was judged of it, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.model import Scalar
from lab.model.dose import Dose
from lab.record.spec import ActionSpec, ClaimSpec, FaultSpec, InvariantSpec, Spec, Turned

Verdict = Literal["PASS", "FAIL", "UNKNOWN"]
EventKind = Literal["told", "seen", "fault", "alert"]
Outcome = Literal["ok", "fail", "info"]


@dataclass(frozen=True)
class PhaseWindow:
    """When a phase really was, from the start of the load, and how many operations the schedule had due in it.

    `asked` is None in the closed model, where nothing is due, and in records that did not count. `busy_share` is the
    share of the whole machine's CPU time that was not idle, 0 to 1, and `stolen_share` the part that the host of a
    virtual machine gave to others. `hiccup_p99_ms` and `hiccup_max_ms` say how late the machine woke a process that
    only slept. All are None in records that did not look.
    """

    name: str
    start_s: float
    end_s: float
    asked: int | None = None
    busy_share: float | None = None
    hiccup_p99_ms: float | None = None
    hiccup_max_ms: float | None = None
    stolen_share: float | None = None


@dataclass(frozen=True)
class Early:
    """What readbacks answered shortly before the first fault, by their names; they were asked at `at_s`."""

    at_s: float
    answers: dict[str, Any]


@dataclass(frozen=True)
class Receipt:
    """Proof of one fault in one episode: what was read back, when, and the dose the canary saw.

    `began_s` is stamped before the fault goes in, `injected_s` when it was read back, `removing_s` before it is taken
    out, `removed_s` when it is out. `id` is the fault's in the plan: `fault#1` is the first of phase `fault`.
    `resolved` is what the fault turned out to be where only the running system could tell, else None. Records of older
    labs have no `id`, `began_s` and `removing_s`, and their `removed_s` is from before the fault was taken out.
    """

    fault: FaultSpec
    phase: str
    injected_s: float
    removed_s: float | None
    read_back: dict[str, Scalar]
    dose: Dose
    id: str = ""
    began_s: float | None = None
    removing_s: float | None = None
    resolved: FaultSpec | None = None

    @property
    def in_force_s(self) -> tuple[float, float | None]:
        """From when to when the fault was surely in, in seconds since the load began; None: it was never taken out."""
        return self.injected_s, self.removed_s if self.removing_s is None else self.removing_s


@dataclass(frozen=True)
class ActionReceipt:
    """Proof of one action in one episode: when it began and was done, what was read back, or why it was not done."""

    action: ActionSpec
    began_s: float
    done_s: float
    read_back: dict[str, Scalar]
    error: str = ""


@dataclass(frozen=True)
class WorkerFacts:
    """What one of several load workers did in one episode, and its clock beside that of the lab's machine.

    `clock_ahead_ms` is its wall clock minus the lab's, known `clock_within_ms` either way; due times were translated to
    its steady clock, just as exactly. `clock_drift_ms` is how far that ran ahead of the lab's during the load, None
    where it could not be asked again. `lost` says how it ended where it did not end as it should.
    """

    worker: int
    host: str
    asked: int
    started: int
    finished: int
    late_p99_ms: float
    late_max_ms: float
    cpu_s: float
    clock_ahead_ms: float
    clock_within_ms: float
    clock_drift_ms: float | None = None
    lost: str = ""


@dataclass(frozen=True)
class ClockFacts:
    """How this machine's clocks went during an episode.

    `step_ms` is how far the wall clock moved ahead of the steady clock, at most (negative: fell behind); `asleep_ms`
    how long the machine was suspended.
    """

    step_ms: float
    asleep_ms: float


@dataclass(frozen=True)
class LoadFacts:
    """What the load generator reports of itself for one episode.

    `asked` and `started` count operations; lateness is start minus due; `cpu_s` is its own CPU time. `workers` is empty
    where one process carried the load, and in records of labs that had no more.
    """

    asked: int
    started: int
    finished: int
    late_p99_ms: float
    late_max_ms: float
    cpu_s: float
    workers: list[WorkerFacts] = field(default_factory=list)


@dataclass(frozen=True)
class FiredAlert:
    """An alert of dashboards/rules that fired; `ended_s` is None where it still did when the variant ended."""

    name: str
    severity: str
    slo: str
    service: str
    fired_s: float
    ended_s: float | None


@dataclass(frozen=True)
class Event:
    """A moment that a target, the fault proxy or the lab told exactly: a breaker opened, a leader was elected.

    `source` is the member, the link or, of alerts, the service. `kind`: `told` by a target, `seen` by the lab (a
    kill, a restart, a promotion), `fault` in or out as the receipts have it, `alert`. `facts` belong to it.
    """

    at_s: float
    source: str
    text: str
    kind: EventKind
    facts: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Episode:
    """One variant in one trial. `overhead_s` says how long starting, stopping and
    collecting took; `deaths` name services that ended though no fault asked them to.

    `alerts` are those that fired; None where nobody asked, as in older records, or Prometheus did not tell. `clock` is
    None in records that did not compare the clocks, `events` in those of labs that kept none.
    """

    trial: int
    variant: str
    seed: int
    t0_epoch_s: float
    phases: list[PhaseWindow]
    load: LoadFacts
    receipts: list[Receipt]
    overhead_s: dict[str, float] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    alerts: list[FiredAlert] | None = None
    clock: ClockFacts | None = None
    events: list[Event] | None = None
    actions: list[ActionReceipt] = field(default_factory=list)


@dataclass(frozen=True)
class Machine:
    """The machine the numbers were taken on."""

    system: str
    kernel: str
    cpu: str
    cores: int
    memory_bytes: int
    python: str
    load_average_1min: float | None = None


@dataclass(frozen=True)
class Interval:
    """Where the median of what was drawn from lies, from so many trials; `confidence` is the interval's true coverage.

    `high` is None where nothing bounds it: values that are only known to be "at least" reach so far. In records of
    labs before order statistics it is a bootstrap interval, and `confidence` what was asked of it.
    """

    low: float
    high: float | None
    confidence: float
    trials: int


@dataclass(frozen=True)
class ClaimResult:
    """A claim judged. `value` is None where nothing could be measured; `censored`: at least that much.

    `n` is the smallest sample that a trial's number rests on. `late` is how much of the value is the load generator's
    own lateness, in the metric's unit. `before` is what the control showed before the fault, and `before_why` says why
    nothing. `did_not_hurt`: a control claim that was measured and does not hold. All are None, empty or False in
    records of labs that did not look.
    """

    claim: ClaimSpec
    verdict: Verdict
    value: float | None
    why: str
    censored: bool = False
    interval: Interval | None = None
    per_trial: list[float | None] = field(default_factory=list)
    n: int | None = None
    late: float | None = None
    before: float | None = None
    before_why: str = ""
    did_not_hurt: bool = False


@dataclass(frozen=True)
class Anomaly:
    """One thing a checker found, and the operations (by `n`, in that trial) that show it."""

    text: str
    operations: list[int] = field(default_factory=list)
    trial: int = 1


@dataclass(frozen=True)
class InvariantResult:
    """An invariant judged in one variant over all trials: `found` anomalies, of which the first are kept."""

    invariant: InvariantSpec
    variant: str
    verdict: Verdict
    why: str
    checked: int = 0
    anomalies: list[Anomaly] = field(default_factory=list)
    found: int | None = None  # None in records that did not count: all are kept

    @property
    def violations(self) -> int:
        """How many anomalies there were, kept or not."""
        return len(self.anomalies) if self.found is None else self.found


@dataclass(frozen=True)
class Condition:
    """Something that must be so for the run to prove anything: samples, load reached, fault in force."""

    name: str
    met: bool
    text: str


@dataclass(frozen=True)
class Judgement:
    """Everything judged, and the verdict with its reasons (the shortest that explain it)."""

    verdict: Verdict
    reasons: list[str]
    conditions: list[Condition]
    claims: list[ClaimResult]
    invariants: list[InvariantResult]


@dataclass(frozen=True)
class Prediction:
    """A guess made before the run: the question, what was typed, and that as a number in the unit of its claim.

    `value` is None and `claim` empty where the answer is in words, because no claim answers the question.
    """

    question: str
    typed: str
    value: float | None = None
    claim: str = ""


@dataclass(frozen=True)
class Record:
    """One run. `judgement` is None only while a run is being written.

    `runtime_why` says why it was that runtime; empty in records that did not ask. `grafana` is the address of the
    Grafana in which the run's fault windows were drawn, empty where there was none that outlives the run. `turned` has
    the knobs that were turned; `spec` is what they made of the scenario. `lent` names, for each variant that this run
    did not play, the run whose episodes it has.
    """

    version: int
    run: str
    spec: Spec
    runtime: str
    seed: int
    trials: int
    scale: float
    command: str
    started_epoch_s: float
    finished_epoch_s: float
    machine: Machine
    versions: dict[str, str]
    proxy: str
    git_commit: str | None
    git_dirty: bool
    episodes: list[Episode]
    overhead_s: float
    notes: list[str] = field(default_factory=list)
    judgement: Judgement | None = None
    runtime_why: str = ""
    grafana: str = ""
    turned: list[Turned] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)  # made before the run
    lent: dict[str, str] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether it ran the experiment as the catalogue has it: at its length, and with no knob turned."""
        return self.scale == 1.0 and not self.turned

    @property
    def unlike(self) -> str:
        """How it differs from that, in words: `at scale 0.5 with load.per_s=80`; empty where it does not."""
        return unlike(self.scale, self.turned)


def unlike(scale: float, turned: Sequence[Turned]) -> str:
    """How a run at this scale with these knobs turned differs from one of the catalogue's; empty where it does not."""
    knobs = " ".join(f"{each.knob}={each.value}" for each in turned)
    return " ".join([f"at scale {scale:g}"] * (scale != 1.0) + [f"with {knobs}"] * bool(knobs))
