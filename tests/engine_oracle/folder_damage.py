"""Damage to the files of a database: segments and snapshots missing, stale, foreign, cut or changed.

The bounds and the least report are those of `engine_oracle.damage`. They are worked out from the folder itself,
which has to be intact (its log may begin above LSN 0 where a snapshot is the base). Nothing here looks at CLEAN:
where it is there and names more than what is left, "silent" becomes "refused".
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from engine_oracle.damage import OTHER_SALT, resalted
from engine_oracle.entries import Segment, segments_of, snapshot_paths
from engine_oracle.log import Transaction, read_log
from engine_oracle.snapshots import SnapshotError, read_snapshot
from engine_oracle.writer import write_bytes

Change = Callable[[str], None]  # is given the folder of the copy


class FolderDamage(NamedTuple):
    name: str
    change: Change
    at_least: int
    at_most: int
    report: str
    displaced: bool = False


class Base(NamedTuple):
    wal_offset: int
    cv: int


def damaged_copy(folder: str | os.PathLike[str], damage: FolderDamage, target: str | os.PathLike[str]) -> str:
    """A copy of the database with this damage."""
    copy = str(shutil.copytree(folder, target))
    damage.change(copy)
    return copy


def folder_damages(folder: str | os.PathLike[str]) -> list[FolderDamage]:
    """All of them, for one intact database."""
    folder = os.fspath(folder)
    segments = segments_of(folder)
    start = segments[0].start
    base = _base(snapshot_paths(folder), start)
    before = base.cv if start else 0
    reading = read_log(folder, start=base.wal_offset if start else 0, last_cv=before)
    facts = _Facts(folder, segments, reading.transactions, base, reading.last_cv)
    return [*_segments(facts), *_snapshots(facts), *_meta(facts)]


class _Facts(NamedTuple):
    folder: str
    segments: Sequence[Segment]
    transactions: Sequence[Transaction]
    base: Base
    total: int

    def outcome(self, start: int, end: int, *, cut_clean: bool = False) -> tuple[int, str]:
        """What survives when the log between two LSNs is not what it was, and the least report.

        `cut_clean`: what is left before `start` ends with a commit, so that a loss up to the end shows nothing.
        """
        if end <= self.base.wal_offset:
            return (
                self.total,
                "silent",
            )  # below the snapshot: damage of the history, which an opening does not read
        kept = [transaction["cv"] for transaction in self.transactions if transaction["end"] <= start]
        survivors = max([self.base.cv, *kept])
        if any(transaction["lsn"] >= end for transaction in self.transactions):
            return survivors, "refused"
        return survivors, "silent" if cut_clean else "said"


def _base(snapshots: Sequence[str], start: int) -> Base:
    for path in snapshots:
        try:
            found = read_snapshot(path)
        except SnapshotError:
            continue
        if found["wal_offset"] >= start:
            return Base(found["wal_offset"], found["meta"]["cv"])
    return Base(0, 0)


def _inside(path: str, folder: str, copy: str) -> str:
    return os.path.join(copy, os.path.relpath(path, folder))


def _replaced(facts: _Facts, path: str, data: bytes | None) -> Change:
    """The file of the copy has these bytes, or (None) is gone."""

    def change(copy: str) -> None:
        target = _inside(path, facts.folder, copy)
        if data is None:
            os.unlink(target)
        else:
            write_bytes(target, data)

    return change


def _segments(facts: _Facts) -> Iterator[FolderDamage]:
    for number, segment in enumerate(facts.segments):
        which = f"segment {number}"
        kept, report = facts.outcome(segment.start, segment.end, cut_clean=True)
        if number == 0 and report != "silent":
            report = "refused"  # nothing is left from which a log could be read
        yield FolderDamage(f"{which} missing", _replaced(facts, segment.path, None), kept, kept, report)
        inside = [t for t in facts.transactions if segment.start <= t["lsn"] and t["end"] <= segment.end]
        if len(inside) > 1:
            cut = inside[len(inside) // 2]["lsn"]
            stale = segment.data[: cut - segment.start]
            kept, report = facts.outcome(cut, segment.end, cut_clean=True)
            yield FolderDamage(
                f"{which} as it was before", _replaced(facts, segment.path, stale), kept, kept, report
            )
            kept, report = facts.outcome(cut + 10, segment.end)
            torn = segment.data[: cut - segment.start + 10]
            yield FolderDamage(
                f"{which} cut in an entry", _replaced(facts, segment.path, torn), kept, kept, report
            )
        kept, report = facts.outcome(segment.start, segment.end)
        foreign = resalted(segment.data, OTHER_SALT)
        yield FolderDamage(
            f"{which} of another database", _replaced(facts, segment.path, foreign), kept, kept, report
        )
        zeros = bytes(len(segment.data))
        yield FolderDamage(f"{which} all zero", _replaced(facts, segment.path, zeros), kept, kept, report)
        if number:
            earlier = facts.segments[number - 1].data
            change = _replaced(facts, segment.path, earlier)
            yield FolderDamage(f"{which} is a copy of the one before", change, kept, kept, report)


def _snapshots(facts: _Facts) -> Iterator[FolderDamage]:
    """An older snapshot, or the log from its beginning, gives the same state; without either there is no base."""
    paths = snapshot_paths(facts.folder)
    for number, path in enumerate(paths):
        with open(path, "rb") as file:
            data = file.read()
        left = [other for other in paths if other != path]
        base = _base(left, facts.segments[0].start)
        other_base = facts.segments[0].start == 0 or base.cv > 0
        kept = facts.total if other_base else 0
        size = len(data)
        flip = bytearray(data)
        flip[size // 2] ^= 0x10
        changed: dict[str, bytes | None] = {f"cut to {n}": data[:n] for n in (0, 10, 33, size // 2, size - 1)}
        changed |= {
            "with a flipped bit": bytes(flip),
            "all zero": bytes(size),
            "followed by a byte": data + b"\0",
        }
        changed |= {"missing": None}
        for how, new in changed.items():
            # One that is not the newest is not needed, and need not be looked at.
            least = "said" if number == 0 and new is not None else "silent"
            report = least if other_base else "refused"
            yield FolderDamage(f"snapshot {number} {how}", _replaced(facts, path, new), kept, kept, report)
    if paths:
        with open(paths[0], "rb") as file:
            half = file.read()[:50]

        def unfinished(copy: str) -> None:
            write_bytes(os.path.join(copy, "snapshots", ".tmp-1-1"), half)

        yield FolderDamage("an unfinished snapshot", unfinished, facts.total, facts.total, "silent")


def _meta(facts: _Facts) -> Iterator[FolderDamage]:
    path = os.path.join(facts.folder, "META")
    if os.path.exists(path):
        yield FolderDamage("META missing", _replaced(facts, path, None), facts.total, facts.total, "said")
