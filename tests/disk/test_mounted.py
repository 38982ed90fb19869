"""The disk as programs see it, through the kernel: the cases that pjdfstest is known for, before and after a cut."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import mmap
import os
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio
from run_ids import fresh

from lab import faults
from lab.disk.cut import CACHED_S
from lab.disk.store import FILES
from lab.errors import LabError
from lab.model import Service
from lab.observe.canary import Canary, watch
from lab.runtime import leash
from lab.runtime.disk import MountedDisk, why_no_disk
from lab.runtime.supervisor import Supervisor

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(why_no_disk() is not None, reason=str(why_no_disk())),
    pytest.mark.asyncio(loop_scope="module"),
]
F_OFD_SETLK = 37
LOCK = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)


class Mounted:
    """A disk with its folder; `cut` gives what is left."""

    def __init__(self, disk: MountedDisk, at: Path) -> None:
        self.disk, self.at = disk, at

    async def cut(self) -> dict[str, bytes]:
        """The power goes."""
        said = await self.disk.cut("nothing", 0)
        assert said["lost_inodes"] == 0
        await asyncio.sleep(2 * CACHED_S)
        return {str(file.relative_to(self.at)): file.read_bytes() for file in self.at.rglob("*") if file.is_file()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mounted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mounted]:
    """One mount for all of these; afterwards it is gone, and its process too."""
    folder = tmp_path_factory.mktemp("disk")
    run = fresh("disk")
    async with Supervisor.open(folder / run, run) as supervisor:
        at = folder / "data"
        at.mkdir()
        disk = MountedDisk(Service("it"), at, supervisor, folder / "disk.log")
        await disk.mount()
        yield Mounted(disk, at)
        (folder / "linked").symlink_to(folder)
        for way in (folder, folder / "linked"):
            assert leash.mounts_below([way]) == [at]
        await disk.stop()
        assert leash.mounts_below([folder]) == []


@pytest.fixture
def place(mounted: Mounted) -> Path:
    """An empty folder of the mount that is on disk."""
    for file in sorted(mounted.at.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    sync(mounted.at)
    return mounted.at


def sync(path: Path) -> None:
    """fsync of a file or folder."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def put(path: Path, data: bytes) -> None:
    """A file that is on disk with its name."""
    path.write_bytes(data)
    sync(path)


async def test_append(mounted: Mounted, place: Path) -> None:
    """O_APPEND writes at the end, wherever that is; what was not synced is gone."""
    put(place / "a", b"one")
    with (place / "a").open("ab") as file:
        file.write(b"two")
    assert (place / "a").read_bytes() == b"onetwo"
    assert await mounted.cut() == {"a": b"one"}


async def test_truncate_up_and_down(mounted: Mounted, place: Path) -> None:
    """By path and by handle; up gives zeros, and both are undone."""
    put(place / "a", b"x" * 10_000)
    os.truncate(place / "a", 3)
    with (place / "a").open("r+b") as file:
        file.truncate(6)
    assert (place / "a").read_bytes() == b"xxx\0\0\0"
    (place / "a").write_bytes(b"")  # O_TRUNC
    assert await mounted.cut() == {"a": b"x" * 10_000}


async def test_rename_over_and_exclusively(mounted: Mounted, place: Path) -> None:
    """The new file is read under the old name; before the folder is synced the old one may come back."""
    put(place / "a", b"old")
    (place / "tmp").write_bytes(b"new")
    with (place / "a").open("rb") as open_one:
        (place / "tmp").rename(place / "a")
        assert (place / "a").read_bytes() == b"new"
        assert open_one.read() == b"old"
    assert await mounted.cut() == {"a": b"old"}
    (place / "full").mkdir()
    put(place / "full" / "in", b"")
    (place / "empty").mkdir()
    with pytest.raises(OSError) as not_empty:
        (place / "empty").rename(place / "full")
    assert not_empty.value.errno == errno.ENOTEMPTY


async def test_a_replacement_as_programs_make_it_stays(mounted: Mounted, place: Path) -> None:
    """Write aside, fsync, rename, fsync of the folder: the new file is there."""
    put(place / "a", b"old")
    put(place / "tmp", b"new")
    (place / "tmp").rename(place / "a")
    sync(place)
    assert await mounted.cut() == {"a": b"new"}


