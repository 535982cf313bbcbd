"""Events: an append-only list in each run, every event bound to the one before by a hash; entry 0x30.

`hash = SHA-256(msgpack[run, seq, ts, type, payload, prev_hash])`; the first event has 32 zero bytes before it.
The log and snapshots hold the hashes: recovery takes them as they are, and `verify_chain` computes them anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, overload

import msgspec

from devstate.engine.batch import Operation
from devstate.engine.envelope import WalEntry
from devstate.engine.errors import EngineError, NotFound
from devstate.engine.primitive import Guard, Key, Serializable, StoragePrimitive
from devstate.engine.search.texts import text_of_event
from devstate.engine.values import Value, check_event_type, decode_value, encode_value
from devstate.engine.versions import Record

if TYPE_CHECKING:
    from typing import Self

    from devstate.engine.batch import Batch
    from devstate.engine.context import Context

__all__ = ["NO_HASH", "Event", "EventRef", "EventStore", "EventView", "Events"]

APPEND = 0x30

NO_HASH = bytes(32)
"""What stands for the hash before the first event."""

_pack = msgspec.msgpack.Encoder().encode
_raw = msgspec.Raw
_cv_of = itemgetter(0)
_NEWEST = 1 << 63


class _AppendPayload(msgspec.Struct, array_like=True, frozen=True, gc=False):
    run: bytes
    seq: int
    cv: int
    ts: int
    type: str
    payload: msgspec.Raw
    prev_hash: bytes
    hash: bytes


_append_payload = msgspec.msgpack.Decoder(_AppendPayload).decode
# A snapshot record has the fields of the entry.
_snapshot_records = msgspec.msgpack.Decoder(list[_AppendPayload]).decode


class EventRef(msgspec.Struct, frozen=True, gc=False):
    """Where an event stands: number from 0, and hash (32 bytes). Provisional within a transaction."""

    seq: int
    hash: bytes

    @property
    def hex(self) -> str:
        """The hash in hexadecimal."""
        return self.hash.hex()


class Event(msgspec.Struct, frozen=True):
    """One event; `ts` in microseconds, `cv` the commit version, the hashes 32 bytes each."""

    seq: int
    type: str
    payload: Value
    ts: int
    cv: int
    prev_hash: bytes
    hash: bytes


class EventStore(StoragePrimitive):
    """The events of each run as a list of records; `extra` is `(type, prev_hash, hash)`."""

    type_id = 3
    name = "events"
    validated = False

    def __init__(self) -> None:
        super().__init__()
        self._lists: dict[bytes, list[Record]] = {}

    def wal_entry_types(self) -> Sequence[int]:
        return (APPEND,)

    # -- the contract of storage

    def apply_wal_entry(self, entry: WalEntry) -> None:
        event = _append_payload(entry.payload)
        found = len(self._lists.get(event.run, ()))
        if event.seq != found:
            raise EngineError(
                f"an event is number {event.seq} of a run that has {found}", position=f"lsn {entry.lsn}"
            )
        self.install(event.run, event.seq, _record_of(event))

    def snapshot_deserialize(self, data: memoryview) -> None:
        lists = self._lists
        for event in _snapshot_records(data):
            events = lists.get(event.run)
            if events is None:
                events = lists[event.run] = []
            if event.seq != len(events):
                raise EngineError(f"a snapshot has event {event.seq} where {len(events)} must follow")
            events.append(_record_of(event))

    def at(self, cv: int, guard: Guard) -> Serializable:
        return _EventsAt(self._lists, cv, guard)

    # -- memory

    def latest(self, run: bytes, key: Key) -> Record | None:
        events = self._lists.get(run)
        if events is None or type(key) is not int or not 0 <= key < len(events):
            return None
        return events[key]

    def length(self, run: bytes) -> int:
        events = self._lists.get(run)
        return len(events) if events is not None else 0

    def length_at(self, run: bytes, cv: int) -> int:
        events = self._lists.get(run)
        if not events:
            return 0
        return len(events) if events[-1][0] <= cv else bisect_right(events, cv, key=_cv_of)

    def install(self, run: bytes, key: Key, record: Record) -> None:
        events = self._lists.get(run)
        if events is None:
            events = self._lists[run] = []
        if key == len(events):
            events.append(record)
            if self.changed and run in self.changed:
                self.changed[run].add(key)
        elif self.latest(run, key) != record:
            raise EngineError(f"event {key} does not follow the {len(events)} that the run has")

    def delete_run(self, run: bytes) -> None:
        self._lists.pop(run, None)

    def copy(self) -> Self:
        twin = type(self)()
        twin._lists = {run: events.copy() for run, events in self._lists.items()}
        return twin

    # -- readers

    def runs(self) -> Iterable[bytes]:
        return list(self._lists)

    def records_of(self, run: bytes, cv: int = _NEWEST) -> list[Record]:
        """The records that a reader at `cv` sees, as a list of its own."""
        return self._lists.get(run, [])[: self.length_at(run, cv)]

    def view(self, run: bytes, cv: int) -> EventView:
        return EventView(tuple(self.records_of(run, cv)))

    def diff_items(self, run: bytes) -> Mapping[Any, bytes]:
        """Type and payload alone: times and hashes differ between any two runs."""
        return {
            seq: _pack((record[3][0], _raw(record[1] or b"")))
            for seq, record in enumerate(self.records_of(run))
        }

    def text(self, run: bytes, key: Key, record: Record) -> str | None:
        return text_of_event(record[3][0], _value_of(record))

    def texts(self, run: bytes, cv: int = _NEWEST) -> Iterable[tuple[Key, str]]:
        for seq, record in enumerate(self.records_of(run, cv)):
            yield seq, text_of_event(record[3][0], _value_of(record))

    def decode_value(self, key: Key, record: Record) -> Any:
        """The event as a reader gets it."""
        return _event_of(int(key or 0), record)

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        event = _append_payload(entry.payload)
        return {
            "op": "append",
            "key": event.seq,
            "type": event.type,
            "payload": decode_value(bytes(event.payload)),
            "hash": event.hash.hex(),
        }

    def handle(self, context: Context) -> Events:
        return Events(context, self)


class _EventsAt:
    """The events as they were at a commit version, those of runs that are deleted meanwhile too."""

    def __init__(self, lists: Mapping[bytes, list[Record]], cv: int, guard: Guard) -> None:
        self._lists = dict(lists)
        self._cv = cv
        self._guard = guard

    def snapshot_serialize(self) -> Iterator[bytes]:
        for run in sorted(self._lists):
            with self._guard:
                events = self._lists[run]
                events = events[: bisect_right(events, self._cv, key=_cv_of)]
            for seq, (cv, payload, ts, (kind, before, own), _) in enumerate(events):
                yield _pack((run, seq, cv, ts, kind, _raw(payload or b""), before, own))


class EventView(Sequence[Event]):
    """The events of one run at one commit: immutable, payloads decoded at each access."""

    __slots__ = ("_records",)

    def __init__(self, records: tuple[Record, ...]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...
    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        if isinstance(index, slice):
            return tuple(
                _event_of(seq, self._records[seq]) for seq in range(*index.indices(len(self._records)))
            )
        record = self._records[index]
        return _event_of(index if index >= 0 else index + len(self._records), record)

    def record(self, seq: int) -> Record:
        """The record behind an event. Raises IndexError."""
        return self._records[seq]

    def __repr__(self) -> str:
        return f"<events: {len(self._records)} records>"


class _Append(Operation):
    """One event; what comes before it is looked up at each staging."""

    __slots__ = ("_payload", "_store", "_type")

    def __init__(self, store: EventStore, event_type: str, payload: bytes) -> None:
        self._store = store
        self._type = event_type
        self._payload = payload

    def stage(self, batch: Batch) -> EventRef:
        store = self._store
        seq, before = _next(store, batch)
        digest = _add(store, batch, seq, before, self._type, self._payload)
        if batch.many:
            batch.note(store, (seq + 1, digest))
        return EventRef(seq, digest)


class _AppendMany(Operation):
    __slots__ = ("_events", "_store")

    def __init__(self, store: EventStore, events: Sequence[tuple[str, bytes]]) -> None:
        self._store = store
        self._events = events

    def stage(self, batch: Batch) -> list[EventRef]:
        store = self._store
        seq, before = _next(store, batch)
        refs: list[EventRef] = []
        for event_type, payload in self._events:
            before = _add(store, batch, seq, before, event_type, payload)
            refs.append(EventRef(seq, before))
            seq += 1
        if batch.many:
            batch.note(store, (seq, before))
        return refs


def _next(store: EventStore, batch: Batch) -> tuple[int, bytes]:
    """The number of the next event of a transaction and the hash before it."""
    if batch.notes is not None:
        own: tuple[int, bytes] | None = batch.note(store)
        if own is not None:
            return own
    seq = batch.length(store)
    newest: Any = store.latest(batch.run, seq - 1)
    return (seq, newest[3][2]) if newest is not None else (0, NO_HASH)


def _add(store: EventStore, batch: Batch, seq: int, before: bytes, event_type: str, payload: bytes) -> bytes:
    """Stage one event; its hash."""
    run, cv, ts, value = batch.run, batch.cv, batch.ts, _raw(payload)
    digest = sha256(_pack((run, seq, ts, event_type, value, before))).digest()
    entry = _pack((run, seq, cv, ts, event_type, value, before, digest))
    batch.add(APPEND, entry, store, seq, (cv, payload, ts, (event_type, before, digest), None))
    return digest


class Events:
    """The events of one run. A type is a text of 1 to 256 bytes of UTF-8; payloads are `devstate.engine.Value`.

    Reads and appends do not conflict with another transaction (reads of a serializable one do): numbers and hashes
    are given at the commit, so what `append` returns within a transaction is provisional. Writes raise
    ValueTypeError, ValueRangeError, EngineLimitExceeded, RunNotActive, DurabilityError; everything raises
    RunNotFound and DatabaseClosed.
    """

    __slots__ = ("_context", "_store")

    def __init__(self, context: Context, store: EventStore) -> None:
        self._context = context
        self._store = store

    def append(self, event_type: str, payload: Value = None) -> EventRef:
        """Add an event to the end."""
        check_event_type(event_type)
        return self._context.write(_Append(self._store, event_type, encode_value(payload)))

    def append_many(self, events: Iterable[tuple[str, Value]]) -> list[EventRef]:
        """Add several events, given as (type, payload), in one transaction."""
        encoded: list[tuple[str, bytes]] = []
        for kind, payload in events:
            check_event_type(kind)
            encoded.append((kind, encode_value(payload)))
        return self._context.write(_AppendMany(self._store, encoded)) if encoded else []

    def read(self, seq: int) -> Event:
        """The event of that number. Raises NotFound."""
        record = self._context.record(self._store, seq)
        if record is None:
            raise NotFound(f"there is no event {seq}", position=str(seq))
        return _event_of(seq, record)

    def range(self, start: int = 0, end: int | None = None) -> list[Event]:
        """The events from number `start` to before `end`, as far as there are."""
        return [_event_of(seq, record) for seq, record in self._records(start, end)]

    def head(self) -> Event | None:
        """The last event; None where there is none."""
        last = self._context.length(self._store) - 1
        return self.read(last) if last >= 0 else None

    def len(self) -> int:
        """How many events there are."""
        return self._context.length(self._store)

    def __len__(self) -> int:
        return self._context.length(self._store)

    def __bool__(self) -> bool:
        return True  # the handle; not whether there are events

    def by_type(self, event_type: str) -> list[Event]:
        """The events of that type, in order."""
        return [_event_of(seq, record) for seq, record in self._records() if record[3][0] == event_type]

    def types(self) -> dict[str, int]:
        """The types, in the order of their first event, and how many events each has."""
        counts: dict[str, int] = {}
        for _, record in self._records():
            kind = record[3][0]
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def verify_chain(self) -> int | None:
        """The number of the first event whose hash or link is not what the events say; None where all are."""
        return first_bad(self._context.run, (record for _, record in self._records()))

    def _records(self, start: int = 0, end: int | None = None) -> Iterable[tuple[int, Record]]:
        there = self._context.length(self._store)
        stop = there if end is None or end > there else end
        return self._context.records(self._store, range(max(start, 0), stop)).items()


def first_bad(run: bytes, records: Iterable[Record]) -> int | None:
    """The number of the first of a run's events that breaks the chain; None where none does."""
    before = NO_HASH
    for seq, (_, payload, ts, (kind, linked, own), _) in enumerate(records):
        if (
            linked != before
            or own != sha256(_pack((run, seq, ts, kind, _raw(payload or b""), linked))).digest()
        ):
            return seq
        before = own
    return None


def _record_of(event: _AppendPayload) -> Record:
    return event.cv, bytes(event.payload), event.ts, (event.type, event.prev_hash, event.hash), None


def _value_of(record: Record) -> Value:
    return decode_value(record[1] or b"")


def _event_of(seq: int, record: Record) -> Event:
    kind, before, own = record[3]
    return Event(seq, kind, _value_of(record), record[2], record[0], before, own)
