"""docs/writing-a-scenario.md does what it says: its file grows step by step, and its experiment runs for real."""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from doc_pages import DOCS, ROOT, WRITTEN, blocks, copied, execute, run, untidy, write

sys.path.insert(0, str(ROOT / "tests" / "report"))

from fabricate import fabricate

from lab import metrics
from lab.catalogue import read
from lab.cli.console import run_data
from lab.errors import ScenarioError
from lab.record import Condition, read_run, write_record
from lab.verdict import judge

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

PAGE = DOCS / "writing-a-scenario.md"
STEPS = [block for block in blocks(PAGE) if block.kind in WRITTEN and block.words]
WHEREABOUTS = {"PYTHONPATH": str(ROOT)}


@pytest.mark.e2e
def test_the_page_works_from_top_to_bottom(tmp_path: Path) -> None:
    """Every command says what the page shows: what is planned, each mistake, and the verdict of the real run."""
    assert execute(PAGE, tmp_path, WHEREABOUTS, partial(on_a_free_machine, tmp_path)) == 7


OF_THE_MACHINE = {"host not saturated", "load on time"}  # conditions that a busy machine fails, whatever the page says


def on_a_free_machine(folder: Path, said: str) -> str:
    """What a run printed as JSON, with PASS for all that it could not judge since this machine was too busy."""
    begins = said.find('{\n  "scenario"')
    if begins < 0:
        return said
    found = json.loads(said[begins:])
    judgement = read_run(folder / found["path"]).record.judgement
    assert judgement
    unmet = {condition.name for condition in judgement.conditions if not condition.met}
    if not unmet or unmet - OF_THE_MACHINE:
        return said
    claims, kept = found["claims"], len(found["invariants"])
    found |= {"verdict": "PASS", "reasons": [f"{len(claims) - 1} of 5 claims held, {kept} of 2 invariants kept"]}
    found["claims"] = [claim | {"verdict": "PASS"} for claim in claims]
    return said[:begins] + json.dumps(found, indent=2)


@pytest.mark.parametrize(
    ("unmet", "verdict"),
    [([], "FAIL"), (["host not saturated"], "PASS"), (["host not saturated", "faults in force"], "FAIL")],
)
def test_only_a_busy_machine_is_an_excuse(tmp_path: Path, unmet: list[str], verdict: str) -> None:
    """A verdict counts as the page's where the machine alone was in its way; nothing else is forgiven."""
    path = fabricate(tmp_path).path
    run = read_run(path)
    conditions = [Condition(name, False, "not met") for name in unmet]
    write_record(path, replace(run.record, judgement=replace(judge(run), verdict="FAIL", conditions=conditions)))
    said = "a line\n" + json.dumps(run_data(read_run(path)), indent=2)
    assert f'"verdict": "{verdict}",\n  "reasons"' in on_a_free_machine(tmp_path, said)


def test_every_step_is_a_sound_scenario(tmp_path: Path) -> None:
    """After each step the catalogue reads the file; each mistake on the way is one that it finds, but the last."""
    claims: list[int] = []
    refused: list[str] = []
    for step in STEPS:
        file = tmp_path / step.name
        if step.mistake:
            before = file.read_text("utf-8")
            write(step, tmp_path)
            try:
                read(file.with_suffix(".py"))
            except ScenarioError as error:
                refused.append(str(error))
            file.write_text(before, "utf-8")
        else:
            write(step, tmp_path)
            claims.append(len(read(file.with_suffix(".py")).scenario.claims))
    assert claims == [2, 4, 6, 6, 6, 6, 6]
    assert len(refused) == len([step for step in STEPS if step.mistake]) - 1


def test_the_experiment_uses_every_word_of_a_scenario(tmp_path: Path) -> None:
    """What the page ends with leaves out nothing that a scenario can say."""
    for step in STEPS:
        if not step.mistake:
            write(step, tmp_path)
    scenario = read(tmp_path / STEPS[0].name).scenario
    said = {field for field in scenario.__dataclass_fields__ if getattr(scenario, field)}
    assert set(scenario.__dataclass_fields__) - said == {"services"}  # only for those that no link names


def test_the_page_is_as_tidy_as_the_code(tmp_path: Path) -> None:
    """What the page shows passes the project's linter and formatter at every step, and its types are sound."""
    copied(tmp_path, "pyproject.toml")
    assert untidy(PAGE, tmp_path) == ""
    checked = run(f"mypy --strict {STEPS[0].name}", tmp_path, {"MYPYPATH": str(ROOT)})
    assert checked.startswith("Success"), checked


def test_every_bound_is_explained(tmp_path: Path) -> None:
    """Each claim has a comment above it that says why its bound is where it is."""
    for step in STEPS:
        if not step.mistake:
            write(step, tmp_path)
    text = (tmp_path / STEPS[0].name).read_text("utf-8")
    lines = text.splitlines()
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    claims = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "Claim"]
    assert len(claims) == 6
    assert all(lines[claim.lineno - 2].strip().startswith("# ") for claim in claims)


def test_the_page_lists_every_metric() -> None:
    """The table of metrics is the whole of lab.metrics, and nothing else."""
    table = PAGE.read_text("utf-8").partition("## What a claim can measure")[2]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)", cell)}
    assert named == set(metrics.names())
