"""Listing all that is in the bytes of a segment, whatever it is: for tools, and for going on behind damage."""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

import msgspec

from .envelope import (
    BAD_CHECKSUM,
    ENTRY_VERSION,
    MAX_ENTRY_LENGTH,
    MIN_LENGTH,
    NIL_TX,
    OVERHEAD,
    SALT_OFFSET,
    U32,
    WalEntry,
    decode_entry,
)

__all__ = ["ListedEntry", "Region", "damaged_entry", "next_entry", "scan_entries"]

_unpack_u32 = U32.unpack_from


class ListedEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry as it stands in a file, for showing.

    `offset` is its first byte in the data, `size` all its bytes. With `crc_ok` False its length leads to the
    next entry, but its content is damaged.
    """

    lsn: int
    offset: int
    size: int
    entry_type: int
    version: int
    tx_id: bytes
    payload: bytes
    checksum: int
    crc_ok: bool


class Region(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are no entry. `reason` is one of `reports.REASONS`."""

    lsn: int
    offset: int
    size: int
    reason: str


def scan_entries(data: bytes, base_lsn: int, *, salt: bytes | None = None) -> Iterator[ListedEntry | Region]:
    """All that is in the bytes of a segment, in order and without a hole: entries, and regions that are none.

    It judges no transaction, and takes entries of any database. Behind damage it goes on from the next entry of
    the database of `salt`, else of that of the entry before, else from anything that is an entry. Never raises.
    """
    position, size = 0, len(data)
    while position < size:
        found = decode_entry(data, position, size, base_lsn + position)
        if isinstance(found, WalEntry):
            stop = position + OVERHEAD + len(found.payload)
            if found.tx_id != NIL_TX and salt is None:
                salt = found.tx_id[8:]
            yield _listed(data, base_lsn, position, stop, True)
        else:
            stop = damaged_entry(data, position, size) if found == BAD_CHECKSUM else 0
            if stop:
                yield _listed(data, base_lsn, position, stop, False)
            else:
                stop = next_entry(data, position + 1, salt)
                yield Region(base_lsn + position, position, stop - position, found)
        position = stop


def next_entry(data: bytes, since: int, salt: bytes | None) -> int:
    """Where the next intact entry begins, at `since` or behind; the length of the data where none does.

    With a salt it is one of that database. Without one every place is tried.
    """
    key, ahead = (salt, SALT_OFFSET) if salt is not None else (bytes((ENTRY_VERSION,)), 5)
    size = len(data)
    view = memoryview(data)
    hit = data.find(key, since + ahead)
    while hit >= 0:
        at = hit - ahead
        if size - at < OVERHEAD:
            break
        length: int = _unpack_u32(data, at)[0]
        stop = at + 4 + length
        fits = MIN_LENGTH <= length <= MAX_ENTRY_LENGTH and stop <= size
        if fits and crc32(view[at + 4 : stop - 4]) == _unpack_u32(data, stop - 4)[0]:
            return at
        hit = data.find(key, hit + 1)
    return size


def damaged_entry(data: bytes, position: int, size: int, salt: bytes | None = None) -> int:
    """The end of the entry with a wrong checksum, where its length is to be believed; else 0.

    It is where it leads to the end of the data or to an intact entry, with a salt one of that database.
    """
    stop = position + 4 + int(_unpack_u32(data, position)[0])
    if stop == size:
        return stop
    following = decode_entry(data, stop, size, 0)
    if isinstance(following, WalEntry) and (salt is None or following.tx_id[8:] == salt):
        return stop
    return 0


def _listed(data: bytes, base_lsn: int, position: int, stop: int, crc_ok: bool) -> ListedEntry:
    return ListedEntry(
        lsn=base_lsn + position,
        offset=position,
        size=stop - position,
        entry_type=data[position + 4],
        version=data[position + 5],
        tx_id=data[position + 6 : position + 22],
        payload=data[position + 22 : stop - 4],
        checksum=int(_unpack_u32(data, stop - 4)[0]),
        crc_ok=crc_ok,
    )
