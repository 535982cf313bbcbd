"""One entry of the log as bytes: length, type, version, transaction id, payload, checksum.

```
0   4   length      u32, bytes after this field: 22 + payload
4   1   entry_type  u8
5   1   version     u8
6   16  tx_id       sequence u64, database salt (8 bytes)
22  P   payload
    4   checksum    u32, CRC-32 of everything from the type to the end of the payload
```

All integers are little-endian. The length is not under the checksum: a wrong one puts the checksum elsewhere.
"""

from __future__ import annotations

from struct import Struct
from typing import Final
from zlib import crc32

import msgspec

from .errors import EngineLimitExceeded

__all__ = [
    "BAD_CHECKSUM",
    "BAD_LENGTH",
    "CORE_TYPES",
    "ENTRY_VERSION",
    "HEADS",
    "MAX_ENTRY_LENGTH",
    "MIN_LENGTH",
    "NIL_TX",
    "OVERHEAD",
    "SALT_OFFSET",
    "SHORT",
    "SNAPSHOT_MARKER",
    "TRANSACTION_ABORT",
    "TRANSACTION_COMMIT",
    "U32",
    "ZEROS",
    "WalEntry",
    "decode_entry",
    "defect_at",
    "encode_entry",
    "too_long",
]

ENTRY_VERSION: Final = 1
MIN_LENGTH: Final = 22
MAX_ENTRY_LENGTH: Final = 32 * 1024 * 1024
"""The largest value of the length field."""
OVERHEAD: Final = 26
"""Bytes of an entry beside its payload; the size of the smallest entry."""
NIL_TX: Final = bytes(16)
SALT_OFFSET: Final = 14
"""Where in an entry the salt of the database stands."""

CORE_TYPES: Final = range(0x10)
TRANSACTION_COMMIT: Final = 0x00
TRANSACTION_ABORT: Final = 0x01
SNAPSHOT_MARKER: Final = 0x02

SHORT: Final = "short"
ZEROS: Final = "zeros"
BAD_LENGTH: Final = "length"
BAD_CHECKSUM: Final = "checksum"

U32: Final = Struct("<I")
HEADS: Final = tuple(bytes((number, ENTRY_VERSION)) for number in range(256))
"""Type and version as they stand in an entry, by type."""

_pack_u32 = U32.pack
_unpack_u32 = U32.unpack_from


class WalEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry that was read whole. `lsn` is the position of its first byte in the log."""

    entry_type: int
    version: int
    tx_id: bytes
    payload: bytes
    lsn: int


def encode_entry(entry_type: int, tx_id: bytes, payload: bytes) -> bytes:
    """The bytes of one entry. `tx_id` has 16 bytes. Raises EngineLimitExceeded for a payload too long."""
    body = HEADS[entry_type] + tx_id + payload
    length = len(body) + 4
    if length > MAX_ENTRY_LENGTH:
        raise too_long(length)
    return _pack_u32(length) + body + _pack_u32(crc32(body))


def decode_entry(data: bytes, offset: int, end: int, lsn: int) -> WalEntry | str:
    """The entry at `offset` of `data[:end]`, or why there is none: SHORT, ZEROS, BAD_LENGTH, BAD_CHECKSUM.

    `lsn` is the position of `offset` in the log. Never raises on any bytes.
    """
    if end - offset < OVERHEAD:
        return defect_at(data, offset, end)
    length: int = _unpack_u32(data, offset)[0]
    stop = offset + 4 + length
    if length < MIN_LENGTH or length > MAX_ENTRY_LENGTH or stop > end:
        return defect_at(data, offset, end)
    body = data[offset + 4 : stop - 4]
    if crc32(body) != _unpack_u32(data, stop - 4)[0]:
        return BAD_CHECKSUM
    return WalEntry(body[0], body[1], body[2:18], body[18:], lsn)


def defect_at(data: bytes, offset: int, end: int) -> str:
    """Why the bytes at `offset` of `data[:end]` are no entry. `offset < end`."""
    if not any(data[offset : min(end, offset + OVERHEAD)]):
        return ZEROS
    if end - offset < 4:
        return SHORT
    length: int = _unpack_u32(data, offset)[0]
    if length < MIN_LENGTH or length > MAX_ENTRY_LENGTH:
        return BAD_LENGTH
    return SHORT if offset + 4 + length > end else BAD_CHECKSUM


def too_long(length: int) -> EngineLimitExceeded:
    """The error for an entry whose length field would be larger than the format allows."""
    return EngineLimitExceeded(
        f"an entry of {length} bytes is longer than the log can hold",
        what="entry length",
        limit=MAX_ENTRY_LENGTH,
        found=length,
    )
