"""A database folder as it lies there, for people: read without a lock, nothing is changed, nothing is assumed sound."""

from __future__ import annotations

import os
import re
from typing import Any

import msgspec

from devstate.durable.files import OS, Files, retried
from devstate.durable.reading import unreadable
from devstate.errors import DevStateError

from .builtin import builtin_registry
from .identity import read_clean, read_small
from .inspection_fields import (
    Field,
    describe_entry,
    entry_content,
    entry_fields,
    entry_head,
    known_types,
    moment_text,
    type_name,
)
from .inspection_index import Damage, Mark, SegmentIndex
from .layout import LOCK, META
from .meta import CleanMark, Meta, decode_meta
from .owners import Owners
from .recovery import Recovered, recover
from .recovery_result import RecoveryOptions, RecoveryResult
from .registry import Primitives, Registry
from .reports import CorruptionReport, WalkEnd, reason_in_words
from .segments import Segment, list_segments, stray_files
from .snapshot_file import SnapshotInfo
from .snapshot_reading import SnapshotFile, check_snapshot, list_snapshots
from .versions import Versions

__all__ = [
    "Damage",
    "Field",
    "FolderLook",
    "Mark",
    "OpeningPreview",
    "SegmentIndex",
    "SnapshotVerdict",
    "describe_entry",
    "describers",
    "entry_content",
    "entry_fields",
    "entry_head",
    "judge_snapshot",
    "known_types",
    "look_at",
    "moment_text",
    "preview_opening",
    "reason_in_words",
    "type_name",
]

_ATTEMPTS = 3


class FolderLook(msgspec.Struct, frozen=True):
    """What is in the folder of a database, by names and sizes; no log and no snapshot is read.

    `there` says whether there is a database at all, `other` whether the folder holds something else. `fault` is
    why META cannot be believed; opening `refuses` a damaged one, and does without one that is missing. `clean` is the
    mark of a clean close: the log reaches its end, or is damaged. `holder` is the process that LOCK names,
    where it is alive: it has the database open in exclusive mode (openers in shared mode sign nothing).
    """

    root: str
    there: bool = False
    other: bool = False
    meta: Meta | None = None
    fault: str = ""
    refuses: bool = False
    segments: tuple[Segment, ...] = ()
    snapshots: tuple[SnapshotFile, ...] = ()
    clean: CleanMark | None = None
    holder: int | None = None
    strays: tuple[str, ...] = ()

    @property
    def salt(self) -> bytes | None:
        """The salt of the database, None where META does not say it."""
        return self.meta.salt if self.meta is not None else None


class SnapshotVerdict(msgspec.Struct, frozen=True):
    """Whether a snapshot would be used: `info` where it is sound, else why it is rejected."""

    info: SnapshotInfo | None = None
    reason: str = ""


class OpeningPreview(msgspec.Struct, frozen=True):
    """What opening a database would come to, found out without opening it.

    `result` is that of a recovery of the intact prefix; None with a `fault`, where nothing could be opened. `end`
    says how the log ends, `lost` what is damaged (opening then raises, unless asked for the prefix). `moved`:
    somebody was writing.
    """

    result: RecoveryResult | None = None
    end: WalkEnd | None = None
    fault: DevStateError | None = None
    moved: bool = False

    @property
    def lost(self) -> CorruptionReport | None:
        """The report on lost data, None where none is."""
        return self.end.lost if self.end is not None else None


def look_at(root: str, *, files: Files = OS) -> FolderLook:
    """List a folder. A missing one is no database. Raises InputUnreadable where it cannot be listed."""
    root = os.path.abspath(root)
    try:
        names = files.listdir(root)
    except FileNotFoundError:
        return FolderLook(root)
    except NotADirectoryError:
        return FolderLook(root, other=True)
    except OSError as error:
        raise unreadable(error, root) from None
    # What vouches for the log first: while others write, the log only grows.
    clean = read_clean(root, files)
    snapshots = list_snapshots(root, files)
    segments = list_segments(root, history=True, files=files)
    there = META in names or bool(snapshots) or any(segment.size for segment in segments)
    if not there:
        return FolderLook(root, other=any(not name.startswith(".") for name in names) and "wal" not in names)
    meta: Meta | None = None
    fault, refuses = "", False
    try:
        data = read_small(os.path.join(root, META), files)
        if data is None:
            fault = "META is missing: the identity is taken from a snapshot or from the log"
        else:
            meta = decode_meta(data, os.path.join(root, META))
    except DevStateError as error:
        fault, refuses = error.message, True
    return FolderLook(
        root,
        there=True,
        meta=meta,
        fault=fault,
        refuses=refuses,
        segments=segments,
        snapshots=snapshots,
        clean=clean,
        holder=_holder(root, files),
        strays=stray_files(root, files=files),
    )


def judge_snapshot(file: SnapshotFile, salt: bytes | None, *, files: Files = OS) -> SnapshotVerdict:
    """Read a snapshot through, as recovery does before it uses one. Never raises."""
    try:
        return SnapshotVerdict(check_snapshot(file.path, files, salt=salt))
    except DevStateError as error:
        return SnapshotVerdict(reason=error.message)


def preview_opening(root: str, *, registry: Registry | None = None, files: Files = OS) -> OpeningPreview:
    """Recover in memory, as opening would, and throw the state away. Costs what opening costs.

    Where files changed meanwhile it is done again, a few times. Never raises what opening would: that is the `fault`.
    """
    registry = registry or builtin_registry()
    preview = OpeningPreview()
    for _ in range(_ATTEMPTS):
        before = _sizes(root, files)
        preview = _preview(root, registry, files)
        if _sizes(root, files) == before:
            return preview
    return msgspec.structs.replace(preview, moved=True)


def describers(registry: Registry | None = None) -> Primitives:
    """Empty instances of every kind, for `describe_entry`."""
    return (registry or builtin_registry()).instances()


def _preview(root: str, registry: Registry, files: Files) -> OpeningPreview:
    owners = Owners("inspection", files)

    def prepare(primitives: Primitives) -> None:
        runs: Any = primitives.named("runs")
        runs.owner_alive = owners.alive

    try:
        recovered: Recovered = recover(
            root,
            registry,
            Versions,
            RecoveryOptions(on_corruption="read_only"),
            alone=False,
            prepare=prepare,
            files=files,
        )
    except DevStateError as error:
        return OpeningPreview(fault=error)
    return OpeningPreview(recovered.result, recovered.end)


def _sizes(root: str, files: Files) -> object:
    try:
        look = look_at(root, files=files)
    except DevStateError:
        return None
    return look.segments, look.snapshots


def _holder(root: str, files: Files) -> int | None:
    path = os.path.join(root, LOCK)
    try:
        fd = retried(files.open, path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = re.match(rb"([0-9]{1,10})\b", files.pread(fd, 64, 0))
    except OSError:
        return None
    finally:
        files.close(fd)
    pid = int(found[1]) if found else None
    return pid if pid is not None and files.process_alive(pid) else None
