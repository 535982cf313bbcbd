"""A list of one-line rows with a cursor, drawn line by line: as fast with ten thousand rows as with ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from devstate_tui.actions import bindings

from .fitting import fit

__all__ = ["LineList", "Row"]


@dataclass(frozen=True)
class Row:
    """`parts` are (text, tone); a tone is one of `LineList.TONES`. `value` is what choosing it yields."""

    parts: tuple[tuple[str, str], ...]
    value: object = None


class LineList(ScrollView, can_focus=True):
    """Rows to move over and choose from; posts `Chosen`. Without rows it shows `empty`."""

    TONES: ClassVar = ("good", "bad", "look", "muted", "strong", "plain")
    COMPONENT_CLASSES: ClassVar = {f"line-list--{tone}" for tone in TONES} | {"line-list--cursor"}
    BINDINGS = bindings("overview.list")
    DEFAULT_CSS = """
    LineList {
        height: 1fr;
        scrollbar-size-horizontal: 0;
        scrollbar-size-vertical: 1;
        .line-list--good { color: $success; }
        .line-list--bad { color: $error; }
        .line-list--look { color: $warning; }
        .line-list--muted { color: $text-muted; }
        .line-list--strong { text-style: bold; }
        .line-list--cursor { background: $block-cursor-background; }
    }
    """

    cursor = reactive(0)

    @dataclass
    class Chosen(Message):
        """A row was chosen with Enter, Space or a click."""

        list: LineList
        index: int
        value: object

        @property
        def control(self) -> LineList:
            return self.list

    def __init__(self, rows: Sequence[Row] = (), *, empty: str = "", name: str | None = None) -> None:
        super().__init__(id=name)
        self._rows: tuple[Row, ...] = tuple(rows)
        self.empty = empty

    def on_mount(self) -> None:
        self._measure()

    @property
    def rows(self) -> tuple[Row, ...]:
        return self._rows

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; the cursor stays on the row of the same value, else on the same line."""
        old = self._rows[self.cursor].value if self.cursor < len(self._rows) else None
        before = len(self._rows)
        self._rows = tuple(rows)
        same = next(
            (i for i, row in enumerate(self._rows) if old is not None and row.value == old), self.cursor
        )
        self._measure()
        self.cursor = max(0, min(same, len(self._rows) - 1))
        self.refresh(layout=len(self._rows) != before)

    def _measure(self) -> None:
        self.virtual_size = Size(0, max(1, len(self._rows)))

    # -- drawing -----------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        base = self.rich_style
        if not self._rows:
            text = self.empty if index == 0 else ""
            muted = self.get_component_rich_style("line-list--muted")
            return Strip([Segment(fit(f"  {text}", width), base + muted)], width)
        if index >= len(self._rows):
            return Strip.blank(width, base)
        selected = index == self.cursor
        style = base
        if selected and self.has_focus:
            style = base + self.get_component_rich_style("line-list--cursor", partial=True)
        return Strip(self._segments(self._rows[index], selected and self.has_focus, style, width), width)

    def _segments(self, row: Row, marked: bool, style: Style, width: int) -> list[Segment]:
        accent = style + Style(bold=True)
        segments = [Segment("▌ " if marked else "  ", accent)]
        # A free column keeps the text off the scroll bar.
        free = 1 if self.show_vertical_scrollbar else 0
        room = width - 2 - free
        for text, tone in row.parts:
            size = cell_len(text)
            if size > room:
                text, size = fit(text, room), room
            partial = (
                self.get_component_rich_style(f"line-list--{tone}", partial=True) if tone else Style.null()
            )
            segments.append(Segment(text, style + partial))
            room -= size
            if room <= 0:
                break
        segments.append(Segment(" " * (max(0, room) + free), style))
        return segments

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # -- moving ------------------------------------------------------------------------------------

    def watch_cursor(self, old: int, new: int) -> None:
        if self.is_mounted:
            self.scroll_to_region(Region(0, new, 1, 1), animate=False, force=True)
            self.refresh()

    def _move(self, by: int) -> None:
        self.cursor = max(0, min(self.cursor + by, len(self._rows) - 1))

    def action_down(self) -> None:
        self._move(1)

    def action_up(self) -> None:
        self._move(-1)

    def action_page_down(self) -> None:
        self._move(max(1, self.scrollable_content_region.height - 1))

    def action_page_up(self) -> None:
        self._move(-max(1, self.scrollable_content_region.height - 1))

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self._move(len(self._rows))

    def action_open(self) -> None:
        if self.cursor < len(self._rows):
            self.post_message(self.Chosen(self, self.cursor, self._rows[self.cursor].value))

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if index >= len(self._rows):
            return
        self.cursor = index
        self.action_open()
