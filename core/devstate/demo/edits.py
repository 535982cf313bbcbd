"""What tampering is made of: edits of single rows and entries in a stream, and of the bytes after."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .rows import Row

__all__ = [
    "RowsEdit",
    "cut_short",
    "edit_entry",
    "edit_row",
    "first",
    "halve_indent",
    "insert_copy",
    "last",
    "leave_out",
    "middle",
    "put_before",
    "put_instead",
    "swap",
]

Place = Callable[[int], int]
RowsEdit = Callable[[Iterator[Row], int], Iterator[Row]]
EntriesEdit = Callable[[Iterator[str], int], Iterator[str]]
LayoutEdit = Callable[[Iterator[bytes], int], Iterator[bytes]]


def first(entries: int) -> int:
    return 0


def middle(entries: int) -> int:
    return entries // 2


def last(entries: int) -> int:
    return entries - 1


def edit_row(place: Place, edit: Callable[[Row], Row]) -> RowsEdit:
    """Change one row before it is signed: what a holder of the key can do."""

    def step(rows: Iterator[Row], entries: int) -> Iterator[Row]:
        chosen = place(entries)
        for index, row in enumerate(rows):
            yield edit(row) if index == chosen else row

    return step


def edit_entry(place: Place, pattern: str, replacement: str) -> EntriesEdit:
    """Change the text of one signed entry: the first match of a regular expression."""

    def step(texts: Iterator[str], entries: int) -> Iterator[str]:
        chosen = place(entries)
        for index, text in enumerate(texts):
            yield re.sub(pattern, replacement, text, count=1) if index == chosen else text

    return step


def leave_out(place: Place) -> EntriesEdit:
    """Delete one signed entry."""

    def step(texts: Iterator[str], entries: int) -> Iterator[str]:
        chosen = place(entries)
        return (text for index, text in enumerate(texts) if index != chosen)

    return step


def insert_copy(place: Place) -> EntriesEdit:
    """Repeat one signed entry right after itself."""

    def step(texts: Iterator[str], entries: int) -> Iterator[str]:
        chosen = place(entries)
        for index, text in enumerate(texts):
            yield text
            if index == chosen:
                yield text

    return step


def swap(place: Place) -> EntriesEdit:
    """Change the order of one signed entry and the next."""

    def step(texts: Iterator[str], entries: int) -> Iterator[str]:
        chosen = place(entries)
        held = ""
        for index, text in enumerate(texts):
            if index == chosen:
                held = text
                continue
            yield text
            if index == chosen + 1:
                yield held

    return step


def put_before(prefix: bytes) -> LayoutEdit:
    """Put bytes before the file's first one."""

    def step(chunks: Iterator[bytes], entries: int) -> Iterator[bytes]:
        yield prefix
        yield from chunks

    return step


def put_instead(content: bytes) -> LayoutEdit:
    """Put other bytes in the place of the whole file."""

    def step(chunks: Iterator[bytes], entries: int) -> Iterator[bytes]:
        yield content

    return step


def cut_short(missing: int) -> LayoutEdit:
    """Leave out the last `missing` bytes, as a write that was interrupted does."""

    def step(chunks: Iterator[bytes], entries: int) -> Iterator[bytes]:
        held = b""
        for chunk in chunks:
            held += chunk
            yield held[:-missing]
            held = held[-missing:]

    return step


def halve_indent(chunks: Iterator[bytes], entries: int) -> Iterator[bytes]:
    """Lay the file out with two spaces a level. A chunk ends where an entry ends, never inside an indent."""
    for chunk in chunks:
        yield re.sub(rb"\n( +)", lambda match: b"\n" + match[1][: len(match[1]) // 2], chunk)
