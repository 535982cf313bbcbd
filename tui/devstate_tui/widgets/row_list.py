"""A list over any source of rows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import ClassVar, Protocol

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from .fitting import fit
from .virtual_list import VirtualList

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


class RowList(VirtualList):
    """Shows the items of a source, or those of `narrowed` alone (their numbers, ascending)."""

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

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.source: RowSource = NoRows()
        self.narrowed: Sequence[int] | None = None
        self.empty = empty
        self._styles: dict[tuple[str, bool], Style] = {}

    # -- what it shows -----------------------------------------------------------------------------

    def show(self, source: RowSource, narrowed: Sequence[int] | None = None) -> None:
        """Show another source, or the same with more in it; the selection stays where it still exists."""
        self.source = source
        self.narrowed = narrowed
        self.content_changed()
        if len(source):
            self.set_reactive(RowList.cursor, max(0, min(self.cursor, len(source) - 1)))

    @property
    def row_count(self) -> int:
        return len(self.source) if self.narrowed is None else len(self.narrowed)

    def item_at(self, row: int) -> int:
        return row if self.narrowed is None else self.narrowed[row]

    def row_of(self, item: int) -> int:
        row = item if self.narrowed is None else bisect_left(self.narrowed, item)
        return max(min(row, self.row_count - 1), 0)

    # -- drawing -----------------------------------------------------------------------------------

    def styles_changed(self) -> None:
        self._styles.clear()
        super().styles_changed()

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
