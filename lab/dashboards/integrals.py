"""
What a panel of rates adds up to, beside what was counted without Prometheus.

A panel of rates whose area is not the count hides events or invents some. Where a panel shows answers of the service
under load, the count is the operation log's; else it is the services' own, from the snapshots at the edges of phases.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pyarrow.compute as pc

from lab.dashboards.asked import Query, panels
from lab.observe.promql import grouping
from lab.record import Run

RATE = re.compile(r"rate\((\w+)(?:\{([^}]*)\})?\[(\d+)s\]\)")
MATCHER = re.compile(r'(\w+)(=~|!=|!~|=)"([^"]*)"')
STATUS, ANSWERS = "http_response_status_code", "http_server_request_duration_seconds_count"
SECONDS = ("process_cpu_seconds_total",)  # counts seconds and no events
STOPS = ("kill", "pause", "restart")
UNMEASURED = ("/healthz", "/readyz")  # what targets answer without a metric
OURS = ("scenario", "run", "variant")  # labels that the lab added, so that no snapshot has them
LOG, SERVICES = "operation log", "services"
CUT = 2.0  # counts, of which one scrape at each end of an episode may have seen a part
UNEVEN = 1.03  # rate() takes samples for 1 s apart; they are so to about 10 ms, and to 30 ms on a busy machine

Series = Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]  # by variant and name, over an episode


@dataclass(frozen=True)
class Counted:
    """What was counted in an episode: all of it, before its start, and how much may be missing at its end."""

    all: float = 0.0
    early: float = 0.0
    late: float = 0.0
    by: str = SERVICES
    less: tuple[str, ...] = ()  # why a panel may show less than that
    more: tuple[str, ...] = ()  # why it may show more


@dataclass(frozen=True)
class Integral:
    """What a panel adds up to for one variant and series, beside the count."""

    variant: str
    panel: str
    series: str
    adds_up_to: float
    range_s: float
    counted: Counted = field(default_factory=Counted)

    @property
    def least(self) -> float:
        """What the panel must show.

        rate() does not extrapolate below 0. Of R samples, 1 s apart, whose first is 0, it sees R - 1 intervals and adds
        nothing before them: (R - 1) / R of the increase is there at least, 0.75 for 4 s.
        """
        return (self.counted.all - self.counted.late) * (1 - 1 / self.range_s) - CUT

    @property
    def most(self) -> float:
        """What it may show: ranges reach back before the episode."""
        return UNEVEN * (self.counted.all + self.counted.early) + CUT

    @property
    def verdict(self) -> str:
        """`agrees`, why it may differ, or `DIFFERS`."""
        if self.least <= self.adds_up_to <= self.most:
            return "agrees"
        reasons = self.counted.less if self.adds_up_to < self.least else self.counted.more
        return f"may differ: {'; '.join(reasons)}" if reasons else "DIFFERS"


@dataclass(frozen=True)
class Part:
    """What was written down of a variant's first trial: the rows of two tables, those of a metric together."""

    run: Run
    variant: str
    operations: Sequence[Mapping[str, Any]]
    snapshots: Mapping[str, Sequence[Mapping[str, Any]]]

    @classmethod
    def of(cls, run: Run, variant: str) -> Part:
        """Read it."""
        mine = (pc.field("variant") == variant) & (pc.field("trial") == 1)
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for row in run.table("snapshots").filter(mine).sort_by("at_s").to_pylist():
            rows.setdefault(row["metric"], []).append(row)
        columns = ["operation", "status", "end_s"]
        return cls(run, variant, run.table("operations").filter(mine).select(columns).to_pylist(), rows)


