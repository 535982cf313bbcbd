"""The database: the one entrance to the engine. See docs/guide/engine.md for its use, docs/design/engine.md for how."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from devstate.clock import epoch_microseconds
from devstate.durable.files import OS, Files

from .arguments import checked_clock, require_number, require_seconds, require_type
from .builtin import builtin_registry
from .closing import OPEN, Closing
from .commit import Committer
from .context import RunContext
from .durability import Durability
from .errors import (
    ConflictError,
    DurabilityError,
    EngineError,
    NotDurableError,
    ReadOnlyError,
)
from .handles import ByRun, RunHandle
from .ids import RunLike, run_bytes, run_text, uuid7_text
from .keeping import SnapshotKeeper
from .lifecycle import RunLifecycle
from .opened import Opened, OpenSettings, or_given_back
from .opening import open_files, open_memory
from .owners import NOBODY, OPEN_HANDLES
from .past import PastOfRuns
from .recovery_result import RecoveryOptions, RecoveryResult
from .registry import Primitives, Registry
from .reloading import run_store
from .retrying import pause_before_retry
from .searching_runs import SearchOfRuns
from .snapshot_file import SnapshotInfo
from .snapshot_reading import list_snapshots
from .snapshot_writing import state_digest
from .snapshotting import HistoryPolicy, SnapshotPolicy, archive_segments, take_snapshot
from .transactions import Transaction
from .wal_writer import DEFAULT_SEGMENT_BYTES

__all__ = ["Database"]

T = TypeVar("T")


class Database(Closing, RunLifecycle, PastOfRuns, SearchOfRuns):
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
        owner: Callable[[], Sequence[Any] | None] | None,
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
        self._runs = run_store(opened.committer.primitives)
        self._handles: dict[object, RunHandle] = {}
        self._indexes = {}
        self._searching = threading.Lock()
        self._entropy = settings.entropy
        self._owner = owner if owner is not None else self._this_process
        self._span_id = self._new_span_id
        self._closing = threading.Lock()
        self._snapshotting = threading.RLock()
        used = opened.result.snapshot_used
        self._keeper = SnapshotKeeper(
            opened.committer,
            snapshots,
            since=used.wal_offset if used is not None else 0,
            take=self.snapshot,
            newest=self._newest_snapshot,
        )
        self._closed = False
        self.kv = ByRun(self, "kv")
        self.json = ByRun(self, "json")
        self.events = ByRun(self, "events")
        self.state = ByRun(self, "state")
        self.traces = ByRun(self, "traces")
        if settings.recovery.rebuild_indexes:
            for run in self._runs.runs():
                self.index_run(run_text(run))
        OPEN_HANDLES.add(opened.owners.handle)
        OPEN.add(self)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        durability: Durability | str = "buffered",
        shared: bool = False,
        read_only: bool = False,
        wait: float = 0.0,
        create: bool = True,
        recovery: RecoveryOptions | None = None,
        history: HistoryPolicy | str = "keep",
        snapshots: SnapshotPolicy | None = None,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        history_limit: int | None = None,
        registry: Registry | None = None,
        now: Callable[[], int] = epoch_microseconds,
        entropy: Callable[[int], bytes] = os.urandom,
        owner: Sequence[Any] | None = None,
        files: Files = OS,
    ) -> Database:
        """Open the database in folder `path`, made where there is none (unless `create` is false); in memory
        without a path.

        With `buffered` durability, the default, a commit that has returned survives the death of the process, and
        a power cut takes at most the last 100 ms; with `strict` it survives that too. `shared` lets several
        processes write, `read_only` follows a database that others write, without a lock and without changing
        anything. `wait` is for how many seconds to try where another process excludes this one. `history` is
        `keep`, `days=N` or `off`: what becomes of the log behind the snapshots, which runs are replayed from.
        `owner` is what its runs say of who began them, instead of this process; an empty one is nobody
        (with `shared`, as in `begin_run(owned=False)`).
        `history_limit` bounds the transactions that a database in memory keeps. `now` (microseconds) and
        `entropy` are where times and random identifiers come from.

        Raises DatabaseLocked, NotADatabase, WalCorruptionError, NoRecoveryBaseError, UnsupportedFormat,
        UnknownEntryType, DurabilityError, and InputUnreadable or StorageFault of the file layer.
        """
        mode = Durability.of(durability)
        require_seconds("wait", wait, endless=True)
        require_number("segment_bytes", segment_bytes, least=1)
        require_number("history_limit", history_limit, least=0, none=True)
        for name, given, wanted in (
            ("recovery", recovery, RecoveryOptions),
            ("snapshots", snapshots, SnapshotPolicy),
            ("registry", registry, Registry),
        ):
            require_type(name, given, wanted)
        policy = history if isinstance(history, HistoryPolicy) else HistoryPolicy.of(history)
        if now is not epoch_microseconds:
            now = checked_clock(now)
        registry = registry or builtin_registry()
        settings = OpenSettings(
            durability=mode,
            shared=shared,
            wait=wait,
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
        if path is None or mode.mode == "memory":
            opened = open_memory(path, registry, settings, files)
        else:
            opened = open_files(os.path.abspath(os.fspath(path)), registry, settings, files)
        registry.close()
        # Alone, a run that nobody owns is one that was left when the database is opened next. Others who share it
        # look for its process now, and would call it left at once.
        unowned = NOBODY if shared else None
        with or_given_back(opened):
            return cls(
                opened,
                registry=registry,
                settings=settings,
                history=policy,
                snapshots=snapshots or SnapshotPolicy(),
                owner=None if owner is None else lambda: owner or unowned,
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
        """Types in the files that no registered kind knows: nothing is deleted while there are any."""
        found = set(self._opened.origin.degraded_types)
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

    # -- transactions

    def transaction(
        self, run_id: RunLike, *, serializable: bool = False, durability: str | None = None
    ) -> Transaction:
        """Begin a transaction of one run, in this thread. With `durability="strict"` its commit waits for the device.

        `serializable` also fails the commit where keys or events that it listed came or went. Raises
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

        Raises ConflictError where that was not enough, ValueRangeError for fewer than no `retries`, and whatever `work`
        raises (nothing was written then).
        """
        require_number("retries", retries, least=0)
        for attempt in range(retries + 1):
            try:
                with self.transaction(run_id) as transaction:
                    return work(transaction)
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

    def snapshot(self) -> SnapshotInfo:
        """Write the state into a snapshot file, keep the newest ones, and move the log behind them into history.

        Writers go on meanwhile. Raises DurabilityError (nothing is lost), NotDurableError, ReadOnlyError, and
        UnknownEntryType where the log has entries that no registered kind could apply.
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
            with self._committer.lock, gate.kept, gate:  # the others wait, and archive nothing meanwhile
                return self._snapshot(root)

    def _snapshot(self, root: str) -> SnapshotInfo:
        committer, follower = self._committer, self._opened.follower
        unapplied = self._opened.origin.unknown_entries_skipped or (follower is not None and follower.unknown)
        info = take_snapshot(
            root,
            committer,
            unapplied=self.degraded if unapplied else (),
            meta=self._opened.meta,
            registry=self._registry,
            opaque=self._opened.opaque,
            first_history_lsn=self._opened.recovered.first_history_lsn if self._opened.recovered else 0,
            files=self._files,
        )
        self._keeper.taken(info.wal_offset)
        committer.seal()
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

    def _newest_snapshot(self) -> int:
        root = self._opened.root
        found = list_snapshots(root, self._files) if root is not None else ()
        return found[0].wal_offset if found else 0

    def __repr__(self) -> str:
        return f"<Database {self._opened.root or 'in memory'}{', closed' if self._closed else ''}>"

    # -- how

    def _make_handle(self, run: bytes) -> RunHandle:
        return RunHandle(self, run)

    def _this_process(self) -> Sequence[Any] | None:
        return self._opened.owners.here() if self._opened.root is not None else None

    def _new_span_id(self) -> str:
        return uuid7_text(self._settings.now(), self._settings.entropy)
