"""Reading snapshot files: which there are, whether one is sound, and what is in it.

Nothing of a file is believed before its checksum was right, and no length in it before it was held against
the bytes that are there.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import msgspec

from devstate.durable.files import OS, Files
from devstate.durable.reading import StableFile, kind_of, list_folder
from devstate.errors import ChangedDuringRead, InputMissing, InputUnreadable

from .errors import UnsupportedFormat
from .layout import parse_snapshot_name, snapshots_folder
from .snapshot_file import (
    CHECKSUM,
    END_TYPE,
    HEADER,
    MAGIC,
    META_TYPE,
    SECTION_HEADER,
    VERSION,
    SnapshotEnd,
    SnapshotInfo,
    SnapshotMeta,
    array_header,
    snapshot_damage,
)

__all__ = [
    "SnapshotContents",
    "SnapshotFile",
    "check_snapshot",
    "iter_records",
    "list_snapshots",
    "read_snapshot",
]

_READ_BYTES: Final = 1 << 20
_NO_LIMIT: Final = (1 << 63) - 1  # a snapshot is as large as the database
_SMALL_SECTION: Final = 1 << 20  # of meta and end, with names and counts of at most 254 types
_LONGEST_ARRAY_HEADER: Final = 5

_META: Final = msgspec.msgpack.Decoder(SnapshotMeta)
_END: Final = msgspec.msgpack.Decoder(SnapshotEnd)
_RECORDS: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])

# What msgspec raises for bytes that are no msgpack, of another shape, too deep, or with text that is no UTF-8.
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T")
# Bytes of the file: (size, offset) to exactly so many, which the file is known to have.
_Fetch = Callable[[int, int], bytes | memoryview]


class SnapshotFile(msgspec.Struct, frozen=True):
    """A file in the folder of snapshots, by its name; `size` in bytes. Nothing is known of its content."""

    path: str
    wal_offset: int
    size: int


class SnapshotContents(msgspec.Struct, frozen=True):
    """A sound snapshot in memory. `sections` has, in order of the file, each section's type and its array."""

    info: SnapshotInfo
    meta: SnapshotMeta
    sections: tuple[tuple[int, memoryview], ...]


class _Section(msgspec.Struct, frozen=True):
    type_id: int
    start: int
    length: int


def list_snapshots(root: str, files: Files = OS) -> tuple[SnapshotFile, ...]:
    """The snapshots of a database, the latest first (by log position, never by time).

    A missing folder has none. Raises InputUnreadable.
    """
    folder = snapshots_folder(root)
    try:
        names = list_folder(folder, files=files)
    except InputMissing:
        return ()
    found: list[SnapshotFile] = []
    for name in names:
        wal_offset = parse_snapshot_name(name)
        if wal_offset is None:
            continue
        path = os.path.join(folder, name)
        try:
            size = files.stat(path, follow_symlinks=False).st_size
        except FileNotFoundError:
            continue  # a writer's retention has just removed it
        except OSError as error:
            raise InputUnreadable(
                f"{path} cannot be looked at: {os.strerror(error.errno or 0)}",
                path=path,
                remedy="Give this user read permission on it and on the folders above it.",
            ) from None
        found.append(SnapshotFile(path, wal_offset, size))
    return tuple(sorted(found, key=lambda file: file.wal_offset, reverse=True))


def check_snapshot(path: str, files: Files = OS, *, salt: bytes | None = None) -> SnapshotInfo:
    """Whether a snapshot file is sound, without holding it in memory; records are counted, not decoded.

    With `salt` it must be of that database. Raises SnapshotCorruptError (its `reason`: `short`, `magic`,
    `checksum`, `section`, `order`, `meta`, `end`, `counts`, `salt`, `name`, `unreadable`, `no file`: a folder, link or
    FIFO), UnsupportedFormat, and InputMissing or InputUnreadable where the file cannot be opened.
    """
    with _opened(path, files) as file:

        def fetch(size: int, offset: int) -> bytes:
            return _pread(file, size, offset)

        _check_header(fetch, file.size, path)
        end = file.size - CHECKSUM.size
        crc = 0
        for offset in range(0, end, _READ_BYTES):
            crc = zlib.crc32(fetch(min(_READ_BYTES, end - offset), offset), crc)
        info, _, _ = _walk(fetch, file.size, crc, path, salt)
        return info


def read_snapshot(path: str, *, salt: bytes | None = None, files: Files = OS) -> SnapshotContents:
    """The whole file, checked as by `check_snapshot`, which says what is raised.

    The sections are views of the one copy in memory. Records are for their primitive to decode.
    """
    with _opened(path, files) as file:
        size = file.size
        _check_header(lambda count, offset: _pread(file, count, offset), size, path)
        data = memoryview(_pread(file, size, 0))

    def fetch(count: int, offset: int) -> memoryview:
        return data[offset : offset + count]

    # The header again: what counts is the copy that the checksum is taken of.
    _check_header(fetch, size, path)
    crc = zlib.crc32(data[: size - CHECKSUM.size])
    info, meta, sections = _walk(fetch, size, crc, path, salt)
    parts = tuple((part.type_id, data[part.start : part.start + part.length]) for part in sections)
    return SnapshotContents(info, meta, parts)


def iter_records(section: bytes | memoryview, *, path: str = "the snapshot") -> Iterator[msgspec.Raw]:
    """The encoded records of one section, not decoded, as views of it.

    Raises SnapshotCorruptError (`section`), before the first record, where it is not one array of whole
    msgpack values.
    """
    try:
        return iter(_RECORDS.decode(section))
    except _UNDECODABLE as error:
        raise snapshot_damage(f"a section cannot be taken apart: {error}", "section", path) from None


