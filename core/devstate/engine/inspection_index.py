"""An index over one segment, for people: where each entry begins, and what became of it.

It judges as recovery does, entry by entry, but goes on behind damage: all that is there is to be seen. Nothing is
decoded here but commit markers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias
from zlib import crc32

from .envelope import NIL_TX, SNAPSHOT_MARKER, TRANSACTION_ABORT, TRANSACTION_COMMIT
from .framing import decode_commit
from .scan import ListedEntry, Region, scan_entries

__all__ = ["MARKS", "Damage", "Mark", "SegmentIndex"]

Mark: TypeAlias = Literal["open", "committed", "commit", "note", "dropped", "unframed", "damaged", "region"]
"""`open`: of a transaction without a marker. `committed`: of one that has a good marker, which is a `commit`.
`note`: a marker that no data hangs on. `dropped`: aborted. `unframed`: of no transaction. `damaged`: an entry or marker
that does not hold. `region`: bytes that are no entry."""
Damage: TypeAlias = Literal["tail", "gap", "lost", ""]
"""`tail`: at the end of the log, as a crash leaves it. `gap`: no commit can have been in it. `lost`: committed data is
damaged, or commits are missing."""

MARKS: Final[tuple[Mark, ...]] = (
    "open",
    "committed",
    "commit",
    "note",
    "dropped",
    "unframed",
    "damaged",
    "region",
)
_OPEN, _COMMITTED, _COMMIT, _NOTE, _DROPPED, _UNFRAMED, _DAMAGED, _REGION = range(8)
_BATCH: Final = 4096


class SegmentIndex:
    """The rows of the segment that begins at LSN `start`: its entries, and the regions that are none.

    One thread calls `extend`; others may read meanwhile what is there so far. `salt` is the database's (None: that
    of the first entry), `last_cv` that of the commit before the segment (None: unknown). `last`: no segment
    follows; only this one can have a torn tail. `end` is the offset that rows reach to.
    """

    def __init__(
        self, start: int, *, salt: bytes | None = None, last_cv: int | None = None, last: bool = True
    ) -> None:
        self.start = start
        self.salt = salt
        self.last = last
        self.offsets: array[int] = array("Q")
        self.types = array("B")
        self.marks = array("B")
        self.reasons: dict[int, str] = {}
        self.end = 0
        self.first_cv: int | None = None
        self.last_cv = last_cv
        self.commits = 0
        self.last_good = -1
        self._kinds: dict[int, Damage] = {}
        self._pending: list[int] = []
        self._held: dict[bytes, tuple[list[int], list[bytes]]] = {}

    def __len__(self) -> int:
        return len(self.marks)

    # -- reading

    def span(self, row: int) -> tuple[int, int]:
        """Offset and size of a row, in bytes. Raises IndexError."""
        offset = self.offsets[row]
        following = row + 1
        return offset, (self.offsets[following] if following < len(self.offsets) else self.end) - offset

    def row_at(self, offset: int) -> int:
        """The row that holds the byte at `offset` of the file; the nearest one where none does."""
        return max(0, min(bisect_right(self.offsets, offset) - 1, len(self) - 1))

    def mark(self, row: int) -> Mark:
        """What became of a row."""
        return MARKS[self.marks[row]]

    def damage(self, row: int) -> Damage:
        """Of what kind the defect of a row is; "" for a sound one."""
        if row not in self.reasons:
            return ""
        found = self._kinds.get(row)
        if found is not None:
            return found
        return "tail" if self.last else "lost"

    @property
    def defects(self) -> list[int]:
        """The rows that are not what must be there, ascending."""
        return sorted(self.reasons)

    @property
    def unfinished(self) -> int:
        """How many entries behind the last good commit have no marker: a crash, or a writer at work."""
        return sum(self.marks[row] == _OPEN for row in range(self.last_good + 1, len(self)))

    def counts(self) -> dict[Damage, int]:
        """How many defects there are of each kind."""
        found: dict[Damage, int] = {}
        for row in self.defects:
            kind = self.damage(row)
            found[kind] = found.get(kind, 0) + 1
        return found

    def transaction(self, row: int) -> tuple[int, int]:
        """The first and the last row of the transaction that a row stands in: up to and with its marker."""
        first = last = row
        while first > 0 and self.types[first - 1] >= 0x10 and self.marks[first - 1] != _REGION:
            first -= 1
        while last < len(self) - 1 and self.types[last] >= 0x10 and self.marks[last] != _REGION:
            last += 1
        return first, last

    # -- growing

    def extend(self, data: bytes, since: int) -> Iterator[int]:
        """Take in the bytes of the file from offset `since` on, which is `resume()`; yields now and then the rows."""
        step = _BATCH // 16
        for count, item in enumerate(scan_entries(data, self.start + since, salt=self.salt), 1):
            self._take(item, since) if isinstance(item, ListedEntry) else self._region(item, since)
            if count >= step:
                step = count + _BATCH
                yield len(self)
        self.end = since + len(data)
        yield len(self)

    def resume(self) -> int:
        """The offset to go on from: what could not be read at the end is forgotten, it may be whole by now."""
        while self.marks and self.marks[-1] in (_REGION, _DAMAGED) and len(self) - 1 > self.last_good:
            row = len(self) - 1
            self.end = self.offsets.pop()
            self.types.pop()
            self.marks.pop()
            self.reasons.pop(row, None)
            self._kinds.pop(row, None)
            self._pending = [at for at in self._pending if at != row]
        return self.end

    def _add(self, offset: int, size: int, entry_type: int, mark: int, reason: str = "") -> int:
        row = len(self.marks)
        self.offsets.append(offset)
        self.types.append(entry_type)
        if reason:
            self.reasons[row] = reason
            self._pending.append(row)
        self.end = offset + size
        self.marks.append(mark)  # last: readers count these
        return row

    def _region(self, item: Region, since: int) -> None:
        offset, size, reason = since + item.offset, item.size, item.reason
        self._add(offset, size, 0xFF, _REGION, reason)

    def _take(self, entry: ListedEntry, since: int) -> None:
        kind, tx_id, offset = entry.entry_type, entry.tx_id, since + entry.offset
        if not entry.crc_ok:
            self._add(offset, entry.size, kind, _DAMAGED, "checksum")
            return
        if tx_id == NIL_TX:
            if kind == SNAPSHOT_MARKER or kind >= 0x10:
                self._add(offset, entry.size, kind, _NOTE if kind == SNAPSHOT_MARKER else _UNFRAMED)
                return
        elif self.salt is None:
            self.salt = tx_id[8:]
        if tx_id[8:] != self.salt:
            self._add(offset, entry.size, kind, _DAMAGED, "foreign")
        elif kind == TRANSACTION_COMMIT:
            self._commit(entry, offset)
        elif kind == TRANSACTION_ABORT:
            rows, _ = self._held.pop(tx_id, ([], []))
            for row in rows:
                self.marks[row] = _DROPPED
            self._add(offset, entry.size, kind, _NOTE)
        elif kind < 0x10:
            self._add(offset, entry.size, kind, _NOTE)
        else:
            row = self._add(offset, entry.size, kind, _OPEN)
            rows, sums = self._held.setdefault(tx_id, ([], []))
            rows.append(row)
            sums.append(entry.checksum.to_bytes(4, "little"))

    def _commit(self, entry: ListedEntry, offset: int) -> None:
        rows, sums = self._held.pop(entry.tx_id, ([], []))
        marker = decode_commit(entry.payload)
        reason = ""
        if (
            isinstance(marker, str)
            or not rows
            or marker.n != len(rows)
            or marker.crc != crc32(b"".join(sums))
        ):
            reason = "commit"
        elif marker.lsn != self.start + self.offsets[rows[0]]:
            reason = "position"
        elif self.last_cv is not None and marker.cv <= self.last_cv:
            reason = "duplicate"
        if reason or isinstance(marker, str):
            self._add(offset, entry.size, entry.entry_type, _DAMAGED, reason)
            return
        before = self.last_cv
        follows = before is not None and marker.cv == before + 1
        for row in rows:
            self.marks[row] = _COMMITTED
        # Where commits are missing behind damage, the damage says why.
        missing = "sequence" if before is not None and not follows and not self._pending else ""
        self._settle("gap" if follows else "lost")
        row = self._add(offset, entry.size, entry.entry_type, _COMMIT, missing)
        if missing:
            self._settle("lost")
        if self.first_cv is None:
            self.first_cv = marker.cv
        self.last_cv = marker.cv
        self.commits += 1
        self.last_good = row

    def _settle(self, kind: Damage) -> None:
        for row in self._pending:
            self._kinds[row] = kind
        self._pending = []
