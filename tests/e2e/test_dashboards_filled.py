"""No panel of a dashboard stays empty: a run's own Prometheus is asked each of its expressions, with either proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from lab_runs import CIRCUIT_BREAKER, ROOT, lab

from lab.record import Run, read_run
from lab.runtime.tools import Tools

pytestmark = pytest.mark.e2e
DASHBOARD = ROOT / "dashboards" / "json" / "circuit-breaker.json"
# What Grafana would put into its variables: the run, all variants, and four scrapes (its $__rate_interval at 1 s).
CHOSEN = {'run="$run"': 'run!=""', "$variant": ".+", "$__rate_interval": "4s"}
PROXIES = {"Bytes received", "Bytes sent"}
# In a run as short as this no alert has to fire, and where the breaker is off it has no state.
BREAKER = ("Breaker", "Breaker again", "Breaker: calls rejected", "Breaker: transitions")
QUIET = {("Alerts firing", "off"), ("Alerts firing", "on"), *((title, "off") for title in BREAKER)}


def expressions() -> Mapping[str, str]:
    """Title to expression, for each graph of the dashboard; of two with one title the later counts on."""
    found: dict[str, str] = {}
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            expr = target["expr"]
            for variable, value in CHOSEN.items():
                expr = expr.replace(variable, value)
            title = panel["title"] if panel["title"] not in found else f"{panel['title']} again"
            found[title] = expr
    return found


@pytest.fixture(scope="module", params=["builtin", "toxiproxy"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short run of circuit-breaker with the dashboard's graphs for its panels."""
    proxy = request.param
    if proxy == "toxiproxy":
        programs = Tools(ROOT / ".lab").find("toxiproxy")
        if programs is None:
            pytest.skip("no toxiproxy-server on PATH or in .lab/bin: `make toxiproxy` gets it")
        proxy = str(programs["toxiproxy-server"].path)
    folder = tmp_path_factory.mktemp(request.param)
    file = folder / CIRCUIT_BREAKER.name  # so that it bears the name that the expressions ask for
    file.write_text(
        CIRCUIT_BREAKER.read_text("utf-8")
        + "\n\nfrom dataclasses import replace\n\n"
        + f"scenario = replace(scenario, panels=[Panel(*pair) for pair in {list(expressions().items())!r}])\n"
    )
    done = lab("run", file, "--scale", "0.15", "--reports", folder / "reports", "--json", env={"TOXIPROXY": proxy})
    assert done.code in (0, 1, 2), done.err
    return read_run(folder / "reports" / "circuit-breaker" / "latest")


def test_every_graph_has_something_to_show(run: Run) -> None:
    """Each expression gave samples in every variant, and Prometheus refused none."""
    filled = {(row["panel"], row["variant"]) for row in run.table("series").to_pylist()}
    wanted = {(title, variant) for title in expressions() for variant in ("off", "on")}
    assert set(expressions()) > PROXIES
    assert wanted - filled <= QUIET
    assert not [note for each in run.record.episodes for note in each.notes if note.startswith("panel ")]


def test_the_proxys_graphs_tell_each_link_and_direction(run: Run) -> None:
    """Bytes went through the one link both ways, and were passed on."""
    rows = [row for row in run.table("series").to_pylist() if row["panel"] == "Bytes sent"]
    for direction in ("upstream", "downstream"):
        values = [row["value"] for row in rows if row["series"] == f"direction={direction}, proxy=exchange->payments"]
        assert max(values) > 1_000
    assert len({row["series"] for row in rows}) == 2
