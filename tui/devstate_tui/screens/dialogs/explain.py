"""The very bytes that an HMAC is taken over, with the fields marked in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from devstate_tui.models.detail import Fact
from devstate_tui.models.explained import Piece, explained
from devstate_tui.widgets.entry_detail import STYLES
from devstate_tui.widgets.fitting import cell_len, chop, fold

from .dialog import Dialog

if TYPE_CHECKING:
    from devstate.chain import Entry, Explanation

__all__ = ["ExplainDialog", "ExplainOutcome"]

# Neighbours differ in colour and, without colour, in being underlined or not.
_MARKS = (
    "$text-primary underline",
    "$text-success",
    "$text-warning underline",
    "$text-accent",
    "$text-secondary underline",
)


@dataclass(frozen=True)
class ExplainOutcome:
    """Nothing is chosen here."""


class ExplainDialog(Dialog[ExplainOutcome]):
    """Shows what v1 covers of one entry, byte for byte."""

    def __init__(self, entry: Entry, explanation: Explanation) -> None:
        super().__init__(f"What the HMAC of entry {entry.index:,} covers")
        self._entry = entry
        self._explanation = explanation

    def compose_body(self) -> Iterable[Widget]:
        scroll = VerticalScroll(Static(id="explained", markup=False), classes="scroll")
        scroll.can_focus = False  # the keys of the dialog scroll it
        yield scroll

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        width = max(self.query_one(VerticalScroll).scrollable_content_region.width - 1, 20)
        shown = _content(explained(self._entry, self._explanation), width)
        self.query_one("#explained", Static).update(shown)

    def outcome_of(self, button: str) -> ExplainOutcome:
        return ExplainOutcome()


def _content(shown: tuple[list[Piece], list[Fact], list[str]], width: int) -> Content:
    pieces, verdict, uncovered = shown
    lines = [Content("These bytes, one field after the other with nothing between them:"), Content("")]
    lines += _run(pieces, width) or [
        Content("(a covered field is missing or no text: there is nothing to sign)")
    ]
    lines.append(Content(""))
    for label, value, role in verdict:
        head = label.ljust(10)
        for line in fold(value, width - len(head)):
            lines.append(Content.assemble((head, "$text-muted"), (line, STYLES[role])))
            head = " " * len(head)
    lines += [Content(""), Content.styled(f"{'field':<15}{'bytes':>11}  value", "$text-muted")]
    for at, piece in enumerate(pieces):
        place = _place(piece)
        head = f"{piece.name:<15}{place:>11}  "
        for line in chop(piece.text or "(empty)", max(width - len(head), 8)):
            lines.append(Content.assemble((head, "$text-muted"), (line, _MARKS[at % len(_MARKS)])))
            head = " " * len(head)
    lines.append(Content(""))
    lines += [Content.styled(line, "$text-muted") for text in uncovered for line in fold(text, width)]
    return Content("\n").join(lines)


def _place(piece: Piece) -> str:
    """The first and the last byte of a piece."""
    if piece.stop - piece.start < 2:
        return str(piece.start) if piece.stop > piece.start else "none"
    return f"{piece.start:,}–{piece.stop - 1:,}"


def _run(pieces: list[Piece], width: int) -> list[Content]:
    """The pieces as one run of text, broken where the width ends and never elsewhere."""
    lines: list[Content] = []
    line: list[tuple[str, str]] = []
    room = width
    for at, piece in enumerate(pieces):
        text = piece.text
        while text:
            part = chop(text, room)[0] if room > 1 else ""
            if part and cell_len(part) <= room:
                line.append((part, _MARKS[at % len(_MARKS)]))
                text = text[len(part) :]
                room -= cell_len(part)
            if text:
                lines.append(Content.assemble(*line))
                line, room = [], width
    if line:
        lines.append(Content.assemble(*line))
    return lines
