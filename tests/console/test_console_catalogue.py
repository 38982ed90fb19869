"""What the terminal shows of the catalogue and the machine, at any width, and the same as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from console_runs import RECIPES
from report.fabricate import fabricate
from rich.cells import cell_len

from lab.catalogue import find
from lab.catalogue.knobs import Knob
from lab.cli import console
from lab.errors import LabError
from lab.kit import screen
from lab.record import Judgement, Run, write_record
from lab.run.doctor import Finding

# --- the catalogue ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [30, 80, 120])
def test_the_catalogue(made: dict[str, Run], reports: Path, screen: Callable[..., str], width: int) -> None:
    """Chapter, section, name, question and last verdict; with the runs where they are asked for."""
    entries = [find("circuit-breaker")]
    text = screen(lambda: console.catalogue(entries, reports, True), width=width)
    flat = " ".join(text.split())
    assert "7.6.1.3" in text
    assert "circuit-breaker" in text
    assert "? UNKNOWN" in text
    for run in made.values():
        assert run.record.run in flat
    assert "make scenario NAME=circuit-breaker" in flat
    assert max(map(cell_len, text.splitlines())) <= width
    assert "not run yet" in screen(lambda: console.catalogue(entries, reports / "elsewhere", False))


def test_damaged_runs_do_not_hide_the_catalogue(tmp_path: Path, screen: Callable[..., str]) -> None:
    """The last verdict is that of the last run that can be read, and the damaged one is called so."""
    run = fabricate(tmp_path, RECIPES["sound"])
    damaged = run.path.parent / "2027"
    write_record(damaged, run.record)
    (damaged / "record.json").write_text("{")
    bare = run.path.parent / "2028"
    write_record(bare, replace(run.record, judgement=None))
    entries = [find("circuit-breaker")]
    text = screen(lambda: console.catalogue(entries, tmp_path, True))
    assert "2027 (damaged)" in text
    assert "2028  - not judged" in text or "2028  not judged" in text
    [data] = console.catalogue_data(entries, tmp_path, True)
    assert data["last_verdict"] == "PASS"
    assert len(data["runs"]) == 3


@pytest.mark.parametrize("width", [30, 80, 120])
def test_an_experiment_before_it_runs(screen: Callable[..., str], width: int) -> None:
    """Question, topology, timeline, variants, claims, and how long it takes."""
    spec = find("circuit-breaker").spec()
    knob = Knob("on:exchange.BREAKER_OPEN_S", "a number", "5", ("on",), lambda scenario, text: scenario)
    text = screen(lambda: console.show(spec, [knob]), width=width)
    flat = " ".join(text.split())
    for part in (
        "load -> exchange", "exchange -> (link) -> payments", "broken in blip, fault", "baseline", "payments silent",
        "off (control)", "BREAKER=off", "p90_ms", "at most 50 ms", "exactly_once", "= 1 min 40 s",
        "make scenario NAME=circuit-breaker", "value", "SET=on:exchange.BREAKER_OPEN_S",
        "(control: must hurt)", spec.question,
    ):  # fmt: skip
        assert (part in flat) if width >= 80 else all(word in flat for word in part.split()), part
    assert max(cell_len(line) for line in text.splitlines() if "/" not in line) <= width
    broken = replace(spec, invariants=[replace(spec.invariants[0], broken_in=["off"])])
    assert "to be broken in off" in " ".join(screen(lambda: console.show(broken), width=120).split())


# --- the doctor -------------------------------------------------------------------------------------------------

PYTHON = Finding("Python", True, "3.11.7 (/usr/bin/python3)", "everything", "install it", needed=True)
DOCKER = Finding("Docker", False, "not on PATH", "the compose runtime", "https://docs.docker.com/")
CORES = Finding("cores", False, "1: too few", "load and services", "2 or more", needed=True)


def test_the_doctor_tells_what_is_missing_and_how_to_get_it(screen: Callable[..., str]) -> None:
    """What is there takes a line; what is missing says what for and what to do; at the end whether it matters."""
    text = screen(lambda: console.findings([PYTHON, DOCKER]))
    assert "✓ Python  3.11.7 (/usr/bin/python3)" in text
    assert "- Docker  not on PATH" in text
    assert "remedy: https://docs.docker.com/" in text
    assert "for: the compose runtime" in text
    assert "for: everything" not in text
    assert "✓ Experiments can run here. Not here, and only needed for some things: Docker." in text.replace("\n", " ")


def test_the_doctor_says_when_nothing_can_run(screen: Callable[..., str]) -> None:
    """A needed part that is missing is named again in the last sentence."""
    text = " ".join(screen(lambda: console.findings([PYTHON, CORES])).split())
    assert "✗ cores 1: too few" in text
    assert "✗ cores needs mending before experiments can be trusted." in text
    assert "need mending" in screen(lambda: console.findings([CORES, replace(CORES, name="clock")]))


def test_a_wide_terminal_shows_what_everything_is_for(screen: Callable[..., str]) -> None:
    """From 110 columns on the purpose stands beside."""
    text = screen(lambda: console.findings([PYTHON, DOCKER]), width=120)
    assert re.search(r"✓ Python +3\.11\.7 \(/usr/bin/python3\) +everything", text)
    assert re.search(r"- Docker +not on PATH +the compose runtime", text)


# --- for machines -----------------------------------------------------------------------------------------------


def test_a_run_as_data(made: dict[str, Run]) -> None:
    """Everything that the table shows, in numbers with their units, and JSON takes it."""
    data = json.loads(json.dumps(console.run_data(made["trials"])))
    assert (data["verdict"], data["trials"], data["seed"]) == ("PASS", 3, 7)
    claim = next(claim for claim in data["claims"] if claim["interval"])
    assert claim["interval"]["low"] <= claim["value"] <= claim["interval"]["high"]
    assert any(claim["unit"] == "x off" for claim in data["claims"])
    assert data["report"].endswith("index.html")
    bare = replace(made["sound"], record=replace(made["sound"].record, judgement=None))
    assert console.run_data(bare)["verdict"] is None


def test_findings_and_experiments_as_data() -> None:
    """What the terminal shows is there for a machine too."""
    assert console.findings_data([DOCKER])[0]["remedy"] == "https://docs.docker.com/"
    assert json.loads(console.spec_json(find("circuit-breaker").spec()))["name"] == "circuit-breaker"


def test_standard_output_is_looked_at_when_something_is_shown(
    made: dict[str, Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """COLUMNS decides in a pipe."""
    monkeypatch.setenv("COLUMNS", "70")
    assert screen.console().width == 70
    console.verdict(made["sound"])
    assert max(map(cell_len, capsys.readouterr().out.splitlines())) <= 70


def test_a_judgement_is_whole(made: dict[str, Run]) -> None:
    """The runs above are what their names say."""
    verdicts = {name: run.record.judgement for name, run in made.items()}
    assert all(isinstance(judgement, Judgement) for judgement in verdicts.values())
    assert {name: j.verdict for name, j in verdicts.items() if j} == {
        "sound": "PASS", "again": "PASS", "ignored": "FAIL", "no fault": "UNKNOWN", "trials": "PASS", "cut": "UNKNOWN",
    }  # fmt: skip


def test_a_section_of_the_handbook(screen: Callable[..., str], tmp_path: Path) -> None:
    """Its title, its text, and the experiments of it and of the sections below; a number that is none is told."""
    entries = [find("circuit-breaker"), find("retry-storm"), find("cache-stampede")]
    whole = screen(lambda: console.section("7.6.1", entries, tmp_path))
    assert "Fault Tolerance Strategies" in whole
    assert "metastable" in whole
    assert "retry-storm" in whole
    assert "circuit-breaker" in whole
    assert "cache-stampede" not in whole
    assert "No experiment serves 7.5.2 yet" in screen(lambda: console.section("7.5.2", entries, tmp_path))
    data = console.section_data("7.6.1", entries, tmp_path)
    assert [each["name"] for each in data["experiments"]] == ["circuit-breaker", "retry-storm"]
    assert "metastable" in " ".join(data["text"])
    with pytest.raises(LabError, match=r"the handbook has no section 7\.6\.9; did you mean 7\.6"):
        console.section("7.6.9", entries, tmp_path)
