"""The dashboard of one experiment: what it asks, its own panels, and below them what every service measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grafana_foundation_sdk.builders import dashboard

from lab.dashboards import look, services
from lab.dashboards.look import FAULT_COLOUR, HALF, VARIANT_COLOUR, WIDE, Graph
from lab.observe.grafana import FAULT, REPORTS, TAG, VARIANT, uid_of
from lab.record import PanelSpec, PhaseSpec, Spec

Links = Sequence[dashboard.DashboardLink]


def build(spec: Spec) -> dashboard.Dashboard:
    """The dashboard of a scenario."""
    mine = f'scenario="{spec.name}"'
    chosen = f'{mine},run="$run",variant=~"$variant"'
    made = look.base(uid_of(spec.name), spec.title, spec.question, ["experiment", *spec.sections])
    made = made.variables(
        [
            look.variable("run", f"label_values(up{{{mine}}}, run)", several=False, about="The newest comes first."),
            look.variable("variant", f'label_values(up{{{mine},run="$run"}}, variant)'),
        ]
    )
    made = made.annotation(look.drawn("Faults", FAULT_COLOUR, [TAG, FAULT, spec.name, "$run"]))
    made = made.annotation(look.drawn("Variants", VARIANT_COLOUR, [TAG, VARIANT, spec.name, "$run"]))
    made = made.links([_report(spec), look.to_dashboards("Other dashboards")])
    made = made.with_panel(look.prose("", _words(spec), WIDE, _rows_for(_words(spec))))
    course = services.course("variant, service", "{{variant}}: {{service}}", WIDE - HALF)
    made = made.with_panel(look.runs_panel(mine, HALF)).with_panel(look.panel(course, chosen))
    own = [_graph(panel, span) for panel, span in zip(spec.panels, _spans(len(spec.panels)), strict=True)]
    links = [_report(spec, "#panels")]
    made = _row(made, "What this experiment looks at", own, chosen, links) if own else made
    for title, graphs, matchers in (
        ("Requests, errors, duration", services.red(), chosen),
        ("Calls between services", services.calls() if spec.links else (), chosen),
        ("Fault proxies", services.proxies() if spec.links else (), 'run="$run"'),  # all variants' links bear one name
        ("Service level and alerts", services.alerts(), chosen),
        ("Machine", services.machine(), chosen),
    ):
        made = _row(made, title, graphs, matchers, links) if graphs else made
    return made


def _graph(spec: PanelSpec, span: int) -> Graph:
    return Graph(spec.title, spec.expr, spec.unit, spec.legend, values=spec.values, span=span)


def _spans(count: int) -> Iterable[int]:
    """Two panels a row; a last one alone takes the whole row."""
    return [HALF] * (count - count % 2) + [WIDE] * (count % 2)


def _row(
    made: dashboard.Dashboard,
    title: str,
    graphs: Sequence[Graph],
    chosen: str,
    links: Sequence[dashboard.DashboardLink],
) -> dashboard.Dashboard:
    made = made.with_row(dashboard.Row(title))
    for graph in graphs:
        made = made.with_panel(look.panel(graph, chosen, links))
    return made


def _report(spec: Spec, anchor: str = "") -> dashboard.DashboardLink:
    where = f"{REPORTS}/{spec.name}/${{run}}/index.html{anchor}"
    return look.link("Report of this run", where, "Claims, receipts, latencies and flame graphs of the chosen run")


def _words(spec: Spec) -> str:
    """What the scenario says, as Markdown."""
    phases = ", ".join(f"**{phase.name}** {phase.lasts_s:g} s{_broken(phase)}" for phase in spec.phases)
    variants = ", ".join(f"**{variant.name}**" for variant in spec.variants)
    parts = [
        f"## {spec.question}",
        spec.idea,
        f"Handbook {', '.join(spec.sections)}. Load: {spec.load.text}.",
        f"Each variant ({variants}) goes through the same phases: {phases}.",
    ]
    if spec.look_at:
        parts += ["**What to look at**", "\n".join(f"- {line}" for line in spec.look_at)]
    parts.append(f"Run it with `make scenario NAME={spec.name}`.")
    return "\n\n".join(part for part in parts if part)


def _broken(phase: PhaseSpec) -> str:
    return f" ({', '.join(fault.text for fault in phase.faults)})" if phase.faults else ""


def _rows_for(words: str) -> int:
    """How many rows of the grid (30 px each) the words take at a common width of window, about 190 letters a line."""
    lines = sum(1 + len(line) // 190 for line in words.splitlines() if line)
    return 3 + round(lines * 0.95)
