"""The log as the WAL screen shows it: files with their verdicts, entries as rows, and the words for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from devstate.engine.inspection import (
    Damage,
    Mark,
    SegmentIndex,
    describe_entry,
    describers,
    entry_fields,
    entry_head,
    reason_in_words,
    type_name,
)
from devstate.findings import visible

if TYPE_CHECKING:
    from devstate.engine.inspection import Field, FolderLook, SnapshotVerdict
    from devstate.engine.segments import Segment
    from devstate.engine.snapshot_reading import SnapshotFile

__all__ = [
    "BytesOf",
    "EntryRow",
    "FileLine",
    "Tone",
    "WalModel",
    "base_of",
    "file_lines",
    "fitting_bytes",
    "folder_verdict",
    "short_run",
]

Tone = Literal["good", "bad", "look", "plain", "muted"]
_WINDOW = 64 * 1024
_MOST_DECODED = 64 * 1024  # a larger entry is told by its key and size
_KINDS: dict[Damage, tuple[str, str, Tone]] = {
    "tail": ("!", "torn tail", "look"),
    "gap": ("!", "gap", "look"),
    "lost": ("✘", "damaged", "bad"),
}
_MARKS: dict[Mark, tuple[str, str, Tone]] = {
    "open": ("…", "open", "look"),
    "committed": ("✔", "ok", "good"),
    "commit": ("✔", "ok", "good"),
    "note": ("·", "note", "muted"),
    "dropped": ("–", "aborted", "muted"),
    "unframed": ("!", "no tx", "look"),
}
_CONSEQUENCES: dict[Damage, str] = {
    "tail": "as a crash leaves it; opening cuts it off",
    "gap": "no commit was in it; opening passes over it",
    "lost": "committed data is gone; r tells what opening would do",
}
_HISTORY = "opening starts at a snapshot behind it; only replays of these runs need it"


class BytesOf(Protocol):
    """Where the bytes of a segment come from."""

    def part_of(self, segment: Segment, offset: int, size: int) -> bytes: ...


@dataclass(frozen=True)
class EntryRow:
    """One line of the list. `brace` draws its transaction; with `fault` there is nothing else to tell."""

    lsn: int
    size: int
    name: str
    glyph: str
    word: str
    tone: Tone
    brace: str = " "
    tx: str = ""
    cv: str = ""
    run: str = ""
    what: str = ""
    fault: str = ""


class WalModel:
    """The entries of one segment; they are read and decoded when they are shown.

    Made anew when the segment became another file; an index that only grew is the same model.
    """

    def __init__(self, segment: Segment, index: SegmentIndex, source: BytesOf) -> None:
        self.segment = segment
        self.index = index
        self.base = 0  # LSN that opening starts from: what is before it is history
        self._source = source
        self._window = (0, b"")
        self._kinds = describers()
        self._lost: tuple[int, int, int | None] = (-1, -1, None)

    def __len__(self) -> int:
        return len(self.index)

    def data(self, row: int) -> bytes:
        """The bytes of a row. Raises DevStateError where they cannot be read, IndexError."""
        offset, size = self.index.span(row)
        start, window = self._window
        if not start <= offset or offset + size > start + len(window):
            start = max(0, offset - _WINDOW // 2)
            window = self._source.part_of(self.segment, start, max(offset + size - start, _WINDOW))
            self._window = (start, window)
        return window[offset - start : offset - start + size]

    def row(self, row: int) -> EntryRow:
        """What the list shows of an entry or region."""
        offset, size = self.index.span(row)
        lsn = self.index.start + offset
        mark = self.index.mark(row)
        damage = self.index.damage(row)
        glyph, word, tone = _KINDS[damage] if damage else _MARKS.get(mark, ("·", mark, "muted"))
        if damage and lsn < self.base:
            tone = "look"
        elif mark == "open" and row < self.index.last_good:
            glyph, word = "–", "no marker"
        elif not damage and self._cut_off(row):
            glyph, word, tone = "–", "cut off", "look"
        if mark == "region":
            return EntryRow(lsn, size, "no entry", glyph, word, tone, fault=self.defect_sentence(row))
        data = self.data(row)
        name = type_name(data[4]) if len(data) > 4 else "?"
        head = entry_head(data)
        fault = self.defect_sentence(row) if damage else ""
        return EntryRow(
            lsn,
            size,
            name,
            glyph,
            word,
            tone,
            self._brace(row),
            f"{head.sequence}" if any(data[6:14]) else "",
            "" if head.cv is None else str(head.cv),
            short_run(head.run),
            "" if fault else self.what(data, lsn),
            fault,
        )

    def what(self, data: bytes, lsn: int) -> str:
        """The content of an entry in one line."""
        kind = data[4]
        if kind < 0x10:
            return _marker_words(data)
        head = entry_head(data)
        if len(data) > _MOST_DECODED:
            key = "" if head.key is None else f"{head.key} "
            return visible(f"{key}({fitting_bytes(len(data))})")
        told = describe_entry(data, lsn, self._kinds)["content"]
        return _content_words(told)

    def fields(self, row: int) -> tuple[Field, ...]:
        """The named bytes of a row; of a region all its bytes as one."""
        if self.index.mark(row) == "region":
            from devstate.engine.inspection import Field

            reason = reason_in_words(self.index.reasons.get(row, ""))
            return (Field("bytes", 0, self.index.span(row)[1], reason),)
        return entry_fields(self.data(row))

    def document(self, row: int) -> str:
        """A row as JSON."""
        offset, size = self.index.span(row)
        if self.index.mark(row) == "region":
            told: dict[str, object] = {
                "lsn": self.index.start + offset,
                "size": size,
                "bytes": self.data(row).hex(),
            }
        else:
            told = describe_entry(self.data(row), self.index.start + offset, self._kinds)
        return json.dumps(
            {**told, "status": self.row(row).word, "defect": self.index.reasons.get(row)},
            indent=2,
            ensure_ascii=False,
        )

    def title(self, row: int) -> tuple[str, str, Tone]:
        """What the selected row is, a verdict on it, and its tone."""
        shown = self.row(row)
        name = f"{shown.name}  at LSN {shown.lsn:,}  {shown.size:,} bytes"
        if shown.fault:
            return name, f"{shown.glyph} {shown.word}: {shown.fault.partition(': ')[2]}", shown.tone
        mark = self.index.mark(row)
        if self._cut_off(row):
            return name, "– intact, but behind damage: opening does not apply it", shown.tone
        first, last = self.index.transaction(row)
        verdicts = {
            "open": "– its commit marker is damaged or missing: opening does not apply it"
            if row < self.index.last_good
            else "… no commit marker yet",
            "committed": f"✔ {row - first + 1} of {last - first} in commit {shown.cv}",
            "commit": f"✔ closes commit {shown.cv}",
            "dropped": "– of an aborted transaction",
            "unframed": "! belongs to no transaction and is not applied",
            "note": "· no data hangs on it",
        }
        return name, verdicts.get(mark, f"{shown.glyph} {shown.word}"), shown.tone

    def defect_sentence(self, row: int) -> str:
        """What is wrong with a row, and what that means; "" for a sound one."""
        damage = self.index.damage(row)
        if not damage:
            return ""
        size = self.index.span(row)[1]
        past = self.index.start + self.index.span(row)[0] < self.base
        consequence = _HISTORY if past else _CONSEQUENCES[damage]
        return f"{fitting_bytes(size)}: {reason_in_words(self.index.reasons[row])}; {consequence}"

    def _cut_off(self, row: int) -> bool:
        """Whether an intact row stands behind damage that opening does not pass."""
        index = self.index
        known = (len(index.reasons), self.base)
        if self._lost[:2] != known:
            lost = (
                at
                for at in index.defects
                if index.damage(at) == "lost" and index.start + index.offsets[at] >= self.base
            )
            self._lost = (*known, next(lost, None))
        first = self._lost[2]
        return first is not None and row > first and index.mark(row) in ("committed", "commit")

    def next_defect(self, row: int) -> int | None:
        """The first defect after a row."""
        return next((at for at in self.index.defects if at > row), None)

    def previous_defect(self, row: int) -> int | None:
        """The last defect before a row."""
        return next((at for at in reversed(self.index.defects) if at < row), None)

    def _brace(self, row: int) -> str:
        index = self.index
        kind = index.types[row]
        if index.mark(row) in ("region", "note", "unframed"):
            return " "
        inside = (
            row > 0 and index.types[row - 1] >= 0x10 and index.mark(row - 1) not in ("region", "unframed")
        )
        if kind < 0x10:
            return "└" if inside else "╶"
        return "│" if inside else "┌"


def short_run(run: bytes | None) -> str:
    """The first eight digits of a run's identifier."""
    return run.hex()[:8] if run else ""


