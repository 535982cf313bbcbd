"""The entries of the log as the WAL screen shows them: rows, and the words for what is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from devstate.engine.framing import decode_commit
from devstate.engine.inspection import (
    Damage,
    Mark,
    SegmentIndex,
    describe_entry,
    describers,
    entry_content,
    entry_fields,
    entry_head,
    moment_text,
    reason_in_words,
    type_name,
)
from devstate.findings import visible

if TYPE_CHECKING:
    from devstate.engine.inspection import Field
    from devstate.engine.segments import Segment

__all__ = [
    "BytesOf",
    "EntryRow",
    "Tone",
    "WalModel",
    "fitting_bytes",
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
    "open": ("~", "open", "look"),
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
        if len(data) > _MOST_DECODED:
            head = entry_head(data)
            key = "" if head.key is None else f"{head.key} "
            return visible(f"{key}({fitting_bytes(len(data))})")
        return _content_words(entry_content(data, lsn, self._kinds)[0])

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
            else "~ no commit marker yet: not a part of the state",
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
    if data[4] == 0x00 and not isinstance(marker := decode_commit(data[22:-4]), str):
        when = moment_text(marker.ts)[5:19].replace("T", " ")
        return f"{marker.n} {'entry' if marker.n == 1 else 'entries'}, {when}"
    told = {field.name: field.value for field in entry_fields(data) if field.depth}
    if data[4] == 0x00:
        count = told.get("n", "?")
        return (
            f"{count} {'entry' if count == '1' else 'entries'}, {told.get('ts', '')[5:19].replace('T', ' ')}"
        )
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
