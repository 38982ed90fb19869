"""
How every dashboard of the lab looks: its panels, colours and grid, and the words that links and variables use.

Dashboards are of Grafana's first schema, which file provisioning reads in every version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from lab.observe.grafana import EVENT, FAULT, PHASE, REPORTS, TAG, VARIANT, uid_of
from lab.observe.promql import looks_back_s, moved, narrow

SOURCE = kinds.DataSourceRef(type_val="prometheus", uid="lab-prometheus")  # as dashboards/provisioning says
WIDE, HALF, THIRD = 24, 12, 8
TALL, LOW = 8, 3
NAME = "name"  # as a unit of a number: what counts is what the series is called
KEPT_D = 30  # days: how long docker-compose.yml has Prometheus keep what it saw
AROUND_S = 5  # shown before a run and after it
# What the lab draws, each a layer of its own: its tag and colour.
COLOURS = {
    "Faults": (FAULT, "#B877D9"),
    "Phases": (PHASE, "#8E8E8E"),
    "Variants": (VARIANT, "#8AB8FF"),
    "Events": (EVENT, "#F2CC0C"),
}
# States whose colour everyone expects; all others take the rest in order.
STATE_COLOURS = {
    "closed": "green", "half-open": "yellow", "open": "red", "up": "green", "down": "red", "leader": "green",
    "leads": "green", "follows": "blue", "candidate": "yellow", "follower": "blue", "yes": "green", "no": "red",
    "ok": "green",
}  # fmt: skip
OTHER_COLOURS = ("blue", "orange", "purple", "super-light-green", "light-red", "light-yellow", "dark-blue")

HIDDEN = models.VariableHide.HIDE_VARIABLE
Panel = timeseries.Panel | statetimeline.Panel | heatmap.Panel


@dataclass(frozen=True)
class Moved:
    """Some of a graph's series, chosen by matchers, moved in time by a duration such as -34s; empty for not at all."""

    matchers: str
    by: str


@dataclass(frozen=True)
class Graph:
    """One panel: what is asked, how it is drawn, and a text shown at its title."""

    title: str
    expr: str
    unit: str = "short"
    legend: str = ""
    text: str = ""
    values: Mapping[int, str] = field(default_factory=dict, hash=False)
    span: int = HALF
    stacked: bool = False
    heat: bool = False
    more: Sequence[tuple[str, str]] = field(default=(), hash=False)  # further queries: expression and legend
    limits: Sequence[float] = ()  # lines that should not be crossed
    moved: Sequence[Moved] = ()  # one query for each of these, instead of one for all


def panel(graph: Graph, matchers: str, links: Sequence[dashboard.DashboardLink] = ()) -> Panel:
    """A panel as Grafana draws it: states as bands of colour, a heat map, all else as lines."""
    made = _states(graph) if graph.values else _heat(graph) if graph.heat else _lines(graph)
    for name, (expr, legend) in zip("ABCDEFGHIJKL", _queries(graph, matchers), strict=False):
        query = prometheus.Dataquery().ref_id(name).range().expr(expr).legend_format(legend)
        made = made.with_target(query.format(PromQueryFormat.HEATMAP) if graph.heat else query)
    about = " ".join(filter(None, (graph.text, averaged(graph.expr))))
    made = made.title(graph.title).description(about).datasource(SOURCE).span(graph.span).height(TALL)
    return made.unit(graph.unit).links(list(links))


def averaged(expr: str) -> str:
    """Over how long each point is taken, where that is not a moment: shown when a panel's title is pointed at."""
    over_s = looks_back_s(expr)
    if not over_s:
        return ""
    return (
        f"Each point covers the {over_s:g} s before it, so an edge appears up to {over_s:g} s late; events are exact."
    )


def _queries(graph: Graph, matchers: str) -> list[tuple[str, str]]:
    """Expression and legend of each query."""
    if graph.moved:
        return [(moved(narrow(graph.expr, f"{matchers},{m.matchers}"), m.by), graph.legend) for m in graph.moved]
    return [(narrow(expr, matchers), legend) for expr, legend in ((graph.expr, graph.legend), *graph.more)]


