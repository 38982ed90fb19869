"""PromQL as far as the lab rewrites it."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from run_ids import fresh

from lab.observe.prometheus import Prometheus, Watch
from lab.observe.promql import grouping, kept_apart, legends, looks_back_s, restrict
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools

ON = {"variant": "on"}
EXPRESSIONS = [
    ("up", 'up{variant="on"}'),
    ("up # not down{}", 'up{variant="on"} # not down{}'),
    ("max by (peer) (breaker_state)", 'max by (peer) (breaker_state{variant="on"})'),
    ("sum(a) without (b, c)", 'sum(a{variant="on"}) without (b, c)'),
    ('a{b="}x{"}', 'a{variant="on",b="}x{"}'),
    ("a{ }", 'a{variant="on" }'),
    ('{__name__=~"a.*",}', '{variant="on",__name__=~"a.*",}'),
    ("rate(a[5m:1s] offset -5m)", 'rate(a{variant="on"}[5m:1s] offset -5m)'),
    ("a / on (b) group_left (c) d", 'a{variant="on"} / on (b) group_left (c) d{variant="on"}'),
    ("a * on(b) group_right sum by (b) (c)", 'a{variant="on"} * on(b) group_right sum by (b) (c{variant="on"})'),
    ("a > bool 1e-3 AND b", 'a{variant="on"} > bool 1e-3 AND b{variant="on"}'),
    ("a unless ignoring() b", 'a{variant="on"} unless ignoring() b{variant="on"}'),
    ("job:a:rate5m @ end() - NaN + Inf + .5 + 0x1f", 'job:a:rate5m{variant="on"} @ end() - NaN + Inf + .5 + 0x1f'),
    ("time() - vector(1)", "time() - vector(1)"),
    ("label_replace(a, 'b', `$1`, \"c\", '(.*)')", "label_replace(a{variant=\"on\"}, 'b', `$1`, \"c\", '(.*)')"),
    (
        'histogram_quantile(0.99, sum by (le) (rate(d_bucket{le!="1"}[5s])))',
        'histogram_quantile(0.99, sum by (le) (rate(d_bucket{variant="on",le!="1"}[5s])))',
    ),
    ("avg_over_time(max by(a)(b{})[30s:1s])", 'avg_over_time(max by(a)(b{variant="on"})[30s:1s])'),
]


@pytest.mark.parametrize(("expr", "expected"), EXPRESSIONS)
def test_every_selector_and_nothing_else_is_restricted(expr: str, expected: str) -> None:
    """Every selector of an expression gets the labels; label lists, durations, texts and functions are left alone."""
    assert restrict(expr, ON) == expected


@pytest.mark.e2e
async def test_prometheus_accepts_what_was_restricted(tmp_path: Path) -> None:
    """A real Prometheus accepts each of these expressions, with the labels and without."""
    async with Supervisor.open(tmp_path / "run", fresh("promql")) as supervisor, aiohttp.ClientSession() as session:
        program = Tools().need("prometheus")["prometheus"]
        prometheus = await Prometheus.start(
            supervisor.spawn, program, tmp_path / "prometheus", tmp_path / "logs", Watch([], [])
        )
        for expr, expected in EXPRESSIONS:
            for query in (expr, expected):
                async with session.post(f"{prometheus.address.url}/api/v1/query", data={"query": query}) as response:
                    assert response.status == 200, (query, await response.text())
        await prometheus.stop()


def test_label_values_are_quoted() -> None:
    """A label's value is text, whatever stands in it."""
    assert restrict("up", {"a": 'x"y\\z\n'}) == r'up{a="x\"y\\z\n"}'


def test_series_are_named_by_template_else_by_labels_else_by_title() -> None:
    """A legend's template is filled in; without one a series has its labels, and one without labels the title."""
    both = [{"service": "a", "code": "1", "job": "lab"}, {"service": "b", "code": "1", "job": "lab"}]
    ours = frozenset({"job"})
    assert legends("{{service}} of {{ none }}", "T", both, ours) == ["a of ", "b of "]
    assert legends("", "T", both, ours) == ["code=1, service=a", "code=1, service=b"]
    assert legends("", "T", [{}], ours) == ["T"]
    assert legends("", "T", [{"__name__": "up", "job": "lab"}], ours) == ["up"]


def test_no_two_series_have_one_name() -> None:
    """Series that the template would call the same have their labels added."""
    three = [{"s": "a", "code": "1"}, {"s": "a", "code": "2"}, {"s": "b", "code": "1"}]
    assert legends("{{s}}", "T", three, frozenset()) == ["a (code=1, s=a)", "a (code=2, s=a)", "b"]


@pytest.mark.parametrize(
    ("expr", "kept"),
    [
        ("up", "up"),
        ("sum(up)", "sum by (v) (up)"),
        ("sum by (peer) (rate(x[5s]))", "sum by (v, peer) (rate(x[5s]))"),
        ("sum(x) by (peer)", "sum(x) by (v, peer)"),
        ("sum by () (x)", "sum by (v) (x)"),
        ("sum without (peer) (x)", "sum without (peer) (x)"),
        ("max(a{sum=\"by (x)\"} or sum(b))", "max by (v) (a{sum=\"by (x)\"} or sum by (v) (b))"),
        ("quantile_of(0.9, sum by (le) (rate(x[5s])))", "quantile_of(0.9, sum by (v, le) (rate(x[5s])))"),
        ("sum by (a) (x) / on (a) sum by (a) (y)", "sum by (v, a) (x) / on (v, a) sum by (v, a) (y)"),
        ("topk(3, sum by (a) (x))", "topk by (v) (3, sum by (v, a) (x))"),
    ],
)  # fmt: skip
def test_a_label_is_kept_apart_by_every_aggregation(expr: str, kept: str) -> None:
    """So that one panel can show each variant as a line of its own."""
    assert kept_apart(expr, "v") == kept


@pytest.mark.parametrize(
    ("expr", "labels"),
    [("up", []), ("sum(x)", []), ("max by (service) (x)", ["service"]), ("rate(sum(x) by (a, b)[5s:])", ["a", "b"])],
)
def test_the_first_grouping_names_the_lines(expr: str, labels: list[str]) -> None:
    """Where a panel says no legend of its own."""
    assert grouping(expr) == labels


@pytest.mark.parametrize(
    ("expr", "over_s"),
    [
        ("sum by (peer) (rate(calls_total[5s]))", 5.0),
        ("histogram_quantile(0.99, rate(a_bucket[1m])) / rate(b[500ms])", 60.0),
        ("max_over_time(lag[3s])", 3.0),
        ("max by (peer) (breaker_state)", 0.0),
    ],
)
def test_an_expression_says_how_far_it_looks_back(expr: str, over_s: float) -> None:
    """A rate is a mean over its range; what shows the moment has none."""
    assert looks_back_s(expr) == over_s
