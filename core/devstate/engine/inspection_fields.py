"""The bytes of an entry as named fields, and an entry in words: for people and for copying."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .envelope import OVERHEAD, U32, WalEntry
from .jsonable import jsonable

if TYPE_CHECKING:
    from .registry import Primitives

__all__ = [
    "EntryHead",
    "Field",
    "describe_entry",
    "entry_content",
    "entry_fields",
    "entry_head",
    "known_types",
    "moment_text",
    "type_name",
]

# The names of the format page; a kind that is not here is called by its number.
_NAMES: Final = {
    0x00: "Commit",
    0x01: "Abort",
    0x02: "SnapshotMarker",
    0x10: "KvPut",
    0x11: "KvDelete",
    0x20: "JsonCreate",
    0x21: "JsonSet",
    0x22: "JsonDelete",
    0x23: "JsonPatch",
    0x30: "EventAppend",
    0x40: "StateInit",
    0x41: "StateSet",
    0x42: "StateTransition",
    0x50: "TraceRecord",
    0x60: "RunCreate",
    0x61: "RunUpdate",
    0x62: "RunEnd",
    0x63: "RunBegin",
}
_COMMON: Final = ("run", "key", "cv", "ts")
_ELEMENTS: Final = {
    0x00: ("cv", "ts", "n", "lsn", "run", "crc"),
    0x01: ("reason",),
    0x02: ("file", "wal_offset", "cv", "ts", "crc32"),
    0x10: (*_COMMON, "value", "expires_at"),
    0x11: _COMMON,
    0x20: (*_COMMON, "ver", "value"),
    0x21: (*_COMMON, "ver", "path", "value"),
    0x22: (*_COMMON, "ver", "path"),
    0x23: (*_COMMON, "ver", "ops"),
    0x30: (*_COMMON, "type", "payload", "prev_hash", "hash"),
    0x40: (*_COMMON, "ver", "value"),
    0x41: (*_COMMON, "ver", "value", "op"),
    0x42: (*_COMMON, "ver", "from_ver", "from_value", "value", "label"),
    0x50: (*_COMMON, "parent", "kind", "name", "start", "end", "attrs", "tags"),
    0x60: (*_COMMON, "name", "parent", "tags", "metadata", "owner"),
    0x61: (*_COMMON, "changes"),
    0x62: (*_COMMON, "status", "reason", "event_count", "tx_count"),
    0x63: _COMMON,
}
_TIMES: Final = frozenset({"ts", "start", "end", "expires_at"})
_MOST_DECODED: Final = 64 * 1024
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)

_raws = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_any = msgspec.msgpack.Decoder().decode


class Field(msgspec.Struct, frozen=True):
    """Bytes `start` to `end` (exclusive) of an entry. `value` is for people; `depth` is 1 inside the payload."""

    name: str
    start: int
    end: int
    value: str
    depth: int = 0


class EntryHead(msgspec.Struct, frozen=True):
    """What can be told of an entry without decoding its values; None where it is not there or cannot be read."""

    sequence: int
    run: bytes | None = None
    key: str | int | None = None
    cv: int | None = None
    ts: int | None = None


class _UsualHead(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a payload begins with that is as it must be."""

    run: bytes
    key: str | int | None
    cv: int
    ts: int


_usual_head = msgspec.msgpack.Decoder(_UsualHead).decode


def type_name(entry_type: int) -> str:
    """`KvPut`, or `type 0x70` for one that this program does not know."""
    return _NAMES.get(entry_type) or f"type 0x{entry_type:02X}"


def known_types() -> dict[int, str]:
    """All types with a name."""
    return dict(_NAMES)


