"""The disk's books: whatever is done and synced in whatever order, a power loss leaves what was synced, and no more."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model import FOLDERS, Both, on_disk

from lab.disk.cut import cut_power
from lab.disk.names import Names
from lab.disk.pages import Pages
from lab.disk.store import FILES, KEEP_SIZE, PUNCH_HOLE, Store

PATHS = st.sampled_from(["/a", "/b", "/d/a", "/d/b"])
OFFSETS = st.integers(0, 3 * 4096)
DATA = st.builds(lambda byte, length: bytes([byte]) * length, st.integers(1, 255), st.integers(1, 5000))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), PATHS),
        st.tuples(st.just("write"), PATHS, OFFSETS, DATA, st.booleans()),
        st.tuples(st.just("truncate"), PATHS, OFFSETS),
        st.tuples(st.just("fsync"), PATHS),
        st.tuples(st.just("fsync_folder"), st.sampled_from(FOLDERS)),
        st.tuples(st.just("rename"), PATHS, PATHS),
        st.tuples(st.just("link"), PATHS, PATHS),
        st.tuples(st.just("unlink"), PATHS),
        st.tuples(st.just("cut")),
    ),
    max_size=40,
)


@given(STEPS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_it_keeps_what_was_synced_and_nothing_else(steps: list[tuple]) -> None:
    """Random operations on the store and on a model of it; strict, so that each name needs its folder's fsync."""
    with TemporaryDirectory() as home:
        both = Both(Path(home))
        for name, *words in [*steps, ("cut",)]:
            getattr(both, name)(*words)
            both.check()
        assert not list((Path(home) / "gone").iterdir())


TRIED = [
    ("make", "/a"), ("write", "/a", 0, b"old" * 2000, False), ("fsync", "/a"), ("fsync_folder", ""),
    ("write", "/a", 100, b"new" * 3000, False), ("make", "/b"), ("rename", "/b", "/d/b"), ("cut",),
    ("make", "/b"), ("write", "/b", 0, b"b", False), ("fsync", "/b"), ("fsync_folder", ""), ("rename", "/b", "/a"),
    ("cut",),
]  # fmt: skip


def _play_tried(home: Path) -> None:
    both = Both(home)
    for name, *words in TRIED:
        getattr(both, name)(*words)
        both.check()


def test_what_the_mutants_are_tried_with_is_right(tmp_path: Path) -> None:
    """Without a mutant the steps below agree with the model."""
    _play_tried(tmp_path)


