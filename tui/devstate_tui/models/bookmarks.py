"""Bookmarks: entries a person wants to find again, with notes. They are kept outside of the chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from devstate.errors import UsageError

__all__ = ["Bookmark", "Bookmarks", "parse_bookmarks"]

SCHEMA = "devstate.bookmarks/1"
_MOST_NOTE = 2000


class Bookmark(msgspec.Struct, frozen=True):
    """`hmac` holds the first 16 digits of the entry's HMAC: they tell whether it is still the same entry."""

    entry: int
    hmac: str
    note: str = ""


class _File(msgspec.Struct, frozen=True):
    schema: str
    workspace: str
    bookmarks: tuple[Bookmark, ...]


class Bookmarks:
    """The bookmarks of one workspace, immutable, in the order of the entries."""

    def __init__(self, bookmarks: Iterable[Bookmark] = ()) -> None:
        self._by_entry = {mark.entry: mark for mark in sorted(bookmarks, key=lambda mark: mark.entry)}

    def __len__(self) -> int:
        return len(self._by_entry)

    def __iter__(self) -> Iterator[Bookmark]:
        return iter(self._by_entry.values())

    def __contains__(self, entry: object) -> bool:
        return entry in self._by_entry

    @property
    def entries(self) -> tuple[int, ...]:
        """The entries, rising."""
        return tuple(self._by_entry)

    def get(self, entry: int) -> Bookmark | None:
        """The bookmark of an entry."""
        return self._by_entry.get(entry)

    def with_note(self, entry: int, hmac: str, note: str) -> Bookmarks:
        """These and one for the entry, in place of an older one."""
        kept = [mark for mark in self if mark.entry != entry]
        return Bookmarks([*kept, Bookmark(entry, hmac[:16], note[:_MOST_NOTE])])

    def without(self, entry: int) -> Bookmarks:
        """These but the one for the entry."""
        return Bookmarks(mark for mark in self if mark.entry != entry)

    def next(self, entry: int) -> int | None:
        """The first bookmarked entry after one; the first of all behind the last."""
        after = [number for number in self._by_entry if number > entry]
        return after[0] if after else next(iter(self._by_entry), None)

    def encode(self, workspace: str) -> bytes:
        """The file that keeps them."""
        return (
            msgspec.json.format(msgspec.json.encode(_File(SCHEMA, workspace, tuple(self))), indent=2) + b"\n"
        )


def parse_bookmarks(data: bytes, *, path: str) -> Bookmarks:
    """The bookmarks of a file. Raises UsageError where it is none of ours."""
    try:
        found = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the file cannot be read: {error}",
            path=path,
            remedy="Mend or remove the file; it holds bookmarks alone.",
        ) from None
    if found.schema != SCHEMA:
        raise UsageError(
            f"the file is of another version: {found.schema[:40]!r}",
            path=path,
            remedy="Remove the file.",
        )
    return Bookmarks(mark for mark in found.bookmarks if mark.entry >= 0)
