"""Transactions as bytes: data entries, closed by a commit marker that counts, places and checks them.

The payload of a marker is a msgpack array. Readers ignore elements after those that they know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar
from zlib import crc32

import msgspec

from .envelope import (
    HEADS,
    MAX_ENTRY_LENGTH,
    NIL_TX,
    SNAPSHOT_MARKER,
    TRANSACTION_ABORT,
    TRANSACTION_COMMIT,
    U32,
    WalEntry,
    encode_entry,
    too_long,
)
from .errors import EngineError

__all__ = [
    "AbortMarker",
    "CommitMarker",
    "PayloadHead",
    "SnapshotMark",
    "Transaction",
    "decode_abort",
    "decode_commit",
    "decode_head",
    "decode_snapshot_mark",
    "encode_abort",
    "encode_commit",
    "encode_snapshot_mark",
    "frame_abort",
    "frame_snapshot_mark",
    "frame_transaction",
    "make_tx_id",
    "split_tx_id",
]

_U64 = Annotated[int, msgspec.Meta(ge=0)]
_U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
_Run = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class CommitMarker(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Closes a transaction.

    `cv` commit version; `ts` us since the epoch; `n` number of data entries; `lsn` position of the first of
    them; `crc` CRC-32 over their checksum fields in order.
    """

    cv: _U64
    ts: _U64
    n: _U64
    lsn: _U64
    run: _Run
    crc: _U32


class AbortMarker(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Drops what was written of a transaction. An empty payload means no reason."""

    reason: str = ""


class PayloadHead(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the payload of every data entry begins with."""

    run: bytes
    key: msgspec.Raw
    cv: int
    ts: int


class SnapshotMark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A note that a snapshot was taken; nothing depends on it."""

    file: str
    wal_offset: _U64
    cv: _U64
    ts: _U64
    crc32: _U32


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """One committed transaction as it stands in the log.

    `lsn` is the position of its first entry, `end` that of the byte after its marker, `sequence` the counter
    in its tx_id. `entries` are the data entries alone.
    """

    run: bytes
    cv: int
    ts: int
    lsn: int
    end: int
    sequence: int
    entries: tuple[WalEntry, ...]


_pack_u32 = U32.pack
_encode = msgspec.msgpack.Encoder().encode
_COMMIT_HEAD: Final = HEADS[TRANSACTION_COMMIT]
_commit_decoder: Final = msgspec.msgpack.Decoder(CommitMarker)
_abort_decoder: Final = msgspec.msgpack.Decoder(AbortMarker)
_snapshot_decoder: Final = msgspec.msgpack.Decoder(SnapshotMark)
T = TypeVar("T")

decode_head: Final = msgspec.msgpack.Decoder(PayloadHead).decode
"""The head of a data entry's payload. Raises msgspec.DecodeError on one of another shape."""


def make_tx_id(sequence: int, salt: bytes) -> bytes:
    """The 16 bytes that name a transaction: counter (u64), salt of the database (8 bytes)."""
    return sequence.to_bytes(8, "little") + salt


def split_tx_id(tx_id: bytes) -> tuple[int, bytes]:
    """The counter and the salt of a tx_id."""
    return int.from_bytes(tx_id[:8], "little"), tx_id[8:]


def frame_transaction(
    entries: Sequence[tuple[int, bytes, *tuple[Any, ...]]],
    tx_id: bytes,
    run: bytes,
    cv: int,
    ts: int,
    lsn: int,
) -> bytes:
    """A whole transaction, `(type, payload, ...)` for each entry, ready for one write at position `lsn`.

    Raises EngineLimitExceeded for an entry too long, EngineError without entries: nothing commits nothing.
    """
    if len(entries) == 1:  # by far the most common
        entry_type, payload = entries[0][:2]
        body = HEADS[entry_type] + tx_id + payload
        length = len(body) + 4
        if length > MAX_ENTRY_LENGTH:
            raise too_long(length)
        sums = _pack_u32(crc32(body))
        marker = _COMMIT_HEAD + tx_id + _encode((cv, ts, 1, lsn, run, crc32(sums)))
        return b"".join(
            (_pack_u32(length), body, sums, _pack_u32(len(marker) + 4), marker, _pack_u32(crc32(marker)))
        )
    if not entries:
        raise EngineError("a transaction without entries cannot be committed")
    parts: list[bytes] = []
    checksums: list[bytes] = []
    for entry_type, payload, *_ in entries:
        body = HEADS[entry_type] + tx_id + payload
        length = len(body) + 4
        if length > MAX_ENTRY_LENGTH:
            raise too_long(length)
        checksum = _pack_u32(crc32(body))
        parts += (_pack_u32(length), body, checksum)
        checksums.append(checksum)
    crc = crc32(b"".join(checksums))
    marker = _COMMIT_HEAD + tx_id + _encode((cv, ts, len(checksums), lsn, run, crc))
    parts += (_pack_u32(len(marker) + 4), marker, _pack_u32(crc32(marker)))
    return b"".join(parts)


def frame_abort(tx_id: bytes, reason: str) -> bytes:
    """The entry that drops what was written of a transaction."""
    return encode_entry(TRANSACTION_ABORT, tx_id, encode_abort(AbortMarker(reason)))


def frame_snapshot_mark(mark: SnapshotMark) -> bytes:
    """The entry that notes a snapshot; it belongs to no transaction."""
    return encode_entry(SNAPSHOT_MARKER, NIL_TX, encode_snapshot_mark(mark))


def encode_commit(marker: CommitMarker) -> bytes:
    """The payload of a commit marker."""
    return _encode(marker)


def decode_commit(payload: bytes) -> CommitMarker | str:
    """The commit marker, or in words why the payload is none. Never raises on any bytes."""
    return _decoded(_commit_decoder, payload)


def encode_abort(marker: AbortMarker) -> bytes:
    """The payload of an abort marker; empty without a reason."""
    return _encode(marker) if marker.reason else b""


def decode_abort(payload: bytes) -> AbortMarker | str:
    """The abort marker, or in words why the payload is none. Never raises on any bytes."""
    return _decoded(_abort_decoder, payload) if payload else AbortMarker()


def encode_snapshot_mark(mark: SnapshotMark) -> bytes:
    """The payload of a note of a snapshot."""
    return _encode(mark)


def decode_snapshot_mark(payload: bytes) -> SnapshotMark | str:
    """The note of a snapshot, or in words why the payload is none. Never raises on any bytes."""
    return _decoded(_snapshot_decoder, payload)


def _decoded(decoder: msgspec.msgpack.Decoder[T], payload: bytes) -> T | str:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error) or type(error).__name__
