"""The list of the entries of a history."""

from __future__ import annotations

from collections.abc import Container
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from devstate_tui.actions import bindings
from devstate_tui.models.chain import ChainModel
from devstate_tui.models.letters import tone_of
from devstate_tui.models.matches import Matches

from .entry_columns import Column, columns_for, heading, texts
from .virtual_list import VirtualList

__all__ = ["EntryHeading", "EntryList"]

_ROLES = ("number", "warned", "when", "actor", "action", "cp", "hmac", "mark")
_TONES = ("good", "weak", "public", "unverified", "broken")


class EntryHeading(Widget):
    """The names of the columns, over the list."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._total = 0

    def set_total(self, total: int) -> None:
        """Tell how many entries the list has: the width of the numbers depends on it."""
        if total != self._total:
            self._total = total
            self.refresh()

    def render_line(self, y: int) -> Strip:
        line = heading(columns_for(self.size.width, self._total))
        return Strip([Segment(line, self.rich_style)]).adjust_cell_length(self.size.width, self.rich_style)


class EntryList(VirtualList):
    """All entries of a model, or, in `matches_only`, those that a filter lets through."""

    BINDINGS = bindings("chain.list")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "entry-list--cursor",
        "entry-list--cursor-blurred",
        "entry-list--match",
        *(f"entry-list--{role}" for role in _ROLES),
        *(f"entry-list--{tone}" for tone in _TONES),
    }

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.model: ChainModel | None = None
        self.matches: Matches | None = None
        self.matches_only = True
        self.bookmarked: Container[int] = frozenset()
        self._styles: dict[tuple[str, bool, bool], Style] = {}
        self._pointed = False

    # -- what it shows -----------------------------------------------------------------------------

    def set_model(self, model: ChainModel | None) -> None:
        """Show another reading; the selection and the place on screen stay where they still exist."""
        self.model = model
        self.content_changed()
        if model is not None and model.count:
            self.set_reactive(EntryList.cursor, min(self.cursor, model.count - 1))

    def set_matches(self, matches: Matches | None, *, only: bool) -> None:
        """Show the result of a filter: only the matches, or all entries with the matches marked."""
        self.matches = matches
        self.matches_only = only
        self.content_changed()

    def matches_grew(self) -> None:
        """The search has found more."""
        self.content_changed()

    def set_bookmarked(self, entries: Container[int]) -> None:
        """Mark these entries as bookmarked."""
        self.bookmarked = entries
        self.content_changed()

    @property
    def _narrowed(self) -> Matches | None:
        return self.matches if self.matches_only else None

    @property
    def row_count(self) -> int:
        if self.model is None:
            return 0
        return self.model.count if self._narrowed is None else len(self._narrowed)

    def item_at(self, row: int) -> int:
        return row if self._narrowed is None else self._narrowed[row]

    def row_of(self, item: int) -> int:
        row = item if self._narrowed is None else self._narrowed.row_of(item)
        return max(min(row, self.row_count - 1), 0)

    @property
    def in_view(self) -> tuple[int, int]:
        """The first and the last entry on screen; (0, -1) where there is none."""
        if not self.row_count:
            return (0, -1)
        top = min(self.scroll_offset.y, self.row_count - 1)
        bottom = min(top + max(self.size.height, 1), self.row_count) - 1
        return self.item_at(top), self.item_at(bottom)

    # -- drawing -----------------------------------------------------------------------------------

    def on_enter(self) -> None:
        # Where each letter stands is needed to mark text with the mouse, and dear to note: only from now on.
        if not self._pointed:
            self._pointed = True
            self._strips.clear()
            self.refresh()

    def styles_changed(self) -> None:
        self._styles.clear()
        super().styles_changed()

    def render_line(self, y: int) -> Strip:
        row = self.scroll_offset.y + y
        if self.model is None or row >= self.row_count:
            return self._blank
        entry = self.item_at(row)
        key = (row, entry, entry == self.cursor)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strip(self.model, entry, entry == self.cursor, self.size.width)
            if self._pointed:
                strip = strip.apply_offsets(0, row)
            self._strips[key] = strip
        selection = self.text_selection
        if selection is not None:
            return self._with_selection(strip, selection, row).apply_offsets(0, row)
        return strip

    @property
    def _blank(self) -> Strip:
        strip = self._strips.get(())
        if strip is None:
            strip = self._strips[()] = Strip.blank(self.size.width, self._style("entry-list"))
        return strip

    def _strip(self, model: ChainModel, entry: int, selected: bool, width: int) -> Strip:
        row = model.row(entry)
        matched = self.matches is not None and not self.matches_only and entry in self.matches
        mark = "▌" if selected else " "
        mark += "◆" if entry in self.bookmarked else ("›" if matched else " ")
        segments: list[Segment] = []
        for role, text in texts(row, self._columns(width), mark):
            name = f"entry-list--{_tone(row.letter) if role == 'letter' else role}"
            if row.letter == "B" and role == "action":
                name = "entry-list--broken"
            segments.append(Segment(text, self._style(name, selected, matched)))
        return Strip(segments).adjust_cell_length(width, self._style("entry-list", selected, matched))

    def _columns(self, width: int) -> tuple[Column, ...]:
        return columns_for(width, 0 if self.model is None else self.model.total)

    def _style(self, name: str, selected: bool = False, matched: bool = False) -> Style:
        key = (name, selected, matched)
        style = self._styles.get(key)
        if style is None:
            style = self.rich_style if name == "entry-list" else self.get_component_rich_style(name)
            if matched:
                style += self.get_component_rich_style("entry-list--match", partial=True)
            if selected:
                cursor = "entry-list--cursor" if self.has_focus else "entry-list--cursor-blurred"
                style += self.get_component_rich_style(cursor, partial=True)
            self._styles[key] = style
        return style

    def _with_selection(self, strip: Strip, selection: Selection, row: int) -> Strip:
        span = selection.get_span(row)
        if span is None:
            return strip
        start, end = span
        end = strip.cell_length if end == -1 else min(end, strip.cell_length)
        start = min(start, end)
        style = self.screen.get_component_rich_style("screen--selection")
        before, chosen, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
        chosen = Strip([Segment(text, (old or Style()) + style) for text, old, _ in chosen], end - start)
        return Strip.join([before, chosen, after])

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text that the mouse has marked; no more rows than were on screen count."""
        if self.model is None or not self.row_count:
            return None
        first = max(selection.start.y if selection.start else self.scroll_offset.y, 0)
        last = selection.end.y if selection.end else self.scroll_offset.y + self.size.height - 1
        columns = self._columns(self.size.width)
        lines: list[str] = []
        for row in range(first, min(last + 1, self.row_count, first + 1000)):
            shown = "".join(text for _, text in texts(self.model.row(self.item_at(row)), columns, "  "))
            start, end = selection.get_span(row) or (0, -1)
            lines.append(shown[start:] if end == -1 else shown[start:end])
        return "\n".join(line.rstrip() for line in lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()


def _tone(letter: str) -> str:
    """A public key concerns all entries alike: the title says so once, no row has to shout it."""
    return "public" if letter == "U" else tone_of(letter)
