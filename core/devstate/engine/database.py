"""The database: the one entrance to the engine. See docs/guide/engine.md for its use, docs/design/engine.md for how."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from devstate.clock import epoch_microseconds
from devstate.durable import atomic_replace
from devstate.durable.files import OS, Files
from devstate.errors import DevStateError, StorageFault

from .builtin import builtin_registry
from .commit import Committer, closed
from .context import RunContext
from .durability import Durability
from .errors import (
    ConflictError,
    DurabilityError,
    EngineError,
    ForkedHandleError,
    NotDurableError,
    ReadOnlyError,
)
from .handles import ByRun, RunHandle
from .ids import RunId, RunLike, run_bytes, run_text, uuid7_text
from .layout import CLEAN
from .meta import CleanMark, encode_clean
from .opening import Opened, OpenSettings, open_files, open_memory
from .owners import OPEN_HANDLES
from .primitives.runs import RunMetadata, RunStatus, RunStore
from .recovery_result import RecoveryOptions, RecoveryResult
from .registry import Primitives, Registry
from .retrying import pause_before_retry
from .snapshot_file import SnapshotInfo
from .snapshot_writing import state_digest
from .snapshotting import HistoryPolicy, SnapshotPolicy, archive_segments, take_snapshot
from .transactions import Transaction
from .values import Value, encode_value
from .wal_writer import DEFAULT_SEGMENT_BYTES

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Database"]

T = TypeVar("T")


class Database:
    """Runs and their records, in a folder or in memory. Use `Database.open`; a context manager.

    Several threads may use one. A forked child must open its own.
    """

    def __init__(
        self,
        opened: Opened,
        *,
        registry: Registry,
        settings: OpenSettings,
        history: HistoryPolicy,
        snapshots: SnapshotPolicy,
        files: Files,
    ) -> None:
        """Not called directly."""
        self._opened = opened
        self._committer = opened.committer
        self._registry = registry
        self._settings = settings
        self._history = history
        self._policy = snapshots
        self._files = files
        self._runs = _run_store(opened.committer.primitives)
        self._handles: dict[object, RunHandle] = {}
        self._closing = threading.Lock()
        self._snapshotting = threading.Lock()
        self._snapshot_thread: threading.Thread | None = None
        used = opened.result.snapshot_used
        self._last_snapshot = (used.wal_offset if used is not None else 0, settings.now())
        self._snapshot_failures = 0
        self._closed = False
        self.kv = ByRun(self, "kv")
        self.json = ByRun(self, "json")
        self.events = ByRun(self, "events")
        self.state = ByRun(self, "state")
        self.traces = ByRun(self, "traces")
        OPEN_HANDLES.add(opened.owners.handle)
        _OPEN.add(self)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        durability: Durability | str = "buffered",
        shared: bool = False,
        read_only: bool = False,
        create: bool = True,
        recovery: RecoveryOptions | None = None,
        history: HistoryPolicy | str = "keep",
        snapshots: SnapshotPolicy | None = None,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        history_limit: int | None = None,
        registry: Registry | None = None,
        now: Callable[[], int] = epoch_microseconds,
        entropy: Callable[[int], bytes] = os.urandom,
        files: Files = OS,
    ) -> Database:
        """Open the database in folder `path`, made where there is none (unless `create` is false); in memory
        without a path.

        With `buffered` durability, the default, a commit that has returned survives the death of the process, and
        a power cut takes at most the last 100 ms; with `strict` it survives that too. `shared` lets several
        processes write, `read_only` follows a database that others write, without a lock and without changing
        anything. `history` is `keep`, `days=N` or `off`: what becomes of the log behind the snapshots, which runs
        are replayed from. `history_limit` bounds the transactions that a database in memory keeps. `now`
        (microseconds) and `entropy` are where times and random identifiers come from.

        Raises DatabaseLocked, NotADatabase, WalCorruptionError, NoRecoveryBaseError, UnsupportedFormat,
        UnknownEntryType, DurabilityError, and InputUnreadable or StorageFault of the file layer.
        """
        mode = Durability.of(durability)
        registry = registry or builtin_registry()
        settings = OpenSettings(
            durability=mode,
            shared=shared,
            read_only=read_only,
            create=create,
            recovery=recovery or RecoveryOptions(),
            segment_bytes=segment_bytes,
            history_limit=history_limit,
            now=now,
            entropy=entropy,
        )
        if shared and read_only:
            raise EngineError(
                "`shared` writers and `read_only` readers are two things", remedy="Choose one of them."
            )
        policy = history if isinstance(history, HistoryPolicy) else HistoryPolicy.of(history)
        if path is None or mode.mode == "memory":
            if shared or read_only or (path is not None and _occupied(os.fspath(path), files)):
                raise NotDurableError(
                    "a database in memory has no files to share or to read",
                    remedy="Give a path, and `buffered` or `strict` durability.",
                )
            opened = open_memory(registry, settings, files)
        else:
            opened = open_files(os.path.abspath(os.fspath(path)), registry, settings, files)
        registry.close()
        return cls(
            opened,
            registry=registry,
            settings=settings,
            history=policy,
            snapshots=snapshots or SnapshotPolicy(),
            files=files,
        )

    # -- what it is

    @property
    def path(self) -> str | None:
        """The folder; None for a database in memory."""
        return self._opened.root

    @property
    def recovery(self) -> RecoveryResult:
        """What opening it came to."""
        return self._opened.result

    @property
    def set_aside(self) -> tuple[str, ...]:
        """The files in quarantine/ that opening it made."""
        return self._opened.aside

    @property
    def durability(self) -> str:
        """`memory`, `buffered` or `strict`; `read_only` where it cannot be written."""
        return self._settings.durability.mode if self._opened.writable else "read_only"

    @property
    def last_cv(self) -> int:
        """The version of the newest visible commit."""
        self._committer.require_open()
        return self._committer.visible

    @property
    def degraded(self) -> tuple[int, ...]:
        """Entry and section types in the files that no registered kind knows: nothing is deleted while there are any."""
        found = set(self._opened.result.degraded_types)
        if self._opened.follower is not None:
            found |= self._opened.follower.unknown
        return tuple(sorted(found))

    @property
    def primitives(self) -> Primitives:
        """The kinds of records, with what they hold; for extensions and tools."""
        return self._committer.primitives

    @property
    def committer(self) -> Committer:
        """The commit path; for tools of this package."""
        return self._committer

    def digest(self) -> str:
        """SHA-256 (hex) over all records as they are now: equal states have equal digests."""
        self.refresh()
        with self._committer.lock:
            self._committer.require_open()
            cv = self._committer.cv
            return state_digest(
                (primitive.type_id, primitive.at(cv, self._committer.lock).snapshot_serialize())
                for primitive in self.primitives
            )

    # -- runs

    def begin_run(
        self,
        run_id: RunLike | None = None,
        *,
        name: str | None = None,
        parent: RunLike | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Value] | None = None,
    ) -> RunId:
        """Create a run and begin it; its identifier. Raises RunExists, RunNotFound (of the parent)."""
        raw = run_bytes(run_id) if run_id is not None else RunId.new(self._settings.entropy).bytes
        told = dict(metadata or {})
        encode_value(told)
        encode_value([name, *tags])
        owner = self._opened.owners.here() if self._opened.root is not None else None
        operations = self._runs.begin(
            name, run_bytes(parent) if parent is not None else None, tags, told, owner
        )
        self._commit(raw, operations)
        return run_text(raw)

    def run(self, run_id: RunLike | None = None, **begin: Any) -> RunHandle:
        """A handle of a run: a known one where `run_id` alone is given, else one that is begun now (`begin_run`).

        As a context manager the handle ends the run.
        """
        if run_id is not None and not begin and run_bytes(run_id) in self._runs.books:
            return self.handle(run_id)
        return self.handle(self.begin_run(run_id, **begin))

    def handle(self, run_id: RunLike) -> RunHandle:
        """The handle of a known run. Raises RunNotFound."""
        found = self._handles.get(run_id)
        if found is None:
            raw = run_bytes(run_id)
            self._committer.follow()
            self._committer.require_run(raw)
            found = self._handles[run_id] = RunHandle(self, raw)
        return found

    def end_run(
        self, run_id: RunLike, status: RunStatus | str = RunStatus.COMPLETED, reason: str | None = None
    ) -> None:
        """End a run as completed, failed or cancelled. Raises RunNotActive, RunNotFound."""
        ended = RunStatus(status)
        if ended not in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED):
            raise EngineError(
                f"a run does not end as {ended.value}", remedy="completed, failed or cancelled."
            )
        self._commit(run_bytes(run_id), [self._runs.end(ended.value, reason)])

    def abort_run(self, run_id: RunLike, reason: str) -> None:
        """End a run as failed, and say why."""
        self.end_run(run_id, RunStatus.FAILED, reason)

    def pause_run(self, run_id: RunLike) -> None:
        """Let an active run rest: it takes no writes until it is resumed."""
        self._update(run_id, {}, RunStatus.PAUSED)

    def resume_run(self, run_id: RunLike) -> None:
        """Go on with a paused or orphaned run, as its owner."""
        owner = self._opened.owners.here() if self._opened.root is not None else None
        self._update(run_id, {"owner": owner}, RunStatus.ACTIVE)

    def archive_run(self, run_id: RunLike) -> None:
        """Close a run for good."""
        self._update(run_id, {}, RunStatus.ARCHIVED)

    def delete_run(self, run_id: RunLike, *, force: bool = False) -> None:
        """Delete a run with all its records; an active one only with `force`. What is in the log stays there."""
        self._commit(run_bytes(run_id), [self._runs.delete(force=force)])
        self._handles.clear()

    def set_metadata(self, run_id: RunLike, metadata: Mapping[str, Value]) -> None:
        """Add to the metadata of a run, or replace what is in it under the same names."""
        told = dict(metadata)
        encode_value(told)
        self._update(run_id, {"metadata": told})

    def add_tags(self, run_id: RunLike, *tags: str) -> None:
        """Add tags to a run; those that it has stay where they are."""
        encode_value(list(tags))
        self._update(run_id, {"tags": list(tags)})

    def run_status(self, run_id: RunLike) -> RunStatus:
        """The status of a run; NOT_FOUND where there is none."""
        self.refresh()
        raw = run_bytes(run_id)
        return self._runs.status(raw) if raw in self._runs.books else RunStatus.NOT_FOUND

    def run_metadata(self, run_id: RunLike) -> RunMetadata:
        """What is known of a run. Raises RunNotFound."""
        self.refresh()
        with self._committer.lock:
            return self._runs.metadata(run_bytes(run_id))

    def list_runs(
        self, *, status: RunStatus | str | None = None, tag: str | None = None, parent: RunLike | None = None
    ) -> list[RunMetadata]:
        """The runs, in the order in which they were created."""
        self.refresh()
        with self._committer.lock:
            found = [self._runs.metadata(raw) for raw in self._runs.runs()]
        wanted = RunStatus(status) if status is not None else None
        of = run_text(run_bytes(parent)) if parent is not None else None
        return sorted(
            (
                told
                for told in found
                if (wanted is None or told.status is wanted)
                and (tag is None or tag in told.tags)
                and (of is None or told.parent == of)
            ),
            key=lambda told: (told.first_cv, told.run_id),
        )

    def orphaned_runs(self) -> list[RunMetadata]:
        """The runs that were begun, not ended, and whose process is gone."""
        return self.list_runs(status=RunStatus.ORPHANED)

    # -- transactions

    def transaction(
        self, run_id: RunLike, *, serializable: bool = False, durability: str | None = None
    ) -> Transaction:
        """Begin a transaction of one run, in this thread. With `durability="strict"` its commit waits for the device.

        `serializable` also fails the commit where keys that it listed came or went. Raises
        NestedTransactionError, RunNotFound.
        """
        if durability not in (None, "buffered", "strict", self._settings.durability.mode):
            raise EngineError(f"a transaction cannot be {durability}", remedy="Give `strict`, or nothing.")
        if durability == "strict" and self._opened.root is None:
            raise NotDurableError("a database in memory cannot make a transaction durable")
        return Transaction(
            self._committer,
            run_bytes(run_id),
            span_ids=self._span_id,
            serializable=serializable,
            durable=durability == "strict",
        )

    def transact(self, run_id: RunLike, work: Callable[[Transaction], T], *, retries: int = 16) -> T:
        """Do `work` in a transaction, again after each conflict up to `retries` times; what it returned.

        Raises ConflictError where that was not enough, and whatever `work` raises (nothing was written then).
        """
        for attempt in range(retries + 1):
            try:
                with self.transaction(run_id) as transaction:
                    answer = work(transaction)
                return answer
            except ConflictError as error:
                if attempt == retries or not error.retryable:
                    raise
            pause_before_retry(attempt)
        raise AssertionError("the last attempt returns or raises")

    def context(self, run: bytes) -> RunContext:
        """Where the handles of primitives read and write outside a transaction; for extensions."""
        return RunContext(self._committer, run, self._span_id)

    # -- durability

    def flush(self) -> None:
        """Return when everything that was committed is on the device. Raises DurabilityError."""
        log = self._committer.log
        self._committer.require_open()
        if log is not None:
            log.sync_through(log.end)

    def refresh(self) -> int:
        """Take in what other processes committed; the newest commit version."""
        self._committer.require_open()
        self._committer.follow()
        return self._committer.visible

    def snapshot(self) -> SnapshotInfo:
        """Write the state into a snapshot file, keep the newest ones, and move the log behind them into history.

        Writers go on meanwhile. Raises DurabilityError (nothing is lost), NotDurableError, ReadOnlyError.
        """
        root = self._opened.root
        self._committer.require_open()
        if root is None:
            raise NotDurableError("a database in memory has no snapshots", remedy="Open it with a path.")
        if not self._opened.writable:
            raise ReadOnlyError("the database is open read-only", remedy="Open it without read_only.")
        gate = self._committer.gate
        with self._snapshotting:
            if gate is None:
                return self._snapshot(root)
            with self._committer.lock, gate:  # other processes wait: they must not archive at the same time
                return self._snapshot(root)

    def _snapshot(self, root: str) -> SnapshotInfo:
        committer = self._committer
        info = take_snapshot(
            root,
            committer,
            meta=self._opened.meta,
            registry=self._registry,
            opaque=self._opened.opaque,
            first_history_lsn=self._opened.recovered.first_history_lsn if self._opened.recovered else 0,
            files=self._files,
        )
        self._last_snapshot = (info.wal_offset, self._settings.now())
        try:
            archive_segments(
                root,
                keep=self._policy.keep,
                history=self._history,
                degraded=bool(self.degraded),
                active_start=committer.log.segment_start if committer.log is not None else 0,
                salt=self._opened.meta.salt,
                now=self._settings.now(),
                files=self._files,
            )
        except OSError as error:
            raise DurabilityError(
                f"the snapshot is written, but older files cannot be put away: {error.strerror or error}",
                committed=True,
                path=root,
                remedy="They do no harm; the next snapshot tries again.",
            ) from None
        return info

    def snapshot_if_due(self) -> None:
        """Take a snapshot in a thread where the policy wants one; called after commits."""
        log, policy = self._committer.log, self._policy
        if log is None or self._closed or not self._opened.writable or self._snapshot_thread is not None:
            return
        since, when = self._last_snapshot
        grown = log.end - since
        wanted = policy.wal_bytes << min(self._snapshot_failures, 6)
        late = policy.seconds and grown and self._settings.now() - when >= policy.seconds * 1e6
        if (policy.wal_bytes and grown >= wanted) or late:
            self._snapshot_thread = threading.Thread(
                target=self._snapshot_quietly, name="devstate-snapshot", daemon=True
            )
            self._snapshot_thread.start()

    def _snapshot_quietly(self) -> None:
        try:
            self.snapshot()
            self._snapshot_failures = 0
        except DevStateError:
            # A failed snapshot never fails a commit: the log has everything. The next try comes later.
            self._snapshot_failures += 1
            self._last_snapshot = (self._last_snapshot[0], self._settings.now())
        finally:
            self._snapshot_thread = None

    # -- the end

    def close(self) -> None:
        """Make everything durable, say so on the disk, and give the locks back; more calls do nothing.

        Raises DurabilityError where the last sync fails; it is closed then, too.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
        opened, committer = self._opened, self._committer
        thread = self._snapshot_thread
        if thread is not None:
            thread.join()
        try:
            if committer.flusher is not None:
                committer.flusher.close()
            if opened.writable and opened.root is not None and committer.log is not None:
                self._close_files(opened.root)
        finally:
            committer.shut(closed)
            OPEN_HANDLES.discard(opened.owners.handle)
            _OPEN.discard(self)
            if committer.log is not None:
                committer.log.close()
            if opened.follower is not None:
                opened.follower.close()
            if opened.locks is not None:
                opened.locks.close()

    def _close_files(self, root: str) -> None:
        committer, log, locks = self._committer, self._committer.log, self._opened.locks
        if log is None or log.broken is not None or committer.obstacle is not None:
            return
        log.sync_through(log.end)
        since = self._last_snapshot[0]
        if 0 <= self._policy.close_bytes <= log.end - since and log.end > since:
            with suppress(DevStateError):  # closing does not depend on it
                self.snapshot()
                log.sync_through(log.end)
        if self._settings.shared and (locks is None or not locks.last()):
            return
        if self._settings.shared:
            committer.follow()
        mark = encode_clean(CleanMark(log.end, committer.cv))
        try:
            atomic_replace(os.path.join(root, CLEAN), mark, mode=0o644, files=self._files)
        except StorageFault as error:
            raise DurabilityError(error.message, committed=True, path=root, remedy=error.remedy) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Database {self._opened.root or 'in memory'}{', closed' if self._closed else ''}>"

    # -- how

    def _commit(self, raw: bytes, operations: Sequence[Any]) -> None:
        with Transaction(
            self._committer, raw, span_ids=self._span_id, serializable=False, durable=False, new=True
        ) as transaction:
            for operation in operations:
                transaction.write(operation)

    def _update(self, run_id: RunLike, changes: Mapping[str, Any], status: RunStatus | None = None) -> None:
        operation = self._runs.update(changes, status.value if status is not None else None)
        self._commit(run_bytes(run_id), [operation])

    def _span_id(self) -> str:
        return uuid7_text(self._settings.now(), self._settings.entropy)

    def _forked(self) -> None:
        """In a forked child: the locks and the log belong to the parent."""
        if self._opened.locks is not None:
            self._opened.locks.close()
        self._committer.lock = threading.RLock()
        self._committer.shut(
            lambda: ForkedHandleError(
                "this handle was opened by the parent process", remedy="Open the database in the child."
            )
        )


_OPEN: weakref.WeakSet[Database] = weakref.WeakSet()


def _after_fork() -> None:
    for database in list(_OPEN):
        database._forked()  # pyright: ignore[reportPrivateUsage]


os.register_at_fork(after_in_child=_after_fork)


def _run_store(primitives: Primitives) -> RunStore:
    found = primitives.named("runs")
    if not isinstance(found, RunStore):
        raise EngineError("the kind named `runs` is not the engine's own")
    return found


def _occupied(path: str, files: Files) -> bool:
    try:
        return bool(files.listdir(path))
    except FileNotFoundError:
        return False
    except OSError:
        return True