def _opened(path: str, files: Files) -> StableFile:
    """The open file. What is no file holds no snapshot; one that may not be read may be sound."""
    try:
        return StableFile(path, limit=_NO_LIMIT, files=files)
    except InputUnreadable as error:
        if kind_of(path, files=files) in (None, "file"):
            raise
        raise snapshot_damage(error.message.removeprefix(f"{path} is "), "no file", path) from None


def _pread(file: StableFile, size: int, offset: int) -> bytes:
    """Bytes of the open file; a file that shrinks or a device that fails is damage like any other."""
    try:
        return file.pread(size, offset)
    except ChangedDuringRead:
        raise snapshot_damage("it became shorter while it was read", "short", file.path) from None
    except InputUnreadable as error:
        raise snapshot_damage(error.message, "unreadable", file.path, offset) from None


def _check_header(fetch: _Fetch, size: int, path: str) -> None:
    """Size, magic and version: what says whether there is anything to compute a checksum of."""
    if size < HEADER.size + CHECKSUM.size:
        raise snapshot_damage(f"it has only {size} bytes", "short", path)
    magic, version, _, _ = HEADER.unpack(fetch(HEADER.size, 0))
    if magic != MAGIC:
        raise snapshot_damage("it does not begin as a snapshot does", "magic", path, 0)
    if version != VERSION:
        raise UnsupportedFormat(
            f"{path} is a snapshot of format {version}; this program reads {VERSION}",
            version=version,
            path=path,
            position=f"byte {len(MAGIC)}",
        )


def _walk(
    fetch: _Fetch, size: int, crc: int, path: str, salt: bytes | None
) -> tuple[SnapshotInfo, SnapshotMeta, tuple[_Section, ...]]:
    """Everything after the header, whose checksum came to `crc`."""
    end = size - CHECKSUM.size
    (stored,) = CHECKSUM.unpack(fetch(CHECKSUM.size, end))
    if stored != crc:
        raise snapshot_damage("its checksum does not fit its bytes", "checksum", path, end)
    _, _, timestamp, wal_offset = HEADER.unpack(fetch(HEADER.size, 0))
    named = parse_snapshot_name(os.path.basename(path))
    if named is not None and named != wal_offset:
        raise snapshot_damage(f"its name is not that of log position {wal_offset}", "name", path, 22)

    first, position = _section(fetch, HEADER.size, end, path)
    if first is None or first.type_id != META_TYPE:
        raise snapshot_damage("it has no description", "meta", path, HEADER.size)
    meta = _small(fetch, first, _META, "meta", path)
    if not any(meta.salt):
        raise snapshot_damage("its description names no database", "meta", path, first.start)
    if salt is not None and meta.salt != salt:
        raise snapshot_damage("it is of another database", "salt", path, first.start)

    sections: list[_Section] = []
    counts: dict[int, tuple[int, int]] = {}
    last = META_TYPE
    while True:
        start = position
        part, position = _section(fetch, start, end, path)
        if part is None:
            raise snapshot_damage("its last section is missing", "end", path, start)
        if part.type_id == END_TYPE:
            break
        if part.type_id < last or part.type_id == META_TYPE:
            what = f"a section of type {part.type_id} after one of type {last}"
            raise snapshot_damage(what, "order", path, start)
        last = part.type_id
        records = _record_count(fetch, part, path)
        before = counts.get(last, (0, 0))
        counts[last] = (before[0] + 1, before[1] + records)
        sections.append(part)
    if position != end:
        raise snapshot_damage("bytes follow its last section", "end", path, position)
    said = _small(fetch, part, _END, "end", path).counts
    if said != counts:
        raise snapshot_damage("it does not hold what its last section counts", "counts", path, part.start)
    info = SnapshotInfo(
        path=path,
        wal_offset=wal_offset,
        timestamp=timestamp,
        cv=meta.cv,
        bytes=size,
        crc32=crc,
        transaction_count=meta.cv,
        records={type_id: records for type_id, (_, records) in counts.items()},
    )
    return info, meta, tuple(sections)


def _section(fetch: _Fetch, start: int, end: int, path: str) -> tuple[_Section | None, int]:
    """The section at `start` (None at the end) and where the next one begins."""
    if start == end:
        return None, end
    body = start + SECTION_HEADER.size
    if body > end:
        raise snapshot_damage("a section begins where it ends", "section", path, start)
    type_id, length = SECTION_HEADER.unpack(fetch(SECTION_HEADER.size, start))
    if length > end - body:
        what = f"a section of {length} bytes begins where {end - body} are left"
        raise snapshot_damage(what, "section", path, start)
    return _Section(type_id, body, length), body + length


def _record_count(fetch: _Fetch, part: _Section, path: str) -> int:
    """How many records a section says it has; more than it has bytes is a lie that costs memory."""
    found = array_header(fetch(min(_LONGEST_ARRAY_HEADER, part.length), part.start))
    if found is None or found[0] > part.length - found[1]:
        raise snapshot_damage("a section is not an array of records", "section", path, part.start)
    return found[0]


def _small(fetch: _Fetch, part: _Section, decoder: msgspec.msgpack.Decoder[T], reason: str, path: str) -> T:
    """Decode the section of meta or end."""
    if part.length > _SMALL_SECTION:
        raise snapshot_damage(f"a section of {part.length} bytes is too large", reason, path, part.start)
    try:
        return decoder.decode(fetch(part.length, part.start))
    except _UNDECODABLE as error:
        raise snapshot_damage(f"a section cannot be read: {error}", reason, path, part.start) from None
