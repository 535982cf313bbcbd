"""The second reader of snapshot files, and a writer for them. From the text of the format.

    0       10  magic       INMEM_SNAP
    10      4   version     u32, little-endian: 1
    14      8   timestamp   u64: the `ts` of the last commit in it
    22      8   wal_offset  u64: the LSN after the commit marker of that commit
    30      P   sections    each: type u8, length u64, data
    30 + P  4   checksum    u32: CRC-32 of all before it

Section 0 (meta) is first, 255 (end, with the counts) is last, those between are in ascending order of their types.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine_oracle.packing import PackingError, pack, unpack

MAGIC = b"INMEM_SNAP"
META, END = 0, 255
KV, JSON, EVENT, STATE, TRACE, RUN = 1, 2, 3, 4, 5, 6

# The fields of a record, in order. A deleted record has TOMBSTONE in the place of its value.
FIELDS: dict[int, tuple[str, ...]] = {
    KV: ("run", "key", "cv", "ts", "expires", "value"),
    JSON: ("run", "key", "cv", "ts", "created", "ver", "value"),
    EVENT: ("run", "seq", "cv", "ts", "type", "payload", "prev", "hash"),
    STATE: ("run", "name", "cv", "ts", "ver", "value"),
    TRACE: (
        "run", "id", "cv", "ts", "order", "parent", "kind", "name", "start", "end", "attrs", "tags",
    ),
    RUN: ("run", "cv", "ts", "fields"),
}  # fmt: skip


class SnapshotError(Exception):
    """A snapshot that may not be used; the text says why."""


class UnsupportedSnapshot(SnapshotError):
    """A version that this reader does not know: no damage, and no reason to fall back to an older snapshot."""


def read_snapshot(path: str | os.PathLike[str]) -> dict[str, Any]:
    """See `parse_snapshot`."""
    with open(path, "rb") as file:
        return parse_snapshot(file.read())


def parse_snapshot(data: bytes) -> dict[str, Any]:
    """A whole snapshot: `version`, `timestamp`, `wal_offset`, `meta` (a map), `sections`, `opaque`, `counts`.

    `sections` has for each known type a list of records, each a dict by the names of `FIELDS`; `opaque` has for each
    other type the list of the bytes of its sections; `counts` is that of the end section: {type: [sections, records]}.

    Raises:
        UnsupportedSnapshot: The version is not 1.
        SnapshotError: It is not a whole snapshot, for whatever reason.
    """
    if len(data) < 34:
        raise SnapshotError(f"{len(data)} bytes: shorter than the envelope")
    if data[:10] != MAGIC:
        raise SnapshotError("the magic is missing")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise SnapshotError("the checksum does not fit")
    version, timestamp, wal_offset = struct.unpack_from("<IQQ", data, 10)
    if version != 1:
        raise UnsupportedSnapshot(f"version {version}")
    pieces = list(_pieces(data[30:-4]))
    kinds = [kind for kind, _ in pieces]
    if len(kinds) < 2 or kinds[0] != META or kinds[-1] != END:
        raise SnapshotError("the first section is not the meta section, or the last not the end section")
    between = kinds[1:-1]
    if META in between or END in between or between != sorted(between):
        raise SnapshotError("the sections are not in ascending order")
    meta, end = _unpacked(pieces[0][1]), _unpacked(pieces[-1][1])
    if not isinstance(meta, dict) or not isinstance(end, dict) or not isinstance(end.get("counts"), dict):
        raise SnapshotError("the meta or the end section is not the map it should be")
    sections: dict[int, list[dict[str, Any]]] = {}
    opaque: dict[int, list[bytes]] = {}
    records: dict[int, int] = {}
    for kind, piece in pieces[1:-1]:
        found = _unpacked(piece) if kind in FIELDS else None
        if kind in FIELDS:
            if not isinstance(found, list):
                raise SnapshotError(f"a section of type {kind} is not an array of records")
            sections.setdefault(kind, []).extend(_record(kind, record) for record in found)
            records[kind] = records.get(kind, 0) + len(found)
        else:
            opaque.setdefault(kind, []).append(piece)
    _compare_counts(end["counts"], between, records)
    return {
        "version": version,
        "timestamp": timestamp,
        "wal_offset": wal_offset,
        "meta": meta,
        "sections": sections,
        "opaque": opaque,
        "counts": end["counts"],
    }


def _pieces(payload: bytes) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at < len(payload):
        if len(payload) - at < 9:
            raise SnapshotError("the head of a section is cut")
        kind, length = struct.unpack_from("<BQ", payload, at)
        at += 9
        if length > len(payload) - at:
            raise SnapshotError(f"a section of type {kind} says it is longer than the file")
        yield kind, payload[at : at + length]
        at += length


def _unpacked(piece: bytes) -> Any:
    try:
        return unpack(piece)
    except PackingError as error:
        raise SnapshotError(f"a section does not decode: {error}") from error


def _record(kind: int, record: Any) -> dict[str, Any]:
    names = FIELDS[kind]
    if not isinstance(record, list) or len(record) < len(names):
        raise SnapshotError(f"a record of type {kind} is not an array of {len(names)} elements")
    return dict(zip(names, record, strict=False))  # elements after the known ones are for later readers


def _compare_counts(counts: Mapping[Any, Any], between: Sequence[int], records: Mapping[int, int]) -> None:
    for kind in {*counts, *between}:
        said = counts.get(kind, [0, 0])
        if not isinstance(said, list) or len(said) != 2:
            raise SnapshotError(f"the count of type {kind} is not [sections, records]")
        if said[0] != between.count(kind) or (kind in FIELDS and said[1] != records.get(kind, 0)):
            raise SnapshotError(f"type {kind}: the end section says {said}, which is not what is there")


def snapshot_bytes(
    meta: Mapping[str, Any],
    sections: Mapping[int, Sequence[Sequence[Any]]],
    *,
    timestamp: int,
    wal_offset: int,
    records_per_section: int = 1000,
    opaque: Mapping[int, tuple[Sequence[bytes], int]] | None = None,
) -> bytes:
    """A snapshot file of these records (as arrays). `opaque`: ready sections of other types, and how many records."""
    pieces: list[tuple[int, bytes]] = []
    counts: dict[int, list[int]] = {}
    for kind, records in sections.items():
        cut = [records[at : at + records_per_section] for at in range(0, len(records), records_per_section)]
        pieces += [(kind, pack(some)) for some in cut]
        if cut:
            counts[kind] = [len(cut), len(records)]
    for kind, (ready, number) in (opaque or {}).items():
        pieces += [(kind, piece) for piece in ready]
        counts[kind] = [len(ready), number]
    pieces.sort(key=lambda piece: piece[0])
    end = {"counts": {kind: counts[kind] for kind in sorted(counts)}}
    whole = [(META, pack(dict(meta))), *pieces, (END, pack(end))]
    payload = b"".join(struct.pack("<BQ", kind, len(piece)) + piece for kind, piece in whole)
    return envelope(payload, timestamp, wal_offset)


def envelope(payload: bytes, timestamp: int, wal_offset: int, version: int = 1) -> bytes:
    body = MAGIC + struct.pack("<IQQ", version, timestamp, wal_offset) + payload
    return body + struct.pack("<I", zlib.crc32(body))
