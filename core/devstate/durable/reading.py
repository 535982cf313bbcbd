"""Reading files without surprises: bounded, never a symbolic link or a device, never half-changed.

A reader holds the file open and compares what `fstat` says before and after: a verdict about bytes that
changed while they were read would be about a file that never existed.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from contextlib import suppress
from types import TracebackType

import msgspec

from devstate.errors import ChangedDuringRead, DevStateError, InputMissing, InputUnreadable, LimitExceeded

from .files import OS, Files, retried

__all__ = [
    "Identity",
    "Snapshot",
    "StableFile",
    "identity_of",
    "kind_of",
    "list_folder",
    "read_bounded",
    "unreadable",
]

# The setting limits.file_bytes replaces it where a face has read the settings.
DEFAULT_LIMIT = 1 << 30

# O_NONBLOCK: opening a FIFO without a writer returns at once, and is refused after.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Identity(msgspec.Struct, frozen=True):
    """Which file, in which version: device and inode, size in bytes, times in ns since the epoch."""

    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Snapshot(msgspec.Struct, frozen=True):
    """The whole content of a file, and the identity it had while it was read."""

    data: bytes
    identity: Identity


def _identity(found: os.stat_result) -> Identity:
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def identity_of(path: str | os.PathLike[str], *, files: Files = OS) -> Identity | None:
    """The identity of what stands at the path (a symbolic link is not followed), None where nothing does.

    Raises InputUnreadable where a folder on the way cannot be searched.
    """
    found = _lstat(os.fspath(path), files)
    return None if found is None else _identity(found)


def kind_of(path: str | os.PathLike[str], *, files: Files = OS) -> str | None:
    """`file`, `folder`, `symlink` or `other` (device, FIFO, socket); None where nothing stands at the path.

    Raises InputUnreadable where a folder on the way cannot be searched.
    """
    found = _lstat(os.fspath(path), files)
    return None if found is None else _KINDS.get(modes.S_IFMT(found.st_mode), "other")


def list_folder(path: str | os.PathLike[str], *, files: Files = OS) -> tuple[str, ...]:
    """The names in a folder, sorted. Raises InputMissing, InputUnreadable."""
    name = os.fspath(path)
    try:
        return tuple(sorted(files.listdir(name)))
    except NotADirectoryError:
        raise InputUnreadable(
            f"{name} is not a folder", path=name, remedy="Put a folder there, or name another path."
        ) from None
    except (OSError, ValueError) as error:
        raise _reading_error(error, name) from None


class StableFile:
    """A regular file held open for reading; a context manager.

    `limit` is in bytes. Raises InputMissing, InputUnreadable (symbolic link, folder, FIFO, device, no
    permission, I/O error) and LimitExceeded on creation.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, limit: int = DEFAULT_LIMIT, files: Files = OS
    ) -> None:
        self.path = os.fspath(path)
        self._files = files
        self._fd = -1
        try:
            self._fd = retried(files.open, self.path, _FLAGS)
            found = files.fstat(self._fd)
        except (OSError, ValueError) as error:
            self.close()
            raise _reading_error(error, self.path) from None
        try:
            _require_regular(found, self.path)
            if found.st_size > limit:
                raise LimitExceeded(
                    f"{self.path} has {found.st_size} bytes, more than the limit of {limit}",
                    path=self.path,
                    remedy="If the file is meant to be this large, raise the setting `limits.file_bytes`.",
                )
        except DevStateError:
            self.close()
            raise
        self.identity = _identity(found)
        self.size = found.st_size

    def __enter__(self) -> StableFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; more calls do nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            with suppress(OSError):  # closed all the same, and nothing was written that could be lost
                self._files.close(fd)

    def fileno(self) -> int:
        """The descriptor, for as long as the file is open."""
        return self._fd

    def pread(self, size: int, offset: int) -> bytes:
        """`size` bytes from `offset`; fewer only where the file, as it was when opened, ends.

        Raises ChangedDuringRead where bytes that were there are gone, InputUnreadable on an I/O error.
        """
        wanted = min(size, max(0, self.size - offset))
        data = self._pread(wanted, offset)
        if len(data) < wanted:
            raise self._changed("it became shorter")
        return data

    def check_unchanged(self) -> None:
        """Raise ChangedDuringRead where `fstat` no longer says what it said when the file was opened.

        A file that was replaced (another file renamed over it) counts as changed too: its link count and so
        its ctime changed.
        """
        try:
            now = _identity(self._files.fstat(self._fd))
        except OSError as error:
            raise _reading_error(error, self.path) from None
        if now != self.identity:
            differs = "its size" if now.size != self.identity.size else "its times"
            raise self._changed(f"{differs} changed")

    def read_all(self) -> bytes:
        """The whole content, checked to be that of one version of the file. Raises like `pread`."""
        data = self._pread(self.size + 1, 0)
        self.check_unchanged()
        if len(data) < self.size:
            raise self._changed("it became shorter")
        if len(data) > self.size:
            raise InputUnreadable(
                f"{self.path} is not an ordinary file: it gives more bytes than its size says",
                path=self.path,
                remedy="Copy it into an ordinary file and name that one.",
            )
        return data

    def _pread(self, size: int, offset: int) -> bytes:
        try:
            data = retried(self._files.pread, self._fd, size, offset)
            if len(data) == size or not data:
                return data  # by far the most common: no copy
            parts = [data]
            done = len(data)
            while done < size:
                data = retried(self._files.pread, self._fd, size - done, offset + done)
                if not data:
                    break
                parts.append(data)
                done += len(data)
            return b"".join(parts) if len(parts) > 1 else parts[0]
        except OSError as error:
            raise _reading_error(error, self.path) from None

    def _changed(self, how: str) -> ChangedDuringRead:
        return ChangedDuringRead(
            f"{self.path} changed while it was read: {how}",
            path=self.path,
            remedy="Run the command again when nothing writes to the file.",
        )


