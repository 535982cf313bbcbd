"""The second reader of the write-ahead log: which transactions are committed, and what is wrong with the rest.

It walks the segments of `history/` and `wal/` as one run of bytes, with these rules:

* A transaction counts when its commit marker `[cv, ts, n, lsn, run, crc]` closes a *whole frame*: the last `n`
  entries with its tx id are there, and `crc` fits their checksums. It is *placed* when `lsn` is where the first begins.
  It is applied when it is placed, has no entry too many, and its `cv` follows on the last one.
* Whatever is not that is a defect. After a defect good entries are looked for (by the salt; see `behind`), and what the
  first whole frame with a `cv` above the last one says decides. Placed and the very next `cv`: nothing committed lay
  in the gap, and reading goes on ("gap"). Otherwise committed data is gone or displaced: nothing more is applied
  ("lost"). No such frame up to the end: a torn tail ("torn"), in the last segment; in an earlier one it is "lost" too.
  Frames at or below the last `cv` are copies and prove nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from engine_oracle.entries import (
    ABORT,
    COMMIT,
    CORE_TYPES,
    DATA_TYPES,
    LEAST_LENGTH,
    NIL,
    SNAPSHOT_MARKER,
    Entry,
    FormatError,
    Segment,
    entries_of,
    entry_at,
    read_meta,
    segments_of,
    snapshot_paths,
    sums,
)
from engine_oracle.packing import PackingError, unpack
from engine_oracle.snapshots import SnapshotError, read_snapshot

Transaction = dict[str, Any]


class NoBase(Exception):
    """No segment holds the position from which the log is to be read."""


class Reading(NamedTuple):
    """What a log says.

    `transactions`: in order, each a dict with `cv`, `ts`, `lsn` (of its first byte), `end` (the LSN after its marker),
    `run`, `sequence`, `entries` (a list of (type, payload), the payload unpacked), and `unknown` (a list of the
    (type, version) of entries that this reader does not know).
    `verdict`: "clean", "torn", "gap" or "lost"; `position`: the LSN of the (first) defect, None for "clean".
    `end`: where a writer goes on after repair; `commit_end`: the LSN after the last applied commit.
    """

    transactions: list[Transaction]
    verdict: str
    position: int | None
    end: int
    commit_end: int
    gaps: list[int]
    lost: list[Transaction]  # whole frames that are not applied: cv, lsn, run
    orphaned: int  # tx ids with entries and without a marker
    aborted: int
    unframed: int  # data entries with the nil tx id: never applied
    unknown_types: set[int]
    next_sequence: int
    last_cv: int


def salt_of(folder: str | os.PathLike[str]) -> bytes | None:
    """The salt of a database: of META, else of the newest whole snapshot, else of the first entry that has one."""
    meta = read_meta(folder)
    if meta is not None and isinstance(meta.get("salt"), bytes):
        return meta["salt"]  # type: ignore[return-value]
    for path in snapshot_paths(folder):
        try:
            return read_snapshot(path)["meta"]["salt"]
        except SnapshotError:
            continue
    for segment in segments_of(folder):
        for entry in entries_of(segment.data):
            if entry.tx != NIL:
                return entry.salt
    return None


def read_log(
    folder: str | os.PathLike[str],
    *,
    start: int = 0,
    last_cv: int = 0,
    salt: bytes | None = None,
    clean: tuple[int, int] | None = None,
) -> Reading:
    """Read the log of a database from an LSN on, before which the state had `last_cv`.

    `clean`: what a clean close left behind, as (end LSN, cv); a log that ends before it has lost bytes.

    Raises:
        NoBase: No segment holds `start`.
        FormatError: A good entry has a core type or a marker version that this reader does not know.
    """
    return read_segments(segments_of(folder), start, last_cv, salt or salt_of(folder), clean)


def read_segments(
    segments: Sequence[Segment],
    start: int = 0,
    last_cv: int = 0,
    salt: bytes | None = None,
    clean: tuple[int, int] | None = None,
) -> Reading:
    """`read_log` of segments in memory."""
    holding = [index for index, segment in enumerate(segments) if segment.start <= start <= segment.end]
    if not holding:
        raise NoBase(f"no segment holds LSN {start}")
    walk = _Walk(segments, holding[-1], start, last_cv, salt)
    walk.run()
    return walk.reading(clean)


class _Walk:
    def __init__(
        self, segments: Sequence[Segment], index: int, start: int, last_cv: int, salt: bytes | None
    ) -> None:
        self.segments = segments
        self.index = index
        self.offset = start - segments[index].start
        self.last_cv = last_cv
        self.salt = salt
        self.defect: int | None = None  # the first one since the last applied commit
        self.defect_at_last = True  # it is in the last segment
        self.verdict: str | None = None  # "lost" once it is
        self.open: dict[bytes, list[Entry]] = {}
        self.commit_end = start
        self.transactions: list[Transaction] = []
        self.gaps: list[int] = []
        self.lost: list[Transaction] = []
        self.aborted = 0
        self.unframed = 0
        self.unknown: set[int] = set()
        self.sequence = 0

    @property
    def segment(self) -> Segment:
        return self.segments[self.index]

    def run(self) -> None:
        while (entry := self.next()) is not None:
            self.take(entry)

    def next(self) -> Entry | None:
        """The next good entry, with `defect` set if anything else came first; None at the end of the last segment."""
        while True:
            if self.offset == len(self.segment.data):
                if self.index + 1 == len(self.segments):
                    return None
                if self.segments[self.index + 1].start != self.segment.end:
                    self.spoil(self.segment.end)
                self.index, self.offset = self.index + 1, 0
                continue
            entry = entry_at(self.segment.data, self.offset, self.segment.start)
            if entry is not None and self.salt is None:
                self.salt = entry.salt if entry.tx != NIL else None
            if entry is None or not self.belongs(entry):
                self.spoil(self.segment.start + self.offset)
                self.offset = self.behind(self.offset)
                continue
            self.offset += entry.end - entry.position
            return entry

    def belongs(self, entry: Entry) -> bool:
        """A nil tx id is for snapshot markers; data entries with it are passed over, not taken for damage."""
        if entry.tx == NIL:
            return entry.type not in (COMMIT, ABORT)
        return self.salt is None or entry.salt == self.salt

    def behind(self, offset: int) -> int:
        """Where reading goes on after a defect here.

        Where the length of the damaged entry still leads to a good one, what lies between is its payload, and is not
        looked through: a value may hold a copy of log bytes, which would pass for commits.
        """
        data = self.segment.data
        claimed = offset + 4 + int.from_bytes(data[offset : offset + 4], "little")
        following = (
            entry_at(data, claimed, self.segment.start) if claimed >= offset + 4 + LEAST_LENGTH else None
        )
        if following is not None and following.tx != NIL and self.belongs(following):
            return claimed
        return self.candidate(offset + 1)

    def candidate(self, offset: int) -> int:
        """Where in this segment a good entry of this database begins, from this offset on; else the segment's end."""
        data = self.segment.data
        while self.salt is not None and (found := data.find(self.salt, offset + 14)) >= 0:
            entry = entry_at(data, found - 14, self.segment.start)
            if entry is not None and entry.salt == self.salt:
                return found - 14
            offset = found - 13
        return len(data)

    def spoil(self, position: int) -> None:
        if self.defect is None:
            self.defect = position
            self.defect_at_last = self.index + 1 == len(self.segments)

    def take(self, entry: Entry) -> None:
        if entry.tx != NIL:
            self.sequence = max(self.sequence, entry.sequence)
        if entry.type == COMMIT:
            self.commit(entry)
        elif entry.type == ABORT:
            self.aborted += self.open.pop(entry.tx, None) is not None
        elif entry.type == SNAPSHOT_MARKER:
            pass  # advisory
        elif entry.type in CORE_TYPES:
            if self.defect is None:
                raise FormatError(f"core type {entry.type:#04x} at {entry.position} is not known")
        elif entry.tx == NIL:
            self.unframed += 1
        else:
            self.open.setdefault(entry.tx, []).append(entry)

    def commit(self, marker: Entry) -> None:
        if marker.version != 1 and self.defect is None:
            raise FormatError(
                f"version {marker.version} of the commit marker at {marker.position} is not known"
            )
        held = self.open.pop(marker.tx, [])
        first = held[0].position if held else marker.position
        says = _commit_payload(marker)
        if says is None:
            self.spoil(marker.position)
            return
        frame = held[-says["n"] :] if says["n"] else []
        whole = len(frame) == says["n"] > 0 and sums([e.checksum for e in frame]) == says["crc"]
        placed = whole and frame[0].position == says["lsn"]
        if not placed or len(held) != says["n"]:
            self.spoil(first)
        if not whole:
            return
        if says["cv"] <= self.last_cv:
            self.spoil(marker.position)
            return
        transaction = _transaction(says, frame, marker)
        if self.verdict == "lost" or not placed or says["cv"] != self.last_cv + 1 or transaction is None:
            self.spoil(marker.position if placed and transaction is not None else first)
            self.verdict = "lost"
            self.lost.append({"cv": says["cv"], "lsn": says["lsn"], "run": says["run"]})
            return
        if self.defect is not None:
            self.gaps.append(self.defect)
            self.defect = None
        self.last_cv = says["cv"]
        self.commit_end = marker.end
        self.unknown |= {entry[0] for entry in transaction["unknown"]}
        self.transactions.append(transaction)

    def reading(self, clean: tuple[int, int] | None) -> Reading:
        tail = [held[0].position for held in self.open.values() if held[0].position >= self.commit_end]
        position, end = self.defect, self.commit_end
        if self.verdict == "lost":
            verdict = "lost"
        elif self.defect is not None:
            # A segment is begun when the one before is durable: what is torn in an earlier one was whole once.
            verdict = "torn" if self.defect_at_last else "lost"
        elif tail:
            verdict, position = "torn", min(tail)
        else:
            verdict, end = ("gap", self.segments[-1].end) if self.gaps else ("clean", self.segments[-1].end)
            position = self.gaps[0] if self.gaps else None
        if clean is not None and verdict != "lost" and (clean[0] > end or clean[1] > self.last_cv):
            verdict, position = "lost", end
        return Reading(
            transactions=self.transactions,
            verdict=verdict,
            position=position,
            end=end,
            commit_end=self.commit_end,
            gaps=self.gaps,
            lost=self.lost,
            orphaned=len(self.open),
            aborted=self.aborted,
            unframed=self.unframed,
            unknown_types=self.unknown,
            next_sequence=self.sequence + 1,
            last_cv=self.last_cv,
        )


