"""Framing: a file, or a range of a regular one, as a sequence of whole entries.

The list of entries is the whole document (an array), or the member "entries" of an object. Members beside it are
kept and checked as JSON; anything after the end of the document is a fault.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Literal

import msgspec

from .cursor import Cursor
from .faults import FileFault
from .layout import REFERENCE, Layout, detect_layout
from .lexing import depth_exceeds
from .limits import Limits
from .listing import Listing, Piece
from .recall import Recall
from .source import Source
from .strict import parse_value

__all__ = ["End", "Range", "frame", "frame_range", "plan_ranges"]

_BOM = b"\xef\xbb\xbf"
# Hashing the file and joining the parts, in proportion to judging all entries.
_OTHER_WORK = 0.1


class End(msgspec.Struct, frozen=True):
    """What is known when the last byte was read. `irregular` is the first place off the reference, and why."""

    form: Literal["array", "entries"] | None
    style: str
    sha256: str
    irregular: tuple[int, str] | None


class Range(msgspec.Struct, frozen=True):
    """A part of a regular file, from an entry's `{` to an entry's `}`."""

    layout: Layout
    start: int
    stop: int


def frame(source: Source, limits: Limits, result: list[End], recall: Recall | None = None) -> Iterator[Piece]:
    """The pieces of a whole file; when they are through, `result` holds its one `End`."""
    layout, stop = regular_part(source)
    cursor = Cursor(source, 0, source.size, hashed=True)
    document = _Document(cursor, layout, limits, recall)
    yield from document.pieces(stop)
    sha256 = cursor.finish()
    style = layout.name if layout else "irregular"
    result.append(End(document.form, style, sha256, document.irregular))


def frame_range(source: Source, part: Range, limits: Limits) -> Iterator[Piece]:
    """The pieces of one range. Any `FileFault` means that the range does not stand for itself."""
    cursor = Cursor(source, part.start, part.stop, hashed=False)
    nested = 1 if part.layout.form == "array" else 2
    listing = Listing(cursor, part.layout, limits, nested=nested)
    yield from listing.entries(part.stop)
    if listing.irregular is not None:
        yield FileFault("FORMAT_NONCANONICAL", *listing.irregular)


def regular_part(source: Source) -> tuple[Layout | None, int | None]:
    """The regular layout of a file, and where its last entry ends (None where its end is irregular)."""
    layout = detect_layout(source.pread(128, 0))
    if layout is None:
        return None, None
    tail = source.pread(256, max(0, source.size - 256))
    ending = tail.rstrip(b" \t\r\n")
    if not ending.endswith(layout.last + layout.closing):
        return layout, None
    return layout, source.size - len(tail) + len(ending) - len(layout.closing)


def plan_ranges(source: Source, count: int) -> list[Range]:
    """At most `count` ranges that cover all entries; empty where the file is not regular.

    They are of about equal size but for the first, which is shorter: who judges it also hashes the whole file
    and joins the parts.
    """
    layout, stop = regular_part(source)
    if layout is None or stop is None:
        return []
    start = len(layout.opening)
    total = stop - start
    first = int(total * max(0.2 / count, (1 + _OTHER_WORK) / count - _OTHER_WORK))
    step = (total - first) // max(1, count - 1)
    ranges: list[Range] = []
    for number in range(count - 1):
        border = _boundary(source, layout, len(layout.opening) + first + step * number, stop)
        if border is not None and border[0] > start:
            ranges.append(Range(layout, start, border[0]))
            start = border[1]
    ranges.append(Range(layout, start, stop))
    return ranges


def _boundary(source: Source, layout: Layout, target: int, stop: int) -> tuple[int, int] | None:
    """The first boundary between two entries after `target`: the end of one, the beginning of the next."""
    size = 1 << 16
    at = target
    while at < stop:
        data = source.pread(size, at)
        found = data.find(layout.between)
        if found >= 0:
            end = at + found + len(layout.last)
            return (end, end + len(layout.gap)) if end < stop else None
        at += max(1, len(data) - len(layout.between))
        if not data:
            return None
    return None


class _Document:
    """The shape of a file around its list of entries."""

    def __init__(self, cursor: Cursor, layout: Layout | None, limits: Limits, recall: Recall | None) -> None:
        self._cursor = cursor
        self._recall = recall
        self._layout = layout
        self._limits = limits
        self._listing: Listing | None = None
        self.form: Literal["array", "entries"] | None = None
        self._irregular: tuple[int, str] | None = None
        if layout is not None and layout != REFERENCE:
            self._irregular = (
                0,
                f"{layout.name}, form {layout.form}; the reference is an array with indent 4",
            )

    @property
    def irregular(self) -> tuple[int, str] | None:
        found = [place for place in (self._irregular, self._listing and self._listing.irregular) if place]
        return min(found) if found else None

    def _note(self, offset: int, why: str) -> None:
        self._irregular = self._irregular or (offset, why)

    def pieces(self, stop: int | None) -> Generator[Piece, None, None]:
        cursor = self._cursor
        cursor.more()
        if cursor.data.startswith((b"\xff\xfe", b"\xfe\xff")):
            yield FileFault("ENCODING", 0, "the file is UTF-16; a history is UTF-8")
            return
        if cursor.data.startswith(_BOM):
            yield FileFault("ENCODING", 0, "the file begins with a byte order mark")
            cursor.position = len(_BOM)
        if self._layout is not None:
            cursor.position = len(self._layout.opening)
            in_object = self._layout.form == "entries"
            yield from self._list(in_object=in_object, stop=stop, seen={"entries"} if in_object else set())
            return
        byte = cursor.skip_blank()
        if byte == b"[":
            self._note(cursor.position, "the layout is not that of the reference")
            cursor.position += 1
            yield from self._list(in_object=False, stop=None, seen=set())
        elif byte == b"{":
            yield from self._object()
        elif not byte:
            yield FileFault("TORN_FILE", cursor.position, "the file is empty")
        else:
            yield from self._other()

    def _list(self, *, in_object: bool, stop: int | None, seen: set[str]) -> Generator[Piece, None, None]:
        """The entries, then what stands after them; the cursor stands behind `[` (regular: at the first `{`)."""
        cursor = self._cursor
        self.form = "entries" if in_object else "array"
        nested = 2 if in_object else 1
        self._listing = Listing(cursor, self._layout, self._limits, nested=nested, recall=self._recall)
        yield from self._listing.entries(stop)
        if cursor.skip_blank() != b"]":
            return  # the listing has said that the file ends
        if self._layout is not None and stop is None:
            self._note(cursor.position, "the end is not written as the reference writes it")
        cursor.position += 1
        if not in_object:
            yield from self._after()
            return
        byte = cursor.skip_blank()
        if byte == b",":
            cursor.position += 1
            if (yield from self._members(seen)) is not None:
                return
        elif byte == b"}":
            cursor.position += 1
            yield from self._after()
        else:
            yield FileFault("TORN_FILE", cursor.position, "a comma or } is expected after the list")

    def _object(self) -> Generator[Piece, None, None]:
        cursor = self._cursor
        start = cursor.position
        cursor.position += 1
        seen: set[str] = set()
        found = yield from self._members(seen)
        if found is None:
            return
        if not found:
            yield FileFault("SHAPE", start, 'an object without the member "entries"')
            return
        if cursor.skip_blank() != b"[":
            yield FileFault("SHAPE", cursor.position, '"entries" is not an array')
            return
        self._note(start, "the layout is not that of the reference")
        cursor.position += 1
        yield from self._list(in_object=True, stop=None, seen=seen)

    def _members(self, seen: set[str]) -> Generator[Piece, None, bool | None]:
        """Members of the file's object from the cursor on.

        True: the cursor stands at the value of "entries". False: the object and the file are through. None: a
        fault was given after which nothing more can be said.
        """
        cursor = self._cursor
        first = not seen
        while True:
            byte = cursor.skip_blank()
            if byte == b"}" and first:
                break
            name = yield from self._name(seen)
            if name is None:
                return None
            if name == "entries":
                return None if self.form is not None else True  # a second list was reported: which counts?
            start = cursor.position
            end = cursor.value_end()
            if end < 0:
                yield FileFault("TORN_FILE", start, f"the member {name!r} has no readable value")
                return None
            for flaw in parse_value(cursor.slice(start, end), self._limits, outer_depth=1).flaws:
                yield FileFault(flaw.code, start + flaw.offset, f"in the member {name!r}: {flaw.detail}")
            self._note(start, f"a member beside the list: {name!r}")
            cursor.position = end
            first = False
            byte = cursor.skip_blank()
            if byte == b"}":
                break
            if byte != b",":
                yield FileFault("TORN_FILE", cursor.position, "a comma or } is expected here")
                return None
            cursor.position += 1
        cursor.position += 1
        yield from self._after()
        return False

    def _name(self, seen: set[str]) -> Generator[Piece, None, str | None]:
        """A member's name and colon; the cursor then stands at its value."""
        cursor = self._cursor
        start = cursor.position
        byte = cursor.skip_blank()
        end = cursor.value_end() if byte == b'"' else -1
        name = parse_value(cursor.slice(cursor.position, end), self._limits).value if end >= 0 else None
        if not isinstance(name, str):
            if depth_exceeds(cursor.data, self._limits.depth):
                detail = f"containers are nested more than {self._limits.depth} deep (setting limits.depth)"
                yield FileFault("LIMIT_EXCEEDED", start, detail)
            else:
                yield FileFault("TORN_FILE", start, "the name of a member is expected here")
            return None
        if name in seen:
            yield FileFault("DUPLICATE_KEY", start, f"the member {name!r} stands twice in the file's object")
        seen.add(name)
        cursor.position = end
        if cursor.skip_blank() != b":":
            yield FileFault("TORN_FILE", cursor.position, "a colon is expected here")
            return None
        cursor.position += 1
        cursor.skip_blank()
        return name

    def _after(self) -> Generator[Piece, None, None]:
        """Nothing but white space may follow the document."""
        cursor = self._cursor
        end = cursor.position
        if cursor.skip_blank():
            yield FileFault("TORN_FILE", cursor.position, "the file goes on after its end")
        elif cursor.position > end:
            self._note(end, "white space after the end")

    def _other(self) -> Generator[Piece, None, None]:
        """A single value that is neither an array nor an object."""
        cursor = self._cursor
        start = cursor.position
        while cursor.more() and len(cursor.data) <= self._limits.entry_bytes:
            pass
        end = cursor.value_end()
        raw = cursor.slice(start, end if end >= 0 else start + self._limits.entry_bytes)
        parsed = parse_value(raw.rstrip(), self._limits)
        for flaw in parsed.flaws:
            yield FileFault(flaw.code, start + flaw.offset, flaw.detail)
        if parsed.value is not msgspec.UNSET:
            yield FileFault("SHAPE", start, "the file holds a single value, not a list of entries")
            cursor.position = start + len(raw)
            yield from self._after()
