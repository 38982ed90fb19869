"""A matrix measured against a published one, cell by cell, and how each cell was measured, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.record import InvariantResult, InvariantSpec
from lab.record.matrix import Cell, Prevented, Relation, cell_in, published_in, relation
from lab.report.view import View

TITLE = "Matrix"
CHECK = "as_published"


@dataclass(frozen=True)
class Square:
    """A cell as it is drawn: the weakest of its measurements, and how many there were."""

    prevented: Prevented
    published: Prevented
    relation: Relation
    times: int
    steady: bool
    cell: Cell


@dataclass(frozen=True)
class Row:
    """One variant: its squares by column, and what its other invariants found under load."""

    variant: str
    name: str
    squares: dict[str, Square]
    counts: Sequence[InvariantResult | None]


@dataclass(frozen=True)
class Line:
    """One step of a script, and what came of it in each row that has it."""

    by: str
    said: str
    answers: Sequence[str]


@dataclass(frozen=True)
class Transcript:
    """One script in all rows."""

    title: str
    lines: Sequence[Line]
    after: Sequence[str]
    happened: Sequence[bool]


@dataclass(frozen=True)
class Column:
    """One column, and the scripts that measure it."""

    name: str
    title: str
    transcripts: Sequence[Transcript]


@dataclass(frozen=True)
class Data:
    """The matrix; `others` are the texts of the invariants that are counted beside it."""

    source: str
    rows: Sequence[Row]
    columns: Sequence[Column]
    others: Sequence[str]
    differing: Sequence[tuple[str, str, Square]]


def build(view: View) -> Data | None:
    """None where no invariant holds a matrix against a published one."""
    asked = next((each for each in view.spec.invariants if each.check == CHECK), None)
    if asked is None:
        return None
    others = [each for each in view.spec.invariants if each.check != CHECK]
    rows = [row for variant in view.variants if (row := _row(view, variant, asked, others)) is not None]
    if not rows:
        return None
    names = dict.fromkeys(name for row in rows for name in row.squares)
    return Data(
        source=str(asked.args["source"]),
        rows=rows,
        columns=[_column(name, rows) for name in names],
        others=[each.text for each in others],
        differing=[
            (row.name, name, square)
            for row in rows
            for name, square in row.squares.items()
            if square.relation != "as published"
        ],
    )


def _row(view: View, variant: str, asked: InvariantSpec, others: Sequence[InvariantSpec]) -> Row | None:
    operations = view.run.operations(variant, view.trial)
    operations = operations.where(operations.being("operation", str(asked.args["operation"])) & operations.ok)
    squares: dict[str, Square] = {}
    name = ""
    for value, response in zip(operations.value, operations.response, strict=True):
        cell, published = cell_in(response), published_in(value)
        if cell is None or cell.row not in published:
            continue
        name = cell.row
        squares[cell.column] = _with(squares.get(cell.column), cell, published[cell.row])
    results = view.judgement.invariants if view.judgement else []
    counts = [next((r for r in results if r.variant == variant and r.invariant == other), None) for other in others]
    return Row(variant, name, squares, counts) if squares else None


def _with(square: Square | None, cell: Cell, published: Prevented) -> Square:
    """The square with one more measurement; the weaker one is shown, since that one must be explained."""
    how = relation(cell.prevented, published)
    if square is None:
        return Square(cell.prevented, published, how, 1, True, cell)
    shown = cell if relation(cell.prevented, square.prevented) == "weaker" else square.cell
    return Square(
        shown.prevented,
        published,
        relation(shown.prevented, published),
        square.times + 1,
        square.steady and cell.prevented == square.prevented,
        shown,
    )


def _column(name: str, rows: Sequence[Row]) -> Column:
    cells = [row.squares[name].cell for row in rows if name in row.squares]
    scripts = zip(*(cell.scripts for cell in cells), strict=False)
    transcripts = [
        Transcript(
            title=played[0].title,
            lines=[
                Line(steps[0][0], steps[0][1], [answer for _, _, answer in steps])
                for steps in zip(*(script.steps for script in played), strict=False)
            ],
            after=[script.after for script in played],
            happened=[script.happened for script in played],
        )
        for played in scripts
    ]
    return Column(name, cells[0].title, transcripts)
