"""Go to an entry by its number, its place from the end, a share of the chain, or a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import on
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from devstate.errors import UsageError
from devstate_tui.models.chain import ChainModel
from devstate_tui.models.destination import HELP, find_destination
from devstate_tui.models.moments import long_time

from .dialog import Dialog

__all__ = ["GotoChoice", "GotoDialog"]

_EXAMPLES = f"for example  {HELP}"
_REST = 0.06  # seconds without a key


@dataclass(frozen=True)
class GotoChoice:
    """The entry to go to (None: nowhere), and why it is this one."""

    entry: int | None
    sentence: str = ""


class GotoDialog(Dialog[GotoChoice]):
    """Nothing is at stake here, so that the field to write in has the focus."""

    AUTO_FOCUS = "#goto-input"

    def __init__(self, model: ChainModel) -> None:
        super().__init__("Go to an entry or a time", (("cancel", "Cancel"), ("go", "Go")))
        self._model = model
        self._resting: Timer | None = None

    def compose_body(self) -> Iterable[Widget]:
        last = max(self._model.count - 1, 0)
        yield Static(f"{self._model.count:,} entries, from 0 to {last:,}", markup=False)
        yield Input(placeholder="entry or time", id="goto-input", compact=True)
        yield Static(_EXAMPLES, id="goto-hint", classes="hint body", markup=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        # Finding a time reads the file: while keys come fast, only the last one asks.
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(_REST, self._look)

    def _look(self) -> None:
        """Say where the text leads; what is not written to its end yet is no mistake."""
        text = self.query_one(Input).value
        if not text.strip():
            self._hint(_EXAMPLES)
            return
        try:
            found = find_destination(text, self._model)
        except UsageError as error:
            self._hint(f"nowhere yet: {error.message}. {error.remedy}")
        else:
            row = self._model.row(found.entry)
            said = f"  {long_time(row.ts)}  {row.actor}" if not row.fault else ""
            self._hint(f"→ entry {found.entry:,}{said}", "-found")

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
        try:
            found = find_destination(self.query_one(Input).value, self._model)
        except UsageError as error:
            if self._resting is not None:
                self._resting.stop()
            self._hint(f"✘ {error.message}. {error.remedy}", "-wrong")
        else:
            self.dismiss(GotoChoice(found.entry, found.sentence))

    def _hint(self, text: str, kind: str = "") -> None:
        hint = self.query_one("#goto-hint", Static)
        for name in ("-wrong", "-found"):
            hint.set_class(name == kind, name)
        hint.update(text)

    def outcome_of(self, button: str) -> GotoChoice:
        return GotoChoice(None)
