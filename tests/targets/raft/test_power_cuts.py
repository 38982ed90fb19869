"""Raft's storage on real files, in runs whose crashes are power cuts: what was not synced is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from power import PowerDisk
from simulation import Build, Simulation, Violation
from weather import seeds_of, world_of

from targets.kit import durable
from targets.raft import storage as module
from targets.raft.outcomes import Save
from targets.raft.storage import Storage

pytestmark = [pytest.mark.e2e, pytest.mark.untraced]

WEATHERS = ("crashes", "late", "alone")
MOST_SEEDS = 12  # of each weather


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    yield
    module.sync, module.sync_folder = durable.sync, durable.sync_folder


class NeverSyncsItsLog(Storage):
    """Appends to the log without a sync."""

    def save(self, save: Save) -> None:
        sync, self._sync = self._sync, (lambda file: None)
        try:
            super().save(save)
        finally:
            self._sync = sync


class NeverSyncsItsFolder(Storage):
    """Renames without a sync of the folder."""

    def _replace(self, name: str, content: bytes) -> int:
        sync_folder, self._sync_folder = self._sync_folder, (lambda folder: None)
        try:
            return super()._replace(name, content)
        finally:
            self._sync_folder = sync_folder


class LogBeforeItsSnapshot(Storage):
    """Replaces the log first, and then the snapshot on which it rests."""

    def save(self, save: Save) -> None:
        if save.snapshot is None:
            super().save(save)
            return
        record = module._Record(save.current_term, save.voted_for, save.first_index, save.entries)
        assert self._wal is not None
        old, self._wal = self._wal, self._replace("wal", module._framed(record))
        os.close(old)
        os.close(self._replace("snapshot", module._framed(save.snapshot)))


class SnapshotInPlace(Storage):
    """Writes a new snapshot over the old one."""

    def _replace(self, name: str, content: bytes) -> int:
        if name != "snapshot":
            return super()._replace(name, content)
        file = os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        durable.write_all(file, content)
        try:
            module.sync(file)
            module.sync_folder(self._directory)
        except BaseException:
            os.close(file)
            raise
        return file


def first_broken(tmp_path: Path, kind: type[Storage], most: int) -> str | None:
    """The first guarantee that this storage breaks, and the seed."""
    for seed in sorted(seed for weather in WEATHERS for seed in seeds_of(weather, most)):
        disks: list[PowerDisk] = []

        def disk(name: str, seed: int = seed, disks: list[PowerDisk] = disks) -> PowerDisk:
            disks.append(PowerDisk(tmp_path / f"{seed}-{name}", kind))
            return disks[-1]

        world = world_of(seed)  # with more cuts in the middle of a save, and more saves of a snapshot
        world = replace(world, dies_unsaved=0.2, timing=replace(world.timing, snapshot_every=3))
        try:
            Simulation(seed, Build(disk=disk), world).run()
        except Violation as violation:
            return f"seed {seed}: {violation}"
        finally:
            for each in disks:
                each.close()
    return None


def test_no_power_cut_takes_what_was_saved(tmp_path: Path) -> None:
    """The storage as it is, in all the runs in which bugs are sought."""
    assert first_broken(tmp_path, Storage, MOST_SEEDS) is None


@pytest.mark.parametrize(
    "kind",
    [NeverSyncsItsLog, NeverSyncsItsFolder, LogBeforeItsSnapshot, SnapshotInPlace],
    ids=lambda kind: kind.__name__,
)
def test_planted_bug_is_caught(tmp_path: Path, kind: type[Storage]) -> None:
    """A storage that does without one of its steps breaks a guarantee, or does not start again."""
    assert first_broken(tmp_path, kind, MOST_SEEDS) is not None
