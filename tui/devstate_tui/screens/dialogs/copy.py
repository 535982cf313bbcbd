"""What to copy of an entry, or of the entries that a filter lets through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from devstate_tui.widgets.line_list import LineList, Row

from .dialog import Dialog

__all__ = ["CopyChoice", "CopyDialog"]


@dataclass(frozen=True)
class CopyChoice:
    """`form` is `json`, `csv`, `command`, or one of these with `-matches`; "" copies nothing."""

    form: str


class CopyDialog(Dialog[CopyChoice]):
    """`matches` entries pass a filter, 0 without one; at most `most` of them are copied."""

    AUTO_FOCUS = "LineList"

    def __init__(self, entry: int, matches: int, most: int) -> None:
        super().__init__("Copy", (("cancel", "Cancel"),))
        self._rows = [
            _row(f"Entry {entry:,} as JSON, its exact bytes", "json"),
            _row(f"Entry {entry:,} as CSV", "csv"),
            _row("The command that shows it", "command"),
        ]
        if matches:
            which = f"The first {most:,} matches" if matches > most else f"All {matches:,} matches"
            self._rows += [
                _row(f"{which} as JSON", "json-matches"),
                _row(f"{which} as CSV", "csv-matches"),
                _row("The command that lists them", "command-matches"),
            ]

    def compose_body(self) -> Iterable[Widget]:
        yield Static("HMACs are copied whole: this is data, not a report.", classes="hint body", markup=False)
        rows = LineList(self._rows)
        rows.styles.height = len(self._rows)
        yield rows

    @on(LineList.Chosen)
    def _chosen(self, event: LineList.Chosen) -> None:
        self.dismiss(CopyChoice(str(event.value)))

    def outcome_of(self, button: str) -> CopyChoice:
        return CopyChoice("")


def _row(text: str, form: str) -> Row:
    return Row(((text, "plain"),), form)
