"""A file layer that fails on purpose: the k-th call of a kind, as the operating system would fail it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from .files import Data, Files

__all__ = ["Fault", "FaultyFiles"]


class Fault(msgspec.Struct, frozen=True):
    """What happens at the `nth` call (from 1) of `call`, a name of `Files` or `*` for any.

    `before` is run first (it may change a file under the reader). Then, with `error` (an errno such as
    `errno.ENOSPC`), the call fails without being made; with `short`, a read or write moves at most so many
    bytes. `lasting` repeats it at every later call too.
    """

    call: str
    nth: int = 1
    error: int | None = None
    short: int | None = None
    before: Callable[[], None] | None = None
    lasting: bool = False


class FaultyFiles:
    """`Files` over another one, with faults. `counts` says how many calls of each kind came (`*`: all)."""

    def __init__(self, inner: Files, faults: Iterable[Fault] = ()) -> None:
        self.inner = inner
        self.faults = tuple(faults)
        self.counts: dict[str, int] = {"*": 0}
        self.fired: list[Fault] = []

    def _enter(self, name: str, path: str = "") -> int | None:
        """Count a call and let its faults happen; the size that a short read or write is cut to."""
        self.counts[name] = self.counts.get(name, 0) + 1
        self.counts["*"] += 1
        short = None
        for fault in self.faults:
            if fault.call not in (name, "*"):
                continue
            count = self.counts[fault.call]
            if count != fault.nth and not (fault.lasting and count > fault.nth):
                continue
            self.fired.append(fault)
            if fault.before is not None:
                fault.before()
            if fault.error is not None:
                raise OSError(fault.error, os.strerror(fault.error), path or None)
            short = fault.short if fault.short is not None else short
        return short

    def open(self, path: str, flags: int, mode: int = 0o666, *, dir_fd: int | None = None) -> int:
        self._enter("open", path)
        return self.inner.open(path, flags, mode, dir_fd=dir_fd)

    def close(self, fd: int) -> None:
        try:
            self._enter("close")
        except OSError as error:
            # A close that fails has closed the descriptor all the same (Linux); only its news is bad.
            self.inner.close(fd)
            raise error
        self.inner.close(fd)

    def read(self, fd: int, size: int) -> bytes:
        short = self._enter("read")
        return self.inner.read(fd, size if short is None else min(size, short))

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        short = self._enter("pread")
        return self.inner.pread(fd, size if short is None else min(size, short), offset)

    def write(self, fd: int, data: Data) -> int:
        short = self._enter("write")
        return self.inner.write(fd, data if short is None else memoryview(data)[:short])

    def pwrite(self, fd: int, data: Data, offset: int) -> int:
        short = self._enter("pwrite")
        return self.inner.pwrite(fd, data if short is None else memoryview(data)[:short], offset)

    def ftruncate(self, fd: int, length: int) -> None:
        self._enter("ftruncate")
        self.inner.ftruncate(fd, length)

    def fsync(self, fd: int) -> None:
        self._enter("fsync")
        self.inner.fsync(fd)

    def fdatasync(self, fd: int) -> None:
        self._enter("fdatasync")
        self.inner.fdatasync(fd)

    def fsync_dir(self, path: str) -> None:
        self._enter("fsync_dir", path)
        self.inner.fsync_dir(path)

    def fstat(self, fd: int) -> os.stat_result:
        self._enter("fstat")
        return self.inner.fstat(fd)

    def stat(self, path: str, *, follow_symlinks: bool = True) -> os.stat_result:
        self._enter("stat", path)
        return self.inner.stat(path, follow_symlinks=follow_symlinks)

    def fchmod(self, fd: int, mode: int) -> None:
        self._enter("fchmod")
        self.inner.fchmod(fd, mode)

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        self._enter("fchown")
        self.inner.fchown(fd, uid, gid)

    def replace(self, source: str, target: str) -> None:
        self._enter("replace", target)
        self.inner.replace(source, target)

    def link(self, source: str, target: str) -> None:
        self._enter("link", target)
        self.inner.link(source, target)

    def unlink(self, path: str) -> None:
        self._enter("unlink", path)
        self.inner.unlink(path)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        self._enter("mkdir", path)
        self.inner.mkdir(path, mode)

    def rmdir(self, path: str) -> None:
        self._enter("rmdir", path)
        self.inner.rmdir(path)

    def listdir(self, path: str) -> list[str]:
        self._enter("listdir", path)
        return self.inner.listdir(path)

    def readlink(self, path: str) -> str:
        self._enter("readlink", path)
        return self.inner.readlink(path)

    def flock(self, fd: int, operation: int) -> None:
        self._enter("flock")
        self.inner.flock(fd, operation)

    def mmap(self, fd: int, length: int) -> memoryview:
        self._enter("mmap")
        return self.inner.mmap(fd, length)

    def token(self) -> str:
        return self.inner.token()

    def process_alive(self, pid: int) -> bool:
        return self.inner.process_alive(pid)


if TYPE_CHECKING:
    _IS_FILES: type[Files] = FaultyFiles  # the type checker holds the class to the protocol
