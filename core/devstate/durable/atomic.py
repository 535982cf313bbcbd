"""Writing so that a crash leaves the old file or the new one, whole, and never a mixture.

The new content goes to a temporary file in the same folder, is synced, is renamed over the old one, and the
folder is synced. When `atomic_replace` returns, the new content survives a power failure. What a crash may
leave behind is a temporary file; `devstate.durable.leftovers` finds those.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Iterable
from contextlib import suppress

from devstate.errors import PlanStale, StorageFault

from .files import OS, Data, Files, retried
from .reading import Identity, Snapshot, read_bounded

__all__ = [
    "ANYTHING",
    "atomic_replace",
    "create_exclusive",
    "ensure_folder",
    "remove_durably",
    "storage_fault",
]


class _Anything:
    """The type of `ANYTHING`."""

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING = _Anything()
"""`expect=ANYTHING`: replace whatever regular file is there, or create it."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def atomic_replace(
    path: str | os.PathLike[str],
    data: bytes | Iterable[bytes],
    *,
    mode: int | None = None,
    expect: Identity | Snapshot | _Anything | None = ANYTHING,
    files: Files = OS,
) -> None:
    """Put `data` at `path`, whole or not at all, and durably: after the return it survives a power failure.

    `mode` is the permission bits; without it those of the replaced file stay, and a new file gets what the
    umask leaves of 0o666. `expect` is what must still be there just before the rename: an `Identity`, a
    `Snapshot` (its bytes are compared, not its times), or None for nothing.

    Raises PlanStale where something else is there, StorageFault where the system fails; in both cases the old
    content stands and the temporary file is gone, unless the error says otherwise.
    """
    name = os.fspath(path)
    _write_beside(name, data, mode, expect, files)


def create_exclusive(
    path: str | os.PathLike[str],
    data: bytes | Iterable[bytes],
    *,
    mode: int | None = None,
    files: Files = OS,
) -> None:
    """Like `atomic_replace`, for a path where nothing may be yet; two creators cannot both succeed.

    Raises PlanStale where something is there already, StorageFault where the system fails.
    """
    _write_beside(os.fspath(path), data, mode, None, files)


def ensure_folder(path: str | os.PathLike[str], *, mode: int = 0o777, files: Files = OS) -> tuple[str, ...]:
    """Make the folder and its missing parents durably; the folders made, outermost first.

    Raises StorageFault.
    """
    name = os.fspath(path)
    missing: list[str] = []
    step = name
    while True:
        try:
            found = files.stat(step or ".")
        except FileNotFoundError:
            missing.append(step)
            step = os.path.dirname(step.rstrip("/"))
            continue
        except OSError as error:
            raise storage_fault("make the folder", error, name) from None
        if not modes.S_ISDIR(found.st_mode):
            raise storage_fault("make the folder", NotADirectoryError(errno.ENOTDIR, ""), step)
        break
    made: list[str] = []
    for folder in reversed(missing):
        try:
            files.mkdir(folder, mode)
            made.append(folder)
        except FileExistsError:
            pass  # somebody else made it in between; its name still has to be durable
        except OSError as error:
            raise storage_fault("make the folder", error, folder) from None
        try:
            retried(files.fsync_dir, _parent(folder))
        except OSError as error:
            raise storage_fault("sync the folder", error, _parent(folder)) from None
    return tuple(made)


def remove_durably(path: str | os.PathLike[str], *, files: Files = OS) -> bool:
    """Remove a file so that it stays removed; False where there was none. Raises StorageFault."""
    name = os.fspath(path)
    try:
        files.unlink(name)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_fault("remove", error, name) from None
    try:
        retried(files.fsync_dir, _parent(name))
    except OSError as error:
        raise storage_fault("sync the folder of", error, name) from None
    return True


def storage_fault(action: str, error: OSError, path: str, *, note: str = "") -> StorageFault:
    """The typed error for a write, sync or rename that the operating system refused or failed."""
    number = error.errno or 0
    name = errno.errorcode.get(number, str(number))
    return StorageFault(
        f"could not {action} {path}: {os.strerror(number)} ({name}){note}",
        path=path,
        remedy=_REMEDIES.get(number, "Check the disk and the mount (the system log says more), then repeat."),
    )


_REMEDIES = {
    errno.ENOSPC: "Free space on this file system, then repeat.",
    errno.EDQUOT: "Free space within your quota, then repeat.",
    errno.EACCES: "Give this user write permission on the file's folder.",
    errno.EPERM: "Give this user write permission on the file and its folder; look for an immutable flag.",
    errno.EROFS: "The file system is mounted read-only: mount it writable, or work on a copy.",
    errno.ENOENT: "Create the folder first.",
    errno.ENOTDIR: "A file stands where a folder is needed: move it away.",
    errno.EISDIR: "A folder stands where the file belongs: move it away.",
    errno.ELOOP: "A symbolic link stands where the file belongs: replace it by the file itself.",
    errno.ENAMETOOLONG: "Choose a shorter path.",
    errno.EMFILE: "This process holds too many files open: raise `ulimit -n`.",
    errno.ENFILE: "The system holds too many files open: close some programs.",
    errno.ENOLCK: "This file system gives no locks: keep the workspace on a local disk.",
}


