"""The sidecar of a sealed log segment: which run has its transactions where.

It is derived from the segment and may be rebuilt at any time. One run is read from the directory and that
run's block alone. All integers are little-endian:

    0    8  magic     b"DSHISIDX"
    8    4  version   u32, 1
    12  48  start, end (log positions of the segment), first_cv, last_cv, first_ts, last_ts; u64 each
    60   4  runs      u32
    64      directory by ascending run: run 16 bytes, count u32, offset u64 of its block in this file
         4  checksum  u32, CRC-32 of all bytes before it
         then the blocks in the same order: `count` log positions, u64 each, and their CRC-32, u32
"""

from __future__ import annotations

import os
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from struct import Struct
from typing import Final, Protocol

import msgspec

from devstate.durable.atomic import atomic_replace
from devstate.durable.files import OS, Files
from devstate.durable.reading import StableFile
from devstate.errors import DevStateError, InputMissing, StorageFault

from .errors import DurabilityError, EngineError

__all__ = [
    "HistoryIndex",
    "HistoryIndexDamaged",
    "IndexedTransaction",
    "build_index",
    "encode_index",
    "read_index",
    "write_index",
]

MAGIC: Final = b"DSHISIDX"
VERSION: Final = 1

_HEADER: Final = Struct("<8sI6QI")
_ENTRY: Final = Struct("<16sIQ")
_CHECKSUM: Final = Struct("<I")
_NO_LIMIT: Final = (1 << 63) - 1


class HistoryIndexDamaged(EngineError):
    """A sidecar is missing, or does not hold what it must. Build it again from its segment.

    `reason` is `missing`, `unreadable`, `short`, `magic`, `version`, `checksum`, `directory` or `positions`.
    """

    code = "HISTORY_INDEX"

    def __init__(self, message: str, *, reason: str, path: str, position: str | None = None) -> None:
        remedy = "Nothing is lost: it is made again from its segment."
        super().__init__(message, path=path, position=position, remedy=remedy)
        self.reason = reason


