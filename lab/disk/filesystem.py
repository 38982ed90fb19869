"""The store as FUSE calls it, by mfusepy; each method is the system call of its name, see libfuse's fuse.h."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import mfusepy

from lab.disk import CANARY
from lab.disk.cut import CACHED_S
from lab.disk.store import Handle, Store
from lab.disk.trouble import Trouble

RENAME_NOREPLACE = 1
AUTO_INVAL_DATA = 1 << 12  # the kernel need not look whether a file changed behind its back: here none does
EMPTY_FILE_BYTES = 4096  # what a new file or folder takes of a disk that is nearly full


class Operations(mfusepy.Operations):  # type: ignore[misc]
    """Passes everything through. Locks are left to the kernel: `lock` and `flock` are not defined here."""

    use_ns = True

    def __init__(self, store: Store, trouble: Trouble, mounted: Callable[[], None]) -> None:
        self.store = store
        self.trouble = trouble
        self._mounted = mounted
        self._handles: dict[int, Handle] = {}
        self._owing: set[tuple[int, int]] = set()  # (handle, thread): its next fsync is that of an O_DSYNC write

    def init_with_config(self, conn_info: Any, config_3: Any) -> None:
        """Handles stand for files, whatever names these have. What is cached is stale before a power loss is over."""
        config_3.nullpath_ok = 1
        config_3.use_ino = 1
        config_3.entry_timeout = config_3.attr_timeout = CACHED_S
        config_3.negative_timeout = 0.0
        conn_info.want &= ~AUTO_INVAL_DATA
        self._mounted()

    # --- looking ----------------------------------------------------------------------------------------------

    def look(self, path: str | None, fi: Any = None) -> tuple[os.stat_result, bool]:
        """stat(2), and whether the file has no name any more but the one that libfuse made up."""
        if path is None:
            return os.fstat(self._handles[fi.fh].fd), False
        return self.store.status(path), self.store.is_hidden(path)

    def readlink(self, path: str) -> str:
        """What it leads to."""
        return os.readlink(self.store.real(path))  # noqa: PTH115

    def opendir(self, path: str) -> int:
        """An open folder."""
        return self._add(path, self.store.open(path, os.O_RDONLY | os.O_DIRECTORY))

    def readdir(self, path: str, fh: int) -> Iterable[tuple[str, dict[str, int], int]]:
        """All names at once, with their inodes: readdir(3) passes over those without."""
        folder = self._handles[fh].fd
        with self.store.lock, os.scandir(folder) as entries:
            found = [(each.name, each.stat(follow_symlinks=False)) for each in entries]
        own = os.fstat(folder)
        return [
            (name, {"st_mode": of.st_mode, "st_ino": of.st_ino}, 0) for name, of in ((".", own), ("..", own), *found)
        ]

    def releasedir(self, path: str, fh: int) -> int:
        """Close."""
        self.store.close(self._handles.pop(fh))
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        """Of the disk beside it, with the room that there is to be."""
        found = os.statvfs(self.store.root)
        free = min(found.f_bavail, self.trouble.free_bytes // found.f_frsize)
        names = ("f_bsize", "f_frsize", "f_blocks", "f_files", "f_ffree", "f_favail", "f_namemax")
        return {**{name: getattr(found, name) for name in names}, "f_bfree": free, "f_bavail": free}

    # --- contents ---------------------------------------------------------------------------------------------

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """open(2) with O_CREAT."""
        self.trouble.take(EMPTY_FILE_BYTES)
        fi.fh = self._add(path, self.store.open(path, fi.flags, stat.S_IMODE(mode)))
        self._own(path)
        return 0

    def open(self, path: str, fi: Any) -> int:
        """open(2)."""
        fi.fh = self._add(path, self.store.open(path, fi.flags))
        return 0

    def read(self, path: str | None, size: int, offset: int, fi: Any) -> bytes:
        """pread(2)."""
        self.trouble.check("read")
        return self.store.read(self._handles[fi.fh], size, offset)

    def write(self, path: str | None, data: bytes, offset: int, fi: Any) -> int:
        """pwrite(2). After one with O_DSYNC the kernel asks for an fsync of its own, which is of that write alone."""
        handle = self._handles[fi.fh]
        self.trouble.check("write")
        if self.trouble.limited:
            self.trouble.take(offset + len(data) - os.fstat(handle.fd).st_size)
        synced = bool(fi.flags & os.O_DSYNC)  # O_SYNC has its bit too
        done = self.store.write(handle, data, offset, synced)
        if synced:  # only now: after a write that failed the kernel asks for none
            self._owing.add((fi.fh, _caller()))
        return done

    def truncate(self, path: str | None, length: int, fi: Any = None) -> int:
        """truncate(2), and ftruncate(2) with a handle."""
        handle = self._handles[fi.fh] if fi is not None else self.store.open(path or "", os.O_WRONLY)
        try:
            if self.trouble.limited:
                self.trouble.give_back(os.fstat(handle.fd).st_size - length)
            self.store.truncate(handle, length)
        finally:
            if fi is None:
                self.store.close(handle)
        return 0

    def fallocate(self, path: str | None, mode: int, offset: int, length: int, fi: Any) -> int:
        """fallocate(2)."""
        handle = self._handles[fi.fh]
        self.trouble.check("write")
        if self.trouble.limited and not mode:
            self.trouble.take(offset + length - os.fstat(handle.fd).st_size)
        self.store.fallocate(handle, mode, offset, length)
        return 0

    def release(self, path: str | None, fi: Any) -> int:
        """Close."""
        self.store.close(self._handles.pop(fi.fh))
        return 0

    def fsync(self, path: str | None, datasync: int, fi: Any) -> int:
        """fsync(2), fdatasync(2) and msync(2), which the kernel does not tell apart; all of the file."""
        owed = (fi.fh, _caller())
        if owed in self._owing:
            self._owing.discard(owed)
            return self._sync(None)
        handle = self._handles[fi.fh]
        return self._sync(handle.inode, counts=handle.counts)

    def fsyncdir(self, path: str | None, datasync: int, fh: int) -> int:
        """fsync(2) of a folder."""
        return self._sync(self._handles[fh].inode, folder=True)

    # --- names ------------------------------------------------------------------------------------------------

    def mkdir(self, path: str, mode: int) -> int:
        """mkdir(2)."""
        self.trouble.take(EMPTY_FILE_BYTES)
        self.store.make_folder(path, mode)
        self._own(path)
        return 0

    def mknod(self, path: str, mode: int, dev: int) -> int:
        """mknod(2)."""
        self.store.make_node(path, mode, dev)
        self._own(path)
        return 0

    def symlink(self, target: str, source: str) -> int:
        """symlink(2): `target` leads to `source`."""
        self.store.make_link(target, source)
        self._own(target)
        return 0

    def link(self, target: str, source: str) -> int:
        """link(2): `target` is another name of `source`."""
        self.store.link(source, target)
        return 0

    def unlink(self, path: str) -> int:
        """unlink(2)."""
        freed = self._bytes(path) if self.trouble.limited else 0
        self.store.unlink(path)
        self.trouble.give_back(freed)
        return 0

    def rmdir(self, path: str) -> int:
        """rmdir(2)."""
        self.store.remove_folder(path)
        return 0

    def rename(self, old: str, new: str, flags: int = 0) -> int:
        """renameat2(2), without RENAME_EXCHANGE."""
        if flags & ~RENAME_NOREPLACE:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        freed = self._bytes(new) if self.trouble.limited else 0
        self.store.rename(old, new, exclusive=bool(flags & RENAME_NOREPLACE))
        self.trouble.give_back(freed)
        return 0

    # --- what is never undone: modes, owners, times -----------------------------------------------------------

    def chmod(self, path: str | None, mode: int, fi: Any = None) -> int:
        """chmod(2), fchmod(2)."""
        os.chmod(self._place(path, fi), mode)  # noqa: PTH101
        return 0

    def chown(self, path: str | None, uid: int, gid: int, fi: Any = None) -> int:
        """lchown(2), fchown(2)."""
        place = self._place(path, fi)
        os.chown(place, uid, gid, follow_symlinks=isinstance(place, int))
        return 0

    def utimens(self, path: str | None, times: tuple[int, int] | None = None, fi: Any = None) -> int:
        """utimensat(2); UTIME_NOW and UTIME_OMIT were seen to by the kernel."""
        place = self._place(path, fi)
        now = (time.time_ns(),) * 2
        os.utime(place, ns=times or now, follow_symlinks=isinstance(place, int))
        return 0

    # --- inside -----------------------------------------------------------------------------------------------

    def _add(self, path: str, handle: Handle) -> int:
        handle.counts = path != f"/{CANARY}"
        self._handles[handle.fd] = handle
        return handle.fd

    def _place(self, path: str | None, fi: Any) -> str | int:
        return self._handles[fi.fh].fd if path is None else self.store.real(path)

    def _bytes(self, path: str) -> int:
        """What goes with this name: the file's length; 0 where nothing has it, or the file has another one too."""
        try:
            found = self.store.status(path)
        except FileNotFoundError:
            return 0
        return found.st_size if found.st_nlink == 1 else 0

    def _own(self, path: str) -> None:
        """A new file is the caller's, where this process may give it away."""
        if os.geteuid() == 0:
            uid, gid, _ = mfusepy.fuse_get_context()
            os.lchown(self.store.real(path), uid, gid)

    def _sync(self, inode: int | None, folder: bool = False, counts: bool = True) -> int:
        began = time.monotonic()
        self.trouble.check("fsync")
        if inode is None:
            self.trouble.wait()
        else:
            with self.store.syncing(inode, folder):
                self.trouble.wait()
        if counts:
            with self.store.lock:
                self.store.counts.fsyncs += 1
                self.store.counts.fsync_s += time.monotonic() - began
        return 0


