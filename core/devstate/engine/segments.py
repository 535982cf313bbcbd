"""The files of the log: which there are, and reading them by position.

Files are read with `pread`, never mapped: a lock-free reader of a mapped file that another process cuts would
be killed by the kernel.
"""

from __future__ import annotations

import os
import stat as modes
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final
from zlib import crc32

import msgspec

from devstate.durable.files import OS, Files, retried
from devstate.durable.reading import kind_of
from devstate.errors import InputUnreadable

from .envelope import (
    BAD_LENGTH,
    CORE_TYPES,
    OVERHEAD,
    SHORT,
    TRANSACTION_COMMIT,
    U32,
    WalEntry,
    decode_entry,
)
from .errors import WalCorruptionError
from .framing import Transaction, decode_commit, split_tx_id
from .layout import (
    history_folder,
    is_temp_name,
    parse_index_name,
    parse_segment_name,
    wal_folder,
)
from .reports import CorruptionReport, reason_in_words

__all__ = ["Segment", "SegmentReader", "in_the_way", "list_segments", "stray_files"]

# O_NONBLOCK: a FIFO in the place of a segment must not stop the reader.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FIRST_READ: Final = 4096
_MOST_TOGETHER: Final = 1 << 16
_KINDS: Final = {"folder": "a folder", "symlink": "a symbolic link"}
_ATTEMPTS: Final = 3  # a segment moves once in its life, from wal/ to history/


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One file of the log: LSN of its first byte, size in bytes when it was listed, path; `archived` in history/."""

    start: int
    size: int
    path: str
    archived: bool = False

    @property
    def end(self) -> int:
        """LSN of the byte after the last one."""
        return self.start + self.size


def list_segments(root: str, *, history: bool, files: Files = OS) -> tuple[Segment, ...]:
    """The segments in wal/, and with `history` those in history/ too, by start.

    A segment that is in both (a crash came between link and unlink) is given once, as the one in wal/. What
    is no segment is left to `stray_files`. A missing folder holds none. Raises InputUnreadable.
    """
    found: dict[int, Segment] = {}
    # wal/ first: a segment that is archived meanwhile is then in the second listing.
    folders = ((wal_folder(root), False), (history_folder(root), True))[: 2 if history else 1]
    for folder, archived in folders:
        for name in _names(folder, files):
            start = parse_segment_name(name)
            if start is None or start in found:
                continue
            path = os.path.join(folder, name)
            facts = _facts(path, files)
            if facts is not None and modes.S_ISREG(facts.st_mode):
                found[start] = Segment(start, facts.st_size, path, archived)
    return tuple(found[start] for start in sorted(found))


def stray_files(root: str, *, files: Files = OS) -> tuple[str, ...]:
    """Paths in wal/ and history/ that are neither segments nor indexes nor unfinished files, by name.

    Among them a symbolic link or folder with the name of a segment. Raises InputUnreadable.
    """
    strays: list[str] = []
    for folder, archived in ((wal_folder(root), False), (history_folder(root), True)):
        for name in _names(folder, files):
            path = os.path.join(folder, name)
            known = parse_segment_name(name) is not None or (archived and parse_index_name(name) is not None)
            facts = _facts(path, files)
            if facts is None or (modes.S_ISREG(facts.st_mode) and (known or is_temp_name(name))):
                continue
            strays.append(path)
    return tuple(strays)


def in_the_way(root: str, end: int, *, files: Files = OS) -> InputUnreadable | None:
    """The error of a writer for what is no file under the name of a live segment from LSN `end` on; None where nothing
    is: a log that ends at `end` would come to it, or lost a segment there. Raises InputUnreadable."""
    folder = wal_folder(root)
    for name in _names(folder, files):
        start = parse_segment_name(name)
        if start is None or start < end:
            continue
        kind = kind_of(path := os.path.join(folder, name), files=files)
        if kind not in (None, "file"):
            return InputUnreadable(
                f"{path} is {_KINDS.get(kind, 'no regular file')}, where the log goes on that ends at LSN {end}",
                path=path,
                remedy="Move it away, and put the segment back from a copy, if there was one.",
            )
    return None


class SegmentReader:
    """Reads the log by LSN; a context manager. Several threads may use one.

    It follows a segment from wal/ into history/, and sees segments that are added. `salt` (8 bytes), where
    given, must be that of the transactions it reads. `limit` is how many descriptors it keeps open.
    """

    def __init__(self, root: str, *, salt: bytes | None = None, limit: int = 8, files: Files = OS) -> None:
        self.root = root
        self.files = files
        self._salt = salt
        self._limit = limit
        self._open: dict[int, tuple[int, str]] = {}  # start -> descriptor and path; the oldest use is first
        self._segments: tuple[Segment, ...] = ()
        self._starts: list[int] = []
        # An evicted descriptor's number may be another file's at once: none is closed while one is read.
        self._lock = threading.RLock()
        self._closed = False

    def __enter__(self) -> SegmentReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give all descriptors back; more calls do nothing."""
        with self._lock:
            self._closed = True
            self.forget()

    def forget(self) -> None:
        """Drop what is known of the files: for use after the log was cut or repaired."""
        with self._lock:
            while self._open:
                self.files.close(self._open.popitem()[1][0])
            self._segments, self._starts = (), []

    def refresh(self) -> tuple[Segment, ...]:
        """List the segments again, those in history/ too. Raises InputUnreadable."""
        with self._lock:
            self._segments = list_segments(self.root, history=True, files=self.files)
            self._starts = [segment.start for segment in self._segments]
            return self._segments

    def read(self, lsn: int, size: int) -> bytes:
        """Up to `size` bytes from `lsn`; fewer only where the segment ends (as it is now on the disk).

        Raises WalCorruptionError (reason "missing") where no segment holds the position, InputUnreadable.
        """
        with self._lock:
            segment = self._holding(lsn)
            data = self._pread(segment, size, lsn - segment.start)
            if not data and size > 0:
                self.refresh()  # the next segment may have been begun, or this one be another file now
                found = self._holding(lsn)
                if found.start != segment.start:
                    data = self._pread(found, size, lsn - found.start)
            return data

    def load(self, segment: Segment, offset: int = 0) -> bytes:
        """The bytes of a segment from `offset` to the size it was listed with; fewer where it was cut since.

        Raises WalCorruptionError (reason "missing") where it is gone, InputUnreadable.
        """
        with self._lock:
            return self._pread(segment, max(0, segment.size - offset), offset)

    def read_transaction(self, lsn: int) -> Transaction:
        """The transaction whose first entry is at `lsn`, checked to be whole and valid.

        Entries of other transactions between its own are passed over. Raises WalCorruptionError with a report
        where the bytes there are anything else, InputUnreadable.
        """
        return next(self.read_transactions((lsn,)))

    def read_transactions(self, positions: Sequence[int]) -> Iterator[Transaction]:
        """The transaction at each of these positions, as by itself; those that stand close together are read at once.

        Each must have been committed before the first is asked for: bytes that were read are not read again.
        """
        data, start, exhausted = b"", 0, False  # what was read last, and whether its segment ends with it
        for place, lsn in enumerate(positions):
            position = lsn - start
            if not 0 <= position < len(data):
                size = _together(positions, place)
                data, start, position = self.read(lsn, size), lsn, 0
                exhausted = len(data) < size
            end = len(data)
            tx_id = b""
            entries: list[WalEntry] = []
            checksums: list[bytes] = []
            while True:
                found = decode_entry(data, position, end, start + position) if position < end else SHORT
                if isinstance(found, str):
                    left = end - position
                    needed = OVERHEAD if left < OVERHEAD else 4 + int(U32.unpack_from(data, position)[0])
                    if exhausted or needed <= left or found == BAD_LENGTH:
                        raise self._invalid(start + position, found)
                    data = data[lsn - start :]
                    start, position = lsn, start + position - lsn
                    more = max(needed - left, 3 * len(data), _together(positions, place))
                    added = self.read(lsn + len(data), more)
                    exhausted = len(added) < more
                    data += added
                    end = len(data)
                    continue
                position += len(found.payload) + OVERHEAD
                tx_id = tx_id or found.tx_id
                if found.tx_id != tx_id:
                    continue
                if found.entry_type != TRANSACTION_COMMIT:
                    if not entries and self._salt not in (None, tx_id[8:]):
                        raise self._invalid(lsn, "foreign")
                    entries.append(found)
                    checksums.append(data[position - 4 : position])
                    if found.entry_type in CORE_TYPES:
                        raise self._invalid(found.lsn, "commit", f"a marker of type {found.entry_type}")
                    continue
                marker = decode_commit(found.payload)
                if isinstance(marker, str):
                    raise self._invalid(found.lsn, "commit", marker)
                if marker.n != len(entries) or not entries or marker.crc != crc32(b"".join(checksums)):
                    raise self._invalid(
                        found.lsn, "commit", f"{len(entries)} entries, the marker says {marker.n}"
                    )
                if marker.lsn != lsn:
                    raise self._invalid(found.lsn, "position", f"the marker says {marker.lsn}")
                sequence = split_tx_id(tx_id)[0]
                yield Transaction(
                    marker.run, marker.cv, marker.ts, lsn, start + position, sequence, tuple(entries)
                )
                break

    def _holding(self, lsn: int) -> Segment:
        """The segment that holds the position; the last before it where it is at or behind an end."""
        for known in (True, False):
            if not known:
                self.refresh()
            place = bisect_right(self._starts, lsn) - 1
            if place >= 0:
                return self._segments[place]
        raise self._missing(lsn)

    def _pread(self, segment: Segment, size: int, offset: int) -> bytes:
        fd, path = self._descriptor(segment)
        try:
            data = retried(self.files.pread, fd, size, offset)
            if len(data) == size or not data:
                return data
            parts = [data]
            done = len(data)
            while done < size:
                data = retried(self.files.pread, fd, size - done, offset + done)
                if not data:
                    break
                parts.append(data)
                done += len(data)
            return b"".join(parts)
        except OSError as error:
            raise _unreadable(error, path) from None

    def _descriptor(self, segment: Segment) -> tuple[int, str]:
        opened = self._open.pop(segment.start, None)
        if opened is None:
            opened = self._opened(segment)
            while len(self._open) >= self._limit:
                self.files.close(self._open.pop(next(iter(self._open)))[0])
        self._open[segment.start] = opened  # again at the end: it was used last
        return opened

    def _opened(self, segment: Segment) -> tuple[int, str]:
        if self._closed:
            raise ValueError("the reader is closed")
        path = segment.path
        for _ in range(_ATTEMPTS):
            try:
                fd = retried(self.files.open, path, _FLAGS)
            except FileNotFoundError:
                again = [other for other in self.refresh() if other.start == segment.start]
                if not again:
                    break
                path = again[0].path
            except OSError as error:
                raise _unreadable(error, path) from None
            else:
                if not modes.S_ISREG(self.files.fstat(fd).st_mode):
                    self.files.close(fd)
                    break
                return fd, path
        raise self._missing(segment.start, path)

    def _missing(self, lsn: int, path: str = "") -> WalCorruptionError:
        return _corruption(path or wal_folder(self.root), lsn, 0, "missing", "")

    def _invalid(self, lsn: int, reason: str, detail: str = "") -> WalCorruptionError:
        with self._lock:
            segment = self._holding(lsn)
        return _corruption(segment.path, lsn, lsn - segment.start, reason, detail)


