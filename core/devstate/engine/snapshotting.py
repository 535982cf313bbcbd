"""Taking a snapshot while writers go on, and letting go the log that no snapshot needs any more.

A crash at any step leaves more files than needed, never fewer: the log is let go only behind the oldest
snapshot that is kept, so that recovery can fall back to that one and still has everything behind it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from devstate.durable.files import OS, Files
from devstate.durable.reading import kind_of

from .arguments import require_number, require_seconds
from .envelope import TRANSACTION_ABORT, TRANSACTION_COMMIT
from .errors import (
    DurabilityError,
    SnapshotCorruptError,
    UnknownEntryType,
    UnsupportedFormat,
    ValueRangeError,
)
from .framing import SnapshotMark, decode_commit, frame_snapshot_mark
from .history_index import HistoryIndexDamaged, build_index, read_index, write_index
from .layout import history_folder, index_name, segment_name, snapshot_name, snapshots_folder, temp_name
from .meta import Meta
from .registry import Registry
from .segments import Segment, SegmentReader, list_segments
from .snapshot_file import SnapshotInfo, SnapshotMeta
from .snapshot_reading import check_snapshot, list_snapshots
from .snapshot_writing import write_snapshot
from .walk import ListedEntry, scan_entries

if TYPE_CHECKING:
    from .commit import Committer

__all__ = [
    "HistoryPolicy",
    "IndexedCommit",
    "SnapshotPolicy",
    "archive_segments",
    "commits_in",
    "take_snapshot",
]

_DAY_US = 86_400_000_000


class SnapshotPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When snapshots are taken by themselves, and how many are kept.

    After `wal_bytes` of log or `seconds` since the last one (looked at when something is committed; 0: never);
    at a clean close when at least `close_bytes` of log have come since (-1: never). `keep`: the newest so many
    that are valid.
    """

    wal_bytes: int = 100 << 20
    seconds: float = 1800.0
    close_bytes: int = 1 << 20
    keep: int = 2

    def __post_init__(self) -> None:
        for name, least in (("wal_bytes", 0), ("close_bytes", -1), ("keep", 1)):
            require_number(name, getattr(self, name), least=least)
        require_seconds("seconds", self.seconds)


class HistoryPolicy(msgspec.Struct, frozen=True):
    """What happens to the log that recovery no longer needs: kept for ever (`days` None), for some days, or
    not at all (0). It is what runs are replayed from."""

    days: float | None = None

    def __post_init__(self) -> None:
        if self.days is not None:
            require_seconds("days of history", self.days)

    @classmethod
    def of(cls, text: object) -> HistoryPolicy:
        """`keep`, `days=N` or `off`. Raises ValueRangeError."""
        if text == "keep":
            return cls()
        if text == "off":
            return cls(0)
        if isinstance(text, str) and text.startswith("days="):
            with suppress(ValueError):
                if 0 < (days := float(text[5:])) < float("inf"):
                    return cls(days)
        raise ValueRangeError(
            f"history is `keep`, `days=N` or `off`, not {text!r}", remedy="Give one of these three."
        )


class IndexedCommit(msgspec.Struct, frozen=True, gc=False):
    """Where a commit stands: what an index of a segment is made of."""

    run: bytes
    lsn: int
    end: int
    cv: int
    ts: int


