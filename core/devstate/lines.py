"""Lines: where in a file, as an editor counts, a byte stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["lines_of"]

_READ = 1 << 20


def lines_of(data: bytes | Callable[[int, int], bytes], offsets: Iterable[int]) -> dict[int, int]:
    """The line, counted from 1, of each byte offset; one pass up to the last of them.

    `data` is the whole file, or reads it: a function of a size and an offset that gives the bytes there.
    """
    read = data if callable(data) else _reader(data)
    lines: dict[int, int] = {}
    line, at = 1, 0
    window, base = b"", 0
    for offset in sorted(set(offsets)):
        while offset > base + len(window):
            line += window.count(b"\n", at - base)
            base += len(window)
            at = base
            window = read(_READ, base)
            if not window:
                break
        line += window.count(b"\n", at - base, offset - base)
        at = max(at, offset)
        lines[offset] = line
    return lines


def _reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda size, offset: data[offset : offset + size]