def number(graph: Graph, matchers: str) -> stat.Panel:
    """The newest value of each series as a large number, or as the name of its state."""
    query = prometheus.Dataquery().ref_id("A").instant().expr(narrow(graph.expr, matchers)).legend_format(graph.legend)
    shown = kinds.BigValueTextMode.NAME if graph.unit == NAME else kinds.BigValueTextMode.VALUE_AND_NAME
    made = (
        stat.Panel()
        .text_mode(shown)
        .color_mode(kinds.BigValueColorMode.VALUE)
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color("blue"))
    )
    made = made.mappings(_mappings(graph)) if graph.values else made
    made = made.title(graph.title).description(graph.text).datasource(SOURCE).span(graph.span).height(LOW)
    return made.unit("short" if graph.unit == NAME else graph.unit).with_target(query)


def _heat(graph: Graph) -> heatmap.Panel:
    return (
        heatmap.Panel()
        .calculate(False)
        .cell_gap(1)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .y_axis(heatmap.YAxisConfig().unit(graph.unit))
        .show_legend()
        .tooltip(heatmap.HeatmapTooltip().mode(kinds.TooltipDisplayMode.SINGLE))
    )


def _lines(graph: Graph) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .line_width(2)
        .fill_opacity(30 if graph.stacked else 8)
        .show_points(kinds.VisibilityMode.NEVER)
        .span_nulls(False)  # a gap is a gap: the service did not answer
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(_legend().calcs(["max"]).display_mode(kinds.LegendDisplayMode.LIST))  # of a table, three rows are seen
        .tooltip(_tooltip())
    )
    if graph.stacked:
        made = made.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL))
    if graph.limits:
        steps = [models.Threshold(value=None, color="transparent")]
        steps += [models.Threshold(value=limit, color="red") for limit in graph.limits]
        made = made.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        made = made.thresholds_style(common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED))
    return made.axis_soft_min(0)


def _mappings(graph: Graph) -> list[models.ValueMapping]:
    rest = iter(OTHER_COLOURS * (1 + len(graph.values) // len(OTHER_COLOURS)))
    options: dict[str, models.ValueMappingResult] = {
        str(value): models.ValueMappingResult(text=name, color=STATE_COLOURS.get(name.lower()) or next(rest), index=k)
        for k, (value, name) in enumerate(sorted(graph.values.items()))
    }
    return [models.ValueMap(options=options)]


def _states(graph: Graph) -> statetimeline.Panel:
    return (
        statetimeline.Panel()
        .mappings(_mappings(graph))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.FIXED).fixed_color("blue"))
        .show_value(kinds.VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(75)
        .line_width(0)
        .legend(_legend().display_mode(kinds.LegendDisplayMode.LIST))
        .tooltip(_tooltip())
    )


def _legend() -> common.VizLegendOptions:
    return common.VizLegendOptions().show_legend(True).placement(kinds.LegendPlacement.BOTTOM)


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)


def prose(title: str, markdown: str, span: int, height: int = TALL) -> text.Panel:
    """A panel of Markdown."""
    return text.Panel().title(title).mode(TextMode.MARKDOWN).content(markdown).span(span).height(height)


