"""One of several lines to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from devstate_tui.widgets.line_list import LineList, Row

from .dialog import Dialog

__all__ = ["Choice", "ChoiceDialog"]


@dataclass(frozen=True)
class Choice:
    """`value` is that of the line that was chosen, "" where none was."""

    value: str = ""


class ChoiceDialog(Dialog[Choice]):
    """`lines` are (text, value); `hint` stands above them."""

    AUTO_FOCUS = "LineList"

    def __init__(self, title: str, lines: Sequence[tuple[str, str]], hint: str = "") -> None:
        super().__init__(title, (("cancel", "Cancel"),))
        self._lines = lines
        self._hint = hint

    def compose_body(self) -> Iterable[Widget]:
        if self._hint:
            yield Static(self._hint, classes="hint body", markup=False)
        rows = LineList([Row(((text, "plain"),), value) for text, value in self._lines])
        rows.styles.height = len(self._lines)
        yield rows

    @on(LineList.Chosen)
    def _chosen(self, event: LineList.Chosen) -> None:
        self.dismiss(Choice(str(event.value)))

    def outcome_of(self, button: str) -> Choice:
        return Choice()
