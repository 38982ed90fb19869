"""What is claimed, checked and shown of a system: metrics, claims, invariants, readbacks, panels, exercises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.model.parts import Scalar, Service
from lab.model.typed import Typed


@dataclass(frozen=True)
class Metric(Typed):
    """A number to be taken of one variant in one phase, named so that a record can take it again later.

    Made by the functions of `lab.metrics`; `args` are plain values (a link is its name).
    """

    name: str
    unit: str
    args: Mapping[str, Scalar] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Claim(Typed):
    """A metric of one variant in one phase, held against a bound.

    With `of`, the value is divided by the same metric of that other variant first. A `control` claim says that
    the system *hurts* without the pattern: where it does not, the experiment proved nothing (UNKNOWN). A `price` claim
    states what the pattern costs: at most so much, or at least so much where it cannot be had for less.

    Over several trials the median is held against the bound, with its interval. With `every_trial` each trial must
    hold it; claims of none (`at_most=0`) and of all (`success_ratio` at least 1) are always so.
    """

    text: str
    variant: str
    phase: str
    metric: Metric
    at_least: float | None = None
    at_most: float | None = None
    of: str | None = None
    control: bool = False
    every_trial: bool = False
    price: bool = False


@dataclass(frozen=True)
class Readback(Typed):
    """A GET sent to a service after the load has drained; its JSON answer is kept for the checkers."""

    name: str
    service: Service
    path: str


@dataclass(frozen=True)
class Check(Typed):
    """A checker of `lab.checkers` by name, with plain arguments, so that a record can be checked again later."""

    name: str
    args: Mapping[str, Scalar] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Invariant(Typed):
    """Something that must hold over the whole operation history of the named variants (all where empty).

    A variant that is meant to break it stands in `broken_in`: where it holds there, nothing is proved.
    """

    text: str
    check: Check
    variants: Sequence[str] = ()
    broken_in: Sequence[str] = ()


@dataclass(frozen=True)
class Panel(Typed):
    """One PromQL expression with title and Grafana unit, drawn in Grafana and in the report alike.

    `legend` is a template such as `{{service}}`. `values` names numbers that stand for states (0: closed). A `live`
    panel is also shown in the terminal while the run goes.
    """

    title: str
    expr: str
    unit: str = "short"
    legend: str = ""
    values: Mapping[int, str] = field(default_factory=dict, hash=False)
    live: bool = False
