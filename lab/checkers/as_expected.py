"""Every answer says what its caller had worked out beforehand, so that a quicker way is still a right one."""

from __future__ import annotations

import msgspec

from lab.checkers._played import ENOUGH, too_little, verdict
from lab.checkers.history import Finding, History
from lab.record import Anomaly
from lab.record.values import text_of


def as_expected(history: History, operation: str = "", played_in: str = "", least: int = ENOUGH) -> Finding:
    """
    Hold each acknowledged operation's answer against its `value`: a JSON object whose members the answer must have.

    The answer may have others too, and may write a value in another way (1.0 for 1, see `lab.record.values`). The
    scenario sets `value` when it makes the request, with `keep_response`. Operations without a value, those that were
    not acknowledged, and, where `operation` names one kind, all others are not looked at; an answer that is no JSON
    object is a violation.

    Must have seen: `least` acknowledged operations with a value that can be read, in each phase of `played_in` too.
    """
    operations = history.of(operation)
    anomalies: list[Anomaly] = []
    phases: list[str] = []
    unreadable = ""
    columns = (operations.n, operations.outcome, operations.value, operations.response, operations.phase)
    for n, outcome, value, response, phase in zip(*columns, strict=True):
        if value is None or outcome != "ok":
            continue
        expected, found = _object(value), _object(response)
        if not expected:
            unreadable = unreadable or f"operation {n} expects {value!r}, which is no JSON object with a member"
            continue
        phases.append(phase)
        wrong = [
            name for name, asked in expected.items() if name not in found or text_of(found[name]) != text_of(asked)
        ]
        if wrong:
            shown = f"{found[wrong[0]]!r}" if wrong[0] in found else "missing"
            anomalies.append(Anomaly(f"{wrong[0]} is {shown}, expected {expected[wrong[0]]!r}", [int(n)]))
    checked = len(phases)
    what = f"acknowledged {operation or 'operations'} say what answer they expect"
    return verdict(
        anomalies,
        f"{len(anomalies):,} of {checked:,} answers are wrong",
        [unreadable, too_little(phases, what, least, played_in)],
        f"{checked:,} answers are as expected",
        checked,
    )


def _object(text: str | None) -> dict[str, object]:
    try:
        return msgspec.json.decode(text or "", type=dict[str, object])
    except msgspec.DecodeError:
        return {}
