"""The artifacts that the state lists: each file found by the path rules and compared with its checksum.

A path is walked one component at a time from the workspace root, each opened relative to the one before and
never through a symbolic link, so that no link, however it is turned meanwhile, leads outside. Nothing blocks:
a FIFO or device is opened without waiting, and refused.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat as modes
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Literal, NamedTuple

import msgspec

from devstate.durable import OS, Files, Identity
from devstate.durable.files import retried
from devstate.errors import InputMissing, InputUnreadable
from devstate.findings import CODES, Finding, Severity, Where

from .state import STATE_FILE, ListedArtifact, add_lines

__all__ = ["ArtifactCache", "ArtifactReading", "check_artifacts", "refused_path"]

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_BLOCK = 1 << 20
_LIMIT = 1 << 30

Status = Literal["matched", "mismatched", "missing", "refused"]


class ArtifactReading(msgspec.Struct, frozen=True):
    """A listed file as it is.

    `listed` and `actual` are SHA-256 in hex, `actual` is None where nothing was read.
    `code` is the finding's code, None where it matched; `index` the place in `artifact_checksums`.
    """

    path: str
    listed: str
    actual: str | None
    status: Status
    code: str | None
    index: int = 0


class ArtifactCache:
    """Digests of files that did not change, for repeated checks of one workspace.

    A digest is kept for a path and an `Identity`. It is believed from the second reading of the same identity
    on: a write in the same clock tick as the first reading leaves size and times as they were.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Identity, str, bool]] = {}

    def known(self, path: str, identity: Identity) -> str | None:
        """The digest, where it can be believed without reading the file."""
        found = self._known.get(path)
        return found[1] if found is not None and found[2] and found[0] == identity else None

    def keep(self, path: str, identity: Identity, digest: str) -> None:
        """Remember what was read."""
        found = self._known.get(path)
        again = found is not None and found[0] == identity and found[1] == digest
        self._known[path] = (identity, digest, again)

    def keep_only(self, paths: Iterable[str]) -> None:
        """Forget all other paths."""
        wanted = set(paths)
        self._known = {path: kept for path, kept in self._known.items() if path in wanted}

    def __len__(self) -> int:
        return len(self._known)