def moment_text(us: int) -> str:
    """Microseconds of the epoch as `2026-01-31T12:00:00.000000Z`; the number itself where that is no date."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    except OverflowError:
        return str(us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def entry_head(data: bytes) -> EntryHead:
    """The head of the entry in these bytes, whatever they are. Never raises."""
    sequence = int.from_bytes(data[6:14], "little")
    kind = data[4] if len(data) > 4 else 0xFF
    if kind >= 0x10:
        try:
            usual = _usual_head(data[22:-4])
            return EntryHead(sequence, usual.run, usual.key, usual.cv, usual.ts)
        except _UNDECODABLE:
            pass  # what there is of it is found out one by one
    try:
        parts = _raws(data[22:-4])
        if kind == 0x00:
            cv, ts, run = _any(parts[0]), _any(parts[1]), _any(parts[4])
            return EntryHead(sequence, _of(run, bytes), None, _of(cv, int), _of(ts, int))
        if kind == 0x02:
            return EntryHead(sequence, None, None, _of(_any(parts[2]), int), _of(_any(parts[3]), int))
        if kind < 0x10:
            return EntryHead(sequence)
        run, key, cv, ts = (_any(part) for part in parts[:4])
    except (*_UNDECODABLE, IndexError):
        return EntryHead(sequence)
    return EntryHead(
        sequence, _of(run, bytes), key if isinstance(key, (str, int)) else None, _of(cv, int), _of(ts, int)
    )


def entry_fields(data: bytes) -> tuple[Field, ...]:
    """The fields of the entry in these bytes, in order and without a hole. Bytes that are no entry are one field."""
    size = len(data)
    if size < OVERHEAD:
        return (Field("bytes", 0, size, f"{size} bytes, too few for an entry"),) if size else ()
    kind = data[4]
    length = int(U32.unpack_from(data, 0)[0])
    told = f"{length:,}" if length + 4 == size else f"{length:,}, but {size - 4:,} bytes are there"
    return (
        Field("length", 0, 4, told),
        Field("type", 4, 5, f"0x{kind:02X} {type_name(kind)}" if kind in _NAMES else f"0x{kind:02X} unknown"),
        Field("version", 5, 6, str(data[5])),
        Field("tx sequence", 6, 14, f"{int.from_bytes(data[6:14], 'little'):,}"),
        Field("tx salt", 14, 22, data[14:22].hex()),
        Field("payload", 22, size - 4, f"{size - OVERHEAD:,} bytes"),
        *_elements(data, kind),
        Field("checksum", size - 4, size, f"0x{U32.unpack_from(data, size - 4)[0]:08x}"),
    )


def describe_entry(data: bytes, lsn: int, primitives: Primitives) -> dict[str, Any]:
    """The entry in these bytes for a program: numbers, names, and its content as its kind tells it."""
    head = entry_head(data)
    kind = data[4]
    told: dict[str, Any] = {
        "lsn": lsn,
        "size": len(data),
        "type": kind,
        "name": type_name(kind),
        "version": data[5],
        "tx": {"sequence": head.sequence, "salt": data[14:22].hex()},
        "run": str(uuid.UUID(bytes=head.run)) if head.run is not None and len(head.run) == 16 else None,
        "cv": head.cv,
        "ts": head.ts,
    }
    content, fault = entry_content(data, lsn, primitives)
    if fault:
        told["fault"] = fault
    return {**told, "content": content}


def entry_content(data: bytes, lsn: int, primitives: Primitives) -> tuple[dict[str, Any], str]:
    """The content of the entry in these bytes as its kind tells it; or its elements, and why its kind cannot ("" for
    a kind that is not known)."""
    kind, fault = data[4], ""
    handler = primitives.handler(kind)
    if handler is not None:
        try:
            return jsonable(handler.describe(WalEntry(kind, data[5], data[6:22], data[22:-4], lsn))), ""
        except Exception as error:  # whatever a kind raises for a payload that it cannot read
            fault = f"{type(error).__name__}: {error}"
    return {field.name: field.value for field in _elements(data, kind)}, fault


def _elements(data: bytes, kind: int) -> list[Field]:
    """The elements of the array that a payload is; none where it is something else."""
    payload = data[22:-4]
    try:
        parts = _raws(payload)
    except _UNDECODABLE:
        return []
    sizes = [len(memoryview(part)) for part in parts]
    at = 22 + len(payload) - sum(sizes)
    names = _ELEMENTS.get(kind, _COMMON if kind >= 0x10 else ())
    found: list[Field] = []
    for number, (part, size) in enumerate(zip(parts, sizes, strict=True)):
        name = names[number] if number < len(names) else f"element {number}"
        found.append(Field(name, at, at + size, _value(name, part, size), 1))
        at += size
    return found


def _value(name: str, part: msgspec.Raw, size: int) -> str:
    if size > _MOST_DECODED:
        return f"{size:,} bytes"
    try:
        value = _any(part)
    except _UNDECODABLE:
        return f"{size:,} bytes that cannot be decoded"
    if isinstance(value, bytes):
        if name in ("run", "parent") and len(value) == 16:
            return str(uuid.UUID(bytes=value))
        return value.hex() if len(value) <= 64 else f"{value[:64].hex()}… ({len(value):,} bytes)"
    if isinstance(value, int) and not isinstance(value, bool):
        if name in _TIMES:
            return moment_text(value)
        if name in ("crc", "crc32"):
            return f"0x{value:08x}"
    return json.dumps(jsonable(value), ensure_ascii=False)


def _of(value: Any, kind: type) -> Any:
    return value if isinstance(value, kind) else None
