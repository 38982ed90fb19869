"""What was asked: a scenario as plain data, enough to judge and draw a run without the file that asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.model import Scalar


@dataclass(frozen=True)
class MemberSpec:
    """A service (`kind` is `service`) or a backing server (`kind` is postgres, redis, ...)."""

    name: str
    kind: str


@dataclass(frozen=True)
class LinkSpec:
    """An edge of the topology."""

    name: str
    caller: str
    callee: str
    distance_ms: int = 0


@dataclass(frozen=True)
class FaultSpec:
    """A fault as the report names it; `kind` is the file below lab/faults, `target` a link's or member's name.

    `args` are its numbers, `on` the names of the links and members it was given, each by the field: with both, the
    fault can be made again and its dose judged again. `among` are those that it may turn out to be, where only the
    running system can tell. Records of older labs have neither `on` nor `among`.
    """

    kind: str
    target: str
    text: str
    args: dict[str, Scalar] = field(default_factory=dict)
    on: dict[str, str | list[str]] = field(default_factory=dict)
    among: list[FaultSpec] = field(default_factory=list)


@dataclass(frozen=True)
class ActionSpec:
    """An action as the report names it; `kind` is the file below lab/actions, `after_s` counts from its phase."""

    kind: str
    phase: str
    after_s: float
    text: str
    targets: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PhaseSpec:
    """A phase with its length after `--scale`."""

    name: str
    lasts_s: float
    faults: list[FaultSpec] = field(default_factory=list)


@dataclass(frozen=True)
class VariantSpec:
    """A variant; `env` is per service what it changes."""

    name: str
    env: dict[str, dict[str, Scalar]] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadSpec:
    """The load; `per_s` for an open model, `users` and `think_s` for a closed one.

    `to` names a service, or several that take turns: `a, b`.
    """

    operations: list[str]
    to: str
    per_s: float | None
    arrivals: str
    users: int | None
    think_s: float
    timeout_s: float

    @property
    def services(self) -> list[str]:
        """Whom it goes to."""
        return self.to.split(", ")

    @property
    def text(self) -> str:
        """The load in a few words."""
        what = ", ".join(self.operations)
        if self.per_s is not None:
            return f"{what} to {self.to}: {self.per_s:g}/s, {self.arrivals} arrivals (open model)"
        return f"{what} to {self.to}: {self.users} users, {self.think_s:g} s think time (closed model)"


@dataclass(frozen=True)
class MetricSpec:
    """A metric of lab.metrics by name, with its arguments."""

    name: str
    unit: str
    args: dict[str, Scalar] = field(default_factory=dict)

    @property
    def is_share(self) -> bool:
        """Whether it is a share of something, 0 to 1, which people read as a percentage."""
        return self.name.endswith(("_ratio", "_share"))


@dataclass(frozen=True)
class ClaimSpec:
    """A claim as the scenario states it."""

    text: str
    variant: str
    phase: str
    metric: MetricSpec
    at_least: float | None = None
    at_most: float | None = None
    of: str | None = None
    control: bool = False
    every_trial: bool = False
    price: bool = False  # it says what the pattern costs

    @property
    def is_share(self) -> bool:
        """Whether its value is a share; one that was divided by another variant's is a multiple of that."""
        return self.of is None and self.metric.is_share

    @property
    def holds_always(self) -> bool:
        """Whether it is about every trial rather than the typical one: told to be, or a claim of none or of all."""
        full = self.metric.name == "success_ratio" and self.of is None and (self.at_least or 0.0) >= 1
        return self.every_trial or self.at_most == 0 or full


@dataclass(frozen=True)
class InvariantSpec:
    """An invariant: a checker of lab.checkers by name, with its arguments."""

    text: str
    check: str
    args: dict[str, Scalar] = field(default_factory=dict)
    variants: list[str] = field(default_factory=list)
    broken_in: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PanelSpec:
    """A panel: PromQL, title, Grafana unit, legend template, names of numbers that stand for states."""

    title: str
    expr: str
    unit: str
    legend: str
    values: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class QuestionSpec:
    """What to guess before the run, which claims (by text) or metrics (by name) answer it, and what paper says."""

    text: str
    answered_by: list[str] = field(default_factory=list)
    worked_out: str = ""


@dataclass(frozen=True)
class ExerciseSpec:
    """Something to try: what to think about, what to change, and the answer, which stays folded."""

    text: str
    knob: str
    answer: str = ""


@dataclass(frozen=True)
class Turned:
    """A knob turned for one run: its name, the value as it was typed, and the value without that, where it is one."""

    knob: str
    value: str
    before: str = ""

    @property
    def text(self) -> str:
        """As the plan and the report say it."""
        return f"{self.knob}={self.value}" + (f" (otherwise {self.before})" if self.before else "")


@dataclass(frozen=True)
class Spec:
    """A scenario as plain data: enough to judge and draw a run without the file that asked for it."""

    name: str
    file: str
    title: str
    summary: str
    sections: list[str]
    question: str
    idea: str
    predict: list[QuestionSpec | str]  # older records have the text alone
    look_at: list[str]
    exercises: list[ExerciseSpec]
    members: list[MemberSpec]
    links: list[LinkSpec]
    load: LoadSpec
    phases: list[PhaseSpec]
    variants: list[VariantSpec]
    claims: list[ClaimSpec]
    invariants: list[InvariantSpec]
    panels: list[PanelSpec]
    profile: list[str]
    settings: dict[str, dict[str, Scalar]] = field(default_factory=dict)  # of all variants; older records lack them
    price: list[str] = field(default_factory=list)
    actions: list[ActionSpec] = field(default_factory=list)  # of all phases; older records have none

    @property
    def questions(self) -> list[QuestionSpec]:
        """What to predict."""
        return [QuestionSpec(each) if isinstance(each, str) else each for each in self.predict]

    @property
    def control(self) -> str:
        """The first variant: the one that must hurt."""
        return self.variants[0].name

    @property
    def lasts_s(self) -> float:
        """Length of all phases of one variant."""
        return sum(phase.lasts_s for phase in self.phases)
