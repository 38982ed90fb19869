"""Only those anomalies happen that somebody has published to happen: the cells of a matrix, one measured each."""

from __future__ import annotations

from lab.checkers.history import Finding, History
from lab.record import Anomaly
from lab.record.matrix import cell_in, published_in, relation


def as_published(history: History, operation: str, source: str) -> Finding:
    """
    Hold each acknowledged answer of one kind of operation against what `source` publishes.

    The answer is JSON: `{"row": "postgres read committed", "column": "G1a", "prevented": "yes" | "read-only" | "no"}`.
    The operation's `value` is a JSON object that says, for each row, what is published of that column. An anomaly that
    happens though it is published as prevented is a violation. One that does not happen though it might is none, for a
    level allows anomalies and promises none: the server has become stronger, and the sentence and the matrix say where.
    """
    operations = history.of(operation)
    anomalies: list[Anomaly] = []
    stronger: dict[str, str] = {}
    cells: set[tuple[str, str]] = set()
    checked = 0
    columns = (operations.n, operations.outcome, operations.value, operations.response)
    for n, outcome, value, response in zip(*columns, strict=True):
        if outcome != "ok":
            continue
        cell, published = cell_in(response), published_in(value)
        if cell is None or cell.row not in published:
            what = "is no cell" if cell is None else f"is of {cell.row!r}, of which nothing is published"
            return Finding("UNKNOWN", f"the answer of operation {n} {what}")
        checked += 1
        cells.add((cell.row, cell.column))
        expected = published[cell.row]
        text = f"{cell.column}: prevented {cell.prevented}, published {expected}"
        how = relation(cell.prevented, expected)
        if how == "weaker":
            anomalies.append(Anomaly(text, [int(n)]))
        elif how == "stronger":
            stronger[cell.column] = text
    if not checked:
        return Finding("UNKNOWN", f"no {operation} was acknowledged: nothing was checked")
    if anomalies:
        why = f"{len(anomalies):,} of {checked:,} are weaker than {source} has it: {anomalies[0].text}"
        return Finding("FAIL", why, checked, tuple(anomalies))
    why = f"{len(cells)} cells, measured {checked:,} times, as {source} has it"
    return Finding("PASS", why + (f", or stronger ({'; '.join(stronger.values())})" if stronger else ""), checked)
