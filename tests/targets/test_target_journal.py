"""The journal: what was appended is there again after any crash, as far as somebody was told of it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from targets.kit.durable import ClosedFile
from targets.kit.journal import Journal


class Line(msgspec.Struct, frozen=True):
    """An entry."""

    text: str


@given(st.lists(st.builds(Line, st.text()), max_size=5), st.data())
def test_a_file_cut_anywhere_holds_the_whole_lines_before_the_cut(lines: list[Line], data: st.DataObject) -> None:
    """A crash in the middle of a line costs that line alone, and the next one is appended behind the last whole one."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "below" / "lines"
        journal = Journal(path, Line)
        sizes = [0]
        for line in lines:
            journal.append(line)
            sizes.append(path.stat().st_size)
        journal.close()
        cut = data.draw(st.integers(0, sizes[-1]))
        with path.open("r+b") as file:
            file.truncate(cut)
        again = Journal(path, Line)
        whole = lines[: sum(size <= cut for size in sizes[1:])]
        assert again.entries == whole
        again.append(Line("next"))
        again.close()
        once_more = Journal(path, Line)
        assert once_more.entries == [*whole, Line("next")]
        once_more.close()


def test_what_no_crash_leaves_behind_is_an_error(tmp_path: Path) -> None:
    """A whole line that is no entry is not skipped: something else has written to the file."""
    (tmp_path / "lines").write_text('{"text": "a"}\n{"text": 1}\n')
    with pytest.raises(msgspec.DecodeError):
        Journal(tmp_path / "lines", Line)


def test_after_close_nothing_is_kept(tmp_path: Path) -> None:
    """An entry that comes after the close is refused, and not written to whatever has the file's number by then."""
    journal = Journal(tmp_path / "lines", Line)
    journal.append(Line("a"))
    journal.close()
    with (tmp_path / "other").open("wb"), pytest.raises(ClosedFile):
        journal.append(Line("b"))
    journal.close()
    assert (tmp_path / "other").read_bytes() == b""
    assert journal.entries == [Line("a")]
