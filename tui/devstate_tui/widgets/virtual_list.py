"""What the lists share: a cursor on an item, the moves of it, and where it stands on screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

__all__ = ["VirtualList"]


class VirtualList(ScrollView, can_focus=True):
    """Rows on the line API, as quick with a million of them as with ten; what a row is, a list says itself.

    `cursor` is the selected *item*, not the row, so it stays where it is when a filter comes or goes.
    """

    cursor: reactive[int] = reactive(0, init=False)

    @dataclass
    class Selected(Message):
        """Another item is selected."""

        list: VirtualList
        item: int

        @property
        def control(self) -> VirtualList:
            return self.list

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, VirtualList.Selected) and message.list is self.list

    @dataclass
    class Opened(Message):
        """The selected item is to be opened."""

        list: VirtualList
        item: int

        @property
        def control(self) -> VirtualList:
            return self.list

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(1024)
        # The row at the top when the cursor went far, until it moves again: another height of the list,
        # whenever its layout comes, then ends where it would have been at once.
        self._left_from: int | None = None

    # -- what it shows -----------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def item_at(self, row: int) -> int:
        """The item that a row shows, 0 <= row < row_count."""
        raise NotImplementedError

    def row_of(self, item: int) -> int:
        """The row of an item, or the one after where it is not shown."""
        raise NotImplementedError

    @property
    def at_end(self) -> bool:
        """Whether the last row is selected."""
        return bool(self.row_count) and self.cursor >= self.item_at(self.row_count - 1)

    def content_changed(self) -> None:
        """Draw all rows again: there are others."""
        self._strips.clear()
        self.virtual_size = Size(self.size.width, max(self.row_count, 1))
        self.refresh()

    # -- moving ------------------------------------------------------------------------------------

    def select(self, item: int, *, centre: bool = False) -> None:
        """Select an item and bring it into view, in the middle when it was far away."""
        self._go(item, self.scroll_offset.y, centre=centre)

    def open_at(self, item: int) -> None:
        """Select an item in a list that is shown anew: on the first page if it is there, else in the middle."""
        self._go(item, 0, centre=True)

    def select_row(self, row: int) -> None:
        """Select a row by its place; beyond an end means the end."""
        if self.row_count:
            self.select(self.item_at(max(0, min(row, self.row_count - 1))))

    def _go(self, item: int, top: int, *, centre: bool) -> None:
        if not self.row_count:
            return
        row = self.row_of(item)
        self.cursor = self.item_at(row)
        self._bring(row, top, centre=centre)

    def _bring(self, row: int, top: int, *, centre: bool) -> None:
        height = self.size.height
        near = not centre and top - 1 <= row <= top + height
        self._left_from = None if height and near else top
        if not height:
            return  # it has no place yet, and gets one with the first layout
        if row < top or row >= top + height:
            top = max((row if row < top else row - height + 1) if near else row - height // 2, 0)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    def on_resize(self) -> None:
        self.content_changed()
        self.call_after_refresh(self._keep_in_view)

    def _keep_in_view(self) -> None:
        if self.row_count:
            left = self._left_from
            top = self.scroll_offset.y if left is None else left
            self._bring(self.row_of(self.cursor), top, centre=left is not None)

    def watch_cursor(self, old: int, item: int) -> None:
        for row in {self.row_of(old), self.row_of(item)} if self.row_count else ():
            self.refresh_line(row)
        self.post_message(self.Selected(self, item))

    def _page(self, direction: int) -> None:
        height = max(self.size.height - 1, 1)
        row, top = self.row_of(self.cursor), self.scroll_offset.y
        self.scroll_to(y=max(top + direction * height, 0), animate=False, force=True)
        self.select_row(row + direction * height)

    def action_down(self) -> None:
        self.select_row(self.row_of(self.cursor) + 1)

    def action_up(self) -> None:
        self.select_row(self.row_of(self.cursor) - 1)

    def action_page_down(self) -> None:
        self._page(1)

    def action_page_up(self) -> None:
        self._page(-1)

    def action_first(self) -> None:
        self.select_row(0)

    def action_last(self) -> None:
        self.select_row(self.row_count - 1)

    def action_open(self) -> None:
        if self.row_count:
            self.post_message(self.Opened(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        row = self.scroll_offset.y + event.y
        if row < self.row_count:
            self.select_row(row)
            if event.chain == 2:
                self.action_open()

    # -- drawing -----------------------------------------------------------------------------------

    def styles_changed(self) -> None:
        """Draw all rows again: their styles are others."""
        self._strips.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.styles_changed()

    def on_focus(self) -> None:
        self.styles_changed()

    def on_blur(self) -> None:
        self.styles_changed()