def integrals(run: Run) -> Iterator[Integral]:
    """
    Those of every panel of rates, for the first trial.

    Of the run's dashboard, if the run has asked its queries (see `lab.dashboards.asked`); else of its own panels.
    """
    told = _told(run)
    parts = [Part.of(run, variant.name) for variant in run.record.spec.variants]
    for query, key in _queries(run, told):
        found = RATE.search(query.expr)
        if found and found[1] not in SECONDS and not _is_a_share(query.expr):
            for part in parts:
                yield from _of_query(part, query, told.get(key, {}).get(part.variant, {}))


def _queries(run: Run, told: Mapping[str, Series]) -> Iterator[tuple[Query, str]]:
    """Each query, and the title under which its series are in the record."""
    spec = run.record.spec
    asked = [query for _, queries in panels(spec.name) for query in queries if query.panel["type"] == "timeseries"]
    if any(query.key in told for query in asked):
        yield from ((query, query.key) for query in asked)
    else:
        for panel in spec.panels:
            yield Query({"title": panel.title}, panel.expr, panel.legend), panel.title


def _is_a_share(expr: str) -> bool:
    return "histogram_quantile" in expr or "/" in re.sub(r'"[^"]*"', "", expr)


def _told(run: Run) -> Mapping[str, Series]:
    """By query, variant and name of the series: the points of the first trial."""
    found: dict[str, dict[str, dict[str, list[tuple[float, float]]]]] = {}
    for row in run.table("series").sort_by("at_s").to_pylist():
        if row["trial"] == 1 and row["value"] is not None:
            of_variant = found.setdefault(row["panel"], {}).setdefault(row["variant"], {})
            of_variant.setdefault(row["series"] or "", []).append((row["at_s"], row["value"]))
    return found


def _of_query(part: Part, query: Query, series: Mapping[str, Sequence[tuple[float, float]]]) -> Iterator[Integral]:
    metric, matchers, seconds = next(RATE.finditer(query.expr)).groups()
    wanted = [match for match in MATCHER.findall(matchers or "") if match[0] not in OURS]
    labels = [label for label in grouping(query.expr) if label != "variant"]
    range_s = float(seconds)
    counts = _from_services(part, metric, wanted, labels, range_s)
    if metric == ANSWERS:
        counts = {**counts, **_from_log(part, wanted, labels, range_s, counts)}
    for values, counted in sorted(counts.items()):
        own = dict(zip(labels, values, strict=True))
        if '"peer", "$1", "service"' in query.expr:
            own["peer"] = own.get("service", "")
        name = _named(query.legend, {**own, "variant": part.variant}) if query.legend else _unnamed(own, query)
        if counted.all > 0:
            total = sum(value for _, value in series.get(name, ()))
            yield Integral(part.variant, query.panel["title"], name, total, range_s, counted)


def _unnamed(labels: Mapping[str, str], query: Query) -> str:
    """As a record names a series of a panel without a legend."""
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if value) or query.panel["title"]


def _named(template: str, labels: Mapping[str, str]) -> str:
    if "error_type" in labels:
        labels = {**labels, "error_type": labels["error_type"] or "answered"}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), template)


def _from_log(
    part: Part,
    wanted: Sequence[tuple[str, str, str]],
    labels: Sequence[str],
    range_s: float,
    services: Mapping[tuple[str, ...], Counted],
) -> Mapping[tuple[str, ...], Counted]:
    """By the values of the labels, what the load generator heard of the one service under load, if it can tell."""
    entries, last_s = part.run.record.spec.load.services, part.run.record.spec.lasts_s
    chosen = {name: value for name, how, value in wanted if how == "="}
    if len(entries) != 1 or not set(labels) <= {STATUS, "service"} or set(chosen) - {"service"}:
        return {}
    if "service" not in labels and chosen.get("service") != entries[0]:
        return {}
    found: dict[tuple[str, ...], Counted] = {}
    unheard = False
    for row in part.operations:
        if (row["end_s"] or 0.0) > last_s or row["operation"].rpartition(" ")[2] in UNMEASURED:
            continue
        if row["status"] is None:
            unheard = True
            continue
        key = tuple({STATUS: str(row["status"]), "service": entries[0]}[label] for label in labels)
        before = found.get(key, Counted(by=LOG))
        late = before.late + _unseen(row["end_s"], last_s, range_s)
        found[key] = replace(before, all=before.all + 1, late=late)
    unheard_of = ("the service answered what no caller waited for any more",) if unheard else ()
    for key, one in found.items():
        its = services.get(key, Counted())
        found[key] = replace(one, early=its.early, less=its.less, more=(*unheard_of, *its.more))
    return found