def take_snapshot(
    root: str,
    committer: Committer,
    *,
    meta: Meta,
    registry: Registry,
    opaque: dict[int, list[bytes]],
    first_history_lsn: int,
    unapplied: Sequence[int] = (),
    step: Callable[[str], None] = lambda name: None,
    files: Files = OS,
) -> SnapshotInfo:
    """Write the state as it is now into `snapshots/`, durably; where it stands and what it holds.

    Writers wait for no more than the copy of one map. Raises DurabilityError; nothing is lost then. Raises
    UnknownEntryType where committed entries of `unapplied` types are not in that state: the snapshot would stand
    for them without having them, and whoever knows these types later would begin behind them.
    """
    log = committer.log
    if log is None:
        raise DurabilityError("a database in memory has no snapshots")
    newer = tuple(number for number in opaque if committer.primitives.numbered(number) is not None)
    if unapplied or newer:
        raise UnknownEntryType(
            f"{root} has data of kinds that are not registered, or of a later format: a snapshot would leave it out",
            types=tuple(unapplied) or newer,
            path=root,
            remedy="Open it with the plug-in that wrote it, or with a newer DevState.",
        )
    primitives = committer.primitives
    with committer.lock:
        # Closed, or failed: then nobody can say that memory at `cv` is the log through `lsn`.
        if committer.write_obstacle is not None:
            raise committer.write_obstacle()
        cv, ts, lsn, next_tx = committer.cv, committer.ts, log.end, committer.sequence
        frozen = [(primitive.type_id, primitive.at(cv, committer.lock)) for primitive in primitives]
        reader = object()
        primitives.versions.enter(reader, cv)  # last: what fails before it leaves no reader behind
    temporary = os.path.join(snapshots_folder(root), temp_name(files.token()))
    try:
        same = _present(root, cv, meta.salt, files)
        if same is not None:
            return same
        # A snapshot must never be more durable than the log that it claims to cover.
        log.sync_through(lsn)
        info = write_snapshot(
            temporary,
            timestamp=ts,
            wal_offset=lsn,
            meta=SnapshotMeta(
                db_uuid=meta.db_uuid,
                salt=meta.salt,
                cv=cv,
                next_tx=next_tx,
                base_ts=ts,
                first_history_lsn=first_history_lsn,
                ext={primitive.type_id: (primitive.name, primitive.format) for primitive in primitives},
            ),
            sections=((type_id, state.snapshot_serialize()) for type_id, state in frozen),
            opaque=opaque,
            files=files,
        )
    finally:
        with committer.lock:
            primitives.versions.leave(reader, max(committer.visible, 0))
    path = os.path.join(snapshots_folder(root), snapshot_name(lsn))
    try:
        files.replace(temporary, path)
        files.fsync_dir(snapshots_folder(root))
    except OSError as error:
        raise DurabilityError(
            f"cannot put the snapshot {path} in place: {error.strerror or error}",
            path=path,
            remedy="The log still holds everything; see to the folder and take it again.",
        ) from None
    mark = SnapshotMark(file=os.path.basename(path), wal_offset=lsn, cv=cv, ts=ts, crc32=info.crc32)
    committer.append_note(frame_snapshot_mark(mark))
    return msgspec.structs.replace(info, path=path)


def _present(root: str, cv: int, salt: bytes, files: Files) -> SnapshotInfo | None:
    """The newest snapshot, where it is valid and nothing was committed since."""
    for found in list_snapshots(root, files)[:1]:
        try:
            info = check_snapshot(found.path, files, salt=salt)
        except (SnapshotCorruptError, UnsupportedFormat):
            return None
        return info if info.cv == cv else None
    return None


