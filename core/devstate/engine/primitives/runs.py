"""Runs: what all other records belong to. Life cycle, metadata and the journal of each run's transactions.

Entries 0x60 to 0x63, section 6. The journal (positions of a run's transactions in the log) is derived: from the
log since the snapshot, and from the indexes of older segments when it is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from devstate.engine.envelope import WalEntry
from devstate.engine.errors import EngineError, RunExists, RunNotActive
from devstate.engine.ids import RunId, run_text
from devstate.engine.map_primitive import MapPrimitive, value_of
from devstate.engine.owners import NOBODY
from devstate.engine.primitive import Guard, Key, Serializable
from devstate.engine.search.texts import text_of_run
from devstate.engine.versions import Record, visible_at

from .run_entries import (
    BEGIN,
    CREATE,
    END,
    UPDATE,
    EndPayload,
    begin_payload,
    begun,
    create_payload,
    created,
    end_payload,
    ended,
    update_payload,
)
from .run_life import (
    GONE,
    RESUMED,
    BeginRun,
    CreateRun,
    DeleteRun,
    EndRun,
    UpdateRun,
    resumes,
    unknown_run,
)

if TYPE_CHECKING:
    from typing import Self

    from devstate.engine.batch import Batch
    from devstate.engine.context import Context

__all__ = ["RunBook", "RunMetadata", "RunStatus", "RunStore"]

_pack = msgspec.msgpack.Encoder().encode
_dict = msgspec.msgpack.Decoder(dict[str, Any]).decode


class RunStatus(StrEnum):
    """Where a run is in its life. ORPHANED is computed, never stored; NOT_FOUND is an answer only."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"
    ORPHANED = "orphaned"
    NOT_FOUND = "not_found"


class RunMetadata(msgspec.Struct, frozen=True):
    """What is known of a run; times in microseconds of the epoch.

    `tx_count`, `first_cv` and `last_cv` tell of its transactions, lifecycle ones included. `owner` is the process
    that began it: pid, host, start time, boot id and handle.
    """

    run_id: RunId
    name: str | None
    parent: RunId | None
    tags: tuple[str, ...]
    metadata: dict[str, Any]
    status: RunStatus
    created_at: int
    started_at: int | None
    ended_at: int | None
    reason: str | None
    tx_count: int
    event_count: int
    first_cv: int
    last_cv: int
    owner: tuple[Any, ...] | None = None


_records = msgspec.msgpack.Decoder(list[tuple[bytes, int, int, dict[str, Any]]]).decode


class RunBook:
    """The running account of one run.

    `lsns` are the positions of its transactions that this process has seen, all but the first
    `tx_count - len(lsns)`, which lie before the snapshot that was loaded.
    """

    __slots__ = (
        "first_cv",
        "first_lsn",
        "last_cv",
        "last_lsn",
        "lasting",
        "lsns",
        "orphaned",
        "owner",
        "status",
        "tx_count",
        "writable",
    )

    def __init__(self) -> None:
        self.status: str = "created"
        self.owner: list[Any] | None = None
        self.writable = False
        self.orphaned = False
        # The owner cannot die while this handle is open, so a write need not ask for it.
        self.lasting = False
        self.tx_count = 0
        self.first_cv = self.last_cv = 0
        self.first_lsn = self.last_lsn = 0
        self.lsns: array[int] = array("Q")

    def copy(self) -> RunBook:
        twin = RunBook()
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.lsns = self.lsns[:]
        return twin


