"""One line of parts that are shown whole or not at all: the least important ones go first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widget import Widget

__all__ = ["TitleLine", "TitlePart", "fitted"]

_BETWEEN = 2
# The parts at the right end keep this far from those at the left.
_APART = 3


class TitlePart(NamedTuple):
    """A part of the line. The one of the highest `rank` is left out first; `right` puts it at the right end."""

    content: Content
    rank: int
    right: bool = False


class TitleLine(Widget):
    """Shows the parts for which there is room, each as a whole."""

    def __init__(self, parts: Sequence[TitlePart] = (), *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._parts = tuple(parts)

    def show(self, parts: Sequence[TitlePart]) -> None:
        """Show other parts."""
        self._parts = tuple(parts)
        self.refresh()

    def render(self) -> Content:
        return fitted(self._parts, self.content_size.width)


def fitted(parts: Sequence[TitlePart], width: int) -> Content:
    """The parts that fit into `width` columns; the most important one is always there."""
    shown = list(parts)
    while len(shown) > 1 and _length(shown) > width:
        shown.remove(max(shown, key=lambda part: part.rank))
    left, right = _joined(shown, right=False), _joined(shown, right=True)
    if not right.cell_length:
        return left
    return Content.assemble(left, " " * max(width - left.cell_length - right.cell_length, 0), right)


def _length(parts: Sequence[TitlePart]) -> int:
    sides = [_joined(parts, right=right).cell_length for right in (False, True)]
    return sum(sides) + (_APART if all(sides) else 0)


def _joined(parts: Sequence[TitlePart], *, right: bool) -> Content:
    return Content(" " * _BETWEEN).join([part.content for part in parts if part.right == right])
