"""Writing a snapshot file in one pass, with flat memory, and reading it back before anyone relies on it.

The file is written under a temporary name; the caller renames it and syncs the folder.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

from devstate.durable.atomic import storage_fault, write_all
from devstate.durable.files import OS, Data, Files, retried

from .errors import DurabilityError
from .snapshot_file import (
    CHECKSUM,
    END_TYPE,
    FIRST_TYPE,
    HEADER,
    LAST_TYPE,
    MAGIC,
    META_TYPE,
    SECTION_BYTES,
    SECTION_HEADER,
    VERSION,
    SnapshotInfo,
    SnapshotMeta,
    array_header,
    encode_array_header,
    encode_end,
    encode_meta,
)

__all__ = ["Sections", "state_digest", "write_snapshot"]

Sections = Iterable[tuple[int, Iterable[bytes]]]
"""Records, each encoded in msgpack, by ascending type id. A type may come several times in a row."""

_WRITE_BYTES: Final = 1 << 20
# An array header of msgpack holds 32 bits; no section comes near, but the format is kept by the code.
_SECTION_RECORDS: Final = (1 << 32) - 1

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_snapshot(
    path: str,
    *,
    timestamp: int,
    wal_offset: int,
    meta: SnapshotMeta,
    sections: Sections,
    files: Files = OS,
    opaque: Mapping[int, Sequence[Data]] = {},
    section_bytes: int = SECTION_BYTES,
) -> SnapshotInfo:
    """Write a snapshot to `path`, where nothing may be yet; synced and read back when this returns.

    `sections` is consumed as it is written, at most one section of `section_bytes` held at a time; a type
    without records leaves no trace. `opaque` has, by type id, whole sections that nothing here can read, as
    they were found; they are written unchanged at their place. `timestamp` is in us since the Unix epoch.

    Raises DurabilityError where the system refuses or fails, or what is read back is not what was written;
    ValueError for types out of order or out of range. Whatever is raised, also by `sections`, the file is
    removed as far as that goes.
    """
    header = HEADER.pack(MAGIC, VERSION, timestamp, wal_offset)
    encoded_meta = encode_meta(meta)
    counts: dict[int, tuple[int, int]] = {}
    try:
        output = _Output(path, files)
    except OSError as error:
        raise _failed("write", error, path) from None
    done = False
    try:
        try:
            output.add(header)
            output.add(SECTION_HEADER.pack(META_TYPE, len(encoded_meta)) + encoded_meta)
            for type_id, count, parts, size in _all_sections(sections, opaque, section_bytes):
                output.add(SECTION_HEADER.pack(type_id, size))
                output.add(parts[0] if len(parts) == 1 else b"".join(parts))
                before = counts.get(type_id, (0, 0))
                counts[type_id] = (before[0] + 1, before[1] + count)
            end = encode_end(counts)
            output.add(SECTION_HEADER.pack(END_TYPE, len(end)) + end)
            crc = output.finish()
        finally:
            output.close()
        done = True
    except _SystemError as error:
        raise _failed("write", error.cause, path) from None
    finally:
        if not done:
            with suppress(OSError):  # it has a temporary name: the next open finds and removes it
                files.unlink(path)
    return SnapshotInfo(
        path=path,
        wal_offset=wal_offset,
        timestamp=timestamp,
        cv=meta.cv,
        bytes=output.size,
        crc32=crc,
        transaction_count=meta.cv,
        records={type_id: records for type_id, (_, records) in counts.items()},
    )


def state_digest(sections: Sections) -> str:
    """SHA-256 (hex) of a state: of each record's type, length and bytes, in order.

    How records are cut into sections, and types without any, make no difference. Raises ValueError for types
    out of order.
    """
    digest = hashlib.sha256()
    parts: list[bytes] = []
    size = 0
    for type_id, records in _by_type(sections):
        for record in records:
            length = len(record)
            parts += (SECTION_HEADER.pack(type_id, length), record)
            size += length
            if size >= _WRITE_BYTES or len(parts) >= 1 << 16:
                digest.update(b"".join(parts))
                parts, size = [], 0
    digest.update(b"".join(parts))
    return digest.hexdigest()


def _by_type(sections: Sections) -> Iterator[tuple[int, Iterable[bytes]]]:
    """Each type once, with all its records."""
    last = META_TYPE
    for type_id, group in groupby(sections, key=itemgetter(0)):
        _require_type(type_id)
        if type_id <= last:
            raise ValueError(f"records of type {type_id} after those of type {last}")
        last = type_id
        yield type_id, chain.from_iterable(records for _, records in group)


def _require_type(type_id: int) -> None:
    if not FIRST_TYPE <= type_id <= LAST_TYPE:
        raise ValueError(f"a section of records cannot have type {type_id}")


def _all_sections(
    sections: Sections, opaque: Mapping[int, Sequence[Data]], section_bytes: int
) -> Iterator[tuple[int, int, Sequence[Data], int]]:
    """Type, number of records, parts and size of each section in order, the opaque ones at their place."""
    waiting = sorted(opaque)
    for type_id in waiting:
        _require_type(type_id)
    for type_id, records in _by_type(sections):
        while waiting and waiting[0] < type_id:
            unread = waiting.pop(0)
            yield from _opaque_sections(unread, opaque[unread])
        if waiting and waiting[0] == type_id:
            raise ValueError(f"type {type_id} has both records and opaque sections")
        for count, parts, size in _chunks(records, section_bytes):
            yield type_id, count, parts, size
    for unread in waiting:
        yield from _opaque_sections(unread, opaque[unread])


def _opaque_sections(
    type_id: int, sections: Sequence[Data]
) -> Iterator[tuple[int, int, Sequence[Data], int]]:
    for data in sections:
        view = memoryview(data)
        found = array_header(view)
        if found is None:
            raise ValueError(f"an opaque section of type {type_id} is not a msgpack array")
        yield type_id, found[0], (view,), len(view)


def _chunks(records: Iterable[bytes], limit: int) -> Iterator[tuple[int, list[bytes], int]]:
    """Cut records into arrays of at most `limit` bytes: number of records, parts, size of the parts."""
    chunk: list[bytes] = [b""]  # the first place is that of the array header
    size = 0
    room = limit - 5  # what the longest array header takes
    for record in records:
        length = len(record)
        if (size + length > room and size) or len(chunk) > _SECTION_RECORDS:
            yield _closed(chunk, size)
            chunk, size = [b""], 0
        chunk.append(record)
        size += length
    if len(chunk) > 1:
        yield _closed(chunk, size)


def _closed(chunk: list[bytes], size: int) -> tuple[int, list[bytes], int]:
    count = len(chunk) - 1
    chunk[0] = encode_array_header(count)
    return count, chunk, size + len(chunk[0])


class _SystemError(Exception):
    """An OSError of the output, told apart from one that the records' own source raises."""

    def __init__(self, cause: OSError) -> None:
        super().__init__()
        self.cause = cause


