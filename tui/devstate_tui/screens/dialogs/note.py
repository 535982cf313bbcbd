"""The note of a bookmark: write it, or take the bookmark away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from textual import on
from textual.widget import Widget
from textual.widgets import Input, Static

from .dialog import Dialog

__all__ = ["NoteChoice", "NoteDialog"]


@dataclass(frozen=True)
class NoteChoice:
    """What to do with the bookmark; `text` is the note to save."""

    kind: Literal["save", "remove", "cancel"]
    text: str = ""


class NoteDialog(Dialog[NoteChoice]):
    """`note` is None where the entry has no bookmark yet. The field to write in has the focus."""

    AUTO_FOCUS = "#note-input"

    def __init__(self, entry: int, note: str | None) -> None:
        removable = () if note is None else (("remove", "Remove"),)
        super().__init__(f"Bookmark entry {entry:,}", (("cancel", "Cancel"), *removable, ("save", "Save")))
        self._note = note

    def compose_body(self) -> Iterable[Widget]:
        yield Static("Kept in your own data folder, never in the chain.", classes="hint", markup=False)
        yield Input(self._note or "", placeholder="note (may be empty)", id="note-input", compact=True)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.dismiss(self.outcome_of("save"))

    def outcome_of(self, button: str) -> NoteChoice:
        if button == "save":
            return NoteChoice("save", self.query_one(Input).value.strip())
        return NoteChoice("remove" if button == "remove" else "cancel")