def _together(positions: Sequence[int], place: int) -> int:
    """How much to read for the transaction at `positions[place]`, and for those close behind it."""
    first = positions[place]
    size = _FIRST_READ
    for following in range(place + 1, len(positions)):
        reach = positions[following] + _FIRST_READ - first
        if not size < reach <= min(size + 2 * _FIRST_READ, _MOST_TOGETHER):
            break
        size = reach
    return size


def _corruption(path: str, lsn: int, offset: int, reason: str, detail: str) -> WalCorruptionError:
    report = CorruptionReport(path, lsn, offset, reason, detail=detail)
    return WalCorruptionError(
        f"no whole transaction can be read at LSN {lsn}: {reason_in_words(reason)}",
        report=report,
        path=path,
        position=f"byte {offset}",
        remedy="`devstate db check` shows all damage.",
    )


def _names(folder: str, files: Files) -> list[str]:
    try:
        return sorted(files.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(error, folder) from None


def _facts(path: str, files: Files) -> os.stat_result | None:
    try:
        return files.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return None  # archived or deleted between the listing and now
    except OSError as error:
        raise _unreadable(error, path) from None


def _unreadable(error: OSError, path: str) -> InputUnreadable:
    return InputUnreadable(
        f"{path} cannot be read: {error.strerror or error}",
        path=path,
        remedy="Check the permissions, the disk and the mount.",
    )