def archive_segments(
    root: str,
    *,
    keep: int,
    history: HistoryPolicy,
    degraded: bool,
    active_start: int,
    salt: bytes,
    now: int,
    files: Files = OS,
) -> tuple[str, ...]:
    """Remove snapshots beyond the newest `keep` valid ones, and move the log before the oldest kept one away.

    Sealed segments get their indexes, so that runs from before the snapshot are found without reading the log.
    With `degraded` nothing goes: data of kinds that are not loaded is in there. Returns what went. Raises OSError.
    """
    if history.days != 0:
        with SegmentReader(root, salt=salt, files=files) as reader:
            for segment in list_segments(root, history=False, files=files):
                if segment.start < active_start:  # what is behind it was begun meanwhile
                    _index(root, segment, reader, files)
    kept: list[int] = []
    surplus: list[str] = []
    for found in list_snapshots(root, files):
        if len(kept) >= keep:
            if kind_of(found.path, files=files) != "folder":  # the next open sets that aside
                surplus.append(found.path)
            continue
        try:
            check_snapshot(found.path, files, salt=salt)
        except (SnapshotCorruptError, UnsupportedFormat):
            continue  # not one to rely on; the next open sets it aside
        kept.append(found.wal_offset)
    gone: list[str] = []
    if degraded or not kept:
        return ()
    for path in surplus:
        files.unlink(path)
        gone.append(path)
    if surplus:
        files.fsync_dir(snapshots_folder(root))
    horizon = kept[-1]
    # Where history goes there is no way back before the oldest snapshot: one alone is then not enough to rely on.
    relied = len(kept) >= keep
    if history.days == 0 and not relied:
        return tuple(gone)
    with SegmentReader(root, salt=salt, files=files) as reader:
        for segment in list_segments(root, history=False, files=files):
            if segment.end <= horizon and segment.start < active_start:
                _archive(root, segment, history, files)
                gone.append(segment.path)
        if history.days and relied:
            gone += _expire(root, reader, now - int(history.days * _DAY_US), horizon, files)
    return tuple(gone)


def commits_in(data: bytes, base: int) -> Iterator[IndexedCommit]:
    """The commits of a sealed segment; a copy of one, which stands elsewhere than it says, is none."""
    begun: dict[bytes, int] = {}
    for entry in scan_entries(data, base):
        if not isinstance(entry, ListedEntry) or not entry.crc_ok:
            continue
        if entry.entry_type not in (TRANSACTION_COMMIT, TRANSACTION_ABORT):
            begun.setdefault(entry.tx_id, entry.lsn)
            continue
        first = begun.pop(entry.tx_id, None)
        if entry.entry_type == TRANSACTION_COMMIT:
            marker = decode_commit(entry.payload)
            # One that another writer began in the segment before has its first entry there.
            if not isinstance(marker, str) and (marker.lsn == first or marker.lsn < base):
                end = entry.lsn + entry.size
                yield IndexedCommit(marker.run, marker.lsn, end, marker.cv, marker.ts)


def _archive(root: str, segment: Segment, history: HistoryPolicy, files: Files) -> None:
    if history.days == 0:
        files.unlink(segment.path)
        files.fsync_dir(os.path.dirname(segment.path))
        return
    folder = history_folder(root)
    files.replace(segment.path, os.path.join(folder, segment_name(segment.start)))
    files.fsync_dir(folder)
    files.fsync_dir(os.path.dirname(segment.path))


def _index(root: str, segment: Segment, reader: SegmentReader, files: Files) -> None:
    """See that a sealed segment has its index, which stays where it is when the segment moves."""
    path = os.path.join(history_folder(root), index_name(segment.start))
    try:
        index = read_index(path, files)
        if (index.start, index.end) == (segment.start, segment.end):
            return
    except HistoryIndexDamaged:
        pass  # missing, or not to be believed
    commits = commits_in(reader.load(segment), segment.start)
    try:
        data = build_index(commits, start=segment.start, end=segment.end)
    except ValueError:
        return  # transactions of another writer that lie across each other: replay reads the segment itself
    write_index(path, data, files)


def _expire(root: str, reader: SegmentReader, before: int, horizon: int, files: Files) -> list[str]:
    """Delete the segments of history whose last commit is older than `before` (us), from the oldest on."""
    gone: list[str] = []
    for segment in list_segments(root, history=True, files=files):
        if not segment.archived or segment.end > horizon:
            break
        last = max((commit.ts for commit in commits_in(reader.load(segment), segment.start)), default=0)
        if last >= before:
            break
        files.unlink(segment.path)
        index = os.path.join(history_folder(root), index_name(segment.start))
        with suppress(FileNotFoundError):
            files.unlink(index)
        gone.append(segment.path)
    if gone:
        files.fsync_dir(history_folder(root))
    return gone
