"""A kind of records that are a map from keys to values, within each run.

A plug-in states its numbers and which entries put and which delete; versions, snapshots, replay, diff and
conflict checks come from here. Kinds with more to a record override the few methods that touch its layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from .batch import Operation
from .envelope import WalEntry
from .primitive import Guard, Key, Serializable, StoragePrimitive
from .versions import Record, visible_at

if TYPE_CHECKING:
    from typing import Self

    from .batch import Batch

__all__ = ["DELETED", "MapPrimitive", "MapView", "Put", "Remove"]

_pack = msgspec.msgpack.Encoder().encode
_raw_list = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_raw_records = msgspec.msgpack.Decoder(list[list[msgspec.Raw]]).decode
_bytes = msgspec.msgpack.Decoder(bytes).decode
_key = msgspec.msgpack.Decoder(str | int | None).decode
_uint = msgspec.msgpack.Decoder(int).decode
_any = msgspec.msgpack.Decoder().decode

# Stands for the value of a tombstone in a snapshot record.
DELETED = msgspec.msgpack.Ext(1, b"")
DELETED_BYTES = _pack(DELETED)


class MapPrimitive(StoragePrimitive):
    """Records by (run, key). The value of a record is the msgpack array of what its entry holds after `ts`."""

    # The entry types that put a record and those that delete one.
    puts: ClassVar[Sequence[int]] = ()
    deletes: ClassVar[Sequence[int]] = ()
    # Whether a deleted key keeps a record for ever (its entity version), or only while readers need it.
    keeps_tombstones: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.maps: dict[bytes, dict[Any, Record]] = {}

    def wal_entry_types(self) -> Sequence[int]:
        return (*self.puts, *self.deletes)

    # -- layout: what a kind with more to a record overrides

    def decode_entry(self, entry: WalEntry) -> tuple[bytes, Key, Record]:
        """Run, key and record that an entry makes. Raises on a payload that is not its own."""
        parts = _raw_list(entry.payload)
        run, key = _bytes(parts[0]), _key(parts[1])
        cv, ts = _uint(parts[2]), _uint(parts[3])
        value = _pack(parts[4:]) if entry.entry_type in self.puts else None
        return run, key, (cv, value, ts, None, None)

    def snapshot_fields(self, record: Record) -> tuple[Any, ...]:
        """What a snapshot record holds after `[run, key`."""
        cv, value, ts, _, _ = record
        return cv, ts, DELETED if value is None else msgspec.Raw(value)

    def from_fields(self, fields: Sequence[msgspec.Raw]) -> Record:
        """The record of a snapshot's fields after `[run, key`."""
        cv, ts, value = fields[:3]
        return _uint(cv), stored(value), _uint(ts), None, None

    def decode_value(self, key: Key, record: Record) -> Any:
        """The value as a reader gets it, made anew at each call."""
        return _any(value_of(record))

    # -- the contract of storage

    def apply_wal_entry(self, entry: WalEntry) -> None:
        run, key, record = self.decode_entry(entry)
        self.install(run, key, record)

    def snapshot_deserialize(self, data: memoryview) -> None:
        for fields in _raw_records(data):
            run, key = _bytes(fields[0]), _key(fields[1])
            records = self.maps.get(run)
            if records is None:
                records = self.maps[run] = {}
            records[key] = self.from_fields(fields[2:])

    def at(self, cv: int, guard: Guard) -> Serializable:
        return _MapAt(self, cv, guard)

    # -- memory

    def latest(self, run: bytes, key: Key) -> Record | None:
        records = self.maps.get(run)
        return records.get(key) if records is not None else None

    def length_at(self, run: bytes, cv: int) -> int:
        records = self.maps.get(run)
        if not records:
            return 0
        found = (visible_at(record, cv) for record in records.copy().values())
        return sum(record is not None and record[1] is not None for record in found)

    def install(self, run: bytes, key: Key, record: Record) -> None:
        records = self.maps.get(run)
        if records is None:
            records = self.maps[run] = {}
        if self.changed and run in self.changed:
            self.changed[run].add(key)
        versions = self.versions
        if versions.linking:
            old = records.get(key)
            # A second write of the same transaction supersedes what the transaction found.
            while old is not None and old[0] == record[0]:
                old = old[4]
            if old is not None:
                record = (record[0], record[1], record[2], record[3], old)
                versions.chained.append((record[0], self, run, key))
            elif record[1] is None:
                versions.chained.append((record[0], self, run, key))
        elif record[1] is None and not self.keeps_tombstones:
            records.pop(key, None)
            return
        records[key] = record

    def trim(self, run: bytes, key: Key, horizon: int) -> bool:
        records = self.maps.get(run)
        record = records.get(key) if records is not None else None
        if records is None or record is None or record[0] > horizon:
            return False  # newer than that: the chain's newer link will come by
        if record[4] is not None:
            records[key] = (record[0], record[1], record[2], record[3], None)
        return record[1] is None and not self.keeps_tombstones

    def drop(self, run: bytes, key: Key, visible: int) -> None:
        records = self.maps.get(run)
        record = records.get(key) if records is not None else None
        if records is not None and record is not None and record[1] is None and record[0] <= visible:
            del records[key]

    def delete_run(self, run: bytes) -> None:
        self.maps.pop(run, None)
        self.changed.pop(run, None)

    def copy(self) -> Self:
        twin = type(self)()
        twin.maps = {run: records.copy() for run, records in self.maps.items()}
        return twin

    # -- readers

    def runs(self) -> Iterable[bytes]:
        return list(self.maps)

    def view(self, run: bytes, cv: int) -> Mapping[Any, Any]:
        return MapView(self, dict(self.live(run, cv)))

    def live(self, run: bytes, cv: int = 1 << 63) -> Iterator[tuple[Any, Record]]:
        """The keys that exist for a reader at `cv`, with their records, in no order."""
        for key, newest in self.maps.get(run, {}).copy().items():
            record = newest if newest[0] <= cv else visible_at(newest, cv)
            if record is not None and record[1] is not None:
                yield key, record

    def texts(self, run: bytes, cv: int = 1 << 63) -> Iterable[tuple[Key, str]]:
        for key, record in self.live(run, cv):
            told = self.text(run, key, record)
            if told is not None:
                yield key, told

    def diff_items(self, run: bytes) -> Mapping[Any, bytes]:
        return {key: record[1] for key, record in self.live(run) if record[1] is not None}

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        _, key, record = self.decode_entry(entry)
        if record[1] is None:
            return {"op": "delete", "key": key}
        return {"op": "put", "key": key, "value": _any(record[1])}

    # -- operations of plug-ins

    def put(self, entry_type: int, key: Key, *fields: Any) -> Put:
        """The operation that writes `[run, key, cv, ts, *fields]` as an entry of that type."""
        return Put(self, entry_type, key, fields)

    def remove(self, entry_type: int, key: Key) -> Remove:
        """The operation that deletes a key by an entry of that type; nothing where it is absent."""
        return Remove(self, entry_type, key)