def read_bounded(path: str | os.PathLike[str], *, limit: int = DEFAULT_LIMIT, files: Files = OS) -> Snapshot:
    """The whole file, at most `limit` bytes, with its identity before and after compared.

    Raises InputMissing, InputUnreadable, LimitExceeded, ChangedDuringRead.
    """
    with StableFile(path, limit=limit, files=files) as file:
        return Snapshot(file.read_all(), file.identity)


_KINDS = {modes.S_IFREG: "file", modes.S_IFDIR: "folder", modes.S_IFLNK: "symlink"}

_SPECIAL = {
    modes.S_IFIFO: "a FIFO (named pipe)",
    modes.S_IFSOCK: "a socket",
    modes.S_IFCHR: "a character device",
    modes.S_IFBLK: "a block device",
    modes.S_IFDIR: "a folder",
    modes.S_IFLNK: "a symbolic link",
}


def _lstat(path: str, files: Files) -> os.stat_result | None:
    try:
        return files.stat(path, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _reading_error(error, path) from None


def _require_regular(found: os.stat_result, path: str) -> None:
    kind = modes.S_IFMT(found.st_mode)
    if kind != modes.S_IFREG:
        what = _SPECIAL.get(kind, "not a regular file")
        raise InputUnreadable(
            f"{path} is {what}, where a regular file is needed",
            path=path,
            remedy="Put a regular file there, or name another path.",
        )


def _reading_error(error: OSError | ValueError, path: str) -> DevStateError:
    """The typed error for what the operating system said on opening or reading."""
    if not isinstance(error, OSError):  # a NUL or a lone surrogate, which no path can hold
        return InputUnreadable(
            f"{path!r} is not a possible path",
            path=repr(path),
            remedy="Correct the path where it is written.",
        )
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return InputMissing(
            f"{path} does not exist",
            path=path,
            remedy="Check the path, or restore the file from an earlier copy.",
        )
    return unreadable(error, path)


def unreadable(error: OSError, path: str) -> InputUnreadable:
    """The typed error, with what to do, for what the operating system said of a file or folder that is there."""
    number = error.errno or 0
    if number in (errno.ELOOP, errno.EMLINK):  # EMLINK: what some BSDs say for O_NOFOLLOW
        return InputUnreadable(
            f"{path} is a symbolic link, which is not followed",
            path=path,
            remedy="Replace the link by the file itself: a link can be turned to another file unseen.",
        )
    if isinstance(error, PermissionError):
        return InputUnreadable(
            f"no permission to read {path}",
            path=path,
            remedy="Give this user read permission on it and on the folders above it.",
        )
    if isinstance(error, IsADirectoryError):
        return InputUnreadable(
            f"{path} is a folder, where a regular file is needed",
            path=path,
            remedy="Move the folder away, and restore the file from an earlier copy if there was one.",
        )
    if number in (errno.ENXIO, errno.ENODEV):
        return InputUnreadable(
            f"{path} is a device or socket, where a regular file is needed",
            path=path,
            remedy="Put a regular file there, or name another path.",
        )
    name = errno.errorcode.get(number, str(number))
    return InputUnreadable(
        f"{path} cannot be read: {os.strerror(number)} ({name})",
        path=path,
        remedy="Check the disk and the mount; restore the file from a copy if it is damaged.",
    )
