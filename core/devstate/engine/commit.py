"""The commit path: validate, number, encode, log, install. One thread at a time, under one lock.

Up to the write to the log everything may fail, and then nothing has happened: the commit version is taken by
the write alone. After it nothing may fail. An interrupt (Ctrl-C falls between any two bytecodes) that comes
in between is answered by looking at what the log holds and bringing memory into agreement with it, before it
goes on its way. See docs/design/engine.md for the order and why.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from threading import current_thread, get_ident
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .batch import Batch, Change, Operation, PutValue
from .commit_parts import Gate, Position, read_only, too_much
from .context import scanned
from .errors import (
    DurabilityError,
    EngineError,
    ImplicitWriteInTransaction,
)
from .framing import frame_transaction
from .memory_log import MemoryLog
from .registry import Primitives
from .versions import Record, visible_at

if TYPE_CHECKING:
    from weakref import ref

    from .primitive import Key, StoragePrimitive
    from .syncing import Flusher
    from .transactions import Transaction
    from .wal_writer import WalWriter

__all__ = ["MAX_TRANSACTION_BYTES", "MAX_TRANSACTION_ENTRIES", "Committer", "Gate", "Position"]

MAX_TRANSACTION_BYTES: Final = 256 << 20
MAX_TRANSACTION_ENTRIES: Final = 1_000_000
_SETTLING_ATTEMPTS: Final = 100


_pack = msgspec.msgpack.Encoder().encode
_raw = msgspec.Raw


class Committer:
    """Serialises the commits of one open database and says what readers see.

    `visible` is the newest commit version that readers outside a transaction see: with strict durability the
    newest one on the device, else the newest one. -1 when the database is closed: every look then goes the
    slow way, where it is refused.
    """

    def __init__(
        self,
        primitives: Primitives,
        position: Position,
        *,
        salt: bytes,
        now: Callable[[], int],
        log: WalWriter | None = None,
        memory: MemoryLog | None = None,
        strict: bool = False,
        max_pending: int = 1000,
    ) -> None:
        self.primitives = primitives
        self.versions = primitives.versions
        self.lock = threading.RLock()
        self.log = log
        self.memory = memory
        self.now = now
        self.salt = salt
        self.cv = position.cv
        self.ts = position.ts
        self.sequence = position.sequence
        self.visible = position.cv
        # What was superseded before this commit is gone, whoever reads: a reader began again from a snapshot.
        self.floor = 0
        self.strict = strict
        self.gate: Gate | None = None
        self.following = False
        # Whether some records of a commit are in place and others are not yet.
        self.installing = False
        self.flusher: Flusher | None = None
        # By thread: its open transaction. It is in here for as long as the thread may be one of the readers.
        self.transactions: dict[int, ref[Transaction]] = {}
        self._admit = primitives.admit_bound()
        self._applied = primitives.applied_bound()
        # At which LSN a snapshot is wanted, and who takes it.
        self.snapshot_at: float = float("inf")
        self.snapshot_due: Callable[[], None] = lambda: None
        self._max_pending = max_pending
        self._pending = 0
        self._unsynced: deque[tuple[int, int]] = deque()
        # Why nothing can be written, or nothing done at all; made anew for each caller that is told.
        self.write_obstacle: Callable[[], EngineError] | None = None
        self.obstacle: Callable[[], EngineError] | None = None
        if log is not None:
            log.on_durable = self._durable
            log.syncing.on_failure = self.sync_failed

    # -- reading ------------------------------------------------------------------------------------

    def require_open(self) -> None:
        """Raise what keeps this database from being used."""
        if self.obstacle is not None:
            raise self.obstacle()

    def require_run(self, run: bytes) -> None:
        """Raise where the database cannot be used, or has no such run."""
        self.require_open()
        self.primitives.require_run(run)

    def settled(self, primitive: StoragePrimitive, run: bytes, key: Key) -> Record | None:
        """The visible version of a record while a commit is being installed or is not durable yet."""
        self.require_open()
        with self.lock:
            return visible_at(primitive.latest(run, key), self.visible)

    def together(self, primitive: StoragePrimitive, run: bytes, keys: Sequence[Key]) -> dict[Any, Record]:
        """The records of several keys as of one commit; absent ones left out."""
        self.follow()
        self.require_run(run)
        with self.lock:
            visible = self.visible
            found = {key: visible_at(primitive.latest(run, key), visible) for key in keys}
        return {key: record for key, record in found.items() if record is not None}

    def scan(self, primitive: StoragePrimitive, run: bytes, prefix: str) -> list[tuple[Any, Record]]:
        """The live keys with a prefix, ascending, as of one commit."""
        self.follow()
        self.require_run(run)
        with self.lock:
            return scanned(primitive, run, prefix, self.visible)

    def follow(self) -> None:
        """Take in what other processes committed, where there are any."""
        if self.following and self.gate is not None and self.obstacle is None:
            self.gate.follow()

    # -- transactions -------------------------------------------------------------------------------

    def begin(self, reader: object) -> int:
        """Register a reader at the newest visible commit; its version."""
        self.follow()
        with self.lock:
            self.require_open()
            start = self.visible
            self.versions.enter(reader, start)
        return start

    def end(self, reader: object) -> None:
        """That reader is done."""
        with self.lock:
            self.versions.leave(reader, self.visible)

    def in_transaction(self, thread: int) -> bool:
        """Whether this thread has a transaction open. One that an interrupt left behind is forgotten, and so is one
        of a thread that has ended, whose number this one was given."""
        entry = self.transactions.get(thread)
        if entry is None:
            return False
        transaction = entry()
        if transaction is not None and transaction.open:
            if transaction.thread is current_thread():
                return True
            transaction.rollback()
            return False
        self.end(thread)
        self.transactions.pop(thread, None)
        return False

    # -- writing ------------------------------------------------------------------------------------

    def write(self, run: bytes, operation: Operation) -> Any:
        """Commit one operation as a transaction of its own; its result."""
        if self.transactions and self.in_transaction(get_ident()):
            raise ImplicitWriteInTransaction(
                "this thread has a transaction open; this write would commit at once, without it",
                remedy="Write through the transaction object, or end the transaction first.",
            )
        if self.gate is not None:
            with self.lock, self.gate.kept, self.gate:
                result, end = self._write(run, operation)
        else:
            with self.lock:
                result, end = self._write(run, operation)
        if self.strict and end and self.log is not None:
            self.log.sync_through(end)
        return result

    def put(self, run: bytes, primitive: StoragePrimitive, entry_type: int, key: Key, value: bytes) -> int:
        """`write` of a `PutValue` without an object for it: the hottest path there is. The commit version."""
        if self.gate is not None or self.transactions:
            return self.write(run, PutValue(primitive, entry_type, key, value))
        with self.lock:
            if self.write_obstacle is not None:
                raise self.write_obstacle()
            self._admit(run, False)
            now, ts, cv = self.now(), self.ts, self.cv + 1
            if now > ts:
                ts = now
            payload = _pack((run, key, cv, ts, _raw(value)))
            change = (entry_type, payload, primitive, key, (cv, value, ts, None, None))
            end = self._publish(run, cv, ts, (change,), len(payload))
        if self.strict and self.log is not None:
            self.log.sync_through(end)
        return cv

    def _write(self, run: bytes, operation: Operation) -> tuple[Any, int]:
        if self.write_obstacle is not None:
            raise self.write_obstacle()
        self._admit(run, operation.lifecycle)
        now, ts, cv = self.now(), self.ts, self.cv + 1
        if now > ts:
            ts = now
        batch = Batch(run, cv, ts, many=False)
        result = operation.stage(batch)
        if not batch.changes:
            return result, 0
        return result, self._publish(run, cv, ts, batch.changes, batch.size)

    def seal(self) -> None:
        """Let the next transaction begin a segment: what is before it is indexed and can move into history.

        Raises DurabilityError.
        """
        with self.lock:
            log = self.log
            if log is not None and self.write_obstacle is None and log.end > log.segment_start:
                log.rotate()

    def append_note(self, entry: bytes) -> None:
        """Append an entry that belongs to no transaction. Raises DurabilityError."""
        gate = self.gate
        if gate is not None:
            with self.lock, gate.kept, gate:
                self._append_note(entry)
        else:
            with self.lock:
                self._append_note(entry)

    def _append_note(self, entry: bytes) -> None:
        if self.log is not None and self.write_obstacle is None:
            self.log.make_room(len(entry))
            self.log.append(entry)

    def commit(
        self, run: bytes, operations: Sequence[Operation], check: Callable[[], None] | None = None
    ) -> tuple[Batch, list[Any], int]:
        """Commit several operations as one transaction.

        `check` raises what forbids it, under the lock. Returns the batch, the operations' results, and the LSN
        up to which the log must be durable for it to be so (0 where nothing was written).
        """
        gate = self.gate
        if gate is not None:
            with self.lock, gate.kept, gate:
                return self._commit(run, operations, check)
        with self.lock:
            return self._commit(run, operations, check)

    def _commit(
        self, run: bytes, operations: Sequence[Operation], check: Callable[[], None] | None
    ) -> tuple[Batch, list[Any], int]:
        if self.write_obstacle is not None:
            raise self.write_obstacle()
        begins = operations[0].lifecycle
        self._admit(run, begins)
        if check is not None:
            check()
        now, last = self.now(), self.ts
        batch = Batch(run, self.cv + 1, now if now > last else last, many=True)
        if begins:
            # What comes behind it finds the run as that leaves it: begun by this very transaction, or ended.
            results = [self._staged_in_turn(operation, batch) for operation in operations]
        else:
            results = [operation.stage(batch) for operation in operations]
        if not batch.changes:
            return batch, results, 0
        if len(batch.changes) > MAX_TRANSACTION_ENTRIES:
            raise too_much("entries", MAX_TRANSACTION_ENTRIES, len(batch.changes))
        end = self._publish(run, batch.cv, batch.ts, batch.changes, batch.size)
        return batch, results, end

    def _staged_in_turn(self, operation: Operation, batch: Batch) -> Any:
        self.primitives.admit(batch.run, operation.lifecycle, batch)
        return operation.stage(batch)

    def _publish(self, run: bytes, cv: int, ts: int, changes: Sequence[Change], size: int) -> int:
        """Log and install a staged transaction; the LSN behind it."""
        log, memory, sequence = self.log, self.memory, self.sequence
        if log is not None:
            if size > MAX_TRANSACTION_BYTES:
                raise too_much("bytes", MAX_TRANSACTION_BYTES, size)
            # The position is part of the marker, so the place must be known before the bytes: rotation comes first.
            if log.end + size >= log.room:
                log.make_room(size)
            lsn = log.end
            data = frame_transaction(changes, sequence.to_bytes(8, "little") + self.salt, run, cv, ts, lsn)
            try:
                log.append(data)
                self._install(run, cv, ts, changes, lsn, sequence)
                if self.strict:
                    self._unsynced.append((log.end, cv))
            except BaseException as error:
                self._settle(run, cv, ts, changes, lsn, sequence, len(data), error)
                raise
            if self.flusher is not None:
                self._pend(self.flusher)
            if log.end >= self.snapshot_at:
                self.snapshot_due()
            return log.end
        if memory is None:
            raise read_only()
        lsn = memory.end
        try:
            memory.append(cv, changes)
            self._install(run, cv, ts, changes, lsn, sequence)
        except BaseException as error:
            self._settle(run, cv, ts, changes, lsn, sequence, 1, error)
            raise
        return 0

    def _install(
        self, run: bytes, cv: int, ts: int, changes: Sequence[Change], lsn: int, sequence: int
    ) -> None:
        """Make a logged transaction the newest state. Doing it twice is the same as once."""
        # A reader tells a record from its version; what is gone without a trace it must be told of.
        partly = len(changes) > 1 or changes[0][4][1] is None
        if partly:
            self.installing = True
        for _, _, primitive, key, record in changes:
            primitive.install(run, key, record)
        self._applied(run, cv, ts, lsn)
        self.ts = ts
        self.sequence = sequence + 1
        self.cv = cv
        if not self.strict:
            self.visible = cv
            if self.versions.chained:
                self.versions.trim(cv)
        if partly:
            self.installing = False

    def _settle(
        self,
        run: bytes,
        cv: int,
        ts: int,
        changes: Sequence[Change],
        lsn: int,
        sequence: int,
        size: int,
        cause: BaseException,
    ) -> None:
        """Bring memory into agreement with the log after an exception in between."""
        log = self.log
        if isinstance(cause, DurabilityError):
            if log is not None and log.broken is not None:
                self.fail(log.broken)
            return
        for _ in range(_SETTLING_ATTEMPTS):
            try:
                settler = log or self.memory
                if settler is not None and settler.settle(lsn, size, cv):
                    self._install(run, cv, ts, changes, lsn, sequence)
                    if (
                        self.strict
                        and log is not None
                        and (not self._unsynced or self._unsynced[-1][1] != cv)
                    ):
                        self._unsynced.append((log.end, cv))
                return
            except DurabilityError:
                self.fail(log.broken if log is not None and log.broken else "the log could not be mended")
                return
            except Exception as error:  # installing cannot fail; should it, memory must not be trusted
                self.fail(f"a commit could not be installed: {type(error).__name__}: {error}")
                return
            except BaseException:  # noqa: S112
                continue  # a second interrupt: the work is not optional
        self.fail("a commit was interrupted again and again while it was being settled")

    def _pend(self, flusher: Flusher) -> None:
        self._pending += 1
        if not flusher.armed:
            flusher.arm()
        if self._pending >= self._max_pending:
            self._pending = 0
            flusher.soon()

    # -- durability ---------------------------------------------------------------------------------

    def durably_seen(self) -> None:
        """For who looked at what has no older version to show (what is known of runs, the log): with strict durability
        nobody acts upon what is not on the device, so it waits for that. A failed database shows what it has."""
        if self.strict and self.log is not None and self.write_obstacle is None:
            self.log.sync_through(self.log.end)

    def _durable(self, lsn: int) -> None:
        """The log is on the device through `lsn`: strict readers may see that far."""
        if not self.strict:
            return
        with self.lock:
            unsynced = self._unsynced
            while unsynced and unsynced[0][0] <= lsn:
                cv = unsynced.popleft()[1]
                if cv > self.visible >= 0:
                    self.visible = cv
            if self.visible >= 0 and self.versions.chained:
                self.versions.trim(self.visible)

    def taken_in(self, cv: int, ts: int, sequence: int, end: int) -> None:
        """Take note of a transaction that another process committed, after it was applied."""
        self.cv, self.ts = cv, ts
        self.sequence = max(self.sequence, sequence + 1)
        if self.strict and self.log is not None:
            self._unsynced.append((end, cv))
        else:
            self.visible = cv

    def fail(self, why: str) -> None:
        """From here on reads only: what the log holds and what memory holds can no longer be told equal."""

        def failed() -> EngineError:
            return DurabilityError(
                f"the database has failed and takes no more writes: {why}",
                remedy="Close it and open it again: recovery brings back everything that is in the log.",
            )

        self.write_obstacle = failed

    def sync_failed(self) -> None:
        """A sync in the background failed."""
        if self.log is not None and self.log.broken is not None:
            self.fail(self.log.broken)

    def shut(self, obstacle: Callable[[], EngineError]) -> None:
        """Refuse everything from now on."""
        self.obstacle = self.write_obstacle = obstacle
        self.visible = -1
