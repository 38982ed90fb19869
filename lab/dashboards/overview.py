"""The dashboard of the whole lab: what runs, how its services do, what is broken, what the machine gives."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import annotationslist, dashboard

from lab.dashboards import look, services
from lab.dashboards.look import COLOURS, HALF, WIDE
from lab.dashboards.shape import Shape
from lab.observe.grafana import FAULT, OVERVIEW, TAG, uid_of
from lab.record import Spec

CHOSEN = 'scenario=~"$scenario",run=~"$run",variant=~"$variant",service=~"$service"'


def build(specs: Sequence[Spec]) -> dashboard.Dashboard:
    """The overview; it lists every experiment with a link to its dashboard."""
    made = look.base(OVERVIEW, "Chaos lab", "Every experiment of the lab at a glance", ["overview"], "now-1h")
    chosen = ""
    for name in ("scenario", "run", "variant", "service"):
        made = made.with_variable(look.variable(name, f"label_values(up{{{chosen}}}, {name})"))
        chosen += ("," if chosen else "") + f'{name}=~"${name}"'
    for name, (tag, colour) in COLOURS.items():
        made = made.annotation(look.drawn(name, colour, [TAG, tag]))
    made = made.link(look.to_dashboards("Experiments"))
    course = services.course("scenario, variant", "{{scenario}}: {{variant}}", WIDE)
    made = made.with_panel(look.panel(course, CHOSEN))
    runs = look.runs_panel('scenario=~"$scenario"', HALF, [spec.name for spec in specs])
    made = made.with_panel(runs).with_panel(_faults())
    made = made.with_panel(look.prose("Experiments", _list(specs), WIDE, 4 + len(specs)))
    for title, graphs, matchers in (
        ("Requests, errors, duration", [*services.red(Shape()), services.durations()], CHOSEN),
        ("Service level and alerts", services.alerts(Shape()), CHOSEN),
        ("Calls between services", services.calls(Shape()), CHOSEN),
        ("Fault proxies", services.proxies(Shape()), 'run=~"$run"'),
        ("Machine", services.machine(Shape()), CHOSEN),
    ):
        made = made.with_row(dashboard.Row(title))
        for graph in graphs:
            made = made.with_panel(look.panel(graph, matchers))
    return made


def _faults() -> annotationslist.Panel:
    """The newest faults that were injected, each in the words of its receipt."""
    return (
        annotationslist.Panel()
        .title("Faults injected")
        .description("When each fault was injected and removed, posted during the run. Its name leads to the run.")
        .tags([TAG, FAULT])
        .only_in_time_range(False)
        .limit(15)
        .show_user(False)
        .show_tags(True)
        .span(WIDE - HALF)
        .height(look.TALL)
    )


def _list(specs: Sequence[Spec]) -> str:
    rows = [
        f"| {spec.sections[0]} | [{spec.title}](/d/{uid_of(spec.name)}) | {spec.question} |"
        for spec in specs
    ]  # fmt: skip
    return "\n".join(["| Section | Experiment | Question |", "|---|---|---|", *rows])
