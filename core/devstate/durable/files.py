"""The calls to the operating system that DevState makes on files, and nothing above them.

`Files` is the seam of the core: every function of `devstate.durable` takes one, `OS` unless told otherwise.
Tests and the crash checks of storage code put `SimulatedFiles` or `FaultyFiles` there. All calls raise
`OSError` like the functions of `os`; the modules above turn that into typed errors.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

__all__ = ["LOCK_EX", "LOCK_NB", "LOCK_SH", "LOCK_UN", "OS", "Data", "Files", "retried"]

# The operations of `Files.flock`, by the kernel's numbers: the same on Linux and macOS.
LOCK_SH: Final = 1
LOCK_EX: Final = 2
LOCK_NB: Final = 4
LOCK_UN: Final = 8

T = TypeVar("T")
Data = bytes | bytearray | memoryview


class Files(Protocol):
    """File calls on descriptors and paths, with the meaning of the POSIX calls of the same names.

    Paths are absolute or relative to the current folder. Reads and writes may be short; the callers loop.
    """

    def open(self, path: str, flags: int, mode: int = 0o666, *, dir_fd: int | None = None) -> int: ...
    def close(self, fd: int) -> None: ...
    def read(self, fd: int, size: int) -> bytes: ...
    def pread(self, fd: int, size: int, offset: int) -> bytes: ...
    def write(self, fd: int, data: Data) -> int: ...
    def pwrite(self, fd: int, data: Data, offset: int) -> int:
        """Never on a descriptor with O_APPEND: Linux then appends and does not look at the offset."""
        ...

    def ftruncate(self, fd: int, length: int) -> None: ...
    def fsync(self, fd: int) -> None:
        """Data, size and mode of the file reach the device; says nothing of its name in the folder."""
        ...

    def fdatasync(self, fd: int) -> None:
        """Like `fsync`, but times may be left behind."""
        ...

    def fsync_dir(self, path: str) -> None:
        """The names in the folder reach the device: creations, renames and removals made in it."""
        ...

    def fstat(self, fd: int) -> os.stat_result: ...
    def stat(self, path: str, *, follow_symlinks: bool = True) -> os.stat_result: ...
    def fchmod(self, fd: int, mode: int) -> None: ...
    def fchown(self, fd: int, uid: int, gid: int) -> None: ...
    def replace(self, source: str, target: str) -> None: ...
    def link(self, source: str, target: str) -> None: ...
    def unlink(self, path: str) -> None: ...
    def mkdir(self, path: str, mode: int = 0o777) -> None: ...
    def rmdir(self, path: str) -> None: ...
    def listdir(self, path: str) -> list[str]: ...
    def readlink(self, path: str) -> str: ...
    def flock(self, fd: int, operation: int) -> None:
        """`fcntl.flock`; with LOCK_NB a lock held elsewhere raises BlockingIOError."""
        ...

    def mmap(self, fd: int, length: int) -> memoryview:
        """A read-only view of the first `length` bytes; freed with the last reference to it."""
        ...

    def token(self) -> str:
        """`<pid>-<random hex>`: a part of a file name that no other process makes."""
        ...

    def process_alive(self, pid: int) -> bool:
        """Whether a process of that number runs on this host (it may be another one by now)."""
        ...


class _OperatingSystem:
    """The real file layer."""

    def open(self, path: str, flags: int, mode: int = 0o666, *, dir_fd: int | None = None) -> int:
        return os.open(path, flags, mode, dir_fd=dir_fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def read(self, fd: int, size: int) -> bytes:
        return os.read(fd, size)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return os.pread(fd, size, offset)

    def write(self, fd: int, data: Data) -> int:
        return os.write(fd, data)

    def pwrite(self, fd: int, data: Data, offset: int) -> int:
        return os.pwrite(fd, data, offset)

    def ftruncate(self, fd: int, length: int) -> None:
        os.ftruncate(fd, length)

    if sys.platform == "darwin":
        # fsync on macOS stops at the drive's cache; F_FULLFSYNC empties that too. Network and some foreign
        # file systems refuse it with ENOTSUP or EINVAL, and there a plain fsync is all there is.
        def fsync(self, fd: int) -> None:
            import errno
            import fcntl

            try:
                fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            except OSError as error:
                if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
                    raise
                os.fsync(fd)

        def fdatasync(self, fd: int) -> None:
            self.fsync(fd)

    else:

        def fsync(self, fd: int) -> None:
            os.fsync(fd)

        def fdatasync(self, fd: int) -> None:
            os.fdatasync(fd)

    def fsync_dir(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.fsync(fd)
        finally:
            os.close(fd)

    def fstat(self, fd: int) -> os.stat_result:
        return os.fstat(fd)

    def stat(self, path: str, *, follow_symlinks: bool = True) -> os.stat_result:
        return os.stat(path, follow_symlinks=follow_symlinks)

    def fchmod(self, fd: int, mode: int) -> None:
        os.fchmod(fd, mode)

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        os.fchown(fd, uid, gid)

    def replace(self, source: str, target: str) -> None:
        os.replace(source, target)

    def link(self, source: str, target: str) -> None:
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        os.mkdir(path, mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(path)

    def listdir(self, path: str) -> list[str]:
        return os.listdir(path)

    def readlink(self, path: str) -> str:
        return os.readlink(path)

    def flock(self, fd: int, operation: int) -> None:
        import fcntl

        fcntl.flock(fd, operation)

    def mmap(self, fd: int, length: int) -> memoryview:
        if length == 0:  # the kernel refuses an empty mapping
            return memoryview(b"")
        import mmap

        return memoryview(mmap.mmap(fd, length, access=mmap.ACCESS_READ))

    def token(self) -> str:
        return f"{os.getpid()}-{os.urandom(6).hex()}"

    def process_alive(self, pid: int) -> bool:
        if pid <= 0:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            # Another user's process runs; a number beyond pid_t is nobody's.
            return pid < 2**31
        return True


OS: Final[Files] = _OperatingSystem()


def retried(call: Callable[..., T], *args: object) -> T:
    """Make a call again for as long as a signal interrupts it (EINTR).

    Python does so itself for the real calls; layers put over `OS` may not.
    """
    while True:
        try:
            return call(*args)
        except InterruptedError:
            continue
