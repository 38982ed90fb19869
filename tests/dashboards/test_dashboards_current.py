"""Dashboards in dashboards/json are what the scenarios ask for, in the form that Grafana's provisioning takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import dashboards
from lab.catalogue import read_all
from lab.dashboards import __main__ as command
from lab.dashboards import experiment, look
from lab.dashboards.render import rendered
from lab.dashboards.shape import Shape
from lab.observe import local_grafana
from lab.observe.grafana import REPORTS, dashboard_url
from lab.observe.promql import grouping
from lab.record import PanelSpec, Spec
from lab.runtime.compose import shared

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "dashboards"
FILES = sorted((FOLDER / "json").glob("*.json"))
SPECS = [entry.spec() for entry in read_all()[0]]


def panels(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All panels, those within collapsed rows too."""
    return [inner for panel in whole["panels"] for inner in (panel, *panel.get("panels", []))]


def strings(node: object) -> Iterator[str]:
    """Every text in a JSON document."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def test_the_files_are_what_the_scenarios_ask_for() -> None:
    """Each experiment has its dashboard, the lab has one, none is out of date, none is left over."""
    wanted = rendered(SPECS)
    assert {file.name for file in FILES} == set(wanted), "run `make dashboards` and commit what it writes"
    for file in FILES:
        assert file.read_text("utf-8") == wanted[file.name], f"{file.name} is not current: run `make dashboards`"
    assert rendered(SPECS) == wanted


def test_the_command_writes_what_changed_and_removes_what_is_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second time there is nothing to write."""
    monkeypatch.setattr(command, "FOLDER", tmp_path / "json")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "gone.json").write_text("{}")
    assert command.main() == 0
    assert capsys.readouterr().out.startswith("removed json/gone.json\nwrote json/overview.json\n")
    assert {f.name for f in (tmp_path / "json").iterdir()} == {f.name for f in FILES}
    assert command.main() == 0
    assert capsys.readouterr().out == f"{len(FILES)} dashboards in json are current\n"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_provisioning_takes_it(file: Path) -> None:
    """A plain model with a stable uid: no id of its own, nothing to be asked at import, the provisioned data source."""
    whole = json.loads(file.read_text("utf-8"))
    assert whole["title"]
    assert re.fullmatch(r"lab-[a-z0-9-]{1,36}", whole["uid"])  # Grafana takes 40 letters
    assert whole["schemaVersion"] == 39  # a Grafana that is older than its dashboards' schema may refuse them
    since = "now-1h" if file.stem == "overview" else "now-5m"  # a run takes a minute or two
    assert (whole["timezone"], whole["time"]) == ("browser", {"from": since, "to": "now"})
    assert not {"id", "__inputs", "__requires", "version", "spec"} & set(whole)
    assert not [text for text in strings(whole) if "${DS_" in text]
    source = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    provider = yaml.safe_load((FOLDER / "provisioning/dashboards/lab.yml").read_text())["providers"][0]
    assert provider["options"]["path"] == "$LAB_DASHBOARDS"
    asking = [panel for panel in panels(whole) if "targets" in panel]
    assert asking
    for node in (*asking, *whole["templating"]["list"]):
        assert node["datasource"] == {"type": source["type"], "uid": source["uid"]}
    ids = [panel["id"] for panel in panels(whole)]
    assert len(set(ids)) == len(ids)


