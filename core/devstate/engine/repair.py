"""Putting the files of a database right before it is written to. The only place that cuts a log.

Nothing is thrown away: what leaves the log is in `quarantine/`, synced, before the log is cut. Names there are
made of positions and checksums, so that a repair that was interrupted and begins again makes the same files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from zlib import crc32

import msgspec

from devstate.durable import atomic_replace, ensure_folder
from devstate.durable.files import OS, Files, retried
from devstate.durable.reading import kind_of
from devstate.errors import StorageFault

from .errors import DurabilityError
from .layout import CLEAN, META, history_folder, parse_index_name, quarantine_folder, snapshots_folder
from .meta import encode_meta
from .recovery import Recovered
from .segments import Segment, in_the_way

__all__ = ["cut_log", "repair", "set_bytes_aside"]

_BLOCK = 1 << 20


def repair(root: str, recovered: Recovered, *, files: Files = OS) -> tuple[str, ...]:
    """Make the files say what was recovered; the paths of what was set aside.

    Raises DurabilityError, StorageFault; calling it again goes on where it ended. Raises InputUnreadable, before it
    changes anything, where what is no file stands in the way of the log.
    """
    obstacle = in_the_way(root, recovered.end.end_lsn, files=files)
    if obstacle is not None:
        raise obstacle
    try:
        if recovered.result.meta_rebuilt:
            atomic_replace(os.path.join(root, META), encode_meta(recovered.meta), mode=0o644, files=files)
        for path in recovered.leftovers:
            retried(files.unlink, path)
        rejected = [path for path, _ in recovered.result.snapshots_rejected]
        for path in rejected:
            files.replace(path, _name_aside(path, files))
        if rejected:
            files.fsync_dir(snapshots_folder(root))
        if not recovered.cut:
            return ()
        lost = recovered.result.corruption
        aside = cut_log(root, recovered.segments, recovered.end.end_lsn, report=lost, files=files)
        if lost is not None:
            # It may speak of commits that are set aside now. Last, so that a repair that was interrupted is
            # still refused where this mark is all that tells a loss from a torn tail.
            with suppress(FileNotFoundError):
                retried(files.unlink, os.path.join(root, CLEAN))
                files.fsync_dir(root)
        return aside
    except OSError as error:
        raise DurabilityError(
            f"cannot repair {root}: {error.strerror or error}",
            path=root,
            remedy="Make room and see to the permissions of the folder, then open it again.",
        ) from None


def cut_log(
    root: str, segments: Iterable[Segment], end: int, *, report: object = None, files: Files = OS
) -> tuple[str, ...]:
    """End the log at LSN `end`; what stood behind it is set aside first. The paths of that. Raises OSError."""
    aside: list[str] = []
    affected = [segment for segment in segments if segment.end > end]
    for segment in affected:
        offset = max(0, end - segment.start)
        aside.append(_copy_aside(root, segment, offset, files))
    # One report for each end: a repair that goes on behind its cut would tell the same loss in other words.
    if report is not None and (aside or not _reported(root, end, files)):
        text = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
        aside.append(set_bytes_aside(root, _report_name(end), ".json", text, files))
    _drop_indexes(root, {segment.start for segment in affected}, end, files)
    # From the last one backwards: whatever a crash leaves of this is a shorter log, never one with a hole.
    for segment in reversed(affected):
        if segment.start > end:
            retried(files.unlink, segment.path)
            files.fsync_dir(os.path.dirname(segment.path))
        else:
            _truncate(segment.path, end - segment.start, files)
    return tuple(aside)


def _name_aside(path: str, files: Files) -> str:
    """Where a rejected snapshot goes: in the place of one before it, but no folder gives way, or takes a place."""
    file = kind_of(path, files=files) != "folder"
    number = 0
    while True:
        name = f"{path}.{number}.bad" if number else f"{path}.bad"
        there = kind_of(name, files=files)
        if there is None or (file and there != "folder"):
            return name
        number += 1


def _reported(root: str, end: int, files: Files) -> bool:
    try:
        return any(name.startswith(_report_name(end)) for name in files.listdir(quarantine_folder(root)))
    except FileNotFoundError:
        return False


def _report_name(end: int) -> str:
    return f"report-{end:020d}"


def _drop_indexes(root: str, cut: set[int], end: int, files: Files) -> None:
    """Remove the indexes of what is cut, before it is: a segment that later fills the same positions with other
    transactions would be taken for the indexed one."""
    folder = history_folder(root)
    try:
        names = files.listdir(folder)
    except FileNotFoundError:
        return
    stale = [
        name
        for name in names
        if (start := parse_index_name(name)) is not None and (start in cut or start >= end)
    ]
    for name in sorted(stale):
        retried(files.unlink, os.path.join(folder, name))
    if stale:
        files.fsync_dir(folder)


def set_bytes_aside(root: str, name: str, suffix: str, data: bytes, files: Files) -> str:
    """Write bytes into quarantine/, durably, under a name that tells their content; its path. Raises OSError."""
    folder = quarantine_folder(root)
    ensure_folder(folder, files=files)
    path = os.path.join(folder, f"{name}-{crc32(data):08x}{suffix}")
    try:
        atomic_replace(path, data, mode=0o600, files=files)
    except StorageFault as error:
        raise OSError(5, error.message) from None
    return path


def _copy_aside(root: str, segment: Segment, offset: int, files: Files) -> str:
    fd = retried(files.open, segment.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        parts: list[bytes] = []
        position = offset
        while block := retried(files.pread, fd, _BLOCK, position):
            parts.append(block)
            position += len(block)
    finally:
        files.close(fd)
    return set_bytes_aside(root, f"wal-{segment.start + offset:020d}", ".bin", b"".join(parts), files)


def _truncate(path: str, length: int, files: Files) -> None:
    fd = retried(files.open, path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        retried(files.ftruncate, fd, length)
        retried(files.fdatasync, fd)
    finally:
        files.close(fd)
