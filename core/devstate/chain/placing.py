"""Lines: where in the file, as an editor counts, a byte stands."""

from __future__ import annotations

from collections.abc import Iterable

from .source import Source

__all__ = ["lines_of", "member_offset"]

_READ = 1 << 20


def lines_of(source: Source, offsets: Iterable[int]) -> dict[int, int]:
    """The line, counted from 1, of each byte offset; one pass up to the last of them."""
    lines: dict[int, int] = {}
    line = 1
    at = 0
    data = b""
    base = 0
    for offset in sorted(set(offsets)):
        while offset > base + len(data):
            line += data.count(b"\n", at - base)
            base += len(data)
            at = base
            data = source.pread(_READ, base)
            if not data:
                break
        line += data.count(b"\n", at - base, offset - base)
        at = max(at, offset)
        lines[offset] = line
    return lines


def member_offset(raw: bytes, member: str) -> int:
    """How far into an entry's bytes the name of a top-level member stands; 0 where it is not found."""
    name = member.removeprefix("/").split("/", 1)[0].replace("~1", "/").replace("~0", "~")
    found = raw.find(b'"' + name.encode("utf-8", "replace") + b'"') if name else -1
    return max(found, 0)