def fitting_bytes(count: int) -> str:
    """`12 bytes`, `1.2 kB`, `64.0 MB`."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    for unit, size in (("kB", 1e3), ("MB", 1e6)):
        if count < 1000 * size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e9:.1f} GB"


def _marker_words(data: bytes) -> str:
    told = {field.name: field.value for field in entry_fields(data) if field.depth}
    if data[4] == 0x00:
        count = told.get("n", "?")
        return f"closes {count} {'entry' if count == '1' else 'entries'}   {told.get('ts', '')[5:19].replace('T', ' ')}"
    if data[4] == 0x02:
        return visible(f"{told.get('file', '')} at LSN {told.get('wal_offset', '?')}")
    return visible("   ".join(f"{name}={value}" for name, value in told.items()))


def _content_words(told: dict[str, object]) -> str:
    """`model = "m1"`, `plan $.steps[0] = true`, `7 tool_call {...}`."""
    rest = {
        name: value
        for name, value in told.items()
        if name not in ("op", "key", "ver", "hash") and value not in (None, [], {})
    }
    key = told.get("key")
    if "kind" in rest:  # a span is told by its name: its key is a long number
        key = f"{rest.pop('kind')} {rest.pop('name', '')}"
    parts = [] if key is None else [str(key)]
    if "path" in rest:
        parts.append(str(rest.pop("path")))
    if "type" in rest:
        parts.append(str(rest.pop("type")))
    if "from_value" in rest:
        parts.append(f"{_short(rest.pop('from_value'))} → {_short(rest.pop('value', None))}")
    elif "value" in rest:
        parts.append(f"= {_short(rest.pop('value'))}")
    if "payload" in rest:
        parts.append(_short(rest.pop("payload")))
    if not parts and "name" in rest:
        parts.append(str(rest.pop("name")))
    parts += [f"{name}={_short(value)}" for name, value in rest.items()]
    return visible(" ".join(parts)[:300])


def _short(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:200]


# -- the files ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileLine:
    """A segment or a snapshot: `kind`, where it begins, its size, what is in it, and the verdict on it."""

    kind: Literal["segment", "archived", "snapshot"]
    start: int
    size: int
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
    *,
    done: bool = True,
) -> list[FileLine]:
    """The files in the order of the log: each snapshot stands before the segment that it replaces the log up to."""
    base = base_of(snapshots)
    lines = [
        _segment_line(one, indexes.get(one.start), one.start in whole, done, base) for one in look.segments
    ]
    lines += [_snapshot_line(one, snapshots.get(one.path), done) for one in look.snapshots]
    order = {"archived": 0, "segment": 1, "snapshot": 2}
    return sorted(lines, key=lambda line: (order[line.kind] == 2, line.start))


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
        return line(holds, "!", "history damaged", "look")
    if lost:
        # The marker of a transaction with a damaged entry does not fit either: that is the same place.
        places = sum(index.reasons[row] != "commit" for row in index.defects if index.damage(row) == "lost")
        return line(holds, "✘", f"damaged at {_places(places or len(lost))}", "bad")
    if counts.get("tail"):
        return line(holds, "!", "torn tail", "look")
    if counts.get("gap"):
        return line(holds, "!", f"{counts['gap']} harmless gap{'s' if counts['gap'] > 1 else ''}", "look")
    if index.unfinished:
        return line(holds, "…", "unfinished transaction at its end", "look")
    return line(holds, "✔", "sound", "good") if len(index) else line("empty", "✔", "sound", "good")


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


def folder_verdict(lines: Sequence[FileLine]) -> tuple[str, Tone]:
    """One verdict on all files: the worst."""
    for tone, glyph in (("bad", "✘"), ("look", "!")):
        found = [line for line in lines if line.tone == tone]
        if found:
            first = next((line for line in found if line.kind != "snapshot"), found[0])
            what = first.word.partition(":")[0]
            name = "snapshot" if first.kind == "snapshot" else "log"
            return f"{glyph} {name} {what}", "bad" if tone == "bad" else "look"
    if any(line.tone == "muted" for line in lines):
        return "· not all read yet", "muted"
    return "✔ all files sound", "good"


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"
