"""What a dashboard has to tell apart: the variants and services of an experiment, as far as a legend can hold them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from lab.observe.promql import grouping, kept_apart, metrics_in
from lab.record import PanelSpec, Spec

MOST_SERIES = 12
USUAL = 4  # of a label whose values only a run knows, such as a route or a status
OUTCOMES = {"error_type", "http_response_status_code"}  # at 0 from the start, and most of them to the end


@dataclass(frozen=True)
class Shape:
    """How many lines a grouping gives; for the overview, which knows no single experiment, none are counted."""

    variants: int = 0
    services: int = 1
    calls: int = 1
    peers: int = 1

    @classmethod
    def of(cls, spec: Spec) -> Shape:
        """That of an experiment."""
        calls = calls_of(spec)
        peers = len({callee for _, callee in calls})
        return cls(len(spec.variants), len(services_of(spec)), max(1, len(calls)), max(1, peers))

    def lines(self, labels: list[str]) -> int:
        """How many series these labels tell apart, variants not counted."""
        both = {"service", "peer"} <= set(labels)
        known = {"service": self.calls if both else self.services, "peer": 1 if both else self.peers, "le": 1, "slo": 2}
        return prod(known.get(label, USUAL) for label in labels)

    def by(self, *labels: str, queries: int = 1) -> list[str]:
        """The labels to group by: the variant and as many of these, in their order, as a legend can hold.

        Where a panel has several queries of that many lines, the legend holds those of all.
        """
        if not self.variants:
            return list(labels)
        for count in range(len(labels), 0, -1):
            if queries * self.variants * self.lines(list(labels[:count])) <= MOST_SERIES:
                return ["variant", *labels[:count]]
        return ["variant"]


def calls_of(spec: Spec) -> list[tuple[str, str]]:
    """The links over which a service calls by HTTP, and measures it: caller and callee, or the name of a group."""
    kinds = {member.name: member.kind for member in spec.members}
    return [
        (link.caller, link.callee)
        for link in spec.links
        if kinds.get(link.caller, "service") == "service" and kinds.get(link.callee, "service") in ("service", "etcd")
    ]


def services_of(spec: Spec) -> list[str]:
    """The services that measure requests."""
    return [member.name for member in spec.members if member.kind == "service"]


def has_breaker(spec: Spec) -> bool:
    """Whether a panel of the experiment looks at a circuit breaker."""
    return any("breaker_state" in metrics_in(panel.expr) for panel in spec.panels)


def is_apart(panel: PanelSpec, shape: Shape) -> bool:
    """Whether a legend can hold a scenario's panel with the variants apart."""
    return shape.variants * shape.lines(grouping(panel.expr)) <= MOST_SERIES


def of_each_variant(panel: PanelSpec, shape: Shape) -> tuple[str, str]:
    """A scenario's panel with the variants apart, where the legend can hold them: expression and legend."""
    labels = grouping(panel.expr)
    apart = is_apart(panel, shape)
    expr = kept_apart(panel.expr, "variant") if apart else panel.expr
    if "error_type" in labels:  # an attempt that failed in no way, which else would bear the name of nothing
        expr = f'label_replace({expr}, "error_type", "answered", "error_type", "")'
    if OUTCOMES & set(labels):
        expr = f"{expr} > 0" if expr.startswith("label_replace") else f"({expr}) > 0"
    return expr, f"{{{{variant}}}}: {legend_of(panel)}" if apart else legend_of(panel)


def legend_of(panel: PanelSpec) -> str:
    """The panel's own legend, else the labels by which it groups, else its title."""
    return panel.legend or ", ".join(f"{{{{{label}}}}}" for label in grouping(panel.expr)) or panel.title
