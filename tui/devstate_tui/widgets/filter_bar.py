"""The line where a filter is written, checked while it is typed; of the Chain, and the base of others."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from devstate.chain import parse_filter
from devstate.errors import UsageError
from devstate_tui.actions import bindings

__all__ = ["FilterBar"]

_HINT = 'actor:NAME  action~part  cp:CP2-LC  since:2026-03-01  until:2026-03-31  words  "free text"'


class FilterBar(Vertical):
    """Hidden until `open` is called; Enter applies, Escape leaves everything as it was."""

    BINDINGS = bindings("chain.filter_bar")
    HINT = _HINT

    @dataclass
    class Applied(Message):
        """The text is a filter; an empty one lets every entry through."""

        text: str

    @dataclass
    class Closed(Message):
        """The line was left without applying."""

    def compose(self) -> ComposeResult:
        yield Input(placeholder="filter", id="filter-input", compact=True)
        yield Static(self.HINT, id="filter-hint", markup=False)

    def open(self, text: str) -> None:
        """Show the line with this text in it."""
        self.display = True
        field = self.query_one(Input)
        field.value = text
        field.cursor_position = len(text)
        # At once, and not by a message: the next key is already meant for it.
        self.screen.set_focus(field)
        self._say(None)

    def close(self) -> None:
        """Hide the line."""
        self.display = False

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._say(self.fault_of(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        fault = self.fault_of(event.value)
        if fault is not None:
            self._say(fault)
            return
        self.close()
        self.post_message(self.Applied(event.value.strip()))

    def action_leave(self) -> None:
        self.close()
        self.post_message(self.Closed())

    def _say(self, fault: str | None) -> None:
        hint = self.query_one("#filter-hint", Static)
        hint.set_class(fault is not None, "-wrong")
        hint.update(self.HINT if fault is None else f"✘ {fault}")

    def fault_of(self, text: str) -> str | None:
        """Why a text is no filter, None for one that is."""
        try:
            self.parse(text)
        except UsageError as error:
            return f"{error.message}. {error.remedy}"
        return None

    def parse(self, text: str) -> object:
        """Read a filter. Raises UsageError."""
        return parse_filter(text)