def base(uid: str, title: str, about: str, tags: Sequence[str], since: str) -> dashboard.Dashboard:
    """An empty dashboard: the time since `since`, followed live, the crosshair shared by all panels."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags([TAG, *tags])
        .time(since, "now")
        .refresh("5s")
        .timepicker(dashboard.TimePicker().refresh_intervals(["1s", "5s", "10s", "1m"]))
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .editable()
    )


def variable(name: str, query: str, *, several: bool = True, about: str = "") -> dashboard.QueryVariable:
    """A choice among the values of a label, newest or last first; of several, all to begin with.

    All means every value and not its absence: Prometheus scrapes more than runs, and that has no such labels.
    """
    made = (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .description(about)
        .datasource(SOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC if several else models.VariableSort.ALPHABETICAL_DESC)
        .multi(several)
        .include_all(several)
    )
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    return made.all_value(".+").current(everything) if several else made


def drawn(name: str, colour: str, tags: Sequence[str]) -> dashboard.AnnotationQuery:
    """What the lab posted with all of these tags, drawn on every panel."""
    target = dashboard.AnnotationTarget().type("tags").tags(list(tags)).match_any(False).limit(200)
    source = kinds.DataSourceRef(type_val="grafana", uid="-- Grafana --")
    return dashboard.AnnotationQuery().name(name).datasource(source).enable(True).icon_color(colour).target(target)  # type: ignore[arg-type]  # it says itself: "TODO"


def runs_panel(matchers: str, span: int, names: Sequence[str]) -> table.Panel:
    """Every run of these experiments that Prometheus still knows: each leads to its dashboard at its own time.

    That holds whatever time is shown. Instant queries are evaluated at the end of the time shown: the window reaches as
    far behind it as before, or an older run that is shown would hide the newer ones.

    A run begins when its first service did, and lasts as many seconds as there are samples of a service.
    """
    around = f"process_start_time_seconds{{{matchers}}}[{2 * KEPT_D}d] offset -{KEPT_D}d"
    started, lasted = f"last_over_time({around})", f"count_over_time({around})"
    made = table.Panel().title("Runs").description("A click on a run shows it at its own time, or opens its report.")
    for name, expr in (
        ("A", f"floor(min by (scenario, run) ({started}) - {AROUND_S}) * 1000"),
        ("B", f"ceil(max by (scenario, run) ({started} + {lasted}) + {AROUND_S}) * 1000"),
    ):
        query = prometheus.Dataquery().ref_id(name).instant().expr(_with_uids(expr, names))
        made = made.with_target(query.format(PromQueryFormat.TABLE))
    called = {"Value #A": "Started", "Value #B": "Ended", "scenario": "Experiment", "run": "Run", "uid": "Dashboard"}
    for one in (
        models.DataTransformerConfig(id_val="merge", options={}),
        models.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {"Time": True}, "indexByName": {"Value #A": 0}, "renameByName": called},
        ),
    ):
        made = made.with_transformation(one)
    hidden = [  # so that links can still read it; Grafana 11 and 12 know the first, 13 the second
        models.DynamicConfigValue(id_val="custom.hidden", value=True),
        models.DynamicConfigValue(id_val="custom.hideFrom.viz", value=True),
    ]
    made = made.override_by_name("Started", [models.DynamicConfigValue(id_val="unit", value="dateTimeAsIso")])
    made = made.override_by_name("Ended", hidden).override_by_name("Dashboard", hidden)
    made = made.override_by_name("Run", [models.DynamicConfigValue(id_val="links", value=_to_run())])
    made = made.sort_by([common.TableSortByFieldState().display_name("Started").desc(True)])
    return made.datasource(SOURCE).span(span).height(TALL)


def _with_uids(expr: str, names: Sequence[str]) -> str:
    """An expression whose series bear the uid of their experiment's dashboard, which a link cannot work out."""
    expr = f'label_replace({expr}, "uid", "{uid_of("")}$1", "scenario", "(.*)")'
    for name in names:
        if uid_of(name) != f"{uid_of('')}{name}":
            expr = f'label_replace({expr}, "uid", "{uid_of(name)}", "scenario", "{name}")'
    return expr


def _to_run() -> list[dict[str, object]]:
    experiment, run, uid = (f"${{__data.fields.{name}}}" for name in ("Experiment", "Run", "Dashboard"))
    times = "from=${__data.fields.Started.numeric}&to=${__data.fields.Ended.numeric}"
    return [
        {"title": "Show this run", "url": f"/d/{uid}?{times}&var-run={run}"},
        {"title": "Its report", "url": f"{REPORTS}/{experiment}/{run}/index.html", "targetBlank": True},
    ]


def link(title: str, url: str, about: str = "") -> dashboard.DashboardLink:
    """A link that opens a page of its own."""
    made = dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).icon("doc").tooltip(about)
    return made.url(url).target_blank(True)


def to_dashboards(title: str) -> dashboard.DashboardLink:
    """The lab's other dashboards, at the same time range."""
    made = dashboard.DashboardLink(title).type(models.DashboardLinkType.DASHBOARDS).tags([TAG]).icon("dashboard")
    return made.as_dropdown(True).keep_time(True)