def value_of(record: Record) -> bytes:
    """The value bytes of a record that is no tombstone."""
    if record[1] is None:
        raise KeyError("a deleted record has no value")
    return record[1]


def stored(value: msgspec.Raw) -> bytes | None:
    """The value bytes of a snapshot field, None for a tombstone."""
    raw = bytes(value)
    return None if raw == DELETED_BYTES else raw


class _MapAt:
    """A map as it was at a commit version.

    It holds the maps of the runs that there were: one that is deleted meanwhile is still written out whole.
    """

    def __init__(self, primitive: MapPrimitive, cv: int, guard: Guard) -> None:
        self._primitive = primitive
        self._maps = primitive.maps.copy()
        self._cv = cv
        self._guard = guard

    def snapshot_serialize(self) -> Iterator[bytes]:
        primitive, cv = self._primitive, self._cv
        keeps, fields = primitive.keeps_tombstones, primitive.snapshot_fields
        for run in sorted(self._maps):
            with self._guard:
                records = self._maps[run].copy()
            for key in sorted(records):
                record = records[key]
                if record[0] > cv:
                    record = visible_at(record, cv)
                    if record is None:
                        continue
                if record[1] is None and not keeps:
                    continue
                yield _pack((run, key, *fields(record)))


class MapView(Mapping[Any, Any]):
    """The live records of one run at one commit: immutable, values decoded at each access."""

    __slots__ = ("_primitive", "_records")

    def __init__(self, primitive: MapPrimitive, records: dict[Any, Record]) -> None:
        self._primitive = primitive
        self._records = records

    def __getitem__(self, key: Any) -> Any:
        return self._primitive.decode_value(key, self._records[key])

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def record(self, key: Any) -> Record:
        """The record behind a key: `(cv, value bytes, ts, extra, prev)`. Raises KeyError."""
        return self._records[key]

    def __repr__(self) -> str:
        return f"<{self._primitive.name}: {len(self._records)} records>"


class Put(Operation):
    """Write a record through the generic layout."""

    __slots__ = ("_entry_type", "_fields", "_key", "_primitive")

    def __init__(self, primitive: MapPrimitive, entry_type: int, key: Key, fields: Sequence[Any]) -> None:
        self._primitive = primitive
        self._entry_type = entry_type
        self._key = key
        self._fields = _pack(list(fields))

    def stage(self, batch: Batch) -> int:
        key, cv, ts = self._key, batch.cv, batch.ts
        payload = _pack([batch.run, key, cv, ts, *_raw_list(self._fields)])
        batch.add(self._entry_type, payload, self._primitive, key, (cv, self._fields, ts, None, None))
        return cv


class Remove(Operation):
    """Delete a record through the generic layout."""

    __slots__ = ("_entry_type", "_key", "_primitive")

    def __init__(self, primitive: MapPrimitive, entry_type: int, key: Key) -> None:
        self._primitive = primitive
        self._entry_type = entry_type
        self._key = key

    def stage(self, batch: Batch) -> bool:
        record = batch.latest(self._primitive, self._key)
        if record is None or record[1] is None:
            return False
        payload = _pack((batch.run, self._key, batch.cv, batch.ts))
        batch.add(
            self._entry_type, payload, self._primitive, self._key, (batch.cv, None, batch.ts, None, None)
        )
        return True
