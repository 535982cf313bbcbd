"""Bookmarks on the Chain screen: load them, ask for a note, keep them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from devstate.errors import DevStateError
from devstate_tui.models.bookmarks import Bookmarks
from devstate_tui.services.bookmark_store import BookmarkStore

if TYPE_CHECKING:
    from devstate_tui.models.chain import ChainModel

__all__ = ["Bookmarking"]


class Bookmarking:
    """The bookmarks of the workspace on screen. `say` tells the user a problem (sentence, remedy)."""

    def __init__(self, folder: str, say: Callable[[str, str], None]) -> None:
        self._folder = folder
        self._say = say
        self._store: BookmarkStore | None = None
        self.bookmarks = Bookmarks()

    def load(self, root: str) -> None:
        """Read those of this workspace, once."""
        if self._store is not None and self._store.root == root:
            return
        self._store = BookmarkStore(self._folder, root)
        self.bookmarks, error = self._store.load()
        if error is not None:
            self._say(f"Bookmarks: {error.message}", f"{error.path or self._store.path}. {error.remedy}")

    def note_of(self, entry: int) -> str | None:
        """The note on an entry, None where it has no bookmark."""
        mark = self.bookmarks.get(entry)
        return None if mark is None else mark.note

    def change(self, bookmarks: Bookmarks) -> None:
        """Keep these from now on; they hold for this start even where the file cannot be written."""
        self.bookmarks = bookmarks
        if self._store is None:
            return
        try:
            self._store.save(bookmarks)
        except DevStateError as error:
            self._say(f"Bookmarks: it is not kept: {error.message}", error.remedy)

    def moved(self, model: ChainModel) -> frozenset[int]:
        """The bookmarked entries that are not what they were when they were bookmarked."""
        return frozenset(mark.entry for mark in self.bookmarks if not _same(model, mark.entry, mark.hmac))


def _same(model: ChainModel, entry: int, hmac: str) -> bool:
    try:
        return entry < model.count and model.entry(entry).hmac[:16] == hmac
    except DevStateError:
        return False
