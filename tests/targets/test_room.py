"""The room of a folder: looked at while the target runs, exported, and asked before each write."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from virtual_time import in_virtual_time

from targets.kit import Problem, SettingsError, room
from targets.kit.logs import Log
from targets.kit.room import MEGABYTE, Room, WatermarkSettings
from targets.kit.settings import read
from targets.outbox import OutboxSettings

ON = WatermarkSettings(watermark=True)


class Folder:
    """The room of a folder, as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, megabytes: float | None) -> None:
        self.megabytes = megabytes
        self.looks = 0
        monkeypatch.setattr(room, "free_bytes", self.free_bytes)
        monkeypatch.setattr(asyncio, "to_thread", self.at_once)  # virtual time knows no threads

    def free_bytes(self, folder: str) -> int:
        """Or an error, where there is none to tell."""
        self.looks += 1
        if self.megabytes is None:
            raise OSError(5, "it does not answer")
        return round(self.megabytes * MEGABYTE)

    async def at_once(self, function, *args):
        """As asyncio's."""
        return function(*args)


def value(registry: CollectorRegistry, name: str) -> float | None:
    """Of a series without labels."""
    return registry.get_sample_value(name)


@pytest.fixture
def registry() -> CollectorRegistry:
    """Of one target."""
    return CollectorRegistry()


@pytest.fixture
def looked_at(registry: CollectorRegistry) -> Room:
    """With the usual marks, 34 and 51 MB."""
    return Room(ON, "/data", registry, Log("outbox", "error"))


def test_a_write_is_refused_and_counted_while_there_is_little(
    monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry, looked_at: Room
) -> None:
    """503, in words and as series; the least room seen since is what stays unused."""
    folder = Folder(monkeypatch, 40)

    async def work() -> None:
        await looked_at.look()
        looked_at.admit()
        for folder.megabytes in (30.0, 23.0, 25.0):
            await looked_at.look()
        with pytest.raises(Problem, match=r"503 no-room: Nothing is kept: .* 25,000,000 bytes of room") as refused:
            looked_at.admit()
        assert refused.value.status == 503
        assert value(registry, "watermark_refusing") == 1
        assert value(registry, "watermark_unused_bytes") == 23_000_000
        folder.megabytes = 60
        await looked_at.look()
        looked_at.admit()

    in_virtual_time(work())
    assert value(registry, "watermark_refusing") == 0
    assert value(registry, "watermark_closings_total") == 1
    assert value(registry, "watermark_refusals_total") == 1
    assert value(registry, "watermark_unused_bytes") == 23_000_000


def test_it_looks_before_the_block_and_every_so_often(
    monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry, looked_at: Room
) -> None:
    """At once, then each 0.25 s, and no more when the block has ended."""
    folder = Folder(monkeypatch, 100)

    async def work() -> None:
        async with looked_at.watched():
            looked_at.admit()
            await asyncio.sleep(1.1)
        assert folder.looks == 5
        await asyncio.sleep(1)
        assert folder.looks == 5

    in_virtual_time(work())


def test_a_folder_that_tells_nothing_is_no_reason_to_end(
    monkeypatch: pytest.MonkeyPatch, registry: CollectorRegistry, looked_at: Room
) -> None:
    """Looks that fail count as none, so writes are refused; looking goes on."""
    folder = Folder(monkeypatch, None)

    async def work() -> None:
        async with looked_at.watched():
            with pytest.raises(Problem, match="is not known"):
                looked_at.admit()
            folder.megabytes = 100
            await asyncio.sleep(0.3)
            looked_at.admit()

    in_virtual_time(work())


def test_the_room_is_the_filesystems(tmp_path: Path) -> None:
    """What one without privileges has; a folder that is not there is an error."""
    found = os.statvfs(tmp_path)
    assert 0 < room.free_bytes(str(tmp_path)) <= found.f_blocks * found.f_frsize
    with pytest.raises(FileNotFoundError):
        room.free_bytes(str(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"WATERMARK": "on"}, "POSTGRES_DATA_DIR is missing"),
        (
            {"WATERMARK_REFUSE_MB": "51"},
            "WATERMARK_ACCEPT_MB=51 cannot be with WATERMARK_REFUSE_MB=51: give more than that",
        ),
        ({"WATERMARK_ACEPT_MB": "60"}, "is WATERMARK_ACCEPT_MB meant"),
    ],
)
def test_settings_that_cannot_be_are_named(given: dict[str, str], said: str) -> None:
    """Before anything starts."""
    url = {"SERVICE_NAME": "outbox", "POSTGRES_URL": "postgresql://user@h:1/d"}
    with pytest.raises(SettingsError, match=said):
        read(OutboxSettings, url | given)
