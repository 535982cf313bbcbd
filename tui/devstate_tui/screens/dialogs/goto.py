"""Go to an entry by its number, its place from the end, a share of the chain, or a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import on
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from devstate.errors import UsageError
from devstate_tui.models.chain import ChainModel
from devstate_tui.models.destination import HELP, find_destination

from .dialog import Dialog

__all__ = ["GotoChoice", "GotoDialog"]


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

    def compose_body(self) -> Iterable[Widget]:
        last = max(self._model.count - 1, 0)
        yield Static(f"{self._model.count:,} entries, from 0 to {last}", markup=False)
        yield Input(placeholder="entry or time", id="goto-input", compact=True)
        yield Static(HELP, id="goto-hint", classes="hint body", markup=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._hint(HELP, wrong=False)

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
            self._hint(f"{error.message}. {error.remedy}", wrong=True)
        else:
            self.dismiss(GotoChoice(found.entry, found.sentence))

    def _hint(self, text: str, *, wrong: bool) -> None:
        hint = self.query_one("#goto-hint", Static)
        hint.set_class(wrong, "-wrong")
        hint.update(f"✘ {text}" if wrong else text)

    def outcome_of(self, button: str) -> GotoChoice:
        return GotoChoice(None)
