"""Everything about the files of a database that can be checked, as findings; like an integrity check of SQLite.

The log is walked from its beginning, history included, and applied; the state it makes must be that of every
snapshot on the way, and that of recovery at the end. Chains of events are verified, and the indexes of sealed
segments compared with these. Nothing is changed, not even what could be repaired.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from devstate.durable.files import OS, Files
from devstate.durable.reading import StableFile, kind_of, unreadable
from devstate.errors import DevStateError, InputMissing, InputUnreadable
from devstate.findings import CODES, Finding, Severity, Where

from .errors import EngineError, SnapshotCorruptError, UnknownEntryType, UnsupportedFormat
from .framing import Transaction
from .history_index import HistoryIndexDamaged, read_index
from .identity import read_clean, read_identity, read_small
from .ids import run_text
from .journal import first_kept_cv
from .layout import CLEAN, META, history_folder, index_name, parse_index_name, snapshots_folder, wal_folder
from .meta import Meta
from .primitives.events import EventStore, first_bad
from .recovery import Recovered, apply_transaction, recover
from .recovery_base import RecoveryBase, load_snapshot
from .recovery_result import RecoveryOptions
from .reports import CorruptionReport, WalkEnd, reason_in_words
from .segments import Segment, SegmentReader, in_the_way, list_segments, stray_files
from .snapshot_reading import list_snapshots
from .snapshot_writing import state_digest
from .snapshotting import commits_in
from .versions import Versions
from .walk import LogWalk

if TYPE_CHECKING:
    from .registry import Primitives, Registry

__all__ = ["check"]

_MANY_GAPS = 1 << 30  # all are wanted; how many recovery lets pass is not the question here
_NO_LIMIT = (1 << 63) - 1
_BLOCK = 1 << 20
_TWO_COPIES = (
    "The engine reads the file in wal/ alone. Copy the folder of the database first; then keep the one of the two that "
    "the rest of the log fits, and move the other away."
)
_NOT_NEEDED = (
    "The present state is whole without it: a later snapshot has it. Runs that wrote there cannot be replayed; a copy "
    "of the folder may have the segment."
)
_LOG_GONE = (
    "Keep the snapshot: those commits are nowhere else. Restore the missing log from a copy of the folder; "
    "`devstate db recover --on-corruption prefix` goes on without it."
)


def check(root: str, *, registry: Registry, live: bool = False, files: Files = OS) -> tuple[Finding, ...]:
    """All that is wrong with the files of the database in `root`, in an order that the files alone decide.

    `live`: others may have it open; an unfinished end of the log and active runs are then no findings. Files are
    named relative to `root`. An empty answer says that log, history, snapshots, indexes and chains agree.
    """
    found: list[Finding] = []
    try:
        with SegmentReader(root, files=files) as reader:
            found += _Check(root, registry, reader, files, live).findings()
    except InputUnreadable as error:
        found.append(_finding("INPUT_UNREADABLE", error.message, _under(root, error.path or root)))
    except DevStateError as error:
        found.append(_finding("STORE_UNREADABLE", error.message, _under(root, error.path or root)))
    return tuple(found)


class _Sound(msgspec.Struct):
    """A snapshot that can be loaded."""

    path: str
    base: RecoveryBase
    digest: str


class _Check:
    def __init__(
        self, root: str, registry: Registry, reader: SegmentReader, files: Files, live: bool
    ) -> None:
        self._root = root
        self._registry = registry
        self._reader = reader
        self._files = files
        self._live = live
        self._damaged = False  # whether the walk has told of lost data

    def findings(self) -> Iterator[Finding]:
        root, files = self._root, self._files
        meta, rebuilt = read_identity(root, self._reader, files)
        if rebuilt:
            message = "META is missing; its content is taken from the rest of the database"
            yield _finding("STORE_FILE_DAMAGED", message, META)
        marked = not self._live and read_small(os.path.join(root, CLEAN), files) is not None
        if marked and read_clean(root, files) is None:
            yield _finding("STORE_FILE_DAMAGED", "the mark of a clean close cannot be read", CLEAN)
        segments = list_segments(root, history=True, files=files)
        if segments and segments[0].start:
            first = first_kept_cv(segments, self._reader, 0)
            begins = f"begins with commit {first}: what was before it" if first else "has no commit: what was"
            yield _finding(
                "HISTORY_PRUNED", f"the log {begins} cannot be replayed", self._name(segments[0].path)
            )
        snapshots: list[_Sound] = []
        for found in reversed(list_snapshots(root, files)):
            try:
                base = load_snapshot(found.path, found.wal_offset, self._registry, Versions, meta.salt, files)
            except SnapshotCorruptError as error:
                yield _finding("SNAPSHOT_CORRUPT", error.message, self._name(found.path))
            except UnsupportedFormat as error:
                yield _finding("STORE_UNREADABLE", error.message, self._name(found.path))
            else:
                snapshots.append(_Sound(found.path, base, _digest(base.primitives)))
        replayed = yield from self._log(meta, segments, snapshots)
        recovered = yield from self._recovery(replayed)
        if recovered is not None:
            yield from self._chains(recovered.primitives)
        yield from self._copies(segments)
        yield from self._indexes(segments)
        obstacle = None
        if recovered is not None:
            obstacle = in_the_way(root, recovered.end.end_lsn, files=files)
        if obstacle is not None:
            named = _finding("INPUT_UNREADABLE", obstacle.message, self._name(obstacle.path or ""))
            yield msgspec.structs.replace(named, remedy=obstacle.remedy)
        yield from self._leftovers(recovered, known=(obstacle.path or "") if obstacle is not None else "")

    # -- the log

    def _log(
        self, meta: Meta, segments: Sequence[Segment], snapshots: Sequence[_Sound]
    ) -> Generator[Finding, None, tuple[int, str] | None]:
        """Walk everything; returns where the state that it makes got to, (cv, digest), None where it cannot."""
        start = segments[0].start if segments else 0
        whole = start == 0
        cv = 0 if whole else max(0, first_kept_cv(segments, self._reader, 1) - 1)
        state = self._registry.instances() if whole else None
        waiting = list(snapshots)
        ts = 0
        if not whole and first_kept_cv(segments, self._reader, 0) == 0:
            # No commit says which one it goes on from: only the snapshot at its beginning can.
            for sound in [one for one in waiting if one.base.lsn == start]:
                state, cv, ts = sound.base.primitives, sound.base.cv, sound.base.ts
        while True:
            walk = LogWalk(
                tuple(segment for segment in segments if segment.end > start or segment is segments[-1]),
                reader=self._reader,
                start=start,
                last_cv=cv,
                last_ts=ts,
                salt=meta.salt,
                max_gaps=_MANY_GAPS,
            )
            step = _Step(state, cv)
            for transaction in walk:
                yield from self._meet(step, waiting)
                refused = step.apply(transaction)
                if refused is not None:
                    yield self._damage(refused, transaction.lsn, segments)
                cv, ts = transaction.cv, transaction.ts
            yield from self._meet(step, waiting)
            lost = walk.end.lost
            # History may be damaged where no state depends on it any more: go on from the next snapshot.
            behind = [sound for sound in waiting if lost is not None and sound.base.lsn > lost.lsn]
            for finding in self._end(walk.end):
                needless = bool(behind) and finding.code == "WAL_CORRUPT"
                yield msgspec.structs.replace(finding, remedy=_NOT_NEEDED) if needless else finding
            if lost is None:
                break
            if not behind:
                return None
            sound = behind[0]
            waiting = behind[1:]
            state, start, cv, ts = sound.base.primitives, sound.base.lsn, sound.base.cv, sound.base.ts
        for sound in waiting:
            message = f"the snapshot is of commit {sound.base.cv}; the log ends at commit {cv}"
            yield msgspec.structs.replace(
                _finding("STATE_MISMATCH", message, self._name(sound.path)), remedy=_LOG_GONE
            )
        return (step.cv, _digest(step.state)) if step.state is not None else None

    def _meet(self, step: _Step, waiting: list[_Sound]) -> Iterator[Finding]:
        """Compare the state with the snapshots of the same commit; without a state, take theirs."""
        while waiting and waiting[0].base.cv <= step.cv:
            sound = waiting.pop(0)
            if sound.base.cv < step.cv:
                continue  # of before the log that is kept
            if step.state is None:
                step.state = sound.base.primitives
            elif _digest(step.state) != sound.digest:
                message = f"the snapshot is not what the log makes of the first {step.cv:,} commits"
                yield _finding("STATE_MISMATCH", message, self._name(sound.path))

    def _end(self, end: WalkEnd) -> Iterator[Finding]:
        for gap in end.gaps:
            message = (
                f"{gap.bytes:,} bytes at LSN {gap.lsn} are no entries ({reason_in_words(gap.reason)}); the "
                "commits around them follow each other, so nothing is lost"
            )
            yield _finding("WAL_GAP", message, "wal")
        if end.lost is not None:
            yield self._lost(end.lost)
        elif end.tail_bytes and not self._live:
            defect = end.tail_defect
            name = self._name(defect.segment) if defect is not None else "wal"
            message = (
                f"{end.tail_bytes:,} bytes behind commit {end.last_cv} are no whole transaction "
                f"({reason_in_words(end.tail_reason or 'unfinished')}), as a crash leaves them"
            )
            yield _finding("WAL_TORN_TAIL", message, name, defect.offset if defect is not None else None)

    def _lost(self, report: CorruptionReport) -> Finding:
        self._damaged = True
        told = " ".join(report.sentences()[:3])
        return _finding("WAL_CORRUPT", told, self._name(report.segment or "wal"), report.offset)

    def _damage(self, why: str, lsn: int, segments: Sequence[Segment]) -> Finding:
        self._damaged = True
        segment = max((one for one in segments if one.start <= lsn), key=lambda one: one.start)
        return _finding("WAL_CORRUPT", why, self._name(segment.path), lsn - segment.start)

    # -- what recovery makes of it

    def _recovery(self, replayed: tuple[int, str] | None) -> Generator[Finding, None, Recovered | None]:
        try:
            recovered = recover(
                self._root,
                self._registry,
                Versions,
                RecoveryOptions(on_corruption="read_only", verify_all_checksums=False),
                alone=not self._live,
                live=self._live,
                files=self._files,
            )
        except UnknownEntryType as error:
            yield _finding("STORE_UNREADABLE", error.message, _under(self._root, error.path or "wal"))
            return None
        except EngineError as error:
            yield _finding("STORE_UNREADABLE", error.message, _under(self._root, error.path or ""))
            return None
        result = recovered.result
        if result.corruption is not None and not self._damaged:
            yield self._lost(result.corruption)
        if replayed is not None and result.corruption is None:
            cv, digest = replayed
            if cv == result.last_cv and digest != _digest(recovered.primitives):
                message = f"recovery and the whole log make different states of commit {cv}"
                yield _finding("STATE_MISMATCH", message, "")
        for number in result.degraded_types:
            message = f"records of a kind that is not registered are kept as they are (type {number:#04x})"
            yield _finding("STORE_DEGRADED", message, "")
        if not self._live:
            for run in result.orphaned_runs:
                yield _finding("RUN_ORPHANED", f"run {run} was begun, not ended, and its process is gone", "")
        return recovered

    def _chains(self, primitives: Primitives) -> Iterator[Finding]:
        for primitive in primitives:
            if isinstance(primitive, EventStore):
                for run in sorted(primitive.runs()):
                    bad = first_bad(run, primitive.records_of(run))
                    if bad is not None:
                        message = f"event {bad} of run {run_text(run)} does not fit its hash, or the event before it"
                        yield _finding("EVENT_CHAIN_BROKEN", message, "")

    # -- what lies beside it

    def _copies(self, segments: Sequence[Segment]) -> Iterator[Finding]:
        """Segments that are in wal/ and in history/: the one in wal/ is read, and the other must say the same."""
        history = history_folder(self._root)
        archived = set(self._names(history))
        for segment in segments:
            name = os.path.basename(segment.path)
            if segment.archived or name not in archived:
                continue
            copy = os.path.join(history, name)
            try:
                offset = _first_difference(segment.path, copy, self._files)
            except InputMissing:
                continue  # moved between the listing and now: there is one
            except InputUnreadable:
                if kind_of(copy, files=self._files) == "file":
                    raise
                continue  # no file: `_leftovers` has it
            if offset is not None:
                message = f"{self._name(copy)} is another file than {self._name(segment.path)}, from byte {offset} on"
                yield msgspec.structs.replace(
                    _finding("WAL_CORRUPT", message, self._name(copy), offset), remedy=_TWO_COPIES
                )

    def _indexes(self, segments: Sequence[Segment]) -> Iterator[Finding]:
        folder = history_folder(self._root)
        names = set(self._names(folder))
        for segment in segments:
            if not segment.archived and index_name(segment.start) not in names:
                continue  # one that is written to has none
            path = os.path.join(folder, index_name(segment.start))
            try:
                wrong = self._index_is_wrong(path, segment)
            except HistoryIndexDamaged as error:
                wrong = error.message
            if wrong:
                yield _finding("HISTORY_INDEX_BAD", wrong, self._name(path))

    def _index_is_wrong(self, path: str, segment: Segment) -> str:
        index = read_index(path, self._files)
        runs: dict[bytes, array[int]] = {}
        for commit in commits_in(self._reader.load(segment), segment.start):
            runs.setdefault(commit.run, array("Q")).append(commit.lsn)
        same = (index.start, index.end) == (segment.start, segment.end) and index.runs.keys() == runs.keys()
        if same and all(index.lsns(run, self._files) == lsns for run, lsns in runs.items()):
            return ""
        return f"{os.path.basename(path)} is not the index of its segment"

    def _leftovers(self, recovered: Recovered | None, *, known: str) -> Iterator[Finding]:
        paths = set(stray_files(self._root, files=self._files)) - {known}
        if recovered is not None and not self._live:
            paths |= set(recovered.leftovers)
        history = history_folder(self._root)
        names = self._names(history)
        segments = {name.removesuffix(".wal") for name in (*names, *self._names(wal_folder(self._root)))}
        for name in names:
            if parse_index_name(name) is not None and name.removesuffix(".idx") not in segments:
                paths.add(os.path.join(history, name))
        folder = snapshots_folder(self._root)
        paths |= {os.path.join(folder, name) for name in self._names(folder) if name.endswith(".bad")}
        for path in sorted(paths):
            yield _finding("STORE_LEFTOVER", "no part of the database uses this file", self._name(path))

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(self._files.listdir(folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(error, folder) from None

    def _name(self, path: str) -> str:
        return _under(self._root, path)


def _first_difference(path: str, copy: str, files: Files) -> int | None:
    """The first byte at which two files differ, which may be the end of one; None where they are the same."""
    with (
        StableFile(path, limit=_NO_LIMIT, files=files) as one,
        StableFile(copy, limit=_NO_LIMIT, files=files) as two,
    ):
        for start in range(0, max(one.size, two.size), _BLOCK):
            a, b = one.pread(_BLOCK, start), two.pread(_BLOCK, start)
            if a != b:
                differing = (place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
                return start + next(differing, min(len(a), len(b)))
    return None


class _Step:
    """The state that the log makes, as far as it is known."""

    def __init__(self, state: Primitives | None, cv: int) -> None:
        self.state = state
        self.cv = cv

    def apply(self, transaction: Transaction) -> str | None:
        """Go on by one transaction; why it does not fit, where it does not (there is no state from then on)."""
        self.cv = transaction.cv
        if self.state is None:
            return None
        try:
            apply_transaction(self.state, transaction, set())
        except Exception as error:  # as in recovery: whatever a kind raises, the entry does not fit
            self.state = None
            return f"commit {transaction.cv} does not fit the state before it: {error}"
        return None


def _digest(primitives: Primitives) -> str:
    return state_digest((primitive.type_id, primitive.snapshot_serialize()) for primitive in primitives)


def _under(root: str, path: str) -> str:
    prefix = os.path.join(root, "")
    return path[len(prefix) :] if path.startswith(prefix) else "" if path == root else path


_SEVERITY = {"policy": Severity.WARNING, "information": Severity.INFO}


def _finding(code: str, message: str, file: str, offset: int | None = None) -> Finding:
    known = CODES[code]
    severity = _SEVERITY.get(known.failure_class.value, Severity.ERROR)
    return Finding(code, severity, message, Where(file=file or None, offset=offset), remedy=known.remedy)
