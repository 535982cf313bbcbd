"""The entries of the list, in file order: whole blocks where the layout allows it, one by one where it does not.

Every entry comes once. A damaged entry is an entry too: reading goes on at the next place where the layout shows
the beginning of one, so that a lost quote does not hide the rest.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, cast

import msgspec

from .cursor import Cursor
from .fast import FAST_DEPTH, FastEntry, decode_block
from .faults import FileFault
from .layout import REFERENCE, Layout, reference_text
from .limits import Limits
from .recall import Recall
from .strict import Flaw, Parsed, parse_value

__all__ = ["Block", "Listing", "Piece", "Single"]

_BLOCK = 1 << 16


class Block(msgspec.Struct, frozen=True):
    """Entries in the file's regular layout, proven; `data` runs from the first `{` to the last `}`."""

    offset: int
    data: bytes
    entries: list[FastEntry]
    layout: Layout
    digest: bytes = b""  # SHA-256 of the data, where a recall is at hand
    key: int | None = None  # the key that all entries verified under in the scan before


class Single(msgspec.Struct, frozen=True):
    """One entry read by the strict parser; `parsed.value` is UNSET where it is damaged."""

    offset: int
    raw: bytes
    parsed: Parsed


Piece = Block | Single | FileFault


class Listing:
    """Reads the list that the cursor stands in. `irregular` is the first place off the reference, and why."""

    def __init__(
        self,
        cursor: Cursor,
        layout: Layout | None,
        limits: Limits,
        *,
        nested: int,
        recall: Recall | None = None,
    ) -> None:
        self._cursor = cursor
        self._recall = recall
        self._layout = layout
        self._limits = limits
        self._nested = nested  # containers around an entry
        self._between = layout.between if layout is not None else b""
        self._last_size = len(layout.last) if layout is not None else 0
        self._first_size = len(layout.first) if layout is not None else 0
        self.irregular: tuple[int, str] | None = None

    def note(self, offset: int, why: str) -> None:
        if self.irregular is None:
            self.irregular = (offset, why)

    def entries(self, stop: int | None) -> Generator[Piece, None, None]:
        """From the cursor to `stop`, the end of the last entry (None: it is not known), or to where the list ends.

        The cursor then stands after the last entry, or at the end of the file after a fault that says so.
        """
        cursor, layout = self._cursor, self._layout
        if layout is None or self._limits.depth <= FAST_DEPTH:
            yield from self._singles(layout, stop, None)
            return
        between = layout.between
        tail, gap = len(layout.last), len(layout.gap)
        while stop is None or cursor.position < stop:
            found = cursor.data.find(between, cursor.position - cursor.base + _BLOCK)
            if found < 0 and not cursor.complete:
                cursor.forget()
                cursor.more()
                continue
            if found < 0 and stop is None:  # the end of the file is not regular
                yield from self._singles(layout, None, None)
                return
            end = cursor.base + found + tail if found >= 0 or stop is None else stop
            data = cursor.slice(cursor.position, end)
            block = self._block(data, layout)
            if block is not None:
                yield block
                cursor.position = end if found < 0 else end + gap
            elif (yield from self._singles(layout, stop, end)):
                return

    def _block(self, data: bytes, layout: Layout) -> Block | None:
        """The bytes from the cursor on as a proven block, or None."""
        offset, digest = self._cursor.position, b""
        if self._recall is not None:
            digest = self._recall.digest(data)
            known = self._recall.find(digest, layout)
            if known is not None:
                return Block(offset, data, known.entries, layout, digest, known.key)
        entries = decode_block(data, layout) if len(data) <= self._limits.entry_bytes else None
        # On one line an object inside an entry can look like the beginning of one.
        if entries and (layout.indent > 0 or data.count(self._between) == len(entries) - 1):
            return Block(offset, data, entries, layout, digest)
        return None

    def _singles(
        self, layout: Layout | None, stop: int | None, until: int | None
    ) -> Generator[Piece, None, bool]:
        """Entries one by one; True when the list is through.

        With `until`, hands back to the blocks at the first regular beginning of an entry at or after it.
        """
        cursor = self._cursor
        first = True
        while True:
            byte = cursor.skip_blank() if stop is None or cursor.position < stop else b"]"
            if byte == b"]":
                return True
            if not first and byte == b",":
                comma = cursor.position
                cursor.position += 1
                byte = cursor.skip_blank()
                if byte == b"]":
                    yield FileFault(
                        "TORN_FILE", comma, "a comma stands before the end of the list", at_next=True
                    )
                    return True
                regular = layout is not None and self._is_regular(comma)
                if not regular:
                    self.note(comma, "what stands between two entries is not what the reference writes")
                elif until is not None and cursor.position >= until:
                    return False
            elif not first and byte:
                yield FileFault(
                    "TORN_FILE", cursor.position, "a comma is missing between two entries", at_next=True
                )
            if not byte:
                yield FileFault("TORN_FILE", cursor.position, "the file ends inside the list of entries")
                return True
            start = cursor.position
            if start - cursor.base > _BLOCK:
                cursor.forget()
            single = self._single(layout)
            if single is None:
                yield self._cut_off(start)
                return True
            yield single
            first = False

    def _is_regular(self, comma: int) -> bool:
        """True where the comma and the brace after it stand as the layout puts them between two entries."""
        cursor = self._cursor
        start = comma - self._last_size
        if len(cursor.data) - (cursor.position - cursor.base) < self._first_size:
            cursor.more()
        return start >= cursor.base and cursor.data.startswith(self._between, start - cursor.base)

    def _single(self, layout: Layout | None) -> Single | None:
        """The value at the cursor, which then stands after it; None where the file ends inside it."""
        cursor, limits = self._cursor, self._limits
        start = cursor.position
        # An entry somewhat above its limit is still found and named; beyond that it counts as damage.
        end = cursor.value_end(most=16 * limits.entry_bytes)
        if end < 0:
            resumed = self._resume(layout, start)
            return None if resumed is None else self._damaged(start, resumed)
        raw = cursor.slice(start, end)
        if len(raw) > limits.entry_bytes:
            resumed = self._resume(layout, start)
            if resumed is not None and resumed < end:
                return self._damaged(start, resumed)
            detail = f"an entry of {len(raw)} bytes; the limit is {limits.entry_bytes} (setting limits.entry_bytes)"
            cursor.position = end
            return Single(start, raw, Parsed(msgspec.UNSET, (Flaw("LIMIT_EXCEEDED", detail),)))
        cursor.position = end
        single = Single(start, raw, parse_value(raw, limits, outer_depth=self._nested))
        if self.irregular is None and not _as_reference(single, layout):
            self.note(start, "an entry is not written as the reference writes it")
        return single

    def _damaged(self, start: int, end: int) -> Single:
        self._cursor.position = end
        raw = self._cursor.slice(start, end)
        flaws = parse_value(raw, self._limits).flaws
        named = tuple(flaw for flaw in flaws if flaw.code in ("TORN_FILE", "ENCODING", "LIMIT_EXCEEDED"))
        return Single(
            start,
            raw,
            Parsed(msgspec.UNSET, named or (Flaw("TORN_FILE", "brackets or quotes do not match"),)),
        )

    def _resume(self, layout: Layout | None, start: int) -> int | None:
        """Where the damaged entry at `start` ends by the layout: at the next boundary, or before a regular end."""
        if layout is None:
            return None
        cursor = self._cursor
        width = len(layout.last)
        found = cursor.find(layout.between, start)
        if found >= 0:
            return found + width
        last = cursor.data.rfind(layout.last + layout.closing, start - cursor.base)
        return None if last < 0 else cursor.base + last + width

    def _cut_off(self, start: int) -> FileFault:
        """Why the entry at `start` has no end."""
        sample = self._cursor.slice(start, start + self._limits.entry_bytes)
        flaws = parse_value(sample, self._limits, outer_depth=self._nested).flaws
        limit = next((flaw for flaw in flaws if flaw.code == "LIMIT_EXCEEDED"), None)
        if limit is not None:
            return FileFault(limit.code, start, limit.detail)
        torn = next((flaw for flaw in flaws if flaw.code == "TORN_FILE"), None)
        why = f" ({torn.detail}, byte {start + torn.offset})" if torn else ""
        return FileFault("TORN_FILE", start, f"the file ends inside an entry{why}")


def _as_reference(single: Single, layout: Layout | None) -> bool:
    value: Any = single.parsed.value
    if layout != REFERENCE or not isinstance(value, dict) or single.parsed.flaws:
        return False
    return reference_text(cast("dict[str, Any]", value)) == single.raw