async def test_unlinked_and_open(mounted: Mounted, place: Path) -> None:
    """It has no name, and can be read, written, cut off and looked at until it is closed; its folder can go."""
    (place / "d").mkdir()
    fd = os.open(place / "d" / "u", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"hello")
    (place / "d" / "u").unlink()
    assert (os.fstat(fd).st_nlink, os.fstat(fd).st_size, list((place / "d").iterdir())) == (0, 5, [])
    os.ftruncate(fd, 2)
    assert os.pread(fd, 9, 0) == b"he"
    (place / "d").rmdir()
    os.write(fd, b"y")
    os.close(fd)
    assert await mounted.cut() == {}


async def test_an_unlinked_file_comes_back(mounted: Mounted, place: Path) -> None:
    """Until its folder is synced."""
    put(place / "a", b"a")
    (place / "a").unlink()
    assert await mounted.cut() == {"a": b"a"}
    (place / "a").unlink()
    sync(place)
    assert await mounted.cut() == {}


async def test_sparse_and_fallocate(mounted: Mounted, place: Path) -> None:
    """A hole reads as zeros and takes no room; posix_fallocate makes a file longer, until the power goes."""
    put(place / "a", b"")
    fd = os.open(place / "a", os.O_RDWR)
    os.pwrite(fd, b"end", 1 << 20)
    assert os.fstat(fd).st_blocks * 512 < 1 << 19
    assert os.pread(fd, 4, 100) == bytes(4)
    os.posix_fallocate(fd, 0, 2 << 20)
    assert os.fstat(fd).st_size == 2 << 20
    os.close(fd)
    assert await mounted.cut() == {"a": b""}


async def test_mmap(mounted: Mounted, place: Path) -> None:
    """What is written in memory reaches the file; msync keeps it, and without it it is gone."""
    put(place / "a", b"-" * 8192)
    with (place / "a").open("r+b") as file, mmap.mmap(file.fileno(), 8192) as memory:
        memory[:4] = b"sync"
        memory.flush()
        memory[4096:4100] = b"lost"
    assert (place / "a").read_bytes()[4096:4100] == b"lost"
    left = await mounted.cut()
    assert (left["a"][:4], left["a"][4096:4100]) == (b"sync", b"----")


async def test_o_dsync_keeps_that_write_and_no_other(mounted: Mounted, place: Path) -> None:
    """The kernel asks for an fsync of its own after it, which keeps nothing else."""
    put(place / "a", b"-" * 8192)
    fd, synced = os.open(place / "a", os.O_RDWR), os.open(place / "a", os.O_RDWR | os.O_DSYNC)
    os.pwrite(fd, b"lost", 0)
    os.pwrite(synced, b"kept", 4096)
    os.close(fd)
    os.close(synced)
    left = await mounted.cut()
    assert (left["a"][:4], left["a"][4096:4100]) == (b"----", b"kept")


async def test_links_and_modes(mounted: Mounted, place: Path) -> None:
    """Two names of one file, a symbolic link, a mode that is set through a handle."""
    put(place / "a", b"a")
    (place / "b").hardlink_to(place / "a")
    (place / "s").symlink_to("a")
    with (place / "a").open("rb") as file:
        os.fchmod(file.fileno(), 0o640)
    await asyncio.sleep(2 * CACHED_S)  # for so long each name has its own view of the file
    assert ((place / "b").stat().st_nlink, (place / "b").stat().st_mode & 0o777) == (2, 0o640)
    assert (place / "s").read_bytes() == b"a"
    with pytest.raises(FileExistsError):
        (place / "b").hardlink_to(place / "a")
    assert await mounted.cut() == {"a": b"a"}
    assert not (place / "s").is_symlink()