class IndexedTransaction(Protocol):
    """What the index takes from a committed transaction: `lsn` of its first byte, `end` after its last."""

    @property
    def run(self) -> bytes: ...
    @property
    def lsn(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def cv(self) -> int: ...
    @property
    def ts(self) -> int: ...


class HistoryIndex(msgspec.Struct, frozen=True):
    """The directory of a sidecar: the segment's range, and for each run its count and the offset of its block.

    `start` and `end` are log positions; a segment without commits has 0 for the versions and times (us).
    """

    path: str
    start: int
    end: int
    first_cv: int
    last_cv: int
    first_ts: int
    last_ts: int
    runs: dict[bytes, tuple[int, int]]

    def lsns(self, run: bytes, files: Files = OS) -> array[int]:
        """The log positions of a run's transactions in this segment, ascending; none for an unknown run.

        Reads that run's block. Raises HistoryIndexDamaged.
        """
        place = self.runs.get(run)
        if place is None:
            return array("Q")
        count, offset = place
        with _opened(self.path, files) as file:
            data = _pread(file, 8 * count + _CHECKSUM.size, offset)
        body = data[: 8 * count]
        if zlib.crc32(body) != _CHECKSUM.unpack_from(data, 8 * count)[0]:
            raise _damaged("the checksum of a run does not fit", "checksum", self.path, offset)
        positions = _positions(body)
        previous = self.start - 1
        for position in positions:
            if not previous < position < self.end:
                raise _damaged("log positions are out of order", "positions", self.path, offset)
            previous = position
        return positions


def encode_index(
    *,
    start: int,
    end: int,
    first_cv: int,
    last_cv: int,
    first_ts: int,
    last_ts: int,
    runs: Mapping[bytes, Sequence[int]],
) -> bytes:
    """The bytes of a sidecar; equal input, in any order of runs, gives equal bytes.

    `runs` has each run's log positions, ascending and inside the segment. Raises ValueError where they are
    not.
    """
    offset = _HEADER.size + _ENTRY.size * len(runs) + _CHECKSUM.size
    parts = [_HEADER.pack(MAGIC, VERSION, start, end, first_cv, last_cv, first_ts, last_ts, len(runs))]
    blocks: list[bytes] = []
    for run in sorted(runs):
        positions = runs[run]
        inside = len(positions) and start <= positions[0] and positions[-1] < end
        if len(run) != 16 or not inside or any(a >= b for a, b in pairwise(positions)):
            raise ValueError("a run has 16 bytes and ascending log positions inside the segment")
        body = _encoded(positions)
        block = body + _CHECKSUM.pack(zlib.crc32(body))
        parts.append(_ENTRY.pack(run, len(positions), offset))
        blocks.append(block)
        offset += len(block)
    directory = b"".join(parts)
    return b"".join((directory, _CHECKSUM.pack(zlib.crc32(directory)), *blocks))


def build_index(
    transactions: Iterable[IndexedTransaction], *, start: int | None = None, end: int | None = None
) -> bytes:
    """The bytes of the sidecar of a segment, from its committed transactions in order of the log.

    `start` and `end` are the segment's own range; without them, that of the transactions. Raises ValueError
    for transactions that are out of order or outside the range.
    """
    runs: dict[bytes, array[int]] = {}
    first: IndexedTransaction | None = None
    last: IndexedTransaction | None = None
    for transaction in transactions:
        positions = runs.get(transaction.run)
        if positions is None:
            positions = runs[transaction.run] = array("Q")
        positions.append(transaction.lsn)
        if first is None:
            first = transaction
        elif last is not None and (transaction.lsn < last.end or transaction.cv <= last.cv):
            raise ValueError("transactions out of order")
        last = transaction
    if first is None or last is None:
        start = start or 0
        return encode_index(
            start=start, end=end or start, first_cv=0, last_cv=0, first_ts=0, last_ts=0, runs={}
        )
    begin = first.lsn if start is None else start
    stop = last.end if end is None else end
    if last.end > stop:
        raise ValueError("a transaction ends after the segment")
    return encode_index(
        start=begin,
        end=stop,
        first_cv=first.cv,
        last_cv=last.cv,
        first_ts=first.ts,
        last_ts=last.ts,
        runs=runs,
    )


def write_index(path: str, data: bytes, files: Files = OS) -> None:
    """Put a sidecar at `path`, whole or not at all, replacing one that is there. Raises DurabilityError."""
    try:
        atomic_replace(path, data, mode=0o644, files=files)
    except StorageFault as error:
        raise DurabilityError(error.message, committed=True, path=path, remedy=error.remedy) from None


def read_index(path: str, files: Files = OS) -> HistoryIndex:
    """The directory of a sidecar; the blocks are not read. Raises HistoryIndexDamaged."""
    with _opened(path, files) as file:
        size = file.size
        if size < _HEADER.size + _CHECKSUM.size:
            raise _damaged(f"it has only {size} bytes", "short", path)
        header = _pread(file, _HEADER.size, 0)
        magic, version, start, end, first_cv, last_cv, first_ts, last_ts, count = _HEADER.unpack(header)
        if magic != MAGIC:
            raise _damaged("it does not begin as an index does", "magic", path, 0)
        if version != VERSION:
            raise _damaged(f"it is of format {version}", "version", path, len(MAGIC))
        checked = _HEADER.size + _ENTRY.size * count
        if checked + _CHECKSUM.size > size:
            raise _damaged(f"it is too short for {count} runs", "short", path, 60)
        directory = _pread(file, checked + _CHECKSUM.size - _HEADER.size, _HEADER.size)
    entries = memoryview(directory)[: -_CHECKSUM.size]
    if zlib.crc32(entries, zlib.crc32(header)) != _CHECKSUM.unpack_from(directory, len(entries))[0]:
        raise _damaged("the checksum of its directory does not fit", "checksum", path, checked)
    runs: dict[bytes, tuple[int, int]] = {}
    expected = checked + _CHECKSUM.size
    previous = b""
    for run, length, offset in _ENTRY.iter_unpack(entries):
        if run <= previous or not length or offset != expected:
            raise _damaged("its directory is not in order", "directory", path, _HEADER.size)
        runs[run] = (length, offset)
        expected += 8 * length + _CHECKSUM.size
        previous = run
    if expected != size:
        raise _damaged(f"it has {size} bytes, and its directory is for {expected}", "short", path)
    return HistoryIndex(path, start, end, first_cv, last_cv, first_ts, last_ts, runs)


def _positions(data: bytes) -> array[int]:
    positions = array("Q")
    positions.frombytes(data)
    if sys.byteorder == "big":
        positions.byteswap()
    return positions


def _encoded(positions: Sequence[int]) -> bytes:
    copied = array("Q", positions)
    if sys.byteorder == "big":
        copied.byteswap()
    return copied.tobytes()


def _opened(path: str, files: Files) -> StableFile:
    try:
        return StableFile(path, limit=_NO_LIMIT, files=files)
    except InputMissing:
        raise _damaged("it is missing", "missing", path) from None
    except DevStateError as error:
        raise _damaged(error.message, "unreadable", path) from None


def _pread(file: StableFile, size: int, offset: int) -> bytes:
    """Exactly `size` bytes."""
    try:
        data = file.pread(size, offset)
    except DevStateError as error:
        raise _damaged(error.message, "unreadable", file.path, offset) from None
    if len(data) < size:  # the file is shorter than its directory says; it was cut since that was read
        raise _damaged("it ends too early", "short", file.path, offset)
    return data


def _damaged(what: str, reason: str, path: str, offset: int | None = None) -> HistoryIndexDamaged:
    position = None if offset is None else f"byte {offset}"
    message = f"{os.path.basename(path)} is not a sound history index: {what}"
    return HistoryIndexDamaged(message, reason=reason, path=path, position=position)