class Fuse(mfusepy.FUSE):  # type: ignore[misc]
    """mfusepy drops a file's handle, and a rename's flags, where libfuse 3 gives them; here they arrive."""

    operations: Operations

    def getattr_fuse_3(self, path: bytes | None, buf: Any, fip: Any) -> int:
        """The most frequent question: filled in directly, which takes a third of the time."""
        found, hidden = self.operations.look(_text(path), _info(fip))
        ctypes.memset(buf, 0, ctypes.sizeof(mfusepy.c_stat))
        st = buf.contents
        st.st_mode, st.st_nlink = found.st_mode, found.st_nlink - hidden
        st.st_uid, st.st_gid = found.st_uid, found.st_gid
        st.st_size, st.st_ino, st.st_blocks, st.st_rdev = found.st_size, found.st_ino, found.st_blocks, found.st_rdev
        for spec, ns in zip(
            (st.st_atimespec, st.st_mtimespec, st.st_ctimespec),
            (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns),
            strict=True,
        ):
            spec.tv_sec, spec.tv_nsec = divmod(ns, 10**9)
        return 0

    def truncate_fuse_3(self, path: bytes | None, length: int, fip: Any) -> int:
        """Of an open file without its path."""
        return self.operations.truncate(_text(path), length, _info(fip))

    def chmod_fuse_3(self, path: bytes | None, mode: int, fip: Any) -> int:
        """Of an open file without its path."""
        return self.operations.chmod(_text(path), mode, _info(fip))

    def chown_fuse_3(self, path: bytes | None, uid: int, gid: int, fip: Any) -> int:
        """Of an open file without its path; -1 has overflowed."""
        uid, gid = (ctypes.c_int32(number).value for number in (uid, gid))
        return self.operations.chown(_text(path), uid, gid, _info(fip))

    def utimens_fuse_3(self, path: bytes | None, buf: Any, fip: Any) -> int:
        """Of an open file without its path."""
        times = [buf.contents.actime, buf.contents.modtime] if buf else []
        ns: Sequence[int] = [each.tv_sec * 10**9 + each.tv_nsec for each in times]
        return self.operations.utimens(_text(path), (ns[0], ns[1]) if ns else None, _info(fip))

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        """With its flags."""
        return self.operations.rename(os.fsdecode(old), os.fsdecode(new), flags)


def _text(path: bytes | None) -> str | None:
    return None if path is None else os.fsdecode(path)


def _info(fip: Any) -> Any:
    return fip.contents if fip else None


def _caller() -> int:
    """The thread that makes the call."""
    return int(mfusepy.fuse_get_context()[2])