class _Refused(Exception):
    """Why no digest could be taken: the code, a sentence, and what stands there instead of a regular file."""

    def __init__(self, code: str, message: str, actual: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.actual = actual


class _Look(NamedTuple):
    """What a check works with; `seen` holds the digests of this check, for files that are listed twice."""

    root_fd: int
    files: Files
    cache: ArtifactCache | None
    limit: int
    check_cancelled: Callable[[], None] | None
    seen: dict[Identity, str]


def check_artifacts(
    root: str,
    listed: Iterable[ListedArtifact],
    *,
    cache: ArtifactCache | None = None,
    files: Files = OS,
    limit: int = _LIMIT,
    raw: bytes | None = None,
    file: str = STATE_FILE,
    check_cancelled: Callable[[], None] | None = None,
) -> tuple[tuple[ArtifactReading, ...], tuple[Finding, ...]]:
    """Read each listed file below the folder `root` and compare; one reading an item, in the list's order.

    `limit` is in bytes for one file (LIMIT_EXCEEDED). `raw` is the state's text, for the line of a finding.
    `check_cancelled` is called before each MiB and may raise. Findings: ARTIFACT_MISMATCH, ARTIFACT_MISSING,
    SYMLINK, PATH_ESCAPE (also a folder, FIFO or device), INPUT_UNREADABLE, CHANGED_DURING_READ,
    LIMIT_EXCEEDED, IO_ERROR. Nothing that a listed path is raises; InputMissing and InputUnreadable are
    about the root.
    """
    items = tuple(listed)
    readings: list[ArtifactReading] = []
    findings: list[Finding] = []
    if cache is not None:
        cache.keep_only(item.path for item in items)
    if not items:
        return (), ()
    root_fd = _open_root(root, files)
    try:
        look = _Look(root_fd, files, cache, limit, check_cancelled, {})
        for item in items:
            reading, finding = _read(look, item, file)
            readings.append(reading)
            if finding is not None:
                findings.append(finding)
    finally:
        _close(files, root_fd)
    return tuple(readings), add_lines(tuple(findings), raw, file=file)


def _open_root(root: str, files: Files) -> int:
    # The root itself may be a link: it is what the user named.
    try:
        return retried(files.open, root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise InputMissing(f"{root} is no folder", path=root, remedy="Check the path (-C DIR).") from None
        raise InputUnreadable(
            f"{root} cannot be opened: {os.strerror(error.errno or 0)}",
            path=root,
            remedy="Give this user read permission on the folder.",
        ) from None


def refused_path(path: str) -> str | None:
    """Why the path may not stand in the list, whatever is on the disk; None where it may."""
    if "\0" in path:
        return "the path holds a NUL character"
    if path.startswith("/"):
        return "the path is absolute"
    parts = path.split("/")
    if ".." in parts:
        return "the path holds '..'"
    if not _components(path):
        return "the path names no file"
    if parts[-1] in ("", "."):
        return "the path names a folder"
    return None


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _read(look: _Look, item: ListedArtifact, file: str) -> tuple[ArtifactReading, Finding | None]:
    actual = None
    try:
        actual = _digest_of(look, item.path)
    except _Refused as refusal:
        status: Status = "missing" if refusal.code == "ARTIFACT_MISSING" else "refused"
        code, message, seen, expected = refusal.code, refusal.message, refusal.actual, "a regular file"
        where = Where(file, pointer=f"/artifact_checksums/{item.index}/path")
    else:
        if actual == item.hash:
            return ArtifactReading(item.path, item.hash, actual, "matched", None, item.index), None
        status, code, seen, expected = "mismatched", "ARTIFACT_MISMATCH", actual, item.hash
        message = f"{item.path} is not the file that the checksum was taken of"
        if actual == item.hash.strip().lower():
            message = f"{item.path}: the checksum is right but not written as 64 lowercase hex digits"
        where = Where(file, pointer=f"/artifact_checksums/{item.index}/hash")
    finding = Finding(code, Severity.ERROR, message, where, expected, seen, CODES[code].remedy)
    return ArtifactReading(item.path, item.hash, actual, status, code, item.index), finding


def _digest_of(look: _Look, path: str) -> str:
    reason = refused_path(path)
    if reason is not None:
        raise _Refused("PATH_ESCAPE", f"{path}: {reason}", path)
    fd = look.root_fd
    try:
        parts = _components(path)
        for number, part in enumerate(parts, 1):
            inner = _open_inside(look, fd, part, path, "/".join(parts[:number]))
            if fd != look.root_fd:
                _close(look.files, fd)
            fd = inner
        return _digest(look, fd, path)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, str(error.errno))
        raise _Refused("IO_ERROR", f"{path} cannot be read ({name})", name) from None
    finally:
        if fd != look.root_fd:
            _close(look.files, fd)


def _close(files: Files, fd: int) -> None:
    # Nothing was written, so a close that fails loses nothing.
    with suppress(OSError):
        files.close(fd)


def _open_inside(look: _Look, folder: int, part: str, path: str, so_far: str) -> int:
    # Without O_DIRECTORY: with it, Linux says ENOTDIR for a link and for a plain file alike.
    while True:
        try:
            return look.files.open(part, _FLAGS, dir_fd=folder)
        except InterruptedError:
            continue
        except OSError as error:
            raise _refusal(error, path, so_far) from None


def _refusal(error: OSError, path: str, so_far: str) -> _Refused:
    number = error.errno or 0
    name = errno.errorcode.get(number, str(number))
    here = f"{path}: {so_far}" if so_far != path else path
    if number in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return _Refused("ARTIFACT_MISSING", f"{path} does not exist", "nothing")
    if number in (errno.ELOOP, errno.EMLINK):  # EMLINK: what some BSDs say for O_NOFOLLOW
        return _Refused("SYMLINK", f"{here} is a symbolic link, which is not followed", "a symbolic link")
    if number in (errno.EACCES, errno.EPERM):
        return _Refused("INPUT_UNREADABLE", f"no permission to read {here}", "permission denied")
    if number in (errno.ENXIO, errno.ENODEV):
        return _Refused("PATH_ESCAPE", f"{here} is a socket or device", "a socket or device")
    return _Refused("IO_ERROR", f"{here} cannot be opened ({name})", name)


_OTHERS = {
    modes.S_IFDIR: "a folder",
    modes.S_IFIFO: "a FIFO (named pipe)",
    modes.S_IFCHR: "a character device",
    modes.S_IFBLK: "a block device",
    modes.S_IFSOCK: "a socket",
}


def _digest(look: _Look, fd: int, path: str) -> str:
    before = look.files.fstat(fd)
    kind = modes.S_IFMT(before.st_mode)
    if kind != modes.S_IFREG:
        what = _OTHERS.get(kind, "no regular file")
        raise _Refused("PATH_ESCAPE", f"{path} is {what}, where a regular file is needed", what)
    identity = _identity(before)
    known = look.seen.get(identity) or (look.cache.known(path, identity) if look.cache is not None else None)
    if known is not None:
        return known
    if identity.size > look.limit:
        message = f"{path} has {identity.size} bytes, more than the limit of {look.limit} (limits.file_bytes)"
        raise _Refused("LIMIT_EXCEEDED", message, f"{identity.size} bytes")
    digest = hashlib.sha256()
    done = 0
    while True:
        if look.check_cancelled is not None:
            look.check_cancelled()
        # One byte beyond the size, so that a file that grows is seen to.
        block = retried(look.files.pread, fd, min(_BLOCK, identity.size + 1 - done), done)
        done += len(block)
        if not block or done > identity.size:
            break
        digest.update(block)
    if done != identity.size or _identity(look.files.fstat(fd)) != identity:
        raise _Refused("CHANGED_DURING_READ", f"{path} changed while it was read", None)
    result = digest.hexdigest()
    look.seen[identity] = result
    if look.cache is not None:
        look.cache.keep(path, identity, result)
    return result


def _identity(found: os.stat_result) -> Identity:
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
