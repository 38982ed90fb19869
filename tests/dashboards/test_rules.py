"""The rules in dashboards/rules are sound, tested, and hold together."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.observe.promql import metrics_in
from lab.runtime.tools import Tools

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

RULES = Path(__file__).resolve().parents[2] / "dashboards" / "rules"
FILES = sorted(RULES.glob("*.yml"))
IDS = [file.stem for file in FILES]


def promtool(*words: str | Path, cwd: Path = RULES) -> tuple[int, str]:
    """Exit code and words of promtool."""
    program = Tools().need("promtool")["promtool"]
    done = subprocess.run([program.path, *words], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def rules(file: Path) -> list[dict[str, Any]]:
    """All rules of a file."""
    return [rule for group in yaml.safe_load(file.read_text("utf-8"))["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_promtool_takes_the_rules(file: Path) -> None:
    """Each file is what Prometheus can load."""
    code, said = promtool("check", "rules", file)
    assert code == 0, said


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_each_alert_fires_when_it_must_and_not_when_it_must_not(file: Path) -> None:
    """Every rule file has its unit tests, and every alert of it is seen to fire and seen to be quiet there."""
    files = sorted((RULES / "tests").glob(f"{file.stem}*.yml"))
    code, said = promtool("test", "rules", *files)
    assert code == 0, said
    tests = [test for each in files for test in yaml.safe_load(each.read_text("utf-8"))["tests"]]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    for alert in (rule["alert"] for rule in rules(file) if "alert" in rule):
        fires = [bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert]
        assert any(fires), f"{alert} is never seen to fire"
        assert not all(fires), f"{alert} is never seen to be quiet"


@pytest.mark.parametrize(
    ("was", "spoilt"),
    [("> 14.4 * 0.001", "> 144 * 0.001"), ("and slo:", "or slo:"), ('le="0.25"', 'le="10"'), ('"5.."', '"4.."')],
)
def test_the_unit_tests_notice_a_rule_that_was_spoilt(was: str, spoilt: str, tmp_path: Path) -> None:
    """A wrong threshold, windows of which one suffices, another bound, another class of status: each is caught."""
    shutil.copytree(RULES, tmp_path / "rules")
    file = tmp_path / "rules" / "slo-lab.yml"
    text = file.read_text("utf-8")
    assert was in text
    file.write_text(text.replace(was, spoilt), "utf-8")
    code, said = promtool("test", "rules", "tests/slo-lab.yml", cwd=tmp_path / "rules")
    assert (code, "FAILED" in said) == (1, True), said


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_an_alert_says_which_windows_it_looks_at(file: Path) -> None:
    """Its labels `long` and `short` are the two windows it asks for, and both are recorded in the same file."""
    recorded = {rule["record"] for rule in rules(file) if "record" in rule}
    for rule in rules(file):
        if "alert" in rule:
            windows = {f"slo:errors_per_request:ratio_rate{rule['labels'][word]}" for word in ("long", "short")}
            assert metrics_in(rule["expr"]) == windows <= recorded, rule["alert"]
            assert rule["labels"]["scale"] == file.stem.removeprefix("slo-")
        else:
            assert set(re.findall(r"\[(\w+)\]", rule["expr"])) == {rule["record"].rpartition("ratio_rate")[2]}


def test_a_burn_rate_spends_what_the_page_says() -> None:
    """Burn rate times the long window is the share of a 30-day budget that an alert lets go by: 2, 5, 10, 10 %."""
    hours = {"h": 1, "d": 24}
    spent = []
    for rule in rules(RULES / "slo-production.yml"):
        if "alert" in rule:
            long = rule["labels"]["long"]
            (rate,) = set(re.findall(r"> ([\d.]+) \*", rule["expr"]))
            spent.append(round(float(rate) * int(long[:-1]) * hours[long[-1]] / (30 * 24) * 100))
    assert spent == [2, 5, 10, 10]
