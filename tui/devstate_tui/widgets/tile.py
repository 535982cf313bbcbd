"""One line of the Overview that can be opened: `label  glyph word  text`."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from devstate_tui.actions import bindings
from devstate_tui.models.lines import Line

from .fitting import cell_len, fit, fold

__all__ = ["Tile"]

_LEAST = 20  # columns beside the word that are worth an indented second line


class Tile(Widget, can_focus=True):
    """Shows a `Line`; Enter or a click posts `Opened`."""

    ALLOW_SELECT = False
    BINDINGS = bindings("overview.tile")
    DEFAULT_CSS = """
    Tile {
        height: 1;
        width: 1fr;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &:focus { background: $block-cursor-background; }
        &:hover { background: $panel; pointer: pointer; }
        &:focus:hover { background: $block-cursor-background; }
    }
    """

    label_width = reactive(13)

    @dataclass
    class Opened(Message):
        """This line was opened."""

        tile: Tile
        line: Line

        @property
        def control(self) -> Tile:
            return self.tile

    def __init__(self, name: str, label: str) -> None:
        super().__init__(id=name)
        self.line = Line(name, label, "·", "", "not read yet", "muted", "text")
        self.word_width = 0

    def show(self, line: Line, word_width: int = 0) -> None:
        """Show this line; words are padded to `word_width`, so that texts stand below each other."""
        if (line, word_width) != (self.line, self.word_width):
            self.line, self.word_width = line, word_width
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._content(width).plain.count("\n") + 1

    def render(self) -> Content:
        return self._content(self.content_size.width)

    def _content(self, width: int) -> Content:
        """The line in `width` columns; where it may wrap, its other lines begin below the text."""
        line = self.line
        mark = ("▌ ", "bold") if self.has_focus else ("  ", "")
        label = line.label.ljust(self.label_width) if line.label else ""
        tone = {"good": "$success", "bad": "$error", "look": "$warning", "muted": "$text-muted"}.get(
            line.tone, ""
        )
        word = fit(line.word, max(self.word_width, cell_len(line.word)))
        begin = Content.assemble(
            mark,
            (label, "$text-muted"),
            (f"{line.glyph} ", f"bold {tone}".strip()),
            (word, f"bold {tone}".strip()),
            ("  " if word.strip() else "", ""),
            (f"{line.picture}  " if line.picture else "", "$text-muted"),
        )
        room = width - begin.cell_length
        text = self._text(room)
        if self.styles.text_wrap == "nowrap" or cell_len(text) <= room or room < _LEAST:
            return begin + Content(text)
        return begin + Content(("\n" + " " * begin.cell_length).join(fold(text, room)))

    def _text(self, room: int) -> str:
        """The longest form that can be shown whole; where none can, the text, or of several the shortest."""
        forms = (self.line.text, *self.line.shorter)
        return next((form for form in forms if cell_len(form) <= room), forms[-1])

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_down(self) -> None:
        self.screen.focus_next()

    def action_up(self) -> None:
        self.screen.focus_previous()

    def action_open(self) -> None:
        self.post_message(self.Opened(self, self.line))

    def on_click(self) -> None:
        self.action_open()