MUTANTS = {
    "an fsync that forgets nothing": (Pages, "synced", lambda self, begun: None),
    "an undo that skips lengths": (
        Pages,
        "undo",
        lambda self, truncate, write, _undo=Pages.undo: _undo(self, lambda length: None, write),
    ),
    "renames kept": (Names, "durable", lambda self: {}),
    "pages kept": (Pages, "undo", lambda self, truncate, write: None),
    "a cut that keeps the old pages for the next": (Pages, "before_write", lambda self, *words: None),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_caught(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is broken in a way that one could get wrong disagrees with the model."""
    where, method, broken = MUTANTS[name]
    monkeypatch.setattr(where, method, broken)
    with pytest.raises((AssertionError, OSError)):
        _play_tried(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One that grants ext4's habits."""
    return Store(tmp_path)


def _put(store: Store, path: str, data: bytes, sync: bool = True) -> None:
    handle = store.open(path, os.O_RDWR, 0o600)
    store.write(handle, data, 0)
    store.close(handle)
    if sync:
        _fsync(store, path)


def _fsync(store: Store, path: str, folder: bool = False) -> None:
    with store.syncing(store.status(path).st_ino, folder):
        pass


def test_an_fsync_of_a_file_keeps_the_names_that_lead_to_it(store: Store, tmp_path: Path) -> None:
    """As on ext4: a new file in a new folder, of which only the file was synced."""
    store.make_folder("/n", 0o700)
    _put(store, "/n/a", b"a")
    cut_power(store)
    assert on_disk(tmp_path / FILES) == {"/n/a": b"a"}


def test_a_name_that_was_synced_may_have_no_bytes(store: Store, tmp_path: Path) -> None:
    """As on ext4 without its habit of flushing what replaces: the folder's fsync keeps the name, and no byte."""
    _put(store, "/a", b"a", sync=False)
    _fsync(store, "/", folder=True)
    cut_power(store)
    assert on_disk(tmp_path / FILES) == {"/a": b""}


def test_a_rename_over_is_undone_as_a_whole(store: Store, tmp_path: Path) -> None:
    """Both names are what they were, and the file that was replaced is back."""
    _put(store, "/a", b"old")
    _put(store, "/b", b"new")
    store.rename("/b", "/a")
    cut_power(store)
    assert on_disk(tmp_path / FILES) == {"/a": b"old", "/b": b"new"}


def test_a_rename_is_kept_as_a_whole(store: Store, tmp_path: Path) -> None:
    """From one folder into another, of which one was synced."""
    store.make_folder("/x", 0o700)
    store.make_folder("/y", 0o700)
    _put(store, "/x/a", b"a")
    store.settle()
    store.rename("/x/a", "/y/a")
    _fsync(store, "/x", folder=True)
    cut_power(store)
    assert on_disk(tmp_path / FILES) == {"/y/a": b"a"}


def test_folders_come_back_with_what_was_in_them(store: Store, tmp_path: Path) -> None:
    """A folder that was emptied and removed, and one that was moved."""
    store.make_folder("/x", 0o700)
    _put(store, "/x/a", b"a")
    store.make_folder("/y", 0o700)
    _put(store, "/y/b", b"b")
    store.settle()
    store.unlink("/x/a")
    store.remove_folder("/x")
    store.rename("/y", "/z")
    _put(store, "/z/c", b"c", sync=False)
    cut_power(store)
    assert on_disk(tmp_path / FILES) == {"/x/a": b"a", "/y/b": b"b"}


def test_a_folder_that_is_gone_leaves_no_names(store: Store, tmp_path: Path) -> None:
    """Its inode is used again at once, and the new file must not inherit what was in the old folder."""
    for made in (True, False):
        store.make_folder("/x", 0o700)
        _put(store, "/x/a", b"a", sync=made)
        store.unlink("/x/a")
        store.remove_folder("/x")
        _fsync(store, "/", folder=True)
        assert not store.names.entries
        assert not list((tmp_path / "gone").iterdir())


def test_a_hole_and_room_without_length_are_undone(store: Store, tmp_path: Path) -> None:
    """fallocate: punched pages come back; room that was taken beyond the end changes no length."""
    _put(store, "/a", b"a" * 9000)
    handle = store.open("/a", os.O_RDWR)
    store.fallocate(handle, PUNCH_HOLE | KEEP_SIZE, 0, 8192)
    store.fallocate(handle, KEEP_SIZE, 0, 20_000)
    assert store.read(handle, 9000, 0) == bytes(8192) + b"a" * 808
    store.fallocate(handle, 0, 0, 20_000)
    store.close(handle)
    cut_power(store)
    assert on_disk(tmp_path / FILES) == {"/a": b"a" * 9000}


def test_what_is_written_during_a_sync_is_not_part_of_it(store: Store, tmp_path: Path) -> None:
    """The sync ends after the write, and covers what was there when it began."""
    _put(store, "/a", b"1")
    handle = store.open("/a", os.O_RDWR)
    store.write(handle, b"2", 0)
    with store.syncing(handle.inode):
        store.write(handle, b"3", 0)
        store.rename("/a", "/b")
    store.close(handle)
    cut_power(store)
    assert on_disk(tmp_path / FILES) == {"/a": b"2"}


def test_a_sync_that_fails_syncs_nothing(store: Store, tmp_path: Path) -> None:
    """EIO, or the power that goes meanwhile."""
    _put(store, "/a", b"1")
    handle = store.open("/a", os.O_RDWR)
    store.write(handle, b"2", 0)
    with pytest.raises(OSError), store.syncing(handle.inode):
        raise OSError(5, "")
    with pytest.raises(OSError), store.syncing(handle.inode):
        cut_power(store)
    with pytest.raises(OSError):  # by a handle of before
        store.write(handle, b"4", 0)
    assert on_disk(tmp_path / FILES) == {"/a": b"1"}


def test_some_survives_as_drawn(tmp_path: Path) -> None:
    """The same seed keeps the same pages; each is the new one, the old one, or torn at a sector's edge."""
    found = []
    for run in range(2):
        store = Store(tmp_path / str(run))
        _put(store, "/a", b"o" * 4096 * 64)
        _put(store, "/a", b"n" * 4096 * 64, sync=False)
        undone = cut_power(store, "some", seed=7)
        found.append((tmp_path / str(run) / FILES / "a").read_bytes())
        assert undone.surviving_bytes == found[-1].count(b"n")
        assert undone.undone_bytes == found[-1].count(b"o")
    assert found[0] == found[1]
    new = [found[0][n : n + 4096].count(b"n") for n in range(0, len(found[0]), 4096)]
    assert {0, 4096} < set(new)
    assert all(n % 512 == 0 for n in new)


def test_many_threads_write_and_sync(store: Store, tmp_path: Path) -> None:
    """Each file has at least what its thread had synced, whatever the others did."""

    def work(path: str) -> None:
        for n in range(60):
            _put(store, path, bytes([n]) * 100)

    threads = [threading.Thread(target=work, args=(f"/{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cut_power(store)
    assert on_disk(tmp_path / FILES) == {f"/{n}": bytes([59]) * 100 for n in range(4)}
