"""KV: keys and values, the last committed write wins; entries 0x10 and 0x11, section 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from devstate.engine.arguments import require_seconds
from devstate.engine.batch import Operation
from devstate.engine.envelope import WalEntry
from devstate.engine.errors import NotFound, ValueRangeError
from devstate.engine.map_primitive import DELETED, MapPrimitive, stored, value_of
from devstate.engine.primitive import Key
from devstate.engine.search.texts import text_of_value
from devstate.engine.values import Value, check_key, decode_value, encode_value
from devstate.engine.versions import Record

from .payloads import KeyedPayload

if TYPE_CHECKING:
    from devstate.engine.batch import Batch
    from devstate.engine.context import Context

__all__ = ["Kv", "KvEntry", "KvStore"]

PUT = 0x10
DELETE = 0x11

_pack = msgspec.msgpack.Encoder().encode
_raw = msgspec.Raw
_uint = msgspec.msgpack.Decoder(int).decode
_expiry = msgspec.msgpack.Decoder(int | None).decode


class _PutPayload(KeyedPayload, frozen=True):
    value: msgspec.Raw
    expires_at: int | None = None


_put_payload = msgspec.msgpack.Decoder(_PutPayload).decode
_delete_payload = msgspec.msgpack.Decoder(KeyedPayload).decode


class KvEntry(msgspec.Struct, frozen=True):
    """A value with what the database knows of it; `expires_at` and `ts` in microseconds of the epoch."""

    value: Value
    cv: int
    ts: int
    expires_at: int | None


class KvStore(MapPrimitive):
    """The records of KV: value bytes, with the time of expiry as `extra`."""

    type_id = 1
    name = "kv"
    puts = (PUT,)
    deletes = (DELETE,)

    def decode_entry(self, entry: WalEntry) -> tuple[bytes, Key, Record]:
        if entry.entry_type == PUT:
            put = _put_payload(entry.payload)
            return put.run, put.key, (put.cv, bytes(put.value), put.ts, put.expires_at, None)
        gone = _delete_payload(entry.payload)
        return gone.run, gone.key, (gone.cv, None, gone.ts, None, None)

    def snapshot_fields(self, record: Record) -> tuple[Any, ...]:
        cv, value, ts, expires, _ = record
        return cv, ts, expires, DELETED if value is None else _raw(value)

    def from_fields(self, fields: Sequence[msgspec.Raw]) -> Record:
        cv, ts, expires, value = fields[:4]
        return _uint(cv), stored(value), _uint(ts), _expiry(expires), None

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        _, key, record = self.decode_entry(entry)
        if record[1] is None:
            return {"op": "delete", "key": key}
        told = {"op": "put", "key": key, "value": decode_value(record[1])}
        return told if record[3] is None else {**told, "expires_at": record[3]}

    def current(self, record: Record, now: int) -> bool:
        return record[3] is None or record[3] > now

    def text(self, run: bytes, key: Key, record: Record) -> str | None:
        return text_of_value(decode_value(value_of(record)))

    def handle(self, context: Context) -> Kv:
        return Kv(context, self)


class _PutFor(Operation):
    """Write a value that expires."""

    __slots__ = ("_key", "_store", "_ttl", "_value")

    def __init__(self, store: KvStore, key: str, value: bytes, ttl: int) -> None:
        self._store = store
        self._key = key
        self._value = value
        self._ttl = ttl

    def stage(self, batch: Batch) -> int:
        key, value, cv, ts = self._key, self._value, batch.cv, batch.ts
        expires = ts + self._ttl
        payload = _pack((batch.run, key, cv, ts, _raw(value), expires))
        batch.add(PUT, payload, self._store, key, (cv, value, ts, expires, None))
        return cv


class _Delete(Operation):
    __slots__ = ("_key", "_store")

    def __init__(self, store: KvStore, key: str) -> None:
        self._store = store
        self._key = key

    def stage(self, batch: Batch) -> bool:
        record = batch.latest(self._store, self._key)
        if record is None or record[1] is None:
            return False
        cv, ts = batch.cv, batch.ts
        batch.add(
            DELETE, _pack((batch.run, self._key, cv, ts)), self._store, self._key, (cv, None, ts, None, None)
        )
        return record[3] is None or record[3] > ts


class Kv:
    """KV of one run. Keys are texts of 1 to 1024 bytes of UTF-8; values are `devstate.engine.Value`.

    Writes raise ValueTypeError, ValueRangeError, EngineLimitExceeded, RunNotActive, DurabilityError; everything
    raises RunNotFound and DatabaseClosed.
    """

    __slots__ = ("_context", "_store")

    def __init__(self, context: Context, store: KvStore) -> None:
        self._context = context
        self._store = store

    def get(self, key: str, default: Any = None) -> Any:
        """The value, made anew; `default` where the key is absent, deleted or expired."""
        record = self._context.record(self._store, key)
        if record is None:
            check_key(key)
            return default
        if record[1] is None or (record[3] is not None and record[3] <= self._context.now()):
            return default
        return decode_value(record[1])

    def get_entry(self, key: str) -> KvEntry:
        """The value with its commit version, time and expiry. Raises NotFound."""
        record = self._present(key)
        if record is None:
            raise NotFound(f"no value under {key!r}", position=key)
        return KvEntry(decode_value(value_of(record)), record[0], record[2], record[3])

    def put(self, key: str, value: Value, *, ttl: float | None = None) -> int:
        """Write a value; with `ttl` (seconds) it is absent from that long after the commit on.

        Returns the commit version; within a transaction that is not known yet, and 0.
        """
        check_key(key)
        if ttl is None:
            return self._context.put(self._store, PUT, key, encode_value(value))
        cv = self._context.write(_PutFor(self._store, key, encode_value(value), _micros(ttl)))
        return cv if cv < 1 << 63 else 0

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        check_key(key)
        return self._context.write(_Delete(self._store, key))

    def exists(self, key: str) -> bool:
        """Whether `get` would find it."""
        return self._present(key) is not None

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that are there, all as of one commit."""
        wanted = list(keys)
        for key in wanted:
            check_key(key)
        found = self._context.records(self._store, wanted)
        now = self._context.now()
        return {
            key: decode_value(record[1])
            for key, record in found.items()
            if record[1] is not None and (record[3] is None or record[3] > now)
        }

    def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with `prefix`, in the order of their UTF-8 bytes."""
        return [key for key, _ in self._live(prefix)]

    def items(self, prefix: str = "") -> list[tuple[str, Any]]:
        """Keys and values, as `keys`."""
        return [(key, decode_value(record[1])) for key, record in self._live(prefix)]

    def count(self) -> int:
        """How many keys are there."""
        return len(self._live(""))

    def _present(self, key: str) -> Record | None:
        record = self._context.record(self._store, key)
        if record is None:
            check_key(key)
            return None
        if record[1] is None or (record[3] is not None and record[3] <= self._context.now()):
            return None
        return record

    def _live(self, prefix: str) -> list[tuple[str, Any]]:
        found = self._context.live(self._store, prefix)
        now = self._context.now()
        return [(key, record) for key, record in found if record[3] is None or record[3] > now]


def _micros(seconds: float) -> int:
    require_seconds("a time to live", seconds)
    micros = round(min(seconds, 1e300) * 1_000_000)
    if not 0 < micros < 1 << 62:
        raise ValueRangeError(
            f"a time to live of {seconds} s cannot be kept", remedy="Give seconds above zero."
        )
    return micros
