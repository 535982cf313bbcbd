"""Reading the log in order: whole transactions, and a verdict on every byte that is not one.

A place that is not what must be there is a defect. Behind it the walk goes on from the next intact entry of this
database, only to see what follows:

- no whole commit follows, and the defect is in the last segment: a torn tail, as a crash leaves it;
- the next whole commit has the next commit version and stands at its place: a harmless gap, since no
  commit can have been in it; it is passed over, but not more often than `max_gaps`;
- anything else: committed data is lost, and nothing behind the defect is given out. That is so for a whole
  commit with a larger version, for one that stands elsewhere than its marker says or that is older than the
  one before (no crash does that), for two files that claim the same positions, and for a defect in a segment
  that is not the last: a segment is synced before the next is made, so there it is no crash tail, whether or
  not anything follows.

A whole commit of a version that was given out before is a copy: a defect, and proof of nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final
from zlib import crc32

from .envelope import (
    BAD_CHECKSUM,
    CORE_TYPES,
    ENTRY_VERSION,
    MAX_ENTRY_LENGTH,
    MIN_LENGTH,
    NIL_TX,
    OVERHEAD,
    SNAPSHOT_MARKER,
    TRANSACTION_ABORT,
    TRANSACTION_COMMIT,
    U32,
    WalEntry,
    defect_at,
)
from .errors import UnknownEntryType, UnsupportedFormat
from .framing import Transaction, decode_commit
from .layout import wal_folder
from .reports import WalkEnd
from .scan import ListedEntry, Region, damaged_entry, next_entry, scan_entries
from .segments import Segment, SegmentReader
from .verdicts import Damage

__all__ = ["ListedEntry", "LogWalk", "Region", "scan_entries"]

_unpack_u32 = U32.unpack_from
_FIRST_DATA_TYPE: Final = CORE_TYPES.stop


class LogWalk:
    """The valid transactions from LSN `start` on, in the order of their markers; iterate once.

    `segments` by start, as `list_segments` gives them. `last_cv` and `last_ts` (us) are those of the commit
    before `start`; `salt` (8 bytes) that of the database. When the iteration is over, `end` says how the log
    ended; there is no `end` before. Raises UnknownEntryType and UnsupportedFormat for intact entries of the
    core that a newer program wrote (they may change how transactions are framed), InputUnreadable, and
    WalCorruptionError where a segment vanished meanwhile.
    """

    end: WalkEnd

    def __init__(
        self,
        segments: Sequence[Segment],
        *,
        reader: SegmentReader,
        start: int,
        last_cv: int,
        last_ts: int,
        salt: bytes,
        max_gaps: int = 10,
    ) -> None:
        self._segments = tuple(segments)
        self._reader = reader
        self._start = start
        self._last_cv = last_cv
        self._last_ts = last_ts
        self._salt = salt
        self._damage = Damage(self._segments, max_gaps)
        self._extents: list[tuple[int, int]] = []  # from and to, of what was read
        self._entries = 0

    def __iter__(self) -> Iterator[Transaction]:
        salt = self._salt
        damage = self._damage
        last_cv, last_ts, end_lsn = self._last_cv, self._last_ts, self._start
        buffered: dict[bytes, tuple[list[WalEntry], list[bytes]]] = {}  # entries, and their checksum fields
        entries = transactions = aborted = unframed = 0
        max_sequence = -1
        for data, base in self._blocks():
            position, size = 0, len(data)
            while position < size:
                stop = 0
                if size - position >= OVERHEAD:
                    length: int = _unpack_u32(data, position)[0]
                    if MIN_LENGTH <= length <= MAX_ENTRY_LENGTH and position + 4 + length <= size:
                        stop = position + 4 + length
                if not stop:
                    position = self._behind(defect_at(data, position, size), data, base, position)
                    continue
                body = data[position + 4 : stop - 4]
                checksum = data[stop - 4 : stop]
                if crc32(body) != int.from_bytes(checksum, "little"):
                    position = self._behind(BAD_CHECKSUM, data, base, position)
                    continue
                entry_type = body[0]
                tx_id = body[2:18]
                held = buffered.get(tx_id)
                if held is None and tx_id[8:] != salt:
                    if tx_id != NIL_TX or entry_type in (TRANSACTION_COMMIT, TRANSACTION_ABORT):
                        position = self._behind("foreign", data, base, position)
                        continue
                    if entry_type >= _FIRST_DATA_TYPE:
                        unframed += 1
                        entries += 1
                        position = stop
                        continue
                entries += 1
                if entry_type >= _FIRST_DATA_TYPE:
                    entry = WalEntry(entry_type, body[1], tx_id, body[18:], base + position)
                    if held is None:
                        buffered[tx_id] = [entry], [checksum]
                        max_sequence = max(max_sequence, int.from_bytes(tx_id[:8], "little"))
                    else:
                        held[0].append(entry)
                        held[1].append(checksum)
                    position = stop
                    continue
                if body[1] != ENTRY_VERSION or entry_type > SNAPSHOT_MARKER:
                    raise self._newer(entry_type, body[1], base + position)
                first = base + position
                position = stop
                if entry_type != SNAPSHOT_MARKER:
                    sequence = int.from_bytes(tx_id[:8], "little")
                    if held is not None:
                        del buffered[tx_id]
                        first = held[0][0].lsn
                    elif sequence > max_sequence:
                        max_sequence = sequence
                    if entry_type == TRANSACTION_COMMIT:
                        marker = decode_commit(body[18:])
                        if (
                            held is None
                            or isinstance(marker, str)
                            or marker.n != len(held[0])
                            or marker.crc != crc32(b"".join(held[1]))
                        ):
                            damage.broken_commit(marker, first, base + stop)
                        elif (
                            marker.cv == last_cv + 1
                            and marker.lsn == first
                            and marker.ts >= last_ts
                            and not damage.noticed
                        ) or damage.passes(marker, first, base + stop, last_cv, last_ts, entries):
                            last_cv, last_ts, end_lsn = marker.cv, marker.ts, base + stop
                            transactions += 1
                            yield Transaction(
                                marker.run, last_cv, last_ts, first, end_lsn, sequence, tuple(held[0])
                            )
                        continue
                    if damage.fatal is None:
                        aborted += 1
                if not buffered and not damage.noticed:
                    end_lsn = base + stop
            self._entries = entries
        damage.conclude(entries)
        behind = sum(max(0, to - max(since, end_lsn)) for since, to in self._extents)
        lost = damage.report(end_lsn, last_cv, behind)
        tail = damage.pending if lost is None else None
        self.end = WalkEnd(
            end_lsn=end_lsn,
            last_cv=last_cv,
            last_ts=last_ts,
            max_sequence=max_sequence,
            log_end=max((to for _, to in self._extents), default=self._start),
            tail_bytes=behind,
            tail_reason=tail.reason if tail else ("unfinished" if behind and lost is None else None),
            tail_defect=tail,
            orphaned_transactions=len(buffered) if lost is None else 0,
            aborted_transactions=aborted,
            gaps=tuple(damage.gaps),
            unframed_entries=unframed,
            lost=lost,
            entries=entries if lost is None else damage.entries_before,
            transactions=transactions,
        )

    def _blocks(self) -> Iterator[tuple[bytes, int]]:
        """The bytes of one segment after the other, with the LSN of the first, from `start` on."""
        segments, damage, expected = self._segments, self._damage, self._start
        if not segments:
            if expected:
                damage.note_hole(wal_folder(self._reader.root), 0, expected, 0)
            return
        first = max(0, bisect_right(segments, expected, key=lambda segment: segment.start) - 1)
        reached = max((segment.end for segment in segments[:first]), default=0)
        if reached > expected:
            damage.overlap(segments[first], reached, 0)
        for index in range(first, len(segments)):
            segment = segments[index]
            skipped = 0
            if index == first and segment.start <= expected:
                skipped = expected - segment.start
                if skipped > segment.size:  # in no segment
                    if index == len(segments) - 1:
                        damage.note_hole(segment.path, segment.size, expected, segment.end)
                        self._extents.append((segment.start, segment.end))
                    continue
            elif segment.start > expected:
                before = segments[index - 1] if index > first else segment
                damage.note_hole(before.path, max(0, expected - before.start), expected, segment.start)
            elif segment.start < expected:
                damage.overlap(segment, expected, self._entries)
            data = self._reader.load(segment, skipped)
            base = segment.start + skipped
            expected = max(expected, base + len(data))
            self._extents.append((base, base + len(data)))
            yield data, base

    def _behind(self, reason: str, data: bytes, base: int, position: int) -> int:
        """Note the defect at `position`, give that of the next intact entry of this database, or the end."""
        found = next_entry(data, position + 1, self._salt)
        # A value may hold the bytes of a log: a commit inside a damaged entry whose own length fits is not applied.
        inside = damaged_entry(data, position, len(data), self._salt) if reason == BAD_CHECKSUM else 0
        self._damage.note(reason, base + position, base + found, inside=base + inside)
        return found

    def _newer(self, entry_type: int, version: int, lsn: int) -> UnknownEntryType | UnsupportedFormat:
        path, offset = self._damage.place(lsn)
        if entry_type <= SNAPSHOT_MARKER:
            return UnsupportedFormat(
                f"an entry of version {version} frames transactions, this program knows {ENTRY_VERSION}",
                version=version,
                path=path,
                position=f"byte {offset}",
            )
        return UnknownEntryType(
            f"byte {offset}: an entry of the unknown type 0x{entry_type:02X}, which may change how "
            f"transactions are framed",
            types=(entry_type,),
            path=path,
            remedy="Open it with a newer DevState.",
        )