def test_uids_and_titles_are_each_one_dashboard() -> None:
    """Grafana refuses two dashboards of one uid, and two of one title in a folder."""
    wholes = [json.loads(file.read_text("utf-8")) for file in FILES]
    for key in ("uid", "title"):
        found = [whole[key] for whole in wholes]
        assert len(set(found)) == len(found), found


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_an_experiment_shows_its_own_panels_of_the_chosen_run(spec: Spec) -> None:
    """Each panel of the scenario, with its unit, legend and states; each asks for the chosen run and variant only."""
    whole = json.loads((FOLDER / "json" / f"{spec.name}.json").read_text("utf-8"))
    ahead = [f"ahead_{number}" for number in range(1, len(spec.variants))]
    assert [v["name"] for v in whole["templating"]["list"]] == ["run", "variant", *ahead]
    graphs = [panel for panel in panels(whole) if panel["type"] != "stat"]
    by_title = {panel["title"]: panel for panel in reversed(graphs)}  # its own stand before the usual ones
    for panel in spec.panels:
        shown = by_title[panel.title]
        assert shown["fieldConfig"]["defaults"]["unit"] == panel.unit
        assert panel.legend in shown["targets"][0]["legendFormat"]
        states = shown["fieldConfig"]["defaults"].get("mappings", [{"options": {}}])[0]["options"]
        assert "{{" in shown["targets"][0]["legendFormat"] or panel.legend
        assert {int(value): state["text"] for value, state in states.items()} == dict(panel.values)
        assert shown["links"][0]["url"] == f"http://127.0.0.1:8475/{spec.name}/${{run}}/index.html#panels"
    mine = f'scenario="{spec.name}"'
    other = {"Bytes received": 'run="$run"}', "Bytes sent": 'run="$run"}', "Runs": f"{mine}}}"}
    for panel in panels(whole):
        for target in panel.get("targets", ()):
            whose = other.get(panel["title"], f'{mine},run="$run",variant=~"$variant"')
            selectors = re.findall(r"(?<!\$)\{[^{}]*\}", target["expr"])
            assert selectors
            assert all("{" + whose in selector for selector in selectors), target["expr"]
    text = by_title[""]["options"]["content"]
    assert panels(whole)[-2] == {**panels(whole)[-2], "title": "About this experiment", "collapsed": True}
    assert all(words in text for words in (spec.question, spec.idea, *spec.look_at))
    faults = whole["annotations"]["list"][0]
    assert faults["target"]["tags"] == ["chaos-lab", "fault", spec.name, "$run"]
    assert not faults["target"]["matchAny"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_the_first_screen_has_the_measurements(spec: Spec) -> None:
    """Of 900 px some 750 are panels, 19 rows of 38: the numbers, the experiment's own panels, no prose."""
    whole = json.loads((FOLDER / "json" / f"{spec.name}.json").read_text("utf-8"))
    first = [panel for panel in whole["panels"] if panel["gridPos"]["y"] < 19]
    numbers = [panel["title"] for panel in first if panel["type"] == "stat"]
    assert [title for title in ("Variant", "Requests", "Errors", "p99") if title not in numbers] == []
    assert {panel["type"] for panel in first} <= {"stat", "timeseries", "state-timeline", "table"}
    own = [panel.title for panel in spec.panels[:4]]
    assert [panel["title"] for panel in first if panel["type"] != "stat"][: len(own)] == own


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_variants_are_lines_of_their_own(spec: Spec) -> None:
    """Each legend names the variant, where the legend can hold them: control and treatment are not one line."""
    whole = json.loads((FOLDER / "json" / f"{spec.name}.json").read_text("utf-8"))
    for panel in whole["panels"]:
        if panel["type"] != "timeseries" or panel["title"] in ("Bytes received", "Bytes sent"):
            continue
        for target in panel["targets"]:
            apart = target["legendFormat"].startswith("{{variant}}")
            grouped = re.search(r"by \(([^)]*)\)", target["expr"])
            assert apart == ("variant" in (grouped[1] if grouped else "variant")), target["expr"]
            own = [each for each in spec.panels if each.title == panel["title"]]
            assert apart or (own and len(spec.variants) > 2), panel["title"]


def test_panels_that_an_experiment_cannot_fill_are_left_out() -> None:
    """Calls are measured where services call services, a breaker where there is one, proxies where there are links."""
    rows = {
        spec.name: [
            panel["title"]
            for panel in json.loads(rendered([spec])[f"{spec.name}.json"])["panels"]
            if panel["type"] == "row"
        ]
        for spec in SPECS
    }
    usual = [
        "Variants from their start",
        "Requests, errors, duration",
        "Service level and alerts",
        "Machine",
        "About this experiment",
    ]
    assert rows["profile-culprit"] == usual
    assert rows["isolation-matrix"] == rows["cache-stampede"] == [*usual[:2], "Fault proxies", *usual[2:]]
    assert rows["circuit-breaker"] == [
        *usual[:2],
        "Calls between services",
        "Circuit breaker",
        "Fault proxies",
        *usual[2:],
    ]
    assert rows["raft-partition"] == [*usual[:2], "Calls between services", "Fault proxies", *usual[2:]]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_no_panel_about_services_has_more_than_twelve_lines(spec: Spec) -> None:
    """Counted over all queries of a panel: a legend of twenty is read by no one."""
    shape, others = Shape.of(spec), {*(panel.title for panel in spec.panels), "Bytes received", "Bytes sent"}
    for panel in json.loads(rendered([spec])[f"{spec.name}.json"])["panels"]:
        if panel["type"] == "timeseries" and panel["title"] not in others:
            groups = [[label for label in grouping(t["expr"]) if label != "variant"] for t in panel["targets"]]
            assert sum(shape.variants * shape.lines(labels) for labels in groups) <= 12, panel["title"]


@pytest.mark.parametrize(
    ("variants", "services", "labels", "kept"),
    [
        (2, 2, ["service"], ["variant", "service"]),
        (2, 6, ["service"], ["variant", "service"]),
        (3, 6, ["service"], ["variant"]),
        (8, 1, ["service"], ["variant", "service"]),
        (0, 60, ["service"], ["service"]),
    ],
)
def test_a_legend_holds_twelve(variants: int, services: int, labels: list[str], kept: list[str]) -> None:
    """Variants are told apart before all else; services as well, where both make no more than 12 lines."""
    assert Shape(variants, services).by(*labels) == kept


def test_many_states_each_get_a_colour() -> None:
    """A state that everyone has a colour for gets that one; others get different ones as long as there are any."""
    graph = look.Graph("t", "up", values=dict(enumerate(["leads", *"abcdefghij"])))
    options = look.panel(graph, "").build().to_json()["fieldConfig"].to_json()["defaults"].to_json()["mappings"][0]
    colours = [result.to_json()["color"] for result in options.to_json()["options"].values()]
    assert colours[0] == "green"
    assert len(set(colours[1:8])) == 7
    assert len(colours) == 11


@pytest.mark.parametrize(("count", "spans"), [(0, []), (1, [24]), (2, [12, 12]), (3, [12, 12, 24]), (4, [12] * 4)])
def test_an_odd_panel_takes_the_whole_row(count: int, spans: list[int]) -> None:
    """So that no hole is left whatever a scenario asks for."""
    assert list(experiment._spans(count)) == spans


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_what_the_lab_posts_is_a_layer_of_its_own(file: Path) -> None:
    """Fault windows and variants are asked of Grafana itself, by all of their tags, and are on to begin with."""
    whole = json.loads(file.read_text("utf-8"))
    run = [] if file.stem == "overview" else [file.stem, "$run"]
    layers = {layer["name"]: layer for layer in whole["annotations"]["list"]}
    assert list(layers) == ["Faults", "Phases", "Variants", "Events"]
    for name, tag in (("Faults", "fault"), ("Phases", "phase"), ("Variants", "variant"), ("Events", "event")):
        layer = layers[name]
        assert layer["datasource"] == {"type": "grafana", "uid": "-- Grafana --"}
        assert (layer["enable"], layer["hide"]) == (True, False)
        assert layer["target"] == {"type": "tags", "tags": ["chaos-lab", tag, *run], "matchAny": False, "limit": 200}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_a_choice_of_all_leaves_out_what_has_no_such_label(file: Path) -> None:
    """Toxiproxy itself is scraped too, in no run and no scenario: `.*` would take it for one."""
    for variable in json.loads(file.read_text("utf-8"))["templating"]["list"]:
        assert variable["refresh"] == 2  # on a change of the time range
        assert variable.get("allValue") == (".+" if variable.get("includeAll") else None)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_an_ended_run_is_found_whatever_time_is_shown(file: Path) -> None:
    """The table of runs looks back as long as Prometheus keeps samples; a row leads to that run at its own time."""
    (runs,) = [panel for panel in panels(json.loads(file.read_text("utf-8"))) if panel["title"] == "Runs"]
    kept = re.search(r"retention.time=(\w+)", (ROOT / "docker-compose.yml").read_text("utf-8"))
    assert kept
    days = int(kept[1].removesuffix("d"))
    for target in runs["targets"]:
        assert (target["instant"], target["range"], target["format"]) == (True, False, "table")
        # evaluated at the end of the time shown: as far behind it, so that an older run does not hide the newer ones
        assert f"[{2 * days}d] offset -{days}d" in target["expr"]
    (urls,) = [
        [link["url"] for link in entry["value"]]
        for override in runs["fieldConfig"].get("overrides", ())
        for entry in override["properties"]
        if entry["id"] == "links"
    ]
    assert urls[0].startswith("/d/${__data.fields.Dashboard}?from=${__data.fields.Started.numeric}&to=${__data.fields")
    assert urls[1] == "http://127.0.0.1:8475/${__data.fields.Experiment}/${__data.fields.Run}/index.html"
    names = next(t for t in runs["transformations"] if t["id"] == "organize")["options"]["renameByName"]
    assert {"Started", "Ended", "Experiment", "Run", "Dashboard"} == set(names.values())


def test_an_experiment_with_a_long_name_has_a_dashboard_too() -> None:
    """Grafana takes uids of 40 letters: two names that are alike in so many get two, and the table of runs has them."""
    kept, *long = ("a" * 36, "b" * 36 + "-one", "b" * 36 + "-two")
    specs = [replace(SPECS[0], name=name) for name in (kept, *long)]
    texts = rendered(specs)
    uids = [json.loads(texts[f"{spec.name}.json"])["uid"] for spec in specs]
    assert uids[0] == f"lab-{kept}"
    assert len(set(uids)) == 3
    assert all(re.fullmatch(r"lab-[a-z0-9-]{1,36}", uid) for uid in uids)
    assert dashboard_url("http://g", long[0], "r").startswith(f"http://g/d/{uids[1]}?")
    for file in ("overview.json", f"{long[1]}.json"):
        (runs,) = [panel for panel in panels(json.loads(texts[file])) if panel["title"] == "Runs"]
        assert f'"uid", "{uids[2]}", "scenario", "{long[1]}")' in runs["targets"][0]["expr"]
        assert kept not in runs["targets"][0]["expr"]


def test_a_first_start_on_a_slow_disk_has_a_minute() -> None:
    """Grafana writes its database then."""
    assert shared.PATIENCE_S >= 60, "for which `make up` waits, unless its container exits"
    assert local_grafana.READY_WITHIN_S == 60


def test_containers_serve_what_dashboards_and_provisioning_name() -> None:
    """Its Grafana knows where its data source and the dashboards are, and what they link to is where reports are."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    grafana = services["grafana"]
    host, port = REPORTS.removeprefix("http://").split(":")
    assert services["reports"]["ports"] == [f"{host}:${{REPORTS_PORT:-{port}}}:8080"]
    environment = grafana["environment"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    assert mounts["./dashboards/json"] == environment["LAB_DASHBOARDS"]
    assert environment["PROMETHEUS_URL"] == "http://prometheus:9090"
    for file in (FOLDER / "provisioning").rglob("*.yml"):
        assert set(re.findall(r"\$(\w+)", file.read_text("utf-8"))) <= set(environment)


def test_without_panels_and_links_a_dashboard_still_stands() -> None:
    """The least that a scenario can say gives a sound dashboard."""
    bare = replace(SPECS[0], panels=[], links=[], look_at=[], idea="")
    whole = json.loads(rendered([bare])[f"{bare.name}.json"])
    rows = [panel["title"] for panel in panels(whole) if panel["type"] == "row"]
    assert rows == ["Requests, errors, duration", "Service level and alerts", "Machine", "About this experiment"]
    odd = replace(bare, panels=[PanelSpec('A "title"', "1 + 1", "short", "", {})])
    assert "1 + 1" in rendered([odd])[f"{bare.name}.json"]


def test_the_room_says_what_it_is_for() -> None:
    """Nothing of the lab needs the dashboards' builders at run time."""
    assert "nothing else in the lab imports this room" in (dashboards.__doc__ or "")
    for file in (ROOT / "lab").rglob("*.py"):
        if "dashboards" not in file.parts:
            assert "grafana_foundation_sdk" not in file.read_text("utf-8"), file
            assert "lab.dashboards" not in file.read_text("utf-8"), file