def _from_services(
    part: Part,
    metric: str,
    wanted: Sequence[tuple[str, str, str]],
    labels: Sequence[str],
    range_s: float,
) -> Mapping[tuple[str, ...], Counted]:
    """By the values of the labels, what the services themselves counted between the snapshots."""
    last_s = part.run.record.spec.lasts_s
    series: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in part.snapshots.get(metric, ()):
        if row["value"] is not None:
            series.setdefault((row["service"], row["labels"]), []).append(row)
    found: dict[tuple[str, ...], Counted] = {}
    for (service, text), rows in series.items():
        own = {**json.loads(text), "service": service}
        if not all(_fits(own.get(name, ""), how, value) for name, how, value in wanted):
            continue
        values = [row["value"] for row in rows]
        steps = [b - a if b >= a else b for a, b in pairwise(values)]
        edges = [row["at_s"] for row in rows]
        late = sum(step * _missing(a, b, last_s, range_s) for step, (a, b) in zip(steps, pairwise(edges), strict=True))
        key = tuple(own.get(label, "") for label in labels)
        one = found.get(key, Counted())
        found[key] = Counted(
            one.all + sum(steps),
            one.early + values[0],
            one.late + min(sum(steps), late + 3 * math.sqrt(late)),  # as many as come by chance in so long
            less=tuple(dict.fromkeys([*one.less, *_gaps(part, service)])),
            more=tuple(dict.fromkeys([*one.more, *_ends(part.run, service, values)])),
        )
    return found


def _unseen(at_s: float, last_s: float, range_s: float) -> float:
    """How much of a count at a time no range has seen by the end of the episode, at most.

    A scrape sees it within 1 s; from then on it is in the ranges of the next R evaluations, 1 s apart.
    """
    return 1 - min(1.0, max(0.0, last_s - 1 - at_s) / range_s)


def _missing(start_s: float, end_s: float, last_s: float, range_s: float) -> float:
    """The same of counts between two snapshots, on average.

    All may stand at the end of a short time between them; in a long one they are taken for evenly spread.
    """
    if end_s - start_s <= range_s + 1:
        return _unseen(end_s, last_s, range_s)
    times = [start_s + (end_s - start_s) * (k + 0.5) / 100 for k in range(100)]
    return sum(_unseen(at_s, last_s, range_s) for at_s in times) / len(times)


def _gaps(part: Part, service: str) -> Iterator[str]:
    """What keeps rate() from seeing a service's counts."""
    episode = next(each for each in part.run.record.episodes if each.variant == part.variant and each.trial == 1)
    for receipt in episode.receipts:
        names = re.split(r"[^\w-]+", f"{receipt.fault.target} {' '.join(map(str, receipt.fault.among))}")
        if service in names and receipt.fault.kind in STOPS:
            yield f"{receipt.fault.kind} of {service}: what it counts between the last sample and the stop is in none"


def _ends(run: Run, service: str, values: Sequence[float]) -> Iterator[str]:
    """What keeps the snapshots from holding a service's counts."""
    if any(b < a for a, b in pairwise(values)) or len(values) < 2 * len(run.record.spec.phases):
        yield f"{service} was stopped: what it counted since the last snapshot is in none"


def _fits(value: str, how: str, wanted: str) -> bool:
    same = value == wanted if how in ("=", "!=") else re.fullmatch(wanted, value) is not None
    return same != how.startswith("!")
