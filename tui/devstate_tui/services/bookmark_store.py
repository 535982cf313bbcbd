"""Where bookmarks are kept: one small file a workspace in the user's data folder, never in the workspace."""

from __future__ import annotations

import hashlib
import os

from devstate.durable import atomic_replace, ensure_folder, kind_of, read_bounded
from devstate.errors import DevStateError
from devstate_tui.models.bookmarks import Bookmarks, parse_bookmarks

__all__ = ["BookmarkStore"]

_LIMIT = 4 * 1024 * 1024


class BookmarkStore:
    """The bookmarks file of one workspace; `folder` is the user's data folder, `root` its path."""

    def __init__(self, folder: str, root: str) -> None:
        self.root = root
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
        self.path = os.path.join(folder, "bookmarks", f"{name}.json")

    def load(self) -> tuple[Bookmarks, DevStateError | None]:
        """The bookmarks; none, and why, where the file cannot be used."""
        try:
            if kind_of(self.path) is None:
                return Bookmarks(), None
            return parse_bookmarks(read_bounded(self.path, limit=_LIMIT).data, path=self.path), None
        except DevStateError as error:
            return Bookmarks(), error

    def save(self, bookmarks: Bookmarks) -> None:
        """Replace the file; one that could not be read is kept beside it. Raises DevStateError."""
        ensure_folder(os.path.dirname(self.path))
        _, error = self.load()
        if error is not None:
            self._keep_damaged()
        atomic_replace(self.path, bookmarks.encode(self.root))

    def _keep_damaged(self) -> None:
        try:
            damaged = read_bounded(self.path, limit=_LIMIT).data
        except DevStateError:
            return
        atomic_replace(f"{self.path}.damaged", damaged)
