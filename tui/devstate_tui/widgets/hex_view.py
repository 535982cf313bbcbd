"""Bytes as hexadecimal numbers and letters, with a cursor on one of them and a range that is lit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from devstate_tui.actions import bindings

__all__ = ["HexView"]

_MARGIN = 1  # before the offset
_BYTE = 3  # columns of one byte


class HexView(ScrollView, can_focus=True):
    """Shows `data`; `cursor` is an offset into it, `lit` the range [start, end) that belongs together.

    Moving the cursor posts `Moved`; `light` does not.
    """

    BINDINGS = bindings("wal.hex")
    COMPONENT_CLASSES: ClassVar = {"hex--offset", "hex--byte", "hex--zero", "hex--lit", "hex--cursor"}
    DEFAULT_CSS = """
    HexView {
        height: 1fr;
        width: 1fr;
        overflow-x: hidden;
        scrollbar-size-horizontal: 0;
        scrollbar-size-vertical: 1;
        & > .hex--offset { color: $text-muted; }
        & > .hex--byte { color: $foreground; }
        & > .hex--zero { color: $text-muted; }
        & > .hex--lit { color: $text-accent; background: $primary-muted; text-style: bold underline; }
        & > .hex--cursor { text-style: bold reverse; }
    }
    """

    cursor: reactive[int] = reactive(0, init=False)

    @dataclass
    class Moved(Message):
        """The cursor stands on another byte."""

        offset: int

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, HexView.Moved)

    class Left(Message):
        """The user is done here."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.data = b""
        self.base = 0
        self.lit = (0, 0)

    # -- what it shows -----------------------------------------------------------------------------

    def show(self, data: bytes, base: int = 0) -> None:
        """Show other bytes; `base` is what the offset of the first one is called."""
        if (data, base) != (self.data, self.base):
            self.data, self.base, self.lit = data, base, (0, 0)
            self.set_reactive(HexView.cursor, 0)
            self._measure()
            self.scroll_home(animate=False)

    def light(self, start: int, end: int, *, follow: bool = True) -> None:
        """Light a range; with `follow` the cursor goes to its first byte."""
        self.lit = (start, end)
        if follow:
            self.set_reactive(HexView.cursor, max(0, min(start, len(self.data) - 1)))
            self._keep_in_view()
        self.refresh()

    @property
    def per_row(self) -> int:
        """How many bytes a row has: 16 where there is room, else 8 or 4."""
        width = self.size.width - 1
        room = width - _MARGIN - self._digits - 2
        return next((count for count in (16, 8) if room >= count * (_BYTE + 1) + 1), 4)

    @property
    def _digits(self) -> int:
        return max(4, len(f"{self.base + len(self.data):x}"))

    def _measure(self) -> None:
        rows = -(-len(self.data) // self.per_row)
        self.virtual_size = Size(0, max(rows, 1))
        self.refresh()

    def on_resize(self) -> None:
        self._measure()
        self._keep_in_view()

    # -- moving ------------------------------------------------------------------------------------

    def move_to(self, offset: int) -> None:
        """Put the cursor on a byte, as the user does."""
        if self.data:
            self.cursor = max(0, min(offset, len(self.data) - 1))

    def watch_cursor(self, old: int, offset: int) -> None:
        self._keep_in_view()
        self.refresh()
        self.post_message(self.Moved(offset))

    def _keep_in_view(self) -> None:
        row, top, height = self.cursor // self.per_row, self.scroll_offset.y, self.size.height
        if height and not top <= row < top + height:
            self.scroll_to(y=row if row < top else row - height + 1, animate=False, force=True)

    def action_left(self) -> None:
        self.move_to(self.cursor - 1)

    def action_right(self) -> None:
        self.move_to(self.cursor + 1)

    def action_up(self) -> None:
        if self.cursor >= self.per_row:
            self.move_to(self.cursor - self.per_row)

    def action_down(self) -> None:
        self.move_to(self.cursor + self.per_row)

    def action_page_down(self) -> None:
        self.move_to(self.cursor + self.per_row * max(self.size.height - 1, 1))

    def action_page_up(self) -> None:
        self.move_to(self.cursor - self.per_row * max(self.size.height - 1, 1))

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(len(self.data) - 1)

    def action_back(self) -> None:
        self.post_message(self.Left())

    def on_click(self, event: events.Click) -> None:
        column = event.x - _MARGIN - self._digits - 2
        per_row = self.per_row
        at = column // _BYTE if column < per_row * _BYTE else column - per_row * _BYTE - 1
        if 0 <= at < per_row:
            self.move_to((self.scroll_offset.y + event.y) * per_row + at)

    # -- drawing -----------------------------------------------------------------------------------

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width, per_row = self.size.width, self.per_row
        first = (self.scroll_offset.y + y) * per_row
        part = self.data[first : first + per_row]
        base = self.rich_style
        if not part:
            return Strip.blank(width, base)
        styles = {
            name: base + self.get_component_rich_style(f"hex--{name}", partial=True)
            for name in ("offset", "byte", "zero", "lit", "cursor")
        }
        segments = [
            Segment(" " * _MARGIN, base),
            Segment(f"{self.base + first:0{self._digits}x}  ", styles["offset"]),
        ]
        for at, byte in enumerate(part, first):
            style = self._style(at, byte, styles)
            joined = at + 1 < first + len(part) and self._lit(at) and self._lit(at + 1)
            segments.append(Segment(f"{byte:02x}", style))
            segments.append(Segment(" ", styles["lit"] if joined else base))
        segments.append(Segment("   " * (per_row - len(part)) + " ", base))
        for at, byte in enumerate(part, first):
            letter = chr(byte) if 0x20 <= byte < 0x7F else "·"
            segments.append(Segment(letter, self._style(at, byte, styles)))
        return Strip(segments).adjust_cell_length(width, base)

    def _lit(self, at: int) -> bool:
        return self.lit[0] <= at < self.lit[1]

    def _style(self, at: int, byte: int, styles: dict[str, Style]) -> Style:
        style = styles["lit"] if self._lit(at) else styles["byte" if byte else "zero"]
        return style + styles["cursor"] if at == self.cursor and self.has_focus else style
