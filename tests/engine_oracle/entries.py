"""The envelope of a log entry, the numbers of the entry types, and the names of the files. From the text of the format.

0       4   length      u32, little-endian: the bytes after this field, 22 + len(payload)
4       1   entry type
5       1   version     1
6       8   sequence    u64: the number of the transaction
14      8   salt        of the database
22      P   payload
22 + P  4   checksum    u32: CRC-32 of bytes 4 .. 21 + P
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from typing import NamedTuple

from engine_oracle.packing import PackingError, pack, unpack

COMMIT, ABORT, SNAPSHOT_MARKER = 0x00, 0x01, 0x02
KV_PUT, KV_DELETE = 0x10, 0x11
JSON_CREATE, JSON_SET, JSON_DELETE, JSON_PATCH = 0x20, 0x21, 0x22, 0x23
EVENT_APPEND = 0x30
STATE_INIT, STATE_SET, STATE_TRANSITION = 0x40, 0x41, 0x42
TRACE_RECORD = 0x50
RUN_CREATE, RUN_UPDATE, RUN_END, RUN_BEGIN = 0x60, 0x61, 0x62, 0x63

DATA_TYPES = frozenset(
    (
        KV_PUT, KV_DELETE, JSON_CREATE, JSON_SET, JSON_DELETE, JSON_PATCH, EVENT_APPEND, STATE_INIT, STATE_SET,
        STATE_TRANSITION, TRACE_RECORD, RUN_CREATE, RUN_UPDATE, RUN_END, RUN_BEGIN,
    )
)  # fmt: skip
CORE_TYPES = range(0x10)

LEAST_LENGTH = 22
MOST_LENGTH = 32 * 1024 * 1024
NIL = bytes(16)

_HEAD = struct.Struct("<IBBQ8s")
_SEGMENT_NAME = re.compile(r"([0-9]{20})\.wal\Z")
_SNAPSHOT_NAME = re.compile(r"snapshot_([0-9]{20})\.dat\Z")


class FormatError(Exception):
    """Something that a reader must refuse and may not take for damage, such as an unknown core type."""


class Entry(NamedTuple):
    position: int  # LSN of its first byte
    end: int  # LSN after its last
    type: int
    version: int
    tx: bytes  # sequence and salt
    payload: bytes
    checksum: int

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.tx[:8], "little")

    @property
    def salt(self) -> bytes:
        return self.tx[8:]


class Segment(NamedTuple):
    start: int  # LSN of its first byte
    data: bytes
    path: str

    @property
    def end(self) -> int:
        return self.start + len(self.data)


def encode_entry(kind: int, payload: bytes, sequence: int, salt: bytes, version: int = 1) -> bytes:
    body = struct.pack("<BBQ8s", kind, version, sequence, salt) + payload
    return struct.pack("<I", len(body) + 4) + body + struct.pack("<I", zlib.crc32(body))


def entry_at(data: bytes, offset: int, start: int = 0) -> Entry | None:
    """The good entry that begins at this offset; None where there is none. `start` is the LSN of byte 0."""
    if offset < 0 or len(data) - offset < 4 + LEAST_LENGTH:
        return None
    length, kind, version, sequence, salt = _HEAD.unpack_from(data, offset)
    end = offset + 4 + length
    if not LEAST_LENGTH <= length <= MOST_LENGTH or end > len(data):
        return None
    (checksum,) = struct.unpack_from("<I", data, end - 4)
    if zlib.crc32(data[offset + 4 : end - 4]) != checksum:
        return None
    tx = struct.pack("<Q8s", sequence, salt)
    return Entry(start + offset, start + end, kind, version, tx, data[offset + 22 : end - 4], checksum)


def entries_of(data: bytes, start: int = 0) -> list[Entry]:
    """All entries from the beginning to the first defect."""
    found: list[Entry] = []
    at = 0
    while (entry := entry_at(data, at, start)) is not None:
        found.append(entry)
        at = entry.end - start
    return found


def sums(checksums: list[int]) -> int:
    """What a commit marker says of its entries: CRC-32 over their four-byte checksums, in order."""
    return zlib.crc32(b"".join(struct.pack("<I", checksum) for checksum in checksums))


def segments_of(folder: str | os.PathLike[str]) -> list[Segment]:
    """The segments of `history/` and `wal/` in order of their start; of two with one start, that of `wal/`."""
    found: dict[int, Segment] = {}
    for place in ("history", "wal"):
        where = os.path.join(folder, place)
        for name in sorted(os.listdir(where)) if os.path.isdir(where) else ():
            if match := _SEGMENT_NAME.match(name):
                path = os.path.join(where, name)
                with open(path, "rb") as file:
                    found[int(match[1])] = Segment(int(match[1]), file.read(), path)
    return [found[start] for start in sorted(found)]


def snapshot_paths(folder: str | os.PathLike[str]) -> list[str]:
    """The snapshot files, newest (by their `wal_offset`) first."""
    where = os.path.join(folder, "snapshots")
    names = [name for name in os.listdir(where) if _SNAPSHOT_NAME.match(name)] if os.path.isdir(where) else []
    return [os.path.join(where, name) for name in sorted(names, reverse=True)]


def encode_meta(db_uuid: bytes, salt: bytes, created: int) -> bytes:
    """The file META: a map and its CRC-32."""
    body = pack({"format": 1, "db_uuid": db_uuid, "salt": salt, "created": created})
    return body + struct.pack("<I", zlib.crc32(body))


def encode_clean(end_lsn: int, cv: int) -> bytes:
    """The file CLEAN that a clean close leaves: a map and its CRC-32."""
    body = pack({"end_lsn": end_lsn, "cv": cv})
    return body + struct.pack("<I", zlib.crc32(body))


def read_clean(folder: str | os.PathLike[str]) -> tuple[int, int] | None:
    """The end LSN and the cv of CLEAN; None where the file is absent or not whole."""
    found = _read_map(os.path.join(folder, "CLEAN"))
    end, cv = (found or {}).get("end_lsn"), (found or {}).get("cv")
    return (end, cv) if isinstance(end, int) and isinstance(cv, int) else None


def read_meta(folder: str | os.PathLike[str]) -> dict[str, object] | None:
    """The map of META; None where the file is absent or not whole."""
    return _read_map(os.path.join(folder, "META"))


def _read_map(path: str) -> dict[str, object] | None:
    try:
        with open(path, "rb") as file:
            data = file.read()
        if len(data) < 5 or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            return None
        found = unpack(data[:-4])
    except (FileNotFoundError, PackingError):
        return None
    return found if isinstance(found, dict) else None