def _write_beside(
    name: str, data: bytes | Iterable[bytes], mode: int | None, expect: object, files: Files
) -> None:
    """Temporary file, sync, re-check, rename (or link, where nothing may be there), sync of the folder."""
    old = _replaceable(name, files)
    temporary = temporary_name(name, files.token())
    exists = False
    try:
        try:
            # A replaced file may be private: the temporary one is, until it has the same mode.
            fd = retried(files.open, temporary, _CREATE, 0o666 if old is None and mode is None else 0o600)
            exists = True
            try:
                for part in (data,) if isinstance(data, bytes) else data:
                    write_all(fd, part, files)
                _dress(fd, old, mode, files)
                retried(files.fsync, fd)
            finally:
                with suppress(InterruptedError):  # the descriptor is closed all the same
                    files.close(fd)
            _require_expected(name, expect, files)
            if expect is None and _linked(temporary, name, files):
                pass  # the content has two names now; the temporary one goes below
            else:
                files.replace(temporary, name)
                exists = False
        finally:
            if exists:
                with suppress(OSError):  # what stays is found as a leftover
                    files.unlink(temporary)
    except OSError as error:
        raise storage_fault("write", error, name) from None
    try:
        retried(files.fsync_dir, _parent(name))
    except OSError as error:
        note = "; the new content is in place, but a power failure may bring the old one back"
        raise storage_fault("sync the folder of", error, name, note=note) from None


def write_all(fd: int, data: Data, files: Files) -> None:
    """Write all of `data` at the position of `fd`, however short the single writes are. Raises OSError."""
    view = memoryview(data)
    while view:
        done = retried(files.write, fd, view)
        if done <= 0:  # POSIX allows it and it would loop for ever
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        view = view[done:]


def temporary_name(path: str, token: str) -> str:
    """`.<name>.<token>.tmp` in the folder of `path`; a long name is cut so that the result is a legal one."""
    folder, base = os.path.split(path)
    room = 255 - len(token) - len("..") - len(".tmp")
    while len(os.fsencode(base)) > room:
        base = base[:-1]
    return os.path.join(folder, f".{base}.{token}.tmp")


def _parent(path: str) -> str:
    return os.path.dirname(path.rstrip("/")) or "."


def _replaceable(name: str, files: Files) -> os.stat_result | None:
    """What `path` is now, refused unless it is a regular file or nothing."""
    try:
        found = files.stat(name, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_fault("write", error, name) from None
    if modes.S_ISLNK(found.st_mode):
        raise storage_fault("write", OSError(errno.ELOOP, ""), name)
    if modes.S_ISDIR(found.st_mode):
        raise storage_fault("write", OSError(errno.EISDIR, ""), name)
    if not modes.S_ISREG(found.st_mode):
        raise StorageFault(
            f"could not write {name}: it is a device, socket or FIFO",
            path=name,
            remedy="Move it away; a regular file belongs there.",
        )
    return found


def _dress(fd: int, old: os.stat_result | None, mode: int | None, files: Files) -> None:
    """Give the temporary file the owner and permission bits that the finished file shall have."""
    if old is not None:
        mine = files.fstat(fd)
        if (mine.st_uid, mine.st_gid) != (old.st_uid, old.st_gid):
            # Root in a container works on a user's files; anybody else may not give files away, and then
            # the new file is the writer's own.
            with suppress(PermissionError):
                files.fchown(fd, old.st_uid, old.st_gid)
    if mode is not None:
        files.fchmod(fd, mode & 0o7777)
    elif old is not None:
        files.fchmod(fd, old.st_mode & 0o777)


def _require_expected(name: str, expect: object, files: Files) -> None:
    """Raise PlanStale where the target is not what the caller saw; the lock closes the last gap."""
    if expect is ANYTHING or expect is None:  # that nothing is there, the link itself makes sure
        return
    try:
        found = files.stat(name, follow_symlinks=False)
    except FileNotFoundError:
        raise _stale(name, "it was removed") from None
    if isinstance(expect, Identity):
        now = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if now != (expect.dev, expect.ino, expect.size, expect.mtime_ns, expect.ctime_ns):
            raise _stale(name, "it is another version now")
    elif isinstance(expect, Snapshot):
        seen = expect.identity
        if (found.st_dev, found.st_ino, found.st_size) != (seen.dev, seen.ino, seen.size):
            raise _stale(name, "it is another file now")
        if read_bounded(name, limit=seen.size, files=files).data != expect.data:
            raise _stale(name, "its content changed")
    else:
        raise TypeError("expect must be an Identity, a Snapshot, None or ANYTHING")


def _stale(name: str, how: str) -> PlanStale:
    return PlanStale(
        f"{name} is not what the change was made for: {how}; nothing was changed",
        path=name,
        remedy="Look at the file as it is now, and repeat the command.",
    )


def _linked(temporary: str, name: str, files: Files) -> bool:
    """Give the finished file its name, only if nothing has it (else PlanStale).

    False where the file system has no hard links: nothing was there a moment ago, and a rename has to do.
    """
    try:
        files.link(temporary, name)
    except FileExistsError:
        raise _stale(name, "something is there already") from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            files.stat(name, follow_symlinks=False)
        except FileNotFoundError:
            return False
        raise _stale(name, "something is there already") from None
    return True


_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
