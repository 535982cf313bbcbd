"""A cursor over the bytes of a source: a window that moves forward and reads, and hashes, every byte once."""

from __future__ import annotations

import hashlib

from .lexing import INCOMPLETE, UNBALANCED, end_of_value, skip_blank
from .source import Source

__all__ = ["Cursor"]

_READ = 1 << 20


class Cursor:
    """`position` and all other places are absolute offsets; `data` holds the bytes from `base` on."""

    __slots__ = ("_digest", "_read", "_source", "_stop", "base", "data", "position")

    def __init__(self, source: Source, start: int, stop: int, *, hashed: bool) -> None:
        self._source = source
        self._stop = stop
        self._read = start
        self._digest = hashlib.sha256() if hashed else None
        self.base = start
        self.position = start
        self.data = b""

    @property
    def complete(self) -> bool:
        """True when the last byte is in the window."""
        return self._read >= self._stop

    def more(self) -> bool:
        """Read on; False at the end. The steps grow with the window, so growing stays linear."""
        size = min(max(_READ, len(self.data)), self._stop - self._read)
        fresh = self._source.pread(size, self._read) if size > 0 else b""
        if not fresh:
            self._read = self._stop
            return False
        self._read += len(fresh)
        if self._digest is not None:
            self._digest.update(fresh)
        self.data += fresh
        return True

    def forget(self) -> None:
        """Let go of the bytes before the position."""
        self.data = self.data[self.position - self.base :]
        self.base = self.position

    def finish(self) -> str:
        """Read what is left, and give the SHA-256 of everything in hex ("" where it is not hashed)."""
        while not self.complete:
            self.position = self.base + len(self.data)
            self.forget()
            self.more()
        return self._digest.hexdigest() if self._digest is not None else ""

    def slice(self, start: int, stop: int) -> bytes:
        return self.data[start - self.base : stop - self.base]

    def skip_blank(self) -> bytes:
        """Move over white space; the byte that stands there then, b"" at the end."""
        while True:
            at = skip_blank(self.data, self.position - self.base)
            self.position = self.base + at
            if at < len(self.data):
                return self.data[at : at + 1]
            if not self.more():
                return b""

    def value_end(self, *, most: int | None = None) -> int:
        """Where the value at the position ends, INCOMPLETE at the end of the file, or UNBALANCED.

        A value that does not end within `most` bytes counts as unbalanced.
        """
        while True:
            end = end_of_value(self.data, self.position - self.base)
            if end >= 0:
                return self.base + end
            if end == UNBALANCED:
                return UNBALANCED
            if most is not None and len(self.data) - (self.position - self.base) > most:
                return UNBALANCED
            if not self.more():
                return INCOMPLETE

    def find(self, pattern: bytes, start: int) -> int:
        """The offset of the first occurrence from `start` on, reading as far as it takes; -1 where there is none."""
        searched = start
        while True:
            found = self.data.find(pattern, searched - self.base)
            if found >= 0:
                return self.base + found
            searched = max(start, self.base + len(self.data) - len(pattern) + 1)
            if not self.more():
                return -1
