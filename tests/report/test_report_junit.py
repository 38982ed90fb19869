from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest
from reported import NASTY, Reported

from lab.record import Run
from lab.report.junit import junit

pytestmark = pytest.mark.e2e

RunOf = Callable[[str], Run]


def cases(run: Run) -> dict[str, ET.Element]:
    """Test cases by name."""
    return {case.attrib["name"]: case for case in ET.fromstring(junit(run)).iter("testcase")}


def test_every_check_is_a_test_case(run_of: RunOf) -> None:
    """Conditions, claims and invariants are all there, and the counts are those of the elements."""
    run = run_of("pass")
    judged = run.record.judgement
    assert judged is not None
    suite = ET.fromstring(junit(run))
    expected = len(judged.conditions) + len(judged.claims) + len(judged.invariants)
    assert suite.attrib["tests"] == str(expected) == str(len(list(suite.iter("testcase"))))
    assert (suite.attrib["failures"], suite.attrib["errors"], suite.attrib["skipped"]) == ("0", "0", "0")
    assert "refusals are immediate (on, fault, p90_ms ≤ 50 ms)" in cases(run)


def test_fail_is_a_failure_and_unknown_an_error(run_of: RunOf) -> None:
    """Nothing that could not be judged looks like a pass, or like a test that somebody chose to skip."""
    failed = ET.fromstring(junit(run_of("nasty")))
    assert int(failed.attrib["failures"]) == len(list(failed.iter("failure"))) > 0
    assert int(failed.attrib["errors"]) == len(list(failed.iter("error")))
    unknown = cases(run_of("unknown"))
    error = unknown["faults in force"].find("error")
    assert error is not None
    assert error.attrib["message"].startswith("UNKNOWN: the fault was not in force")
    assert not list(ET.fromstring(junit(run_of("unknown"))).iter("skipped"))


def test_anomalies_stand_in_the_failure(run_of: RunOf) -> None:
    """Who reads the failure in a build log sees what was violated."""
    failures = [failure.text or "" for failure in ET.fromstring(junit(run_of("nasty"))).iter("failure")]
    assert "trade-1 took effect 2 times" in failures[-1]


def test_hostile_text_stays_text(report_of: Callable[[str], Reported]) -> None:
    """Markup in a claim is escaped, and characters that XML cannot hold are replaced."""
    report = report_of("nasty")
    text = (report.run.path / "junit.xml").read_text("utf-8")
    assert "<script" not in text
    assert any(NASTY in name for name in cases(report.run))
    spec = replace(report.run.record.spec, name="a\x00b\x1b\ud800c")
    ET.fromstring(junit(replace(report.run, record=replace(report.run.record, spec=spec))))


def test_a_run_without_a_judgement_is_one_error(run_of: RunOf) -> None:
    """A run that was never judged does not pass."""
    bare = replace(run_of("pass"), record=replace(run_of("pass").record, judgement=None))
    suite = ET.fromstring(junit(bare))
    assert (suite.attrib["tests"], suite.attrib["errors"]) == ("1", "1")
