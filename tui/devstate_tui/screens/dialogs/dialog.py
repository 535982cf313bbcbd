"""What every dialog shares: a framed box, a row of buttons, the safe one focused; Escape cancels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button

from devstate_tui.actions import bindings

__all__ = ["Dialog"]

Outcome = TypeVar("Outcome")


class Dialog(ModalScreen[Outcome], Generic[Outcome]):
    """`title` in the frame, `compose_body` inside, then the buttons (id, label), the safe one first."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS = bindings("dialog")
    AUTO_FOCUS = "#cancel"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-medium"), (34, "-tall")]
    TALL = False

    def __init__(self, title: str, buttons: Iterable[tuple[str, str]] = (("cancel", "Close"),)) -> None:
        super().__init__()
        self.heading = title
        self._buttons = tuple(buttons)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -tall" if self.TALL else "dialog") as box:
            box.border_title = self.heading.replace("[", "\\[")
            yield from self.compose_body()
            with Horizontal(classes="buttons"):
                for button_id, label in self._buttons:
                    yield Button(label, id=button_id, compact=True)

    def compose_body(self) -> Iterable[Widget]:
        """What the dialog shows above its buttons."""
        raise NotImplementedError

    def outcome_of(self, button: str) -> Outcome:
        """What the dialog returns when this button is pressed; `cancel` also stands for Escape."""
        raise NotImplementedError

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(self.outcome_of(event.button.id or "cancel"))

    def action_scroll_body(self, lines: int) -> None:
        """Scroll the text, wherever the focus is."""
        for body in self.query(".scroll"):
            body.scroll_relative(y=lines, animate=False)

    def action_scroll_page(self, direction: int) -> None:
        """Scroll the text by a page, down (1) or up (-1)."""
        for body in self.query(".scroll"):
            if direction > 0:
                body.scroll_page_down(animate=False)
            else:
                body.scroll_page_up(animate=False)

    def action_scroll_edge(self, direction: int) -> None:
        """Scroll to the end (1) or the beginning (-1) of the text."""
        for body in self.query(".scroll"):
            if direction > 0:
                body.scroll_end(animate=False)
            else:
                body.scroll_home(animate=False)

    def action_cancel(self) -> None:
        self.dismiss(self.outcome_of("cancel"))