async def test_locks_are_the_kernels(mounted: Mounted, place: Path) -> None:
    """An OFD lock, as etcd takes it, keeps another one out; flock works too."""
    first, second = (os.open(place / "a", os.O_RDWR | os.O_CREAT) for _ in range(2))
    fcntl.fcntl(first, F_OFD_SETLK, LOCK)
    with pytest.raises(OSError):
        fcntl.fcntl(second, F_OFD_SETLK, LOCK)
    fcntl.flock(first, fcntl.LOCK_EX)
    with pytest.raises(OSError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(first)
    os.close(second)


async def test_troubles(mounted: Mounted, place: Path) -> None:
    """No room, errors and slow syncs are there while they are switched on, are counted, and are gone after."""
    put(place / "a", b"a" * 4096)
    await mounted.disk.trouble({"leaves_bytes": 10_000})
    with (place / "a").open("r+b", buffering=0) as file:
        file.write(b"over what is there")
        assert os.fstatvfs(file.fileno()).f_bavail <= 3
        file.seek(4096)
        with pytest.raises(OSError) as full:
            file.write(bytes(20_000))
        assert full.value.errno == errno.ENOSPC
        await mounted.disk.trouble({"leaves_bytes": None})
        file.write(bytes(20_000))
        await mounted.disk.trouble({"on": "fsync", "fails": True})
        with pytest.raises(OSError) as failed:
            os.fsync(file.fileno())
        assert failed.value.errno == errno.EIO
        await mounted.disk.trouble({"on": "fsync", "fails": False})
        before = await mounted.disk.trouble({"fsync_ms": 20})
        os.fsync(file.fileno())
        after = await mounted.disk.trouble({"fsync_ms": 0})
    assert after["fsync_s"] - before["fsync_s"] >= 0.02
    assert after["write ENOSPC given"] == after["fsync EIO given"] == 1
    assert len((await mounted.cut())["a"]) == 24_096


async def test_the_canary_syncs_as_slowly_as_the_server(mounted: Mounted, place: Path) -> None:
    """Late while syncs are late, quick before; it counts as no sync of the server's, and a cut does not stop it."""
    bench = SimpleNamespace(members=lambda: [mounted.disk.member], disk=lambda member: mounted.disk)
    fault = faults.slow_fsync(mounted.disk.member, ms=40)
    before = await mounted.disk.state()
    async with Canary(watch([fault, fault], bench), time.perf_counter()) as canary:  # type: ignore[arg-type]
        await asyncio.sleep(0.5)
        await mounted.disk.cut("nothing", 0)
        await mounted.disk.trouble({"fsync_ms": 40})
        slow_s = time.perf_counter() - canary._t0_s
        await asyncio.sleep(0.8)
        end_s = time.perf_counter() - canary._t0_s
    after = await mounted.disk.trouble({"fsync_ms": 0})
    quick, late = canary.between(0, slow_s - 0.2), canary.between(slow_s, end_s)
    assert {(probe.target, probe.path, probe.outcome) for probe in (*quick, *late)} == {
        ("it-disk", "through", "answered")
    }
    assert min(probe.latency_ms or 0 for probe in quick) < 40 <= min(probe.latency_ms or 0 for probe in late)
    assert len(late) >= 3
    assert after["fsyncs"] == before["fsyncs"]


async def test_room_comes_back(mounted: Mounted, place: Path) -> None:
    """Of a file that is removed or replaced; not of one that has another name left."""
    for name in "abc":
        put(place / name, bytes(8_000))
    await mounted.disk.trouble({"leaves_bytes": 0})
    (place / "a").rename(place / "b")
    assert (await mounted.disk.state())["free_bytes"] == 8_000
    (place / "d").hardlink_to(place / "c")
    (place / "d").unlink()
    assert (await mounted.disk.state())["free_bytes"] == 8_000
    (place / "c").unlink()
    assert (await mounted.disk.state())["free_bytes"] == 16_000
    await mounted.disk.trouble({"leaves_bytes": None})


async def test_a_stranger_is_refused(mounted: Mounted) -> None:
    """Without the token nothing is done: pages of a browser reach 127.0.0.1 too."""
    other = MountedDisk(Service("it"), mounted.at, mounted.disk._supervisor, mounted.at)
    other.address = mounted.disk.address
    with pytest.raises(LabError, match="token"):
        await other.cut("nothing", 0)
    assert (mounted.at.parent / "data.disk" / FILES).is_dir()


async def test_no_proxy_is_asked_on_the_way(mounted: Mounted, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for the internet has no business between the lab and 127.0.0.1, and would be told the token."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert "writes" in await mounted.disk.state()
