"""How far something is: a bar over the whole width and the percentage, drawn only when it changes.

Filled and empty part are different characters, so that it can be read without colour.
"""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

__all__ = ["ProgressLine", "bar"]

_NUMBER = 5  # columns of ` 100%`


class ProgressLine(Widget):
    """`part` is from 0 to 1."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    ProgressLine { height: 1; width: 1fr; text-wrap: nowrap; }
    """

    part = reactive(0.0)

    def render(self) -> Content:
        filled, empty = bar(self.part, max(0, self.content_size.width - _NUMBER))
        number = f"{self.part:.0%}".rjust(_NUMBER)
        return Content.assemble((filled, "$accent"), (empty, "$text-muted"), number)


def bar(part: float, width: int) -> tuple[str, str]:
    """The filled and the empty part of a bar of `width` columns."""
    filled = min(width, max(0, int(part * width)))
    return "█" * filled, "░" * (width - filled)
