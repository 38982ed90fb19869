"""A file is replaced whole, and through no link."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.files import put_in_place


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """Writing leaves the file and no draft of it, with the rights that a new file has."""
    file = tmp_path / "a.txt"
    put_in_place(file, "one")
    put_in_place(file, b"two\xff")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert file.read_bytes() == b"two\xff"
    (tmp_path / "plain").touch()
    assert file.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_cannot_be_put_there_leaves_no_draft(tmp_path: Path) -> None:
    """A folder is in its place."""
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError, match=r"a\.txt"):
        put_in_place(tmp_path / "a.txt", "one")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_no_link_is_written_through(tmp_path: Path) -> None:
    """Neither one at the file's own name nor one at a name that a draft once had."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in ("summary.md", "summary.md.new", ".summary.md"):
        (tmp_path / name).symlink_to(precious)
    put_in_place(tmp_path / "summary.md", "theirs")
    assert precious.read_text() == "mine"
    assert (tmp_path / "summary.md").read_text() == "theirs"
    assert not (tmp_path / "summary.md").is_symlink()
