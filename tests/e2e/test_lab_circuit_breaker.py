"""The flagship, end to end: the real command, real processes, a real proxy, and what is done with a run afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from lab_runs import CIRCUIT_BREAKER, Done, lab

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
SCALE = "0.5"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run of this module goes."""
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def run(reports: Path) -> Done:
    """One honest run at half length."""
    return lab("run", "circuit-breaker", "--scale", SCALE, "--seed", "11", "--json", "--reports", reports)


def test_the_claims_hold(run: Done) -> None:
    """The control hurts, the breaker helps, and the verdict says so: exit 0."""
    assert run.code == 0, run.out + run.err
    assert run.data["verdict"] == "PASS"
    assert {claim["verdict"] for claim in run.data["claims"]} == {"PASS"}
    assert {invariant["verdict"] for invariant in run.data["invariants"]} == {"PASS"}


def test_the_record_holds_everything(run: Done) -> None:
    """Operations, probes, snapshots, series, profiles, logs, receipts: all there, in both variants."""
    folder = Path(run.data["path"])
    record = json.loads((folder / "record.json").read_text())
    assert [e["variant"] for e in record["episodes"]] == ["off", "on"]
    for episode in record["episodes"]:
        assert [(r["id"], r["dose"]["in_force"]) for r in episode["receipts"]] == [("blip#1", True), ("fault#1", True)]
        logs = {log.name for log in (folder / "logs" / f"1-{episode['variant']}").iterdir()}
        assert logs == {"exchange.log", "payments.log", "fault-proxy.log", "locust.log"}
        assert (folder / "logs" / f"1-{episode['variant']}" / "exchange.log").stat().st_size > 0
        assert all(0 < phase["hiccup_p99_ms"] <= phase["hiccup_max_ms"] for phase in episode["phases"])
        assert list((folder / "profiles" / f"1-{episode['variant']}").glob("exchange.*.folded"))
    for table in ("operations", "probes", "snapshots", "series"):
        assert (folder / f"{table}.parquet").stat().st_size > 0
    assert record["versions"]["Prometheus"]
    assert (folder.parent / "latest").resolve() == folder


def test_the_record_holds_the_events(run: Done) -> None:
    """Each move of the breaker as the exchange told it, first in the blip; faults as in the receipts."""
    record = json.loads((Path(run.data["path"]) / "record.json").read_text())
    off, on = record["episodes"]
    assert not [event for event in off["events"] if event["kind"] == "told"]
    moves = [event for event in on["events"] if event["kind"] == "told"]
    assert [event["facts"]["breaker"] for event in moves][:2] == ["open", "half-open"]
    assert moves[-1]["facts"] == {"peer": "payments", "breaker": "closed"}
    blip, fault = on["receipts"]
    assert blip["injected_s"] < moves[0]["at_s"] < blip["removed_s"]
    faults = [event["at_s"] for event in on["events"] if event["kind"] == "fault"]
    bounds = [receipt[name] for receipt in (blip, fault) for name in ("injected_s", "removed_s")]
    assert faults == [round(at_s, 3) for at_s in bounds]
    assert on["events"] == sorted(on["events"], key=lambda event: event["at_s"])


def test_the_report_is_there_in_three_forms(run: Done) -> None:
    """HTML within its budget, Markdown, JUnit, and the index of all."""
    folder = Path(run.data["path"])
    assert 100_000 < (folder / "index.html").stat().st_size <= 2_000_000
    assert "PASS" in (folder / "summary.md").read_text()
    assert "<testcase" in (folder / "junit.xml").read_text()
    assert "circuit-breaker" in (folder.parent.parent / "index.html").read_text()


def test_judging_again_offline_says_the_same(run: Done, reports: Path) -> None:
    """`lab judge` needs the record and nothing else."""
    again = lab("judge", run.data["path"], "--json", "--reports", reports)
    assert again.code == 0
    assert again.data["claims"] == run.data["claims"]


def test_a_report_can_be_written_again_offline(run: Done, reports: Path) -> None:
    """`lab report` draws the same run from its record."""
    page = Path(run.data["path"]) / "index.html"
    page.unlink()
    assert lab("report", "circuit-breaker", "--reports", reports).code == 0
    assert page.exists()


def test_an_edited_record_is_judged_by_what_it_says(run: Done, reports: Path, tmp_path: Path) -> None:
    """A bound made impossible in the record fails the run: the judge reads, and does not remember."""
    copy = tmp_path / "copy"
    shutil.copytree(run.data["path"], copy)
    record = json.loads((copy / "record.json").read_text())
    record["spec"]["claims"][1]["at_most"] = 0.0001
    (copy / "record.json").write_text(json.dumps(record))
    judged = lab("judge", copy, "--json", "--reports", reports)
    assert judged.code == 1
    assert "refusals are immediate" in judged.data["reasons"][0]


def test_runs_are_compared_side_by_side(run: Done, reports: Path) -> None:
    """`lab compare` sets the claims of two runs next to each other."""
    done = lab("compare", run.data["path"], run.data["path"], "--reports", reports)
    assert done.code == 0
    assert "refusals are immediate" in done.out


def test_the_catalogue_shows_a_short_run_beside_its_verdict(run: Done, reports: Path) -> None:
    """`lab list` tells how a run at half length ended; the verdict is that of a full one, and there is none."""
    assert run.code == 0
    listed = lab("list", "--runs", "--reports", reports)
    assert listed.code == 0
    assert "circuit-breaker" in listed.out
    assert "PASS" in listed.out
    assert run.data["run"] in listed.out
    [entry] = [e for e in json.loads(lab("list", "--json", "--reports", reports).out) if e["name"] == "circuit-breaker"]
    assert entry["last_verdict"] is None
    assert entry["last_run"]["verdict"] == "PASS"
    assert entry["file"] == str(CIRCUIT_BREAKER.relative_to(CIRCUIT_BREAKER.parents[2]))
