"""A list over any source of rows: virtual, on the line API, as quick with a million rows as with ten."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from .fitting import fit

__all__ = ["Cell", "NoRows", "RowHeading", "RowList", "RowSource"]

Cell = tuple[str, str]
"""A text of a fixed width, blanks included, and its role: one of `RowList.ROLES`."""


class RowSource(Protocol):
    """What a list shows. An item keeps its number while items are added at the end."""

    def __len__(self) -> int: ...

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        """The cells of an item; together they are `width` columns wide, or less."""
        ...

    def heading(self, width: int) -> str:
        """The names of the columns, at the same widths."""
        ...


class NoRows:
    """The source of an empty list."""

    def __len__(self) -> int:
        return 0

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        return ()

    def heading(self, width: int) -> str:
        return ""


class RowHeading(Widget):
    """The names of the columns, over a list; two columns are left to its cursor."""

    DEFAULT_CSS = """
    RowHeading { height: 1; padding: 0 1 0 0; color: $text-muted; background: $boost; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._source: RowSource = NoRows()

    def show(self, source: RowSource) -> None:
        """Name the columns of this source."""
        self._source = source
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = fit("  " + self._source.heading(width - 2), width)
        return Strip([Segment(line, self.rich_style)])


class RowList(ScrollView, can_focus=True):
    """Shows the items of a source, or those of `narrowed` alone (their numbers, ascending).

    `cursor` is the selected *item*, not the row, so it stays where it is when a filter comes or goes.
    """

    ROLES: ClassVar = ("plain", "muted", "strong", "good", "bad", "look", "accent")
    COMPONENT_CLASSES: ClassVar = {
        *(f"row-list--{role}" for role in ROLES),
        "row-list--cursor",
        "row-list--cursor-blurred",
    }
    DEFAULT_CSS = """
    RowList {
        height: 1fr;
        width: 1fr;
        overflow-x: hidden;
        scrollbar-size-horizontal: 0;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable; /* the columns stand below their heading, scrollbar or not */
        & > .row-list--plain { color: $foreground; }
        & > .row-list--muted { color: $text-muted; }
        & > .row-list--strong { text-style: bold; }
        & > .row-list--good { color: $text-success; }
        & > .row-list--bad { color: $text-error; text-style: bold; }
        & > .row-list--look { color: $text-warning; text-style: bold; }
        & > .row-list--accent { color: $text-accent; }
        & > .row-list--cursor { background: $primary-muted; text-style: bold; }
        & > .row-list--cursor-blurred { background: $boost; }
    }
    """

    cursor: reactive[int] = reactive(0, init=False)

    @dataclass
    class Selected(Message):
        """Another item is selected."""

        list: RowList
        item: int

        @property
        def control(self) -> RowList:
            return self.list

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, RowList.Selected) and message.list is self.list

    @dataclass
    class Opened(Message):
        """The selected item is to be opened."""

        list: RowList
        item: int

        @property
        def control(self) -> RowList:
            return self.list

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.source: RowSource = NoRows()
        self.narrowed: Sequence[int] | None = None
        self.empty = empty
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(1024)
        self._styles: dict[tuple[str, bool], Style] = {}
        self._unplaced = False

    # -- what it shows -----------------------------------------------------------------------------

    def show(self, source: RowSource, narrowed: Sequence[int] | None = None) -> None:
        """Show another source, or the same with more in it; the selection stays where it still exists."""
        self.source = source
        self.narrowed = narrowed
        self._changed()
        if len(source):
            self.set_reactive(RowList.cursor, max(0, min(self.cursor, len(source) - 1)))

    def _changed(self) -> None:
        self._strips.clear()
        self.virtual_size = Size(0, max(self.row_count, 1))
        self.refresh()

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.source) if self.narrowed is None else len(self.narrowed)

    def item_at(self, row: int) -> int:
        """The item that a row shows."""
        return row if self.narrowed is None else self.narrowed[row]

    def row_of(self, item: int) -> int:
        """The row of an item, or the one after where it is not shown."""
        row = item if self.narrowed is None else bisect_left(self.narrowed, item)
        return max(min(row, self.row_count - 1), 0)

    @property
    def at_end(self) -> bool:
        """Whether the last row is selected."""
        return bool(self.row_count) and self.cursor >= self.item_at(self.row_count - 1)

    # -- moving ------------------------------------------------------------------------------------

    def select(self, item: int, *, centre: bool = False) -> None:
        """Select an item and bring it into view, in the middle when it was far away."""
        if not self.row_count:
            return
        row = self.row_of(item)
        self.cursor = self.item_at(row)
        top, height = self.scroll_offset.y, self.size.height
        if not height:  # no layout yet: it is brought into view as soon as there is one
            self._unplaced = True
        elif self._unplaced or row < top or row >= top + height:
            near = not self._unplaced and not centre and top - 1 <= row <= top + height
            self._unplaced = False
            target = (row if row < top else row - height + 1) if near else row - height // 2
            self.scroll_to(y=max(target, 0), animate=False, force=True)

    def select_row(self, row: int) -> None:
        """Select a row by its place; beyond an end means the end."""
        if self.row_count:
            self.select(self.item_at(max(0, min(row, self.row_count - 1))))

    def watch_cursor(self, old: int, item: int) -> None:
        self.refresh()
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

    def on_resize(self) -> None:
        self._changed()
        self.call_after_refresh(self._keep_in_view)

    def _keep_in_view(self) -> None:
        if self.row_count:
            self.select(self.cursor)

    # -- drawing -----------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def on_focus(self) -> None:
        self._focus_changed()

    def on_blur(self) -> None:
        self._focus_changed()

    def _focus_changed(self) -> None:
        self._styles.clear()
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        row = self.scroll_offset.y + y
        if row >= self.row_count:
            text = self.empty if not self.row_count and row == 0 else ""
            return Strip([Segment(fit(f"  {text}", width), self._style("muted", False))], width)
        item = self.item_at(row)
        key = (item, item == self.cursor, width)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._strip(item, item == self.cursor, width)
        return strip

    def _strip(self, item: int, selected: bool, width: int) -> Strip:
        segments = [Segment("▌ " if selected else "  ", self._style("accent", selected))]
        segments += [
            Segment(text, self._style(role, selected)) for text, role in self.source.cells(item, width - 2)
        ]
        return Strip(segments).adjust_cell_length(width, self._style("plain", selected))

    def _style(self, role: str, selected: bool) -> Style:
        key = (role, selected)
        style = self._styles.get(key)
        if style is None:
            style = self.rich_style + self.get_component_rich_style(f"row-list--{role}", partial=True)
            if selected:
                name = "row-list--cursor" if self.has_focus else "row-list--cursor-blurred"
                style += self.get_component_rich_style(name, partial=True)
            self._styles[key] = style
        return style
