"""Every expression of every dashboard and panel parses, and asks for metrics that somebody exports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.catalogue import Entry, read_all
from lab.observe.promql import metrics_in
from lab.runtime.tools import Tools

sys.path.insert(0, str(Path(__file__).parent))

from exported import of_prometheus, of_proxy, of_scenario

pytestmark = pytest.mark.e2e

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"
MOVED = re.compile(r"\$\{ahead_\d+\}")  # seconds, which Grafana puts there
ENTRIES = {entry.name: entry for entry in read_all()[0]}


def expressions(file: Path) -> Mapping[str, str]:
    """Where it stands to expression, for each query of a dashboard's panels and for each behind a variable."""
    whole = json.loads(file.read_text("utf-8"))
    found = {
        f"{p['title']} ({p['id']}{t['refId']})": MOVED.sub("-34", t["expr"])
        for p in whole["panels"]
        for t in p.get("targets", ())
    }
    for variable in whole["templating"]["list"]:
        kind, _, query = variable["query"].removesuffix(")").partition("(")
        found[variable["name"]] = query if kind == "query_result" else query.rpartition(",")[0]
    return found


def refusal(exprs: Mapping[str, str], tmp_path: Path) -> str:
    """What promtool has against them; empty where it takes them all."""
    rules = [
        {"record": f"r{k}", "expr": expr.replace("$__rate_interval", "5s")} for k, expr in enumerate(exprs.values())
    ]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    program = Tools().need("promtool")["promtool"]
    checked = subprocess.run(
        [program.path, "check", "rules", tmp_path / "rules.yml"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return checked.stdout + checked.stderr if checked.returncode else ""


@pytest.mark.parametrize("file", sorted((FOLDER / "json").glob("*.json")), ids=lambda f: f.stem)
def test_every_expression_parses(file: Path, tmp_path: Path) -> None:
    """Promtool takes each as the expression of a rule."""
    exprs = expressions(file)
    assert len(exprs) > 4
    assert refusal(exprs, tmp_path) == ""


def test_one_that_does_not_parse_is_told(tmp_path: Path) -> None:
    """So that the test above can fail."""
    assert "parse error" in refusal({"bad": 'sum(rate(up{run="$run"}[$__rate_interval]'}, tmp_path)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_no_legend_takes_a_name_that_rate_drops(entry: Entry) -> None:
    """`rate(a[3s]) or rate(b[3s])` shows a alone, nameless: series that differ in their names need a label."""
    nameless = [panel.title for panel in entry.scenario.panels if "__name__" in panel.legend and "(" in panel.expr]
    assert nameless == []


async def test_every_metric_is_exported_by_somebody(tmp_path: Path) -> None:
    """By a service of that experiment, by the fault proxy where it has links, or by Prometheus with our rules."""
    common = await of_prometheus(tmp_path, FOLDER / "rules") | of_proxy()
    assert {"up", "ALERTS", "scrape_duration_seconds", "slo:errors_per_request:ratio_rate5s"} <= common
    exported = {name: await of_scenario(entry.scenario) for name, entry in ENTRIES.items()}
    assert "breaker_state" in exported["circuit-breaker"]
    assert "breaker_never" not in exported["circuit-breaker"]
    exported["overview"] = set().union(*exported.values())
    unknown = {
        f"{name}, {title}: {metric}"
        for name, own in exported.items()
        for title, expr in expressions(FOLDER / "json" / f"{name}.json").items()
        for metric in metrics_in(expr) - own - common
    }
    assert not unknown
