"""The dashboard of one experiment: its state in numbers, its own panels, then what every service measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from grafana_foundation_sdk.builders import dashboard

from lab.dashboards import aligned, look, services
from lab.dashboards.look import COLOURS, HALF, WIDE, Graph
from lab.dashboards.shape import Shape, calls_of, has_breaker, legend_of, of_each_variant
from lab.observe.grafana import REPORTS, TAG, uid_of
from lab.record import PanelSpec, PhaseSpec, Spec

Links = Sequence[dashboard.DashboardLink]
LATELY = "15s"  # what the numbers look back to: so they still show at the end of a run, 5 s after its last sample
PROXIES = 'run="$run"'  # all variants' links bear one name


def build(spec: Spec) -> dashboard.Dashboard:
    """The dashboard of a scenario."""
    mine = f'scenario="{spec.name}"'
    chosen = f'{mine},run="$run",variant=~"$variant"'
    made = look.base(uid_of(spec.name), spec.title, spec.question, ["experiment", *spec.sections], "now-5m")
    made = made.variables(
        [
            look.variable("run", f"label_values(up{{{mine}}}, run)", several=False, about=ABOUT_RUNS),
            look.variable("variant", f'label_values(up{{{mine},run="$run"}}, variant)'),
            *aligned.variables(spec),
        ]
    )
    for name, (tag, colour) in COLOURS.items():
        made = made.annotation(look.drawn(name, colour, [TAG, tag, spec.name, "$run"]))
    made = made.links([_report(spec), look.to_dashboards("Other dashboards")])
    for graph in _numbers(spec):
        made = made.with_panel(look.number(graph, chosen))
    shape, links = Shape.of(spec), [_report(spec, "#panels")]
    for panel, span in zip(spec.panels, _spans(len(spec.panels)), strict=True):
        made = made.with_panel(look.panel(_graph(panel, span, shape), chosen, links))
    course = services.course("variant, service", "{{variant}}: {{service}}", WIDE - HALF)
    made = made.with_panel(look.panel(course, chosen)).with_panel(look.runs_panel(mine, HALF, [spec.name]))
    above = aligned.graphs(spec, shape)
    for title, graphs, matchers in (
        (aligned.TITLE, [replace(g, span=s) for g, s in zip(above, _spans(len(above)), strict=True)], chosen),
        ("Requests, errors, duration", [*services.red(shape), services.durations(spec.load.services)], chosen),
        ("Calls between services", services.calls(shape) if calls_of(spec) else (), chosen),
        ("Circuit breaker", services.breaker(shape) if has_breaker(spec) else (), chosen),
        ("Fault proxies", services.proxies(shape) if spec.links else (), PROXIES),
        ("Service level and alerts", services.alerts(shape), chosen),
        ("Machine", services.machine(shape), chosen),
    ):
        made = _row(made, title, graphs, matchers, links) if graphs else made
    words = look.prose("", _words(spec), WIDE, _rows_for(_words(spec)))
    return made.with_row(dashboard.Row("About this experiment").with_panel(words))


ABOUT_RUNS = "Newest first. Choosing a run here keeps the time range; click a run in the table Runs to change both."


def _numbers(spec: Spec) -> Sequence[Graph]:
    """What stands in the first row: how it is now, or was when the run ended."""
    under_load = f'service=~"{"|".join(spec.load.services)}"'
    state = next((panel for panel in spec.panels if panel.values), None)
    span = 4 if state else 6
    recent = f"{services.SERVER}_%s{{{under_load}}}[{LATELY}]"
    share = services.error_share([], under_load, f"[{LATELY}]")
    numbers = [
        Graph("Variant", f"max by (variant) (last_over_time(up[{LATELY}]) == 1)", look.NAME, "{{variant}}", span=span),
        Graph("Requests", f"sum(rate({recent % 'count'}))", "reqps", "answered", span=span),
        Graph("Errors", share, "percentunit", "5xx", span=span),
        Graph("p99", f"histogram_quantile(0.99, sum by (le) (rate({recent % 'bucket'})))", "s", "p99", span=span),
    ]
    if state:
        now, legend = f"last_over_time(({state.expr})[{LATELY}:1s])", legend_of(state)
        shown = Graph(state.title, now, state.unit, legend, values=state.values, span=WIDE - 4 * span)
        numbers.insert(1, shown)
    return numbers


def _graph(spec: PanelSpec, span: int, shape: Shape) -> Graph:
    expr, legend = of_each_variant(spec, shape)
    return Graph(spec.title, expr, spec.unit, legend, values=spec.values, span=span)


def _spans(count: int) -> Iterable[int]:
    """Two panels a row; a last one alone takes the whole row."""
    return [HALF] * (count - count % 2) + [WIDE] * (count % 2)


def _row(
    made: dashboard.Dashboard,
    title: str,
    graphs: Sequence[Graph],
    chosen: str,
    links: Links,
) -> dashboard.Dashboard:
    made = made.with_row(dashboard.Row(title))
    for graph in graphs:
        made = made.with_panel(look.panel(graph, chosen, links))
    return made


def _report(spec: Spec, anchor: str = "") -> dashboard.DashboardLink:
    where = f"{REPORTS}/{spec.name}/${{run}}/index.html{anchor}"
    return look.link(
        "Report of this run", where, "Claims, receipts, latencies and flame graphs; there when the run is over"
    )


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
        parts += ["**What to look at** (heat maps: in the report)", "\n".join(f"- {line}" for line in spec.look_at)]
    parts.append(f"Run it with `make scenario NAME={spec.name}`.")
    return "\n\n".join(part for part in parts if part)


def _broken(phase: PhaseSpec) -> str:
    return f" ({', '.join(fault.text for fault in phase.faults)})" if phase.faults else ""


def _rows_for(words: str) -> int:
    """How many rows of the grid (30 px each) the words take at a common width of window, about 190 letters a line."""
    lines = sum(1 + len(line) // 190 for line in words.splitlines() if line)
    return 3 + round(lines * 0.95)
