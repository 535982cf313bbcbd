"""All bookmarks of this workspace, to go to one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from devstate.findings.visible import visible
from devstate_tui.models.bookmarks import Bookmark, Bookmarks
from devstate_tui.widgets.line_list import LineList, Row

from .dialog import Dialog

__all__ = ["BookmarkChoice", "BookmarksDialog"]


@dataclass(frozen=True)
class BookmarkChoice:
    """The entry to go to; None: nowhere."""

    entry: int | None


class BookmarksDialog(Dialog[BookmarkChoice]):
    """`moved` holds the bookmarked entries whose HMAC is not the one that was bookmarked."""

    AUTO_FOCUS = "LineList"

    def __init__(self, bookmarks: Bookmarks, moved: frozenset[int]) -> None:
        super().__init__(f"Bookmarks: {len(bookmarks)}")
        self._bookmarks = bookmarks
        self._moved = moved

    def compose_body(self) -> Iterable[Widget]:
        if self._moved:
            yield Static("! is no longer the entry that was bookmarked", classes="hint body", markup=False)
        rows = LineList(
            [self._row(mark) for mark in self._bookmarks], empty="There is none yet; b on an entry makes one."
        )
        rows.styles.height = min(max(len(self._bookmarks), 1), 15)
        yield rows

    def _row(self, mark: Bookmark) -> Row:
        glyph, tone = ("!", "look") if mark.entry in self._moved else ("◆", "plain")
        return Row(((f"{glyph} {mark.entry:>8}  ", tone), (visible(mark.note), "plain")), mark.entry)

    @on(LineList.Chosen)
    def _chosen(self, event: LineList.Chosen) -> None:
        self.dismiss(BookmarkChoice(event.value if isinstance(event.value, int) else None))

    def outcome_of(self, button: str) -> BookmarkChoice:
        return BookmarkChoice(None)
