"""
The verdicts as JUnit XML: a test case for every condition, claim and invariant.

FAIL is a `failure`. UNKNOWN is an `error`, not `skipped`: the check could not be made, and continuous-integration
servers show skipped tests as harmless, while nothing here may pass unmeasured.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

from lab.record import Run, Verdict
from lab.report.numbers import bound

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # not XML 1.0, escaped or not


def junit(run: Run) -> str:
    """The run as one test suite."""
    record, spec = run.record, run.record.spec
    took_s = record.finished_epoch_s - record.started_epoch_s
    suite = ET.Element("testsuite", name=_clean(spec.name), time=f"{took_s:.3f}", timestamp=_when(run))
    properties = ET.SubElement(suite, "properties")
    facts = [("run", record.run), ("seed", record.seed), ("trials", record.trials), ("scale", record.scale)]
    for name, value in [*facts, *(("turned", f"{each.knob}={each.value}") for each in record.turned)]:
        ET.SubElement(properties, "property", name=name, value=_clean(str(value)))
    judged = record.judgement
    if judged is None:
        _case(suite, spec.name, "judged", "UNKNOWN", "this run was recorded and never judged")
    else:
        for condition in judged.conditions:
            _case(
                suite, f"{spec.name}.conditions", condition.name, "PASS" if condition.met else "UNKNOWN", condition.text
            )
        for claim in judged.claims:
            where = f"{claim.claim.variant}, {claim.claim.phase}, {claim.claim.metric.name} {bound(claim.claim)}"
            _case(suite, f"{spec.name}.claims", f"{claim.claim.text} ({where})", claim.verdict, claim.why)
        for result in judged.invariants:
            name = f"{result.invariant.text} ({result.variant})"
            details = "\n".join([result.why, *(anomaly.text for anomaly in result.anomalies)])
            _case(suite, f"{spec.name}.invariants", name, result.verdict, details)
    for attribute, tag in (("tests", "testcase"), ("failures", ".//failure"), ("errors", ".//error")):
        suite.set(attribute, str(len(suite.findall(tag))))
    suite.set("skipped", "0")
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _case(suite: ET.Element, group: str, name: str, verdict: Verdict, why: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=_clean(group), name=_clean(name), time="0")
    if verdict == "PASS":
        ET.SubElement(case, "system-out").text = _clean(why)
        return
    tag, kind = ("failure", "FAIL") if verdict == "FAIL" else ("error", "UNKNOWN")
    first = why.partition("\n")[0]
    ET.SubElement(case, tag, message=_clean(f"{kind}: {first}"), type=kind).text = _clean(why)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _when(run: Run) -> str:
    return datetime.fromtimestamp(run.record.started_epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
