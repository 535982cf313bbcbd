"""The files of the log as the WAL screen shows them, each with a verdict, and the verdict on all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from devstate.findings import visible

from .wal import Tone

if TYPE_CHECKING:
    from devstate.engine.inspection import FolderLook, SegmentIndex, SnapshotVerdict
    from devstate.engine.reports import Defect
    from devstate.engine.segments import Segment
    from devstate.engine.snapshot_reading import SnapshotFile

__all__ = ["HISTORY_DAMAGED", "FileLine", "base_of", "file_lines", "folder_verdict"]

HISTORY_DAMAGED = "history damaged"  # below the snapshot that opening starts at


@dataclass(frozen=True)
class FileLine:
    """A segment, a snapshot or a part of the log that no file holds: where it begins, its size (None: not known),
    what is in it, and the verdict on it."""

    kind: Literal["segment", "archived", "snapshot", "missing"]
    start: int
    size: int | None
    holds: str
    glyph: str
    word: str
    tone: Tone
    path: str
    detail: str = ""


def file_lines(
    look: FolderLook,
    indexes: dict[int, SegmentIndex],
    whole: set[int],
    snapshots: dict[str, SnapshotVerdict],
    gone: Sequence[Defect] = (),
    *,
    done: bool = True,
) -> list[FileLine]:
    """The files in the order of the log: each snapshot stands before the segment that it replaces the log up to."""
    base = base_of(snapshots)
    lines = [
        _segment_line(one, indexes.get(one.start), one.start in whole, done, base) for one in look.segments
    ]
    lines += [_snapshot_line(one, snapshots.get(one.path), done) for one in look.snapshots]
    lines += [_gone_line(one, look.segments, base) for one in gone]
    return sorted(lines, key=lambda line: (line.kind == "snapshot", line.start))


def base_of(snapshots: dict[str, SnapshotVerdict]) -> int:
    """The LSN that opening starts from: that of the newest valid snapshot, as far as they are read."""
    return max((one.info.wal_offset for one in snapshots.values() if one.info is not None), default=0)


def _segment_line(
    segment: Segment, index: SegmentIndex | None, whole: bool, done: bool, base: int
) -> FileLine:
    kind = "archived" if segment.archived else "segment"

    def line(holds: str, glyph: str, word: str, tone: Tone, detail: str = "") -> FileLine:
        return FileLine(kind, segment.start, segment.size, holds, glyph, word, tone, segment.path, detail)

    if index is None:
        word = "not read, Enter reads it" if done else "waiting to be read"
        return line("", "·", word, "muted")
    holds = f"{len(index):,} entries" if len(index) != 1 else "1 entry"
    if index.first_cv is not None:
        holds += f", commits {index.first_cv:,} to {index.last_cv:,}"
    if not whole:
        part = 100 * index.end // max(segment.size, 1)
        return line(holds, "·", f"reading {part} %", "muted")
    counts = index.counts()
    lost = [index.start + index.offsets[row] for row in index.defects if index.damage(row) == "lost"]
    if lost and lost[-1] < base:
        return line(holds, "!", HISTORY_DAMAGED, "look")
    if lost:
        # The marker of a transaction with a damaged entry does not fit either: that is the same place.
        places = sum(index.reasons[row] != "commit" for row in index.defects if index.damage(row) == "lost")
        return line(holds, "✘", f"damaged at {_places(places or len(lost))}", "bad")
    if counts.get("tail"):
        return line(holds, "!", "torn tail", "look")
    if counts.get("gap"):
        return line(holds, "!", f"{counts['gap']} harmless gap{'s' if counts['gap'] > 1 else ''}", "look")
    if index.unfinished:
        return line(holds, "~", "unfinished transaction at its end", "look")
    return line(holds, "✔", "sound", "good") if len(index) else line("empty", "✔", "sound", "good")


def _gone_line(gone: Defect, segments: Sequence[Segment], base: int) -> FileLine:
    behind = next((one.start for one in segments if one.start > gone.lsn), None)
    below = behind is not None and behind <= base  # nothing behind it: the end of the log is gone
    glyph, word, tone = ("!", HISTORY_DAMAGED, "look") if below else ("✘", "gone", "bad")
    return FileLine("missing", gone.lsn, None, gone.detail, glyph, word, tone, gone.segment)


def _snapshot_line(file: SnapshotFile, verdict: SnapshotVerdict | None, done: bool) -> FileLine:
    def line(holds: str, glyph: str, word: str, tone: Tone, detail: str = "") -> FileLine:
        return FileLine("snapshot", file.wal_offset, file.size, holds, glyph, word, tone, file.path, detail)

    if verdict is None:
        return line("", "·", "not read" if done else "waiting to be read", "muted")
    if verdict.info is None:
        reason = verdict.reason.removeprefix(file.path).rpartition("snapshot: ")[2]
        return line("", "✘", f"rejected: {visible(reason)}", "bad", verdict.reason)
    records = sum(verdict.info.records.values())
    holds = f"{records:,} record{'' if records == 1 else 's'}, up to commit {verdict.info.cv:,}"
    return line(holds, "✔", "valid", "good")


def folder_verdict(lines: Sequence[FileLine], *, refuses: bool = False) -> tuple[str, Tone]:
    """One verdict on all files: the worst. `refuses` says that opening does, whatever they hold."""
    if refuses:
        return "✘ META damaged", "bad"
    for tone, glyph in (("bad", "✘"), ("look", "!")):
        found = [line for line in lines if line.tone == tone]
        if found:
            first = next((line for line in found if line.kind != "snapshot"), found[0])
            if tone == "bad" and any(line.kind == "missing" for line in found):
                return "✘ part of the log is gone", "bad"
            what = first.word.partition(":")[0]
            name = "snapshot" if first.kind == "snapshot" else "log"
            return (f"{glyph} {name} {what}", "bad") if tone == "bad" else (f"{glyph} {name}: {what}", "look")
    if any(line.tone == "muted" for line in lines):
        return "· not all read yet", "muted"
    return "✔ all files sound", "good"


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"
