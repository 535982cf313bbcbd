"""Transactions: one run, one thread, snapshot isolation with a check at the commit.

A transaction reads the state at the commit it began with, plus what it queued itself. Its operations are staged
at the call against that view, so that errors and provisional results come at once, and staged again at the commit
against the newest state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import current_thread, get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import ref

import msgspec

from .batch import Draft, Operation, PutValue
from .context import scanned
from .errors import (
    AlreadyExists,
    CasMismatch,
    ConflictError,
    DatabaseClosed,
    EngineError,
    NestedTransactionError,
    NotFound,
    PathError,
    RunNotActive,
    RunNotFound,
)
from .ids import run_text
from .versions import Record, visible_at

if TYPE_CHECKING:
    from typing import Self

    from .commit import Committer
    from .primitive import Key, StoragePrimitive
    from .primitives.cells import State
    from .primitives.events import Events
    from .primitives.json_documents import Json
    from .primitives.kv import Kv
    from .primitives.traces import Traces

__all__ = ["CommitInfo", "Transaction"]


class CommitInfo(msgspec.Struct, frozen=True):
    """What a commit came to: its version, time (us) and number of entries; version 0 where nothing was written.

    `results` are the final results of the queued operations, in order: versions and sequence numbers that were
    provisional before.
    """

    cv: int
    ts: int
    entries: int
    results: tuple[Any, ...]


class Transaction:
    """Reads and queued writes of one run; a context of `devstate.engine.context`.

    Use it as a context manager: it commits at the end of the block, and rolls back when that raises.
    """

    def __init__(
        self,
        committer: Committer,
        run: bytes,
        *,
        span_ids: Callable[[], str],
        serializable: bool,
        durable: bool,
        new: bool = False,
    ) -> None:
        self.run = run
        self.commit_info: CommitInfo | None = None
        self._committer = committer
        self._thread = get_ident()
        self.thread = current_thread()  # the number alone is given to another thread when this one has ended
        self._serializable = serializable
        self._durable = durable
        self._span_ids = span_ids
        self._operations: list[Operation] = []
        self._reads: dict[tuple[StoragePrimitive, Key], tuple[int, list[Any] | None]] = {}
        self._lengths: dict[StoragePrimitive, int] = {}
        self._scans: list[tuple[StoragePrimitive, str, list[tuple[Any, int]]]] = []
        self._open = False
        if committer.in_transaction(self._thread):
            raise NestedTransactionError(
                "this thread has a transaction open",
                remedy="Use that one; a transaction has no part that commits by itself.",
            )
        if not new:
            if committer.following:
                committer.follow()  # another process may have begun the run
            committer.require_run(run)
        self._begun: int | None = None
        if not new:
            with committer.lock:  # before `start`: a run that comes in between is another one
                self._begun = committer.primitives.run_begun(run)
        # Weakly, and first: an interrupt may come anywhere from here on, and the thread is free again then.
        committer.transactions[self._thread] = ref(self)
        self.start = committer.begin(self._thread)
        self._open = True
        self._draft = Draft(run, self.start, max(committer.now(), committer.ts))

    # -- handles of the primitives

    def ext(self, name: str) -> Any:
        """The handle of a kind of records by its name, as `ext("kv")`."""
        # Not kept: a circle would keep a transaction alive that an interrupt orphaned.
        return self._committer.primitives.named(name).handle(self)

    @property
    def kv(self) -> Kv:
        return self.ext("kv")

    @property
    def json(self) -> Json:
        return self.ext("json")

    @property
    def events(self) -> Events:
        return self.ext("events")

    @property
    def state(self) -> State:
        return self.ext("state")

    @property
    def traces(self) -> Traces:
        return self.ext("traces")

    def end_run(self, status: str = "completed", reason: str | None = None) -> None:
        """Queue the end of the run; nothing can be written to it afterwards, in this transaction either."""
        store: Any = self._committer.primitives.named("runs")
        self.write(store.end(status, reason))

    # -- Context

    def record(self, primitive: StoragePrimitive, key: Key, scope: Any = None) -> Record | None:
        self._require_open()
        draft = self._draft
        own = draft.pending.get((primitive.type_id, key))
        if own is not None and scope is None:
            return own
        record = visible_at(primitive.latest(self.run, key), self.start)
        if record is None and own is None:
            self._require_run()
        # Of kinds that only grow, what was missed is all that a later commit can change.
        if primitive.validated or (self._serializable and record is None):
            self._note_read(primitive, key, record, scope)
        return record if own is None else own

    def records(self, primitive: StoragePrimitive, keys: Sequence[Key]) -> dict[Any, Record]:
        found = {key: self.record(primitive, key) for key in keys}
        return {key: record for key, record in found.items() if record is not None}

    def live(self, primitive: StoragePrimitive, prefix: str = "") -> Iterable[tuple[Any, Record]]:
        self._require_open()
        found = scanned(primitive, self.run, prefix, self.start)
        self._require_run()  # behind the look: it tells what the look found from what is gone
        if self._serializable:
            self._scans.append((primitive, prefix, [(key, record[0]) for key, record in found]))
        pending = self._draft.pending
        own = {key: record for (kind, key), record in pending.items() if kind == primitive.type_id}
        if not own:
            return found
        merged = dict(found)
        merged.update(
            {key: record for key, record in own.items() if isinstance(key, str) and key.startswith(prefix)}
        )
        return sorted(
            ((key, record) for key, record in merged.items() if record[1] is not None),
            key=lambda item: item[0],
        )

    def length(self, primitive: StoragePrimitive) -> int:
        self._require_open()
        pending = self._draft.pending
        before = primitive.length_at(self.run, self.start)
        self._require_run()
        if self._serializable:
            self._lengths[primitive] = before
        return before + sum(
            1 for kind, key in pending if kind == primitive.type_id and self._is_new(primitive, key)
        )

    def write(self, operation: Operation) -> Any:
        self._require_open()
        if self._committer.write_obstacle is not None:
            raise self._committer.write_obstacle()
        self._committer.primitives.admit(self.run, operation.lifecycle, self._draft)
        result = operation.stage(self._draft)
        self._operations.append(operation)
        return result

    def put(self, primitive: StoragePrimitive, entry_type: int, key: Key, value: bytes) -> int:
        self.write(PutValue(primitive, entry_type, key, value))
        return 0

    def now(self) -> int:
        return self._committer.now()

    def new_span_id(self) -> str:
        return self._span_ids()

    # -- the end

    def commit(self) -> CommitInfo:
        """Write everything that was queued, at once. Raises ConflictError (nothing was written then), DurabilityError.

        With strict durability, or a transaction begun with it, this returns when it is on the device.
        """
        self._require_open()
        committer = self._committer
        try:
            if not self._operations:
                self.commit_info = CommitInfo(0, 0, 0, ())
                return self.commit_info
            batch, results, end = self._committed(committer)
        finally:
            self._finish()
        written = len(batch.changes)
        self.commit_info = CommitInfo(
            batch.cv if written else 0, batch.ts if written else 0, written, tuple(results)
        )
        if end and committer.log is not None and (self._durable or committer.strict):
            committer.log.sync_through(end)
        return self.commit_info

    def rollback(self) -> None:
        """Forget everything that was queued."""
        if self._open:
            self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.rollback()
        elif self._open:
            self.commit()

    # -- how

    def _committed(self, committer: Committer) -> tuple[Any, list[Any], int]:
        self._committer.follow()
        try:
            return committer.commit(self.run, self._operations, self._check)
        except (RunNotFound, RunNotActive) as error:
            conflict = ConflictError(
                f"the run was changed by another commit: {error.message}",
                kind="run state",
                primitive="runs",
                key=None,
                remedy=error.remedy,
            )
            conflict.retryable = False
            raise conflict from None
        except CasMismatch as error:
            raise ConflictError(
                error.message,
                kind="cas",
                primitive=error.primitive,
                key=error.key,
                expected=error.expected,
                found=error.found,
            ) from None
        except (PathError, NotFound, AlreadyExists) as error:
            # It fitted what this transaction saw, so somebody else changed the record since.
            raise ConflictError(
                f"another commit came between: {error.message}",
                kind="json write-write" if isinstance(error, PathError) else "read-write",
                primitive="",
                key=error.position,
            ) from None

    def _check(self) -> None:
        """Under the commit lock: whether what was read and written still fits."""
        if not self._operations:
            return
        self._require_run()
        run, start = self.run, self.start
        for (primitive, key), (seen, scopes) in self._reads.items():
            found = primitive.check_read(run, key, seen, scopes, start)
            if found is not None:
                kind = "read-write" if scopes is None else "json read-write"
                raise ConflictError(
                    f"{primitive.name} {key!r} was read at version {seen} and is at {found} now",
                    kind=kind,
                    primitive=primitive.name,
                    key=key,
                    expected=seen,
                    found=found,
                )
        for operation in self._operations:
            operation.check(run, start)
        for primitive, length in self._lengths.items():
            found = primitive.length(run)
            if found != length:
                raise ConflictError(
                    f"{primitive.name} had {length} records when they were looked at and have {found} now",
                    kind="scan",
                    primitive=primitive.name,
                    key=None,
                    expected=length,
                    found=found,
                )
        for primitive, prefix, seen_keys in self._scans:
            now = [(key, record[0]) for key, record in scanned(primitive, run, prefix, 1 << 62)]
            if now != seen_keys:
                raise ConflictError(
                    f"{primitive.name} keys that begin with {prefix!r} changed since they were listed",
                    kind="scan",
                    primitive=primitive.name,
                    key=prefix,
                )

    def _note_read(self, primitive: StoragePrimitive, key: Key, record: Record | None, scope: Any) -> None:
        place = (primitive, key)
        noted = self._reads.get(place)
        if noted is None:
            self._reads[place] = (record[0] if record is not None else 0, None if scope is None else [scope])
        elif noted[1] is not None:
            if scope is None:
                self._reads[place] = (noted[0], None)
            else:
                noted[1].append(scope)

    def _is_new(self, primitive: StoragePrimitive, key: Key) -> bool:
        return visible_at(primitive.latest(self.run, key), self.start) is None

    def _require_run(self) -> None:
        """Raise RunNotFound where the run was deleted since, and took its records along; also where another one was
        begun under its identifier. Raise ConflictError where the state that this transaction reads is gone."""
        if self.start < self._committer.floor:
            raise ConflictError(
                "the log between what this transaction reads and the newest commit was put away meanwhile",
                kind="read-write",
                primitive="",
                key=None,
                expected=self.start,
                found=self._committer.floor,
                remedy="Begin another transaction.",
            )
        if self._begun is None:
            return  # the run is what this transaction changes
        self._committer.require_run(self.run)
        if self._committer.primitives.run_begun(self.run) != self._begun:
            raise RunNotFound(
                f"run {run_text(self.run)} was deleted, and begun anew, since this transaction began",
                remedy="Begin another transaction.",
            )

    def _require_open(self) -> None:
        if not self._open:
            raise DatabaseClosed("the transaction has ended", remedy="Begin another one.")
        if get_ident() != self._thread:
            raise EngineError(
                "a transaction belongs to the thread that began it", remedy="Begin one in each thread."
            )
        if self._committer.obstacle is not None:
            raise self._committer.obstacle()

    def _finish(self) -> None:
        self._open = False
        committer = self._committer
        committer.end(self._thread)
        committer.transactions.pop(self._thread, None)

    @property
    def open(self) -> bool:
        """Whether it was neither committed nor rolled back."""
        return self._open
