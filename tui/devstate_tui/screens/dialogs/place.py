"""What the dialogs share that ask where to go: a field to write in, and below it where the text leads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from textual import on
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from devstate.errors import UsageError

from .dialog import Dialog

__all__ = ["PlaceDialog"]

Place = TypeVar("Place")

_REST = 0.06  # seconds without a key


class PlaceDialog(Dialog[Place], Generic[Place]):
    """Nothing is at stake here, so that the field to write in has the focus.

    `span` says in a sentence what there is to go to, `names` what can be written, `examples` how it looks.
    """

    AUTO_FOCUS = "#place-input"

    def __init__(self, title: str, *, span: str, names: str, examples: str) -> None:
        super().__init__(title, (("cancel", "Cancel"), ("go", "Go")))
        self._span = span
        self._names = names
        self._examples = f"for example  {examples}"
        self._resting: Timer | None = None

    def place_of(self, text: str) -> Place:
        """Where the text leads. Raises UsageError with what can be written instead."""
        raise NotImplementedError

    def told(self, place: Place) -> str:
        """A sentence on the place, before somebody goes there."""
        raise NotImplementedError

    def compose_body(self) -> Iterable[Widget]:
        yield Static(self._span, markup=False)
        yield Input(placeholder=self._names, id="place-input", compact=True)
        yield Static(self._examples, id="place-hint", classes="hint body", markup=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        # Finding a place may read the file: while keys come fast, only the last one asks.
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(_REST, self._look)

    def _look(self) -> None:
        """Say where the text leads; what is not written to its end yet is no mistake."""
        text = self.query_one(Input).value
        if not text.strip():
            self._hint(self._examples)
            return
        try:
            place = self.place_of(text)
        except UsageError as error:
            self._hint(f"nowhere yet: {error.message}. {error.remedy}")
        else:
            self._hint(f"→ {self.told(place)}", "-found")

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
            place = self.place_of(self.query_one(Input).value)
        except UsageError as error:
            if self._resting is not None:
                self._resting.stop()
            self._hint(f"✘ {error.message}. {error.remedy}", "-wrong")
        else:
            self.dismiss(place)

    def _hint(self, text: str, kind: str = "") -> None:
        hint = self.query_one("#place-hint", Static)
        for name in ("-wrong", "-found"):
            hint.set_class(name == kind, name)
        hint.update(text)
