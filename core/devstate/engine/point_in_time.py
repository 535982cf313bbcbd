"""The whole database as it was at a commit, and which commit was the newest at a time. This is reading only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from devstate.durable.files import OS, Files

from .arguments import require_number
from .envelope import TRANSACTION_COMMIT
from .errors import HistoryPruned, RunNotFound, SnapshotCorruptError, ValueRangeError, WalCorruptionError
from .framing import CommitMarker, Transaction, decode_commit
from .identity import read_identity
from .ids import RunLike, run_bytes, run_text
from .journal import first_kept_cv
from .memory_log import MemoryLog
from .primitives.runs import RunMetadata
from .recovery import apply_transaction
from .recovery_base import RecoveryBase, load_snapshot
from .scan import ListedEntry, scan_entries
from .segments import Segment, SegmentReader, list_segments
from .snapshot_reading import list_snapshots
from .versions import Versions
from .view import ReadOnlyView
from .walk import LogWalk

if TYPE_CHECKING:
    from .registry import Primitives, Registry

__all__ = ["DatabaseView", "cv_at", "cv_at_memory", "database_view", "memory_view"]


class DatabaseView:
    """All runs as of commit `cv`; `ts` (us) is its time, 0 where there is none. Read-only, and detached."""

    __slots__ = ("__weakref__", "_primitives", "cv", "ts")

    def __init__(self, primitives: Primitives, cv: int, ts: int) -> None:
        """Not called directly."""
        self._primitives = primitives
        self.cv = cv
        self.ts = ts

    def runs(self) -> tuple[RunMetadata, ...]:
        """What was known of each run, in the order in which they were created."""
        store = self._primitives.named("runs")
        found: list[RunMetadata] = [store.view(run, 1 << 63) for run in store.runs()]
        return tuple(sorted(found, key=lambda told: (told.first_cv, told.run_id)))

    def run(self, run_id: RunLike) -> ReadOnlyView:
        """One run. Its view has no changes: it was not made step by step. Raises RunNotFound."""
        run = run_bytes(run_id)
        store = self._primitives.named("runs")
        told: RunMetadata | None = store.view(run, 1 << 63)
        if told is None:
            raise RunNotFound(
                f"at commit {self.cv} there was no run {run_text(run)}",
                remedy="`runs()` lists those that there were.",
            )
        latest = store.latest(run, None)
        return ReadOnlyView(
            self._primitives,
            run,
            cv=told.last_cv,
            ts=latest[2] if latest is not None else 0,
            step=told.tx_count,
            n_steps=told.tx_count,
        )

    def __repr__(self) -> str:
        return f"<database at commit {self.cv}>"


def database_view(root: str, registry: Registry, cv: int, *, files: Files = OS) -> DatabaseView:
    """The database in folder `root` as of commit `cv` (0: empty): from the nearest valid snapshot at or before
    it, and the log behind that.

    Raises ValueRangeError where there is no such commit, HistoryPruned where it is older than what is kept,
    WalCorruptionError where the log does not lead there.
    """
    _require_cv(cv)
    with SegmentReader(root, files=files) as reader:
        meta, _ = read_identity(root, reader, files)
        segments = list_segments(root, history=True, files=files)
        base, oldest = _base_at(root, registry, cv, meta.salt, segments, files)
        if base is None:
            first = first_kept_cv(segments, reader, oldest if oldest is not None else cv + 1)
            raise _pruned(cv, oldest if oldest is not None else first)
        walk = LogWalk(
            tuple(segment for segment in segments if segment.end > base.lsn or segment is segments[-1]),
            reader=reader,
            start=base.lsn,
            last_cv=base.cv,
            last_ts=base.ts,
            salt=meta.salt,
        )
        return _applied(base.primitives, base.cv, base.ts, cv, iter(walk), lambda: walk.end.lost)


def memory_view(log: MemoryLog, registry: Registry, cv: int) -> DatabaseView:
    """The same for a database in memory. Raises ValueRangeError, HistoryPruned."""
    _require_cv(cv)
    transactions = (log.read_transaction(lsn) for lsn in range(log.end))
    return _applied(registry.instances(), 0, 0, cv, transactions, lambda: None)


def cv_at(
    root: str,
    ts: int,
    *,
    commits: Sequence[tuple[int, int, int]] = (),
    salt: bytes | None = None,
    files: Files = OS,
) -> int:
    """The newest commit whose time is `ts` (us) or before; 0 where there is none.

    `commits` are positions known beforehand, as `Recovered.commits` has them: (cv, ts, lsn), ascending. Searches the
    beginnings of the segments, then these, and scans from there. Raises HistoryPruned where the log does not go
    back that far, InputUnreadable.
    """
    with SegmentReader(root, files=files) as reader:
        segments = reader.refresh()
        filled = [segment for segment in segments if segment.size]
        place = bisect_right(filled, ts, key=lambda segment: _first_ts(reader, segment, salt))
        if not place:
            first = first_kept_cv(filled, reader, 0)
            if first > 1:
                raise _pruned_before(ts, first)
            return 0
        start = filled[place - 1].start
        known = bisect_right(commits, ts, key=lambda commit: commit[1])
        if known and commits[known - 1][2] > start:
            start = commits[known - 1][2]
        found = 0
        for segment in filled:
            if segment.end <= start:
                continue
            for marker in _markers(reader, segment, max(0, start - segment.start), salt):
                if marker.ts > ts:
                    return found
                found = max(found, marker.cv)
        return found


def cv_at_memory(log: MemoryLog, ts: int) -> int:
    """The same for a database in memory. Raises HistoryPruned."""
    low, high = 0, log.end
    kept = None
    while low < high:
        middle = (low + high) // 2
        try:
            transaction = log.read_transaction(middle)
        except HistoryPruned as error:
            kept = error.from_cv
            low = middle + 1
            continue
        if transaction.ts <= ts:
            low = middle + 1
        else:
            high = middle
    if not low:
        return 0
    try:
        return log.read_transaction(low - 1).cv
    except HistoryPruned:
        raise _pruned_before(ts, kept or low + 1) from None


def _require_cv(cv: int) -> None:
    require_number("a commit", cv)
    if cv < 0:
        raise ValueRangeError(
            f"there is no commit {cv}", remedy="Commits count from 1; 0 is before the first."
        )


def _base_at(
    root: str, registry: Registry, cv: int, salt: bytes, segments: Sequence[Segment], files: Files
) -> tuple[RecoveryBase | None, int | None]:
    """What to start from for commit `cv`, and the version of the oldest snapshot that is too new for it."""
    oldest: int | None = None
    for found in list_snapshots(root, files):
        try:
            base = load_snapshot(found.path, found.wal_offset, registry, Versions, salt, files)
        except SnapshotCorruptError:
            continue
        if base.cv <= cv:
            return base, oldest
        oldest = base.cv
    if segments and segments[0].start == 0:
        return RecoveryBase(registry.instances(), None, 0, 0, 0, 1, {}, set()), oldest
    return None, oldest


def _applied(
    primitives: Primitives,
    last_cv: int,
    last_ts: int,
    cv: int,
    transactions: Iterator[Transaction],
    lost: Callable[[], object],
) -> DatabaseView:
    unknown: set[int] = set()
    while last_cv < cv:
        transaction = next(transactions, None)
        if transaction is None:
            report = lost()
            if report is not None:
                raise WalCorruptionError(
                    f"the log is damaged behind commit {last_cv}: commit {cv} cannot be reached",
                    report=report,
                    remedy="`devstate db check` shows all damage.",
                )
            raise ValueRangeError(
                f"there is no commit {cv}", remedy=f"The newest one is {last_cv}; give it or one before it."
            )
        apply_transaction(primitives, transaction, unknown)
        last_cv, last_ts = transaction.cv, transaction.ts
    return DatabaseView(primitives, last_cv, last_ts)


def _first_ts(reader: SegmentReader, segment: Segment, salt: bytes | None) -> int:
    """The time of the first commit of a segment; without one later than every time."""
    size = 4096
    while True:
        data = reader.read(segment.start, min(size, segment.size))
        for marker in _markers_in(data, segment.start, salt):
            return marker.ts
        if size >= segment.size or len(data) < size:
            return 1 << 64
        size *= 8


def _markers(
    reader: SegmentReader, segment: Segment, offset: int, salt: bytes | None
) -> Iterator[CommitMarker]:
    return _markers_in(reader.load(segment, offset), segment.start + offset, salt)


def _markers_in(data: bytes, base: int, salt: bytes | None) -> Iterator[CommitMarker]:
    for entry in scan_entries(data, base, salt=salt):
        if isinstance(entry, ListedEntry) and entry.crc_ok and entry.entry_type == TRANSACTION_COMMIT:
            marker = decode_commit(entry.payload)
            if isinstance(marker, CommitMarker) and (salt is None or entry.tx_id[8:] == salt):
                yield marker


def _pruned(cv: int, first: int) -> HistoryPruned:
    return HistoryPruned(
        f"commit {cv} lies before the history that is kept",
        from_cv=first,
        remedy=f"The oldest state that can be shown is that of commit {first}.",
    )


def _pruned_before(ts: int, first: int) -> HistoryPruned:
    return HistoryPruned(
        f"time {ts} lies before the history that is kept",
        from_cv=first,
        remedy=f"It begins with commit {first}.",
    )
