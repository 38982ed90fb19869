"""The power goes: what was not synced is undone; with `keeps="some"` a part of it, drawn from a seed, survives."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import suppress
from dataclasses import dataclass

from lab.disk.names import Key
from lab.disk.pages import PAGE_BYTES, SECTOR_BYTES, Pages
from lab.disk.store import Store

CACHED_S = 0.2  # for so long the kernel trusts what it was told of a name: no process may look sooner after a cut
WHOLE, TORN = 0.5, 0.25  # of the pages that were not synced, with "some": these shares survive whole, and in part


@dataclass
class Undone:
    """What a power loss took: bytes of pages, and names. `lost_inodes` could not be put back: a fault of ours."""

    undone_bytes: int = 0
    undone_names: int = 0
    surviving_bytes: int = 0
    lost_inodes: int = 0


def cut_power(store: Store, keeps: str = "nothing", seed: int = 0) -> Undone:
    """Make all files and names what they were when they were last synced.

    `keeps`: "nothing", or "some": of the pages not synced half survive and a quarter is torn, in any order, and of the
    groups of names half survive.
    """
    draws = random.Random(seed) if keeps == "some" else None
    undone = Undone()
    with store.lock:
        places = _places(store)
        for inode in sorted(store.pages):
            if inode in places:
                _undo_file(places[inode], store.pages[inode], draws, undone)
        names = store.names.durable()
        if draws:
            names = {k: names[k] for group in store.names.groups() if draws.random() < 0.5 for k in sorted(group)}
        _undo_names(store, names, undone)
        shutil.rmtree(store.gone)
        os.mkdir(store.gone)  # noqa: PTH102
        store.power_is_back()
        store.counts.power_losses += 1
        store.counts.undone_bytes += undone.undone_bytes
        store.counts.undone_names += undone.undone_names
    return undone


def _undo_file(place: str, pages: Pages, draws: random.Random | None, undone: Undone) -> None:
    fd = os.open(place, os.O_RDWR)
    try:
        size = os.fstat(fd).st_size
        dirty = sorted(page for page in pages.dirty if page * PAGE_BYTES < size)
        new = {page: os.pread(fd, PAGE_BYTES, page * PAGE_BYTES) for page in dirty} if draws else {}
        undone.undone_bytes += sum(min(PAGE_BYTES, size - page * PAGE_BYTES) for page in dirty)
        pages.undo(lambda length: os.ftruncate(fd, length), lambda data, offset: _write(fd, data, offset))
        for page, data in new.items():
            assert draws is not None
            drawn = draws.random()
            if drawn < WHOLE + TORN:
                kept = data if drawn < WHOLE else data[: SECTOR_BYTES * draws.randrange(1, PAGE_BYTES // SECTOR_BYTES)]
                _write(fd, kept, page * PAGE_BYTES)
                undone.surviving_bytes += len(kept)
                undone.undone_bytes -= len(kept)
    finally:
        os.close(fd)


def _write(fd: int, data: bytes, offset: int) -> None:
    os.pwrite(fd, data, offset)


def _undo_names(store: Store, names: dict[Key, int | None], undone: Undone) -> None:
    """First every changed name is taken away, then each is given back what it led to; folders before files."""
    places = _places(store)
    for number, (folder, name) in enumerate(names):
        undone.undone_names += 1
        if folder in places and os.path.lexists(there := f"{places[folder]}/{name}"):
            os.rename(there, f"{store.gone}/undone-{number}")  # noqa: PTH104
            places = _places(store) if os.path.isdir(f"{store.gone}/undone-{number}") else places  # noqa: PTH112
    places = _places(store)
    back = {key: inode for key, inode in names.items() if inode is not None}
    for (folder, name), inode in back.items():
        if inode in places and os.path.isdir(places[inode]) and not os.path.islink(places[inode]):  # noqa: PTH112, PTH114
            with suppress(OSError):  # a folder within itself: two renames of which one was synced
                os.rename(places[inode], f"{places[folder]}/{name}")  # noqa: PTH104
            places = _places(store)
    for (folder, name), inode in back.items():
        if inode not in places:
            undone.lost_inodes += 1
        elif folder in places and not os.path.lexists(there := f"{places[folder]}/{name}"):
            os.link(places[inode], there, follow_symlinks=False)


def _places(store: Store) -> dict[int, str]:
    """Where each inode lies: one of its names, in sight or gone."""
    found: dict[int, str] = {}
    for top in (store.gone, store.root):
        found[os.lstat(top).st_ino] = top
        for folder, folders, files in os.walk(top):
            for name in (*folders, *files):
                place = f"{folder}/{name}"
                found[os.lstat(place).st_ino] = place
    return found
