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
        if (first, last, selected) != (*self._view, self._selected):
            self._view, self._selected = (first, last), selected
            self.refresh()

    def set_marks(self, bookmarked: Sequence[int], matches: Matches | None) -> None:
        """Show where the bookmarks and the matches are."""
        self._marks, self._matches = bookmarked, matches
        self.refresh()

    def _remap(self) -> None:
        self._cells = map_cells(self._letters, self._total, self.size.height)
        self.refresh()

    def on_resize(self) -> None:
        self._remap()

    def cell(self, entry: int) -> int:
        """The line of the map that stands for an entry."""
        return cell_of(entry, self._total, self.size.height)

    # -- drawing -----------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        if y >= len(self._cells):
            return Strip.blank(self.size.width, self.rich_style)
        cell = self._cells[y]
        first, last = self._view
        seen = last >= first and self.cell(first) <= y <= self.cell(last) and cell.kind != "empty"
        style = self.get_component_rich_style
        return Strip(
            [
                Segment("┃" if seen else " ", style("minimap--view")),
                Segment(GLYPHS[cell.kind], style(f"minimap--{cell.kind}")),
                Segment(self._mark(y, cell), style("minimap--mark")),
            ]
        ).adjust_cell_length(self.size.width, self.rich_style)

    def _mark(self, y: int, cell: Cell) -> str:
        if cell.kind == "empty":
            return " "
        if self._selected >= 0 and self.cell(self._selected) == y:
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