class RunStore(MapPrimitive):
    """The records of runs: one a run, its fields as a msgpack map."""

    type_id = 6
    name = "runs"
    puts = (CREATE, BEGIN, UPDATE, END)
    keeps_tombstones = True
    validated = False

    def __init__(self) -> None:
        super().__init__()
        self.books: dict[bytes, RunBook] = {}
        # Whether the process that owns a run is alive; replaced by a database that other processes share.
        self.owner_alive: Callable[[Sequence[Any] | None], bool] = lambda owner: True
        self.owner_lasts: Callable[[Sequence[Any] | None], bool] = lambda owner: True

    # -- the contract of storage

    def apply_wal_entry(self, entry: WalEntry) -> None:
        kind = entry.entry_type
        if kind == CREATE:
            made = create_payload(entry.payload)
            if self.latest(made.run, None) is not None:
                raise RunExists(f"run {run_text(made.run)} is created a second time")
            fields = created(made.name, made.parent, made.tags, made.metadata, made.ts, made.owner)
            self._put(made.run, made.cv, made.ts, fields)
        elif kind == BEGIN:
            start = begin_payload(entry.payload)
            self._put(start.run, start.cv, start.ts, begun(self._fields(start.run), start.ts))
        elif kind == UPDATE:
            told = update_payload(entry.payload)
            fields = self._fields(told.run)
            if told.changes.get("deleted") is True:
                self.install(told.run, None, (told.cv, None, told.ts, GONE, None))
            else:
                self._put(told.run, told.cv, told.ts, {**fields, **told.changes}, resumes(told.changes))
        else:
            end = end_payload(entry.payload)
            self._cross_check(end)
            fields = ended(self._fields(end.run), end.status, end.reason, end.ts)
            self._put(end.run, end.cv, end.ts, fields)

    def snapshot_deserialize(self, data: memoryview) -> None:
        for run, cv, ts, fields in _records(data):
            book = RunBook()
            book.tx_count = fields.pop("tx_count")
            fields.pop("event_count", None)
            book.first_cv, book.last_cv = fields.pop("first_cv"), fields.pop("last_cv")
            book.first_lsn, book.last_lsn = fields.pop("first_lsn"), fields.pop("last_lsn")
            self.books[run] = book
            self.maps[run] = {None: (cv, _pack(fields), ts, None, None)}
            _take_status(book, fields)

    def at(self, cv: int, guard: Guard) -> Serializable:
        accounts = {
            run: {
                "tx_count": book.tx_count,
                "first_cv": book.first_cv,
                "last_cv": book.last_cv,
                "first_lsn": book.first_lsn,
                "last_lsn": book.last_lsn,
                "event_count": self._event_count(run, cv),
            }
            for run, book in self.books.items()
        }
        records = {
            run: record for run, kept in self.maps.items() if (record := visible_at(kept.get(None), cv))
        }
        return _RunsAt(records, accounts)

    # -- memory

    def install(self, run: bytes, key: Key, record: Record) -> None:
        if record[3] == GONE:
            if self.siblings is not None:
                self.siblings.delete_run(run)
            return
        super().install(run, key, record)
        book = self.books.get(run)
        if book is None:
            book = self.books[run] = RunBook()
        _take_status(book, _dict(value_of(record)), resumed=record[3] == RESUMED)

    def delete_run(self, run: bytes) -> None:
        super().delete_run(run)
        self.books.pop(run, None)

    def copy(self) -> Self:
        twin = super().copy()
        twin.books = {run: book.copy() for run, book in self.books.items()}
        return twin

    # -- hooks

    def admit(self, run: bytes, lifecycle: bool, draft: Batch | None = None) -> None:
        book = self.books.get(run)
        # What a transaction queued decides only where it changes the run itself.
        changed = draft is not None and (self.type_id, None) in draft.pending
        if book is not None and book.writable and not changed:
            if book.lasting:
                return
            if self.owner_lasts(book.owner):
                book.lasting = True
                return
        if lifecycle:
            return  # the operation itself knows which step of life is next
        if book is None and not changed:
            raise unknown_run(run)
        status = self.status(run, draft)
        if status != RunStatus.ACTIVE:
            raise RunNotActive(
                f"run {run_text(run)} is {status.value} and takes no writes",
                status=status.value,
                remedy="Resume it first."
                if status in (RunStatus.PAUSED, RunStatus.ORPHANED)
                else "Begin another run.",
            )

    def require_run(self, run: bytes) -> None:
        if run not in self.books:
            raise unknown_run(run)

    def run_begun(self, run: bytes) -> int:
        book = self.books.get(run)
        return book.first_cv if book is not None else 0

    def transaction_applied(self, run: bytes, cv: int, ts: int, lsn: int) -> None:
        book = self.books.get(run)
        if book is None or book.last_cv >= cv:
            return  # deleted by this transaction, or taken note of already
        if not book.tx_count:
            book.first_cv, book.first_lsn = cv, lsn
        book.last_lsn = lsn
        if not book.lsns or book.lsns[-1] != lsn:  # an interrupt may have come right behind this
            book.lsns.append(lsn)
        book.tx_count, book.last_cv = book.tx_count + 1, cv  # together: a signal falls between no two stores

    def recovered(self, *, alone: bool) -> None:
        for run, book in self.books.items():
            if book.status != RunStatus.ACTIVE:
                continue
            owner = self._fields(run).get("owner")
            if not self.owner_alive(owner) or (alone and tuple(owner or ()) != NOBODY):
                book.orphaned, book.writable = True, False

    def orphaned(self) -> list[bytes]:
        return [run for run in self.books if self.status(run) is RunStatus.ORPHANED]

    # -- readers

    def runs(self) -> list[bytes]:
        return list(self.books)

    def status(self, run: bytes, batch: Batch | None = None) -> RunStatus:
        """The status of a known run, ORPHANED where its process is gone."""
        record = batch.latest(self, None) if batch is not None else self.latest(run, None)
        if record is None or record[1] is None:
            return RunStatus.NOT_FOUND
        fields = _dict(record[1])
        status = RunStatus(fields["status"])
        book = self.books.get(run)
        own_change = batch is not None and record is not self.latest(run, None)
        if status is not RunStatus.ACTIVE or book is None or own_change:
            return status
        gone = book.orphaned or not self.owner_alive(fields.get("owner"))
        return RunStatus.ORPHANED if gone else status

    def metadata(self, run: bytes, cv: int = 1 << 63) -> RunMetadata:
        """What is known of a run. Raises RunNotFound."""
        record = visible_at(self.latest(run, None), cv)
        book = self.books.get(run)
        if record is None or record[1] is None or book is None:
            raise unknown_run(run)
        fields = _dict(record[1])
        parent, owner = fields["parent"], fields.get("owner")
        return RunMetadata(
            run_id=run_text(run),
            name=fields["name"],
            parent=run_text(parent) if parent is not None else None,
            tags=tuple(fields["tags"]),
            metadata=fields["metadata"],
            status=self.status(run),
            created_at=fields["created_at"],
            started_at=fields["started_at"],
            ended_at=fields["ended_at"],
            reason=fields["reason"],
            tx_count=book.tx_count,
            event_count=self._event_count(run),
            first_cv=book.first_cv,
            last_cv=book.last_cv,
            owner=tuple(owner) if owner is not None else None,
        )

    def view(self, run: bytes, cv: int) -> Any:
        return self.metadata(run, cv) if run in self.books else None

    def diff_items(self, run: bytes) -> Mapping[Any, bytes]:
        return {}  # two runs always differ in what they are

    def text(self, run: bytes, key: Key, record: Record) -> str | None:
        told = self.metadata(run)
        return text_of_run(told.run_id, told.status.value, told.name, told.metadata)

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        kind = entry.entry_type
        if kind == CREATE:
            made = create_payload(entry.payload)
            told = {"name": made.name, "tags": made.tags, "metadata": made.metadata}
            return {
                "op": "create",
                "key": None,
                **told,
                "parent": run_text(made.parent) if made.parent else None,
            }
        if kind == BEGIN:
            return {"op": "begin", "key": None}
        if kind == UPDATE:
            return {"op": "update", "key": None, "changes": update_payload(entry.payload).changes}
        end = end_payload(entry.payload)
        return {"op": "end", "key": None, "status": end.status, "reason": end.reason}

    def handle(self, context: Context) -> RunMetadata:
        return self.metadata(context.run)

    # -- operations

    def begin(
        self,
        name: str | None,
        parent: bytes | None,
        tags: Sequence[str],
        metadata: Mapping[str, Any],
        owner: Sequence[Any] | None,
    ) -> list[Any]:
        """The operations that create a run and begin it."""
        return [CreateRun(self, name, parent, tags, dict(metadata), owner), BeginRun(self)]

    def end(self, status: str, reason: str | None) -> Any:
        """The operation that ends a run as completed, failed or cancelled."""
        return EndRun(self, status, reason)

    def update(self, changes: Mapping[str, Any], status: str | None = None) -> Any:
        """The operation that sets fields; `status` is the next status, where that changes."""
        return UpdateRun(self, dict(changes), status)

    def delete(self, *, force: bool) -> Any:
        """The operation that deletes a run with all its records; an active one only with `force`."""
        return DeleteRun(self, force)

    # -- how

    def _put(self, run: bytes, cv: int, ts: int, fields: Mapping[str, Any], extra: str | None = None) -> None:
        self.install(run, None, (cv, _pack(fields), ts, extra, None))

    def _fields(self, run: bytes) -> dict[str, Any]:
        record = self.latest(run, None)
        if record is None or record[1] is None:
            raise unknown_run(run)
        return _dict(record[1])

    def _event_count(self, run: bytes, cv: int = 1 << 63) -> int:
        for sibling in self.siblings or ():
            if sibling.name == "events":
                return sibling.length_at(run, cv)
        return 0

    def _cross_check(self, end: EndPayload) -> None:
        book = self.books.get(end.run)
        events, transactions = self._event_count(end.run), (book.tx_count if book is not None else 0) + 1
        if (end.event_count, end.tx_count) != (events, transactions):
            raise EngineError(
                f"the end of run {run_text(end.run)} counts {end.event_count} events in {end.tx_count} transactions, "
                f"the log holds {events} in {transactions}"
            )


class _RunsAt:
    def __init__(self, records: Mapping[bytes, Record], accounts: Mapping[bytes, Mapping[str, int]]) -> None:
        self._records = records
        self._accounts = accounts

    def snapshot_serialize(self) -> Iterator[bytes]:
        for run in sorted(self._records):
            cv, value, ts, _, _ = self._records[run]
            if value is not None and run in self._accounts:
                yield _pack((run, cv, ts, {**_dict(value), **self._accounts[run]}))


def _take_status(book: RunBook, fields: Mapping[str, Any], *, resumed: bool = False) -> None:
    status, owner = fields["status"], fields.get("owner")
    if book.orphaned and status == book.status and owner == book.owner and not resumed:
        return  # another field changed: its process is still gone
    book.status, book.owner = status, owner
    book.writable = status == "active"
    book.orphaned = book.lasting = False
