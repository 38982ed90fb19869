"""Only those anomalies happen that are published to happen: the cells of a matrix, one measured each."""

from __future__ import annotations

from collections import Counter

from lab.checkers._played import verdict
from lab.checkers.history import Finding, History
from lab.record import Anomaly
from lab.record.matrix import cell_in, published_in, relation


def as_published(history: History, operation: str, source: str, least: int = 1) -> Finding:
    """
    Hold each acknowledged answer of one kind of operation against what `source` publishes.

    The answer is JSON: `{"row": "postgres read committed", "column": "G1a", "prevented": "yes" | "read-only" | "no"}`.
    The operation's `value` is a JSON object that says, for each row, what is published of that column; its `key` is the
    column. An anomaly that happens though it is published as prevented is a violation. One that does not happen though
    it might is none, for a level allows anomalies and promises none: the server has become stronger, and the sentence
    and the matrix say where.

    Must have seen: `least` answers for each column that was asked for (of an operation without a `key`, for each
    different `value`).
    """
    operations = history.of(operation)
    anomalies: list[Anomaly] = []
    stronger: dict[str, str] = {}
    cells: set[tuple[str, str]] = set()
    asked: Counter[str] = Counter()
    unreadable = ""
    columns = (operations.n, operations.outcome, operations.key, operations.value, operations.response)
    for n, outcome, key, value, response in zip(*columns, strict=True):
        wanted = str(key) if key is not None else f"the one published as {value}"
        asked[wanted] += 0
        if outcome != "ok":
            continue
        cell, published = cell_in(response), published_in(value)
        if cell is None or cell.row not in published:
            what = "is no cell" if cell is None else f"is of {cell.row!r}, of which nothing is published"
            shown = "" if cell else f" ({response!r:.200})"
            unreadable = unreadable or f"the answer of operation {n} {what}{shown}"
            continue
        asked[wanted] += 1
        cells.add((cell.row, cell.column))
        expected = published[cell.row]
        text = f"{cell.column}: prevented {cell.prevented}, published {expected}"
        how = relation(cell.prevented, expected)
        if how == "weaker":
            anomalies.append(Anomaly(text, [int(n)]))
        elif how == "stronger":
            stronger[cell.column] = text
    checked = asked.total()
    unplayed = [f"{name} ({count} of {least})" if least > 1 else name for name, count in asked.items() if count < least]
    missing = f"not played: {', '.join(unplayed)}; {len(cells)} cells were" if unplayed else ""
    held = f"{len(cells)} cells, measured {checked:,} times, as {source} has it"
    return verdict(
        anomalies,
        f"{len(anomalies):,} of {checked:,} are weaker than {source} has it",
        [unreadable, missing, "" if checked else f"no {operation} was acknowledged: nothing was checked"],
        held + (f", or stronger ({'; '.join(stronger.values())})" if stronger else ""),
        checked,
    )
