"""A file is replaced whole, and through no link."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.kit.files import open_to_all, put_in_place


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


def test_all_may_read_what_is_opened_and_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    """Folders with what is in them, programs to be run too; a link in a mounted folder opened a private key."""
    folder, key = tmp_path / "folder", tmp_path / "key"
    (folder / "in").mkdir(parents=True, mode=0o700)
    key.touch(0o600)
    (folder / "in" / "text").touch(0o600)
    (folder / "in" / "program").touch(0o700)
    (folder / "link").symlink_to(key)
    folder.chmod(0o700)
    open_to_all(folder)
    modes = {each.name: each.stat().st_mode & 0o777 for each in (folder, *folder.rglob("*"), key)}
    assert modes == {"folder": 0o755, "in": 0o755, "text": 0o644, "program": 0o755, "link": 0o600, "key": 0o600}