class _Output:
    """A new file that is written from front to back in pieces of about 1 MiB, with a running CRC."""

    def __init__(self, path: str, files: Files) -> None:
        self._files = files
        self._fd = retried(files.open, path, _CREATE, 0o644)
        self._path = path
        self._pending: list[Data] = []
        self._pending_bytes = 0
        self._crc = 0
        self.size = 0

    def add(self, data: Data) -> None:
        size = len(data)
        if size >= _WRITE_BYTES:
            self._flush()
            view = memoryview(data)
            for start in range(0, size, _WRITE_BYTES):
                self._write(view[start : start + _WRITE_BYTES])
            return
        self._pending.append(data)
        self._pending_bytes += size
        if self._pending_bytes >= _WRITE_BYTES:
            self._flush()

    def finish(self) -> int:
        """Write the checksum, sync, and read everything back; the checksum."""
        self._flush()
        crc = self._crc
        self._write(CHECKSUM.pack(crc))
        try:
            retried(self._files.fsync, self._fd)
            self._read_back(crc)
        except OSError as error:
            raise _SystemError(error) from None
        return crc

    def close(self) -> None:
        try:
            self._files.close(self._fd)
        except InterruptedError:
            pass  # the descriptor is closed all the same
        except OSError as error:
            raise _SystemError(error) from None

    def _flush(self) -> None:
        if self._pending:
            self._write(b"".join(self._pending))
            self._pending, self._pending_bytes = [], 0

    def _write(self, data: Data) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self.size += len(data)
        try:
            write_all(self._fd, data, self._files)
        except OSError as error:
            raise _SystemError(error) from None

    def _read_back(self, crc: int) -> None:
        """Raise DurabilityError where the file does not hold what was written to it."""
        end = self.size - CHECKSUM.size
        found = done = 0
        tail = b""
        while True:
            data = retried(self._files.pread, self._fd, _WRITE_BYTES, done)
            if not data:
                break
            if done + len(data) <= end:
                found = zlib.crc32(data, found)
            else:
                inside = max(0, end - done)
                found = zlib.crc32(memoryview(data)[:inside], found)
                tail += data[inside:]
            done += len(data)
            if done > self.size:
                break
        if found != crc or tail != CHECKSUM.pack(crc):
            raise DurabilityError(
                f"{self._path} does not read back as it was written",
                committed=True,
                path=self._path,
                remedy="Check the disk and the memory of this machine; no commit depends on this file.",
            )


def _failed(action: str, error: OSError, path: str) -> DurabilityError:
    """A snapshot that fails takes nothing back: the commits are in the log, so `committed` is True."""
    fault = storage_fault(action, error, path)
    return DurabilityError(fault.message, committed=True, path=path, remedy=fault.remedy)
