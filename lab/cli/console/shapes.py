"""Tables, marks and links for any terminal: wide, narrow, without colours, or none at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

SHORT = 12  # columns that a mark or a number takes at most; more stands on a line of its own
NARROW = 64  # columns; below this a row is a paragraph and not a line of a table
STYLES = {"PASS": "bold green", "FAIL": "bold red", "UNKNOWN": "bold yellow", "BROKEN": "bold red"}
MARKS = {"PASS": "✓", "FAIL": "✗", "UNKNOWN": "?", "BROKEN": "!"}
Cell = Text | str


def put(to: Console, *things: RenderableType, whole_lines: bool = False) -> None:
    """Print things, one below the other, without the blanks that tables leave at the ends of lines.

    `whole_lines`: no line is broken, for what somebody copies or greps.
    """
    with to.capture() as captured:
        for thing in things:
            to.print(thing, soft_wrap=whole_lines)
    to.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    to.file.flush()


def mark(verdict: str) -> Text:
    """A verdict in colour and with a sign of its own, since colour alone does not reach everybody."""
    return Text(f"{MARKS.get(verdict, '-')} {verdict}", style=STYLES.get(verdict, "dim"))


def dim(text: str) -> Text:
    """What is read second."""
    return Text(text, style="dim")


def lines(*cells: Cell | None) -> Text:
    """A cell of several lines; None leaves one out."""
    return Text("\n").join([Text(cell) if isinstance(cell, str) else cell for cell in cells if cell is not None])


def link(path: Path, shown: str) -> Text:
    """A path that a terminal which knows hyperlinks (OSC 8) opens at a click; plain text elsewhere."""
    return Text(shown, Style(link=path.absolute().as_uri()))


def table(
    to: Console, heads: Sequence[str], rows: Sequence[Sequence[Cell]], fixed: Sequence[int] = (), needs: int = NARROW
) -> RenderableType:
    """Rows below heads, words kept whole; in a terminal with fewer columns than it `needs` a paragraph for each row.

    `fixed` are columns (from 0) that do not wrap; the others share what is left.
    """
    if to.width < needs:
        return _paragraphs(heads, rows)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
    for number, head in enumerate(heads):
        made.add_column(head, no_wrap=number in fixed, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def _paragraphs(heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> RenderableType:
    """The second cell beside the first, or below it where the first is long; the others below, each with its head."""
    beside = max((cell_len(line) for row in rows for line in str(row[0]).splitlines()), default=0) <= SHORT
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=beside, overflow="fold")
    made.add_column(overflow="fold")
    for row in rows:
        told = [
            Text.assemble((f"{head} ", "dim"), cell) for head, cell in zip(heads[2:], row[2:], strict=True) if str(cell)
        ]
        if beside:
            made.add_row(row[0], lines(row[1], *told))
        else:
            told.insert(0, Text.assemble((f"{heads[1]} ", "dim"), row[1]))
            made.add_row(lines(row[0], *(Text("  ").append_text(each) for each in told)))
    return made


def list_of(rows: Sequence[Sequence[Cell]], indent: int = 0) -> RenderableType:
    """Names and what is to be said of each, which hangs beside the name."""
    made = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(max((len(row) for row in rows), default=1)):
        made.add_column(overflow="fold")
    for row in rows:
        made.add_row(*row)
    return Padding(made, (0, 0, 0, indent))
