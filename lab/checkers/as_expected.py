"""Every answer says what the one who asked had worked out beforehand, so that a quicker way is still a right one."""

from __future__ import annotations

import msgspec

from lab.checkers.history import Finding, History
from lab.record import Anomaly


def as_expected(history: History, operation: str = "") -> Finding:
    """
    Hold each acknowledged operation's answer against its `value`: a JSON object whose members the answer must have.

    The answer may have others too. The scenario sets `value` when it makes the request, with `keep_response`.
    Operations without a value, those that were not acknowledged, and, where `operation` names one kind, all others
    are not looked at; an answer that is no JSON object is a violation.
    """
    operations = history.of(operation)
    anomalies: list[Anomaly] = []
    checked = 0
    columns = (operations.n, operations.outcome, operations.value, operations.response)
    for n, outcome, value, response in zip(*columns, strict=True):
        if value is None or outcome != "ok":
            continue
        checked += 1
        expected, found = _object(value), _object(response)
        if not expected:
            return Finding("UNKNOWN", f"operation {n} expects {value!r}, which is no JSON object with a member")
        wrong = [name for name, asked in expected.items() if name not in found or found[name] != asked]
        if wrong:
            shown = f"{found[wrong[0]]!r}" if wrong[0] in found else "missing"
            anomalies.append(Anomaly(f"{wrong[0]} is {shown}, expected {expected[wrong[0]]!r}", [int(n)]))
    if not checked:
        return Finding("UNKNOWN", "no acknowledged operation says what answer it expects: nothing was checked")
    if anomalies:
        why = f"{len(anomalies):,} of {checked:,} answers are wrong: {anomalies[0].text}"
        return Finding("FAIL", why, checked, tuple(anomalies))
    return Finding("PASS", f"{checked:,} answers are as expected", checked)


def _object(text: str | None) -> dict[str, object]:
    try:
        return msgspec.json.decode(text or "", type=dict[str, object])
    except msgspec.DecodeError:
        return {}
