"""The files beside the mount, and for each change of them what undoes it: the filesystem without FUSE."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab.disk.names import Key, Names
from lab.disk.pages import PAGE_BYTES, Pages, Read

FILES, GONE = "files", "gone"
HIDDEN = ".fuse_hidden"  # how libfuse names a file that was unlinked while it is open
NEVER = -1
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 0x01, 0x02, 0x10  # of fallocate(2)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Handle:
    """An open file. `epoch`: handles from before a power loss change nothing any more. `counts`: its syncs do."""

    fd: int
    inode: int
    epoch: int
    counts: bool = True


@dataclass
class Counts:
    """What the filesystem has seen since it was mounted."""

    writes: int = 0
    written_bytes: int = 0
    fsyncs: int = 0
    fsync_s: float = 0.0
    power_losses: int = 0
    undone_bytes: int = 0
    undone_names: int = 0
    errors: dict[str, int] = field(default_factory=dict)


class Store:
    """A folder of files that remembers what was synced. Paths begin with `/`; errors are OSErrors, as of the calls.

    `files` and `gone` lie below `home`: what is to be seen, and what was unlinked and could come back.
    """

    def __init__(self, home: Path, *, strict: bool = False) -> None:
        self.home = home
        self.root = str(home / FILES)
        self.gone = str(home / GONE)
        os.makedirs(self.root, exist_ok=True)  # noqa: PTH103 - strings throughout: pathlib costs 5 us a path
        os.makedirs(self.gone, exist_ok=True)  # noqa: PTH103
        self.lock = threading.RLock()
        self.names = Names(strict)
        self.pages: dict[int, Pages] = {}
        self.counts = Counts()
        self.epoch = 0
        self._tick = 0
        self._begun: list[int] = []  # syncs under way
        self._buried: dict[int, list[str]] = {}  # by inode: where an unlinked file or folder lies in `gone`
        self._hidden: dict[str, tuple[str, int]] = {}  # by libfuse's name: where it lies, its inode

    # --- looking ----------------------------------------------------------------------------------------------

    def real(self, path: str) -> str:
        """Where a path lies."""
        return self._hidden[path][0] if path in self._hidden else self.root + path

    def status(self, path: str) -> os.stat_result:
        """lstat(2)."""
        with self.lock:
            return os.lstat(self.real(path))

    def is_hidden(self, path: str) -> bool:
        """Whether it is a file that has no name any more, under the one that libfuse made up."""
        return path in self._hidden

    def dirty_bytes(self) -> int:
        """Bytes of pages that a power loss would take."""
        with self.lock:
            return PAGE_BYTES * sum(len(pages.dirty) for pages in self.pages.values())

    # --- contents ---------------------------------------------------------------------------------------------

    def open(self, path: str, flags: int, mode: int | None = None) -> Handle:
        """open(2); with a `mode` the file is made where it is not there."""
        writable = flags & os.O_ACCMODE != os.O_RDONLY
        how = (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW | flags & os.O_DIRECTORY
        with self.lock:
            real = self.real(path)
            new = mode is not None and not os.path.lexists(real)
            if mode is not None:
                how |= os.O_CREAT | flags & os.O_EXCL
            fd = os.open(real, how, 0o600 if mode is None else mode)
            inode = os.fstat(fd).st_ino
            if new:
                self._changed(path, None, inode)
            handle = Handle(fd, inode, self.epoch)
            if flags & os.O_TRUNC and writable:
                self.truncate(handle, 0)
            return handle

    def read(self, handle: Handle, size: int, offset: int) -> bytes:
        """pread(2)."""
        return os.pread(handle.fd, size, offset)

    def write(self, handle: Handle, data: bytes, offset: int, synced: bool = False) -> int:
        """pwrite(2); `synced`: on disk before it returns, as with O_DSYNC, and no byte beside it."""
        with self.lock:
            self._alive(handle)
            size, end = os.fstat(handle.fd).st_size, offset + len(data)
            pages = self.pages.setdefault(handle.inode, Pages())
            pages.before_write(self._now(), self._latest, size, offset, end, self._reader(handle))
            done = os.pwrite(handle.fd, data, offset)
            self.counts.writes += 1
            self.counts.written_bytes += done
            if synced:
                pages.range_synced(offset, offset + done)
            return done

    def truncate(self, handle: Handle, length: int) -> None:
        """ftruncate(2)."""
        with self.lock:
            self._alive(handle)
            size = os.fstat(handle.fd).st_size
            if length != size:
                self._before_cut(handle, size, length)
                os.ftruncate(handle.fd, length)

    def fallocate(self, handle: Handle, mode: int, offset: int, length: int) -> None:
        """fallocate(2), without those modes that move data."""
        if mode & ~(KEEP_SIZE | PUNCH_HOLE | ZERO_RANGE):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        with self.lock:
            self._alive(handle)
            size, pages = os.fstat(handle.fd).st_size, self.pages.setdefault(handle.inode, Pages())
            if mode & (PUNCH_HOLE | ZERO_RANGE):
                end = min(offset + length, size) if mode & KEEP_SIZE else offset + length
                if end > offset:
                    pages.before_write(self._now(), self._latest, size, offset, end, self._reader(handle))
            elif not mode & KEEP_SIZE and offset + length > size:
                self._before_cut(handle, size, offset + length)
            if _libc.fallocate(handle.fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def close(self, handle: Handle) -> None:
        """close(2)."""
        os.close(handle.fd)

    # --- syncs ------------------------------------------------------------------------------------------------

    @contextmanager
    def syncing(self, inode: int, folder: bool = False) -> Iterator[None]:
        """An fsync of a file or folder: what was there at its begin is on disk when the block ends without error."""
        with self.lock:
            epoch, begun = self.epoch, self._now()
            self._begun.append(begun)
            keys = self.names.of_folder(inode) if folder else self.names.of_file(inode)
        try:
            yield
        except BaseException:
            with self.lock:
                self._begun.remove(begun)
            raise
        with self.lock:
            self._begun.remove(begun)
            if epoch != self.epoch:
                raise OSError(errno.EIO, "the power went meanwhile")
            if pages := self.pages.get(inode):
                pages.synced(begun)
                if not pages.layers:
                    del self.pages[inode]
            self._forget(self.names.synced(keys, begun))

    def settle(self) -> None:
        """All that is there now is on disk."""
        with self.lock:
            self.pages.clear()
            self.names.clear()
            self._forget(set(self._buried))

    # --- names ------------------------------------------------------------------------------------------------

    def make_folder(self, path: str, mode: int) -> None:
        """mkdir(2)."""
        with self.lock:
            os.mkdir(self.real(path), mode)  # noqa: PTH102
            self._changed(path, None, os.lstat(self.real(path)).st_ino)

    def make_node(self, path: str, mode: int, device: int) -> None:
        """mknod(2)."""
        with self.lock:
            os.mknod(self.real(path), mode, device)
            self._changed(path, None, os.lstat(self.real(path)).st_ino)

    def make_link(self, path: str, to: str) -> None:
        """symlink(2): `path` leads to `to`."""
        with self.lock:
            os.symlink(to, self.real(path))  # noqa: PTH211
            self._changed(path, None, os.lstat(self.real(path)).st_ino)

    def link(self, old: str, new: str) -> None:
        """link(2)."""
        with self.lock:
            os.link(self.real(old), self.real(new), follow_symlinks=False)
            self._changed(new, None, os.lstat(self.real(new)).st_ino)

    def unlink(self, path: str) -> None:
        """unlink(2); of a file that libfuse hid, the end."""
        with self.lock:
            if path in self._hidden:
                _, inode = self._hidden.pop(path)
                if not self.names.kept(inode):
                    self._forget({inode})
                return
            inode = os.lstat(self.real(path)).st_ino
            self._changed(path, inode, None)
            self._bury(path, inode)

    def remove_folder(self, path: str) -> None:
        """rmdir(2)."""
        with self.lock:
            real = self.real(path)
            inode = os.lstat(real).st_ino
            if os.listdir(real):  # noqa: PTH208
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
            self._changed(path, inode, None)
            self._bury(path, inode)

    def rename(self, old: str, new: str, exclusive: bool = False) -> None:
        """rename(2); `exclusive`: not over what is there."""
        with self.lock:
            if new.rpartition("/")[2].startswith(HIDDEN):
                self._hide(old, new)
                return
            source, target = os.lstat(self.real(old)).st_ino, self._inode(new)
            if target == source:
                return
            if target is not None:
                if exclusive:
                    raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
                self._check_over(old, new)
                self._changed(new, target, source)
                self._bury(new, target)
            else:
                self._changed(new, None, source)
            os.rename(self.real(old), self.real(new))  # noqa: PTH104
            self._changed(old, source, None)
            self.names.together(self._key(old), self._key(new))

    # --- inside -----------------------------------------------------------------------------------------------

    def _now(self) -> int:
        self._tick += 1
        return self._tick

    @property
    def _latest(self) -> int:
        return self._begun[-1] if self._begun else NEVER

    def _alive(self, handle: Handle) -> None:
        if handle.epoch != self.epoch:
            raise OSError(errno.EIO, "the power went meanwhile")

    @staticmethod
    def _reader(handle: Handle) -> Read:
        return lambda offset, length: os.pread(handle.fd, length, offset)

    def _before_cut(self, handle: Handle, size: int, length: int) -> None:
        pages = self.pages.setdefault(handle.inode, Pages())
        with_data = _data_pages(handle.fd, length, size) if length < size else ()
        pages.before_cut(self._now(), self._latest, size, length, with_data, self._reader(handle))

    def _inode(self, path: str) -> int | None:
        with suppress(FileNotFoundError):
            return os.lstat(self.real(path)).st_ino
        return None

    def _key(self, path: str) -> Key:
        folder, _, name = path.rpartition("/")
        return os.lstat(self.root + folder).st_ino, name

    def _changed(self, path: str, before: int | None, now: int | None) -> None:
        self.names.change(self._key(path), before, now, self._now(), self._latest)

    def _check_over(self, old: str, new: str) -> None:
        """What rename(2) refuses, before anything is moved."""
        folder, target = (stat.S_ISDIR(os.lstat(self.real(path)).st_mode) for path in (old, new))
        if target and not folder:
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if folder and not target:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if target and os.listdir(self.real(new)):  # noqa: PTH208
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))

    def _hide(self, old: str, new: str) -> None:
        """Unlink a file that is open: it lies in `gone` under libfuse's name until it is closed."""
        inode = os.lstat(self.real(old)).st_ino
        self._changed(old, inode, None)
        self._hidden[new] = (self._move(self.real(old), inode), inode)

    def _bury(self, path: str, inode: int) -> None:
        """Take a name away; what it led to stays in `gone` as long as a power loss could bring it back."""
        if self.names.kept(inode):
            self._move(self.real(path), inode)
        elif stat.S_ISDIR(os.lstat(self.real(path)).st_mode):
            os.rmdir(self.real(path))  # noqa: PTH106
            self._forget(self.names.folder_is_gone(inode))
        else:
            last = os.lstat(self.real(path)).st_nlink == 1
            os.unlink(self.real(path))  # noqa: PTH108
            if last:
                self.pages.pop(inode, None)

    def _move(self, real: str, inode: int) -> str:
        place = f"{self.gone}/{inode}-{self._now()}"
        os.rename(real, place)  # noqa: PTH104
        self._buried.setdefault(inode, []).append(place)
        return place

    def _forget(self, inodes: set[int]) -> None:
        """Remove what lies in `gone` and no power loss could bring back, unless it is open."""
        for inode in inodes - {inode for _, inode in self._hidden.values()}:
            for place in self._buried.pop(inode, []):
                if stat.S_ISDIR(os.lstat(place).st_mode):
                    os.rmdir(place)  # noqa: PTH106
                    self._forget(self.names.folder_is_gone(inode))
                    continue
                if os.lstat(place).st_nlink == 1:
                    self.pages.pop(inode, None)
                os.unlink(place)  # noqa: PTH108

    def power_is_back(self) -> None:
        """After a power loss: nothing is buried, hidden or under way, and no handle of before counts."""
        self.epoch += 1
        self._buried.clear()
        self._hidden.clear()
        self.pages.clear()
        self.names.clear()


def _data_pages(fd: int, start: int, end: int) -> Iterator[int]:
    """Numbers of the pages in [start, end) that are no hole."""
    offset = start
    while offset < end:
        try:
            data = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        hole = os.lseek(fd, data, os.SEEK_HOLE)
        yield from range(max(offset, data) // PAGE_BYTES, -(-min(hole, end) // PAGE_BYTES))
        offset = max(hole, offset + 1)
