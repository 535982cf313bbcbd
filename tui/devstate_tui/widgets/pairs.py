"""Labels and values below each other; a long value goes on beside its label, at whatever width there is."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from .fitting import fold

__all__ = ["Pairs"]

_DIGITS = 64  # of a SHA-256 checksum


class Pairs(Widget):
    """`pairs` are (label, value); both are texts that are safe to show, never markup."""

    DEFAULT_CSS = """
    Pairs { height: auto; width: 1fr; }
    """

    pairs: reactive[tuple[tuple[str, str], ...]] = reactive((), layout=True)

    def __init__(self, label_width: int, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.label_width = label_width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))

    def _lines(self, width: int) -> list[Content]:
        lines: list[Content] = []
        for label, value in self.pairs:
            first, *rest = _folded(value, width - self.label_width)
            lines.append(Content.assemble((label.ljust(self.label_width), "$text-muted"), first))
            lines += [Content(" " * self.label_width + line) for line in rest]
        return lines


def _folded(value: str, width: int) -> list[str]:
    """At most `width` columns; a checksum in halves, which are easier to compare."""
    if len(value) == _DIGITS and " " not in value and width < _DIGITS:
        return fold(f"{value[: _DIGITS // 2]} {value[_DIGITS // 2 :]}", width)
    return fold(value, width)
