"""Go to a position of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual import on
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from .dialog import Dialog

__all__ = ["Position", "PositionDialog", "read_position"]

_EXAMPLES = "for example  4096   0x1000   50%   -1 (the last byte)"


@dataclass(frozen=True)
class Position:
    """An LSN; None where the dialog was left."""

    lsn: int | None


class PositionDialog(Dialog[Position]):
    """`first` and `last` are the first and the last LSN there is; `told` says what stands at one."""

    AUTO_FOCUS = "#position-input"

    def __init__(self, first: int, last: int, told: Callable[[int], str]) -> None:
        super().__init__("Go to a position of the log", (("cancel", "Cancel"), ("go", "Go")))
        self._range = (first, last)
        self._told = told

    def compose_body(self) -> Iterable[Widget]:
        yield Static(f"LSNs from {self._range[0]:,} to {self._range[1]:,}", markup=False)
        yield Input(placeholder="LSN", id="position-input", compact=True)
        yield Static(_EXAMPLES, id="position-hint", classes="hint body", markup=False)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        lsn = read_position(event.value, *self._range)
        if isinstance(lsn, str):
            self._hint(_EXAMPLES if not event.value.strip() else f"nowhere yet: {lsn}")
        else:
            self._hint(f"→ {self._told(lsn)}", "-found")

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._go()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "go":
            self._go()
        else:
            self.action_cancel()

    def _go(self) -> None:
        lsn = read_position(self.query_one(Input).value, *self._range)
        if isinstance(lsn, str):
            self._hint(f"✘ {lsn}", "-wrong")
        else:
            self.dismiss(Position(lsn))

    def _hint(self, text: str, kind: str = "") -> None:
        hint = self.query_one("#position-hint", Static)
        for name in ("-wrong", "-found"):
            hint.set_class(name == kind, name)
        hint.update(text)

    def outcome_of(self, button: str) -> Position:
        return Position(None)


def read_position(text: str, first: int, last: int) -> int | str:
    """The LSN that a text names (`4096`, `0x1000`, `50%`, `-1` from the end), or why it names none."""
    text = text.strip().replace(",", "").replace("_", "")
    try:
        if text.endswith("%"):
            lsn = first + int((last - first) * min(max(float(text[:-1]), 0.0), 100.0) / 100)
        elif text.startswith("-"):
            lsn = last + 1 + int(text)
        else:
            lsn = int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        return "a number of bytes, in digits or as 0x..., or a share in %"
    if not first <= lsn <= last:
        return f"the log is from {first:,} to {last:,}"
    return lsn
