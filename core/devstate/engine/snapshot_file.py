"""The format of a snapshot file: what its bytes mean. Nothing here opens a file.

All integers are little-endian. A file is

    0    10  magic       b"INMEM_SNAP"
    10    4  version     u32, 1
    14    8  timestamp   u64, microseconds since the Unix epoch: of the last commit included, not of the clock
    22    8  wal_offset  u64, log position just after the last commit included
    30    P  payload     sections: type u8, length u64, data
    30+P  4  checksum    u32, CRC-32 of all bytes before it

The first section is of type 0 and holds a `SnapshotMeta`; then come those of the primitives by ascending
type, several of one type where there is much, each a msgpack array of whole records; the last is of type 255
and counts them. Equal state gives equal bytes.
"""

from __future__ import annotations

import zlib
from struct import Struct
from typing import Annotated, Final

import msgspec

from .errors import SnapshotCorruptError

__all__ = [
    "CHECKSUM",
    "END_TYPE",
    "FIRST_TYPE",
    "HEADER",
    "LAST_TYPE",
    "MAGIC",
    "META_TYPE",
    "SECTION_BYTES",
    "SECTION_HEADER",
    "VERSION",
    "SnapshotEnd",
    "SnapshotInfo",
    "SnapshotMeta",
    "array_header",
    "encode_array_header",
    "encode_end",
    "encode_envelope",
    "encode_meta",
    "snapshot_damage",
]

MAGIC: Final = b"INMEM_SNAP"
VERSION: Final = 1

HEADER: Final = Struct("<10sIQQ")  # magic, version, timestamp, wal_offset
CHECKSUM: Final = Struct("<I")
SECTION_HEADER: Final = Struct("<BQ")  # type, length

META_TYPE: Final = 0
FIRST_TYPE: Final = 1
LAST_TYPE: Final = 254
END_TYPE: Final = 255

SECTION_BYTES: Final = 8 << 20
"""What a writer puts into one section at most; a single larger record has one for itself."""

_U64: Final = 1 << 64

Unsigned = Annotated[int, msgspec.Meta(ge=0)]
TypeId = Annotated[int, msgspec.Meta(ge=FIRST_TYPE, le=LAST_TYPE)]


class SnapshotMeta(msgspec.Struct, frozen=True):
    """What a snapshot says of its database.

    `db_uuid` has 16 bytes, `salt` 8 that are not all zero. `cv` is the last commit version included, `next_tx`
    the next transaction number, `base_ts` the time of the last commit (u64 us), `first_history_lsn` the first
    log position that history is kept from. `ext` names, by type id, each primitive and the version of its
    record format.
    """

    db_uuid: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    salt: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
    cv: Unsigned
    next_tx: Unsigned
    base_ts: Unsigned
    first_history_lsn: Unsigned
    ext: dict[TypeId, tuple[str, Unsigned]]


class SnapshotEnd(msgspec.Struct, frozen=True):
    """The last section: by type id, how many sections and how many records there are."""

    counts: dict[TypeId, tuple[Unsigned, Unsigned]]


class SnapshotInfo(msgspec.Struct, frozen=True):
    """Which snapshot: its file, position and size.

    `transaction_count` is `cv`, since commit versions have no gaps. `bytes` is the size of the file, `crc32`
    its checksum, `records` the number of records by type id.
    """

    path: str
    wal_offset: int
    timestamp: int
    cv: int
    bytes: int
    crc32: int
    transaction_count: int
    records: dict[int, int]


def encode_envelope(payload: bytes, *, timestamp: int, wal_offset: int) -> bytes:
    """A whole snapshot file around a payload. For small ones: a writer of large ones streams."""
    body = HEADER.pack(MAGIC, VERSION, timestamp, wal_offset) + payload
    return body + CHECKSUM.pack(zlib.crc32(body))


def encode_meta(meta: SnapshotMeta) -> bytes:
    """The data of the first section; `ext` by ascending type id. Raises ValueError for an impossible one."""
    if len(meta.db_uuid) != 16 or len(meta.salt) != 8 or not any(meta.salt):
        raise ValueError("db_uuid has 16 bytes, salt has 8 that are not all zero")
    if not all(FIRST_TYPE <= type_id <= LAST_TYPE for type_id in meta.ext):
        raise ValueError("type ids of primitives are 1 to 254")
    numbers = (meta.cv, meta.next_tx, meta.base_ts, meta.first_history_lsn)
    if not all(0 <= number < _U64 for number in numbers):
        raise ValueError("the numbers of a snapshot are unsigned, of 64 bits")
    ordered = msgspec.structs.replace(meta, ext=dict(sorted(meta.ext.items())))
    return msgspec.msgpack.encode(ordered)


def encode_end(counts: dict[int, tuple[int, int]]) -> bytes:
    """The data of the last section, by ascending type id."""
    return msgspec.msgpack.encode(SnapshotEnd(dict(sorted(counts.items()))))


def encode_array_header(count: int) -> bytes:
    """The beginning of a msgpack array of `count` elements, as short as it can be."""
    if count < 16:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


def array_header(data: bytes | memoryview) -> tuple[int, int] | None:
    """How many elements the msgpack array at the beginning of `data` says it has, and the bytes that takes.

    None where no array begins there.
    """
    if not len(data):
        return None
    first = data[0]
    if first & 0xF0 == 0x90:
        return first & 0x0F, 1
    size = {0xDC: 3, 0xDD: 5}.get(first)
    if size is None or len(data) < size:
        return None
    return int.from_bytes(data[1:size], "big"), size


def snapshot_damage(what: str, reason: str, path: str, offset: int | None = None) -> SnapshotCorruptError:
    """The error for a snapshot that does not hold what it must; `offset` is in the file, in bytes."""
    return SnapshotCorruptError(
        f"{path} is not a sound snapshot: {what}",
        reason=reason,
        path=path,
        position=None if offset is None else f"byte {offset}",
        remedy="An older snapshot with a longer log gives the same state; opening the database looks for one.",
    )
