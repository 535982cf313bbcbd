"""The entries that a filter lets through, as they are found: sorted, counted, walked both ways."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

__all__ = ["Matches"]


class Matches:
    """Entry numbers in rising order, 4 bytes each, and how far the search has come.

    It grows while a search runs; `scanned` of `total` entries have been looked at.
    """

    def __init__(self, text: str, total: int) -> None:
        self.text = text
        self.total = total
        self.scanned = 0
        self.done = False
        self._entries = array("I")

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, row: int) -> int:
        return self._entries[row]

    def __contains__(self, entry: int) -> bool:
        row = bisect_left(self._entries, entry)
        return row < len(self._entries) and self._entries[row] == entry

    def extend(self, found: Sequence[int], *, scanned: int) -> None:
        """Add the next entries, each greater than the last one added."""
        self._entries.extend(found)
        self.scanned = scanned

    def next(self, entry: int) -> int | None:
        """The first match after an entry, None where there is none (yet)."""
        row = bisect_right(self._entries, entry)
        return self._entries[row] if row < len(self._entries) else None

    def previous(self, entry: int) -> int | None:
        """The last match before an entry, None where there is none."""
        row = bisect_left(self._entries, entry)
        return self._entries[row - 1] if row else None

    def row_of(self, entry: int) -> int:
        """How many matches come before an entry: its own row where it is a match."""
        return bisect_left(self._entries, entry)

    def any_in(self, first: int, stop: int) -> bool:
        """Whether a match lies in `[first, stop)`."""
        row = bisect_left(self._entries, first)
        return row < len(self._entries) and self._entries[row] < stop

    def sentence(self) -> str:
        """Where the search stands, for the line under the title."""
        found = f"{len(self):,} match{'' if len(self) == 1 else 'es'}"
        if self.done:
            return f"{found} of {self.total:,}"
        return f"searching  {found} in {self.scanned:,} of {self.total:,}"
