"""What recovery starts from: the newest valid snapshot, loaded, or the beginning of the log."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from devstate.durable.files import Files

from .errors import NoRecoveryBaseError, SnapshotCorruptError, UnsupportedFormat
from .meta import Meta
from .registry import Primitives, Registry
from .segments import Segment
from .snapshot_file import SnapshotInfo
from .snapshot_reading import check_snapshot, list_snapshots, read_snapshot
from .versions import Versions

__all__ = ["RecoveryBase", "find_base", "load_snapshot", "rejected_besides"]


class RecoveryBase(msgspec.Struct):
    """A state and its place in the log. `opaque` are the sections of kinds that are not registered, `unknown` their
    numbers."""

    primitives: Primitives
    info: SnapshotInfo | None
    lsn: int
    cv: int
    ts: int
    next_tx: int
    opaque: dict[int, list[bytes]]
    unknown: set[int]


def find_base(
    root: str,
    registry: Registry,
    versions: Callable[[], Versions],
    meta: Meta,
    segments: tuple[Segment, ...],
    files: Files,
) -> tuple[RecoveryBase, list[tuple[str, str]]]:
    """The newest snapshot that is valid, loaded; without one the beginning of the log. Also the snapshots that were
    rejected before it, as (path, reason). Raises NoRecoveryBaseError, UnsupportedFormat, InputUnreadable."""
    rejected: list[tuple[str, str]] = []
    for found in list_snapshots(root, files):
        try:
            return load_snapshot(found.path, found.wal_offset, registry, versions, meta.salt, files), rejected
        except SnapshotCorruptError as error:
            rejected.append((found.path, error.reason))
    if not segments or segments[0].start != 0:
        first = f"it begins at LSN {segments[0].start}" if segments else "there is none"
        tried = "".join(f"; {os.path.basename(path)} is rejected ({why})" for path, why in rejected)
        raise NoRecoveryBaseError(
            f"{root}: no valid snapshot, and no log from LSN 0: {first}{tried}",
            path=root,
            remedy="Put back a snapshot, or the segments from LSN 0 on, from a copy of this database.",
        )
    return RecoveryBase(registry.instances(versions()), None, 0, 0, 0, 1, {}, set()), rejected


def load_snapshot(
    path: str,
    wal_offset: int,
    registry: Registry,
    versions: Callable[[], Versions],
    salt: bytes,
    files: Files,
) -> RecoveryBase:
    """The state of one snapshot. Raises SnapshotCorruptError, UnsupportedFormat, InputUnreadable."""
    contents = read_snapshot(path, salt=salt, files=files)
    info, meta = contents.info, contents.meta
    if info.wal_offset != wal_offset:
        raise SnapshotCorruptError(
            f"{path} says LSN {info.wal_offset}, its name another", reason="name", path=path
        )
    primitives = registry.instances(versions())
    opaque: dict[int, list[bytes]] = {}
    unknown: set[int] = set()
    for type_id, section in contents.sections:
        primitive = primitives.numbered(type_id)
        if primitive is None or meta.ext.get(type_id, ("", 1))[1] > primitive.format:
            opaque.setdefault(type_id, []).append(bytes(section))
            unknown.add(type_id)
            continue
        try:
            primitive.snapshot_deserialize(section)
        except Exception as error:
            raise SnapshotCorruptError(
                f"{path}: a section of {primitive.name} cannot be read: {error}", reason="records", path=path
            ) from None
    return RecoveryBase(
        primitives, info, info.wal_offset, meta.cv, meta.base_ts, meta.next_tx, opaque, unknown
    )


def rejected_besides(
    root: str, used: SnapshotInfo | None, salt: bytes, rejected: list[tuple[str, str]], files: Files
) -> list[tuple[str, str]]:
    """The damaged ones among the snapshots that were not looked at on the way to the one in use, as (path, reason)."""
    known = {path for path, _ in rejected}
    if used is not None:
        known.add(used.path)
    bad: list[tuple[str, str]] = []
    for found in list_snapshots(root, files):
        if found.path in known:
            continue
        try:
            check_snapshot(found.path, files, salt=salt)
        except SnapshotCorruptError as error:
            bad.append((found.path, error.reason))
        except UnsupportedFormat:
            continue  # older than the one in use, and none of our business
    return bad
