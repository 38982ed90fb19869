"""Variants above each other: Prometheus moves each to the time of the first, by what the hidden variables say."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.catalogue import read_all
from lab.dashboards.aligned import TITLE
from lab.observe.promql import moved
from lab.runtime.tools import Tools

FOLDER = Path(__file__).resolve().parents[2] / "dashboards" / "json"
SPECS = {entry.name: entry.spec() for entry in read_all()[0]}
LABELS = 'scenario="circuit-breaker",run="r",trial="1",service="exchange"'


def dashboard(name: str) -> Mapping[str, Any]:
    """A dashboard as it is provisioned."""
    whole: Mapping[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return whole


def row(name: str) -> list[Mapping[str, Any]]:
    """The panels of the row of moved variants."""
    panels = dashboard(name)["panels"]
    start = next(k for k, panel in enumerate(panels) if panel["title"] == TITLE) + 1
    end = next(k for k, panel in enumerate(panels) if k >= start and panel["type"] == "row")
    return list(panels[start:end])


def promtool(tmp_path: Path, series: Mapping[str, str], asked: Mapping[str, Mapping[str, float]], at: str) -> str:
    """What promtool has against these answers, at a time; empty where it gets them. Samples are a second apart."""
    tests = [
        {"expr": expr, "eval_time": at, "exp_samples": [{"labels": k, "value": v} for k, v in samples.items()]}
        for expr, samples in asked.items()
    ]
    each = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1s", "input_series": each, "promql_expr_test": tests}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1s", "tests": [test]}))
    program = Tools().need("promtool")["promtool"]
    done = subprocess.run(
        [program.path, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr if done.returncode else ""


def first_starts(off_s: int, on_s: int) -> Mapping[str, str]:
    """The starts of two variants; a process of each starts anew later, as one that a fault has killed."""
    started = f"process_start_time_seconds{{{LABELS},"
    return {f'{started}variant="off"}}': f"{off_s}x20 {off_s + 9}x20", f'{started}variant="on"}}': f"_x40 {on_s}x40"}


@pytest.mark.parametrize(("starts", "seconds"), [((1000, 1034), -34), ((1034, 1000), 34), (None, 0)])
def test_the_variable_is_the_time_between_two_variants(
    tmp_path: Path, starts: tuple[int, int] | None, seconds: int
) -> None:
    """Below 0 where the variant ran after the first one, 0 where nothing is known; whatever time is shown."""
    (variable,) = [v for v in dashboard("circuit-breaker")["templating"]["list"] if v["name"] == "ahead_1"]
    assert (variable["hide"], variable["refresh"]) == (2, 2)
    query = variable["query"].removeprefix("query_result(").removesuffix(")").replace("$run", "r")
    series = first_starts(*starts) if starts else {"up{}": "1x5"}
    for at in ("3h", "100s"):
        assert promtool(tmp_path, series, {query: {f'{{s="{seconds}"}}': 1}}, at) == ""
    answer = f'{{s="{seconds}"}} 1 1764000000000'  # as Grafana shows it to the variable's expression
    found = re.search(variable["regex"].strip("/"), answer)
    assert found
    assert found[1] == str(seconds)


def test_a_moved_variant_has_its_value_at_the_time_of_the_first(tmp_path: Path) -> None:
    """The second variant began 40 s after the first: what it has at 50 s stands at 10 s, beside the first's."""
    (panel,) = [panel for panel in row("circuit-breaker") if panel["title"] == "Waiting for payments"]
    waiting = f'http_client_active_requests{{{LABELS},peer="payments",variant='
    series = {f'{waiting}"off"}}': "0+1x30 _x60", f'{waiting}"on"}}': "_x40 100+1x30"}
    asked = {
        target["expr"].replace("$run", "r").replace("$variant", ".+").replace("${ahead_1}", "-40"): samples
        for target, samples in zip(
            panel["targets"],
            [{'{variant="off",peer="payments"}': 10.0}, {'{variant="on",peer="payments"}': 110.0}],
            strict=True,
        )
    }
    # promtool loads samples up to the time of the question: it is put at 60 s about 10 s
    then = {f"last_over_time(({expr})[1s:1s] offset 50s)": samples for expr, samples in asked.items()}
    assert promtool(tmp_path, series, then, "60s") == ""
    unmoved = {expr.replace(" offset -40s", ""): samples for expr, samples in then.items()}
    assert "FAILED" in promtool(tmp_path, series, unmoved, "60s")


@pytest.mark.parametrize("name", SPECS)
def test_every_variant_is_there_once(name: str) -> None:
    """One query for each variant and panel, the first as it is and each other moved, in one picture of one scale."""
    variants = [variant.name for variant in SPECS[name].variants]
    assert row(name)
    for panel in row(name):
        assert [re.findall(r',variant="([^"]+)"', target["expr"])[0] for target in panel["targets"]] == variants
        for number, target in enumerate(panel["targets"]):
            selectors = re.findall(r"(?<!\$)\{[^{}]*\}(?:\[\w+\])?( offset \$\{\w+\}s)?", target["expr"])
            assert set(selectors) == {f" offset ${{ahead_{number}}}s" if number else ""}
            assert target["legendFormat"].startswith("{{variant}}: ")


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        ("a{}", "a{} offset 3s"),
        ("sum by (x) (rate(a{x=\"}\"}[5s])) / b{}", "sum by (x) (rate(a{x=\"}\"}[5s] offset 3s)) / b{} offset 3s"),
        ("a{} or on (x) b{}", "a{} offset 3s or on (x) b{} offset 3s"),
        ("max_over_time(a{}[1m] )", "max_over_time(a{}[1m] offset 3s )"),
        ("1 + 1", "1 + 1"),
    ],
)  # fmt: skip
def test_each_selector_is_moved_with_its_range(expr: str, wanted: str) -> None:
    """Behind the range where there is one, else behind the braces; labels and texts are left alone."""
    assert moved(expr, "3s") == wanted
    assert moved(expr, "") == expr
