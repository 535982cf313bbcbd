"""The map of a whole chain in one column: each cell stands for many entries and shows the gravest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from devstate_tui.models.letters import Cell, Kind, cell_of, map_cells
from devstate_tui.models.matches import Matches

__all__ = ["Minimap"]

# Told apart without colour, too.
GLYPHS: dict[Kind, str] = {
    "broken": "██",
    "unverified": "░░",
    "weak": "▒▒",
    "good": "▓▓",
    "unread": "··",
    "empty": "  ",
}


class Minimap(Widget):
    """Four columns: what is in view, two of the map, and marks (the selected entry, bookmarks, matches).

    A click or a drag asks to go to the entry that a cell stands for.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "minimap--view",
        "minimap--mark",
        *(f"minimap--{kind}" for kind in GLYPHS),
    }

    @dataclass
    class Jumped(Message):
        """The user pointed at this entry."""

        entry: int

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Minimap.Jumped)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._letters = b""
        self._total = 0
        self._view = (0, -1)
        self._selected = -1
        self._view_cells = (0, -1)
        self._selected_cell = -1
        self._strips: dict[tuple[Kind, bool, str], Strip] = {}
        self._marks: Sequence[int] = ()
        self._matches: Matches | None = None
        self._cells: tuple[Cell, ...] = ()
        self._dragging = False

    def set_letters(self, letters: bytes, total: int) -> None:
        """Show another chain, or more of the same one."""
        self._letters, self._total = letters, max(total, len(letters))
        self._remap()

    def set_view(self, first: int, last: int, selected: int) -> None:
        """Show which entries are on screen and which one is selected."""
        self._view, self._selected = (first, last), selected
        self._place()

    def _place(self) -> None:
        """Find the lines of the view and the selection; draw again only where they are other ones."""
        first, last = self._view
        lines = (self.cell(first), self.cell(last)) if last >= first else (0, -1)
        selected = self.cell(self._selected) if self._selected >= 0 else -1
        if (lines, selected) != (self._view_cells, self._selected_cell):
            self._view_cells, self._selected_cell = lines, selected
            self.refresh()

    def set_marks(self, bookmarked: Sequence[int], matches: Matches | None) -> None:
        """Show where the bookmarks and the matches are."""
        self._marks, self._matches = bookmarked, matches
        self.refresh()

    def _remap(self) -> None:
        self._cells = map_cells(self._letters, self._total, self.size.height)
        self._place()
        self.refresh()

    def on_resize(self) -> None:
        self._strips.clear()
        self._remap()

    def cell(self, entry: int) -> int:
        """The line of the map that stands for an entry."""
        return cell_of(entry, self._total, self.size.height)

    # -- drawing -----------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        if y >= len(self._cells):
            return self._strip("empty", False, " ")
        cell = self._cells[y]
        first, last = self._view_cells
        seen = first <= y <= last and cell.kind != "empty"
        return self._strip(cell.kind, seen, self._mark(y, cell))

    def _strip(self, kind: Kind, seen: bool, mark: str) -> Strip:
        """There are but few different lines; the same one is the same strip, with all that is cached in it."""
        key = (kind, seen, mark)
        strip = self._strips.get(key)
        if strip is None:
            style = self.get_component_rich_style
            strip = Strip(
                [
                    Segment("┃" if seen else " ", style("minimap--view")),
                    Segment(GLYPHS[kind], style(f"minimap--{kind}")),
                    Segment(mark, style("minimap--mark")),
                ],
                4,
            ).adjust_cell_length(self.size.width, self.rich_style)
            self._strips[key] = strip
        return strip

    def _mark(self, y: int, cell: Cell) -> str:
        if cell.kind == "empty":
            return " "
        if y == self._selected_cell:
            return "◂"
        if any(cell.first <= entry < cell.stop for entry in self._marks):
            return "◆"
        if self._matches is not None and self._matches.any_in(cell.first, cell.stop):
            return "•"
        return " "

    # -- pointing ----------------------------------------------------------------------------------

    def _jump(self, y: int) -> None:
        if not self._cells or not self._total:
            return
        cell = self._cells[max(0, min(y, len(self._cells) - 1))]
        # A cell with a break is pointed at because of the break, not because of its first entry.
        broken = self._letters.find(b"B", cell.first, cell.stop)
        self.post_message(self.Jumped(broken if broken >= 0 else min(cell.first, self._total - 1)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.capture_mouse()
        self._dragging = True
        self._jump(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._jump(event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._dragging = False
        self.release_mouse()