def _commit_payload(marker: Entry) -> dict[str, Any] | None:
    """What the marker says, by name; None where its payload is not a marker's."""
    try:
        payload = unpack(marker.payload)
    except PackingError:
        return None
    if not isinstance(payload, list) or len(payload) < 6:
        return None
    names = ("cv", "ts", "n", "lsn", "run", "crc")
    says = dict(zip(names, payload, strict=False))
    numbers = all(type(says[name]) is int and says[name] >= 0 for name in names if name != "run")
    return says if numbers and isinstance(says["run"], bytes) and len(says["run"]) == 16 else None


def _transaction(says: dict[str, Any], frame: Sequence[Entry], marker: Entry) -> Transaction | None:
    """The transaction of a frame; None where an entry does not decode or does not agree with the marker."""
    entries: list[tuple[int, Any]] = []
    unknown: list[tuple[int, int]] = []
    for entry in frame:
        try:
            payload = unpack(entry.payload)
        except PackingError:
            return None
        if not isinstance(payload, list) or len(payload) < 4:
            return None
        if [payload[0], payload[2], payload[3]] != [says["run"], says["cv"], says["ts"]]:
            return None
        if entry.type in DATA_TYPES and entry.version == 1:
            entries.append((entry.type, payload))
        else:
            unknown.append((entry.type, entry.version))
    return {
        "cv": says["cv"],
        "ts": says["ts"],
        "lsn": says["lsn"],
        "end": marker.end,
        "run": says["run"],
        "sequence": marker.sequence,
        "entries": entries,
        "unknown": unknown,
    }
