"""Help: every key that works here, derived from the registry and the user's keymap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import getters
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from devstate_tui.actions import ACTIONS, SCREENS, Action
from devstate_tui.keymap import key_label

from .dialog import Dialog

if TYPE_CHECKING:
    from devstate_tui.app import DevStateApp

__all__ = ["HelpDialog", "HelpOutcome"]

_WIDE = 110
_COLUMN = "id for keymap.toml"
_IDS_AT = 17 + max(len(action.description) for action in ACTIONS) + 3
_INTRODUCTION = {
    "overview": (
        "The first line is the verdict. Below it four questions: was anything changed, who can have written"
        " it, is it all there, and can the times be believed. Every line opens what it speaks of."
    ),
    "chain": (
        "One line an entry. The letter says whether it verifies: G good, B broken, U good but under a public"
        " or weak key, Y retired key, R compromised key, E cannot be checked; a ! beside it says that a"
        " warning names the entry. The strip at the right is the whole chain."
    ),
    "runs": (
        "One line a run, the newest first. ! orphaned: it was begun, never ended, and its process is gone."
        " Below it what is known of the selected run (i), what each of its steps did (s), its spans (t)."
        " a and b pin two runs and show the command that compares them."
    ),
    "wal": (
        "On top the files of the log, then the entries of one of them. The brace at the left holds a"
        " transaction together; its last line is the commit marker. ✔ ok is applied when the database opens;"
        " ! torn tail is what a crash leaves; ✘ damaged means that committed data is gone, and – cut off that"
        " an intact entry stands behind such damage. Enter leads to the fields of an entry, and to its bytes."
    ),
}


def _app_type() -> type[DevStateApp]:
    from devstate_tui.app import DevStateApp

    return DevStateApp


@dataclass(frozen=True)
class HelpOutcome:
    """Nothing is chosen here."""


class HelpDialog(Dialog[HelpOutcome]):
    """The keys of the screen `mode`, then those that work everywhere."""

    TALL = True
    app = getters.app(_app_type)

    def __init__(self, mode: str) -> None:
        super().__init__(f"Keys of {dict(SCREENS).get(mode, mode)}")
        self._mode = mode
        self._ids = False

    def compose_body(self) -> Iterable[Widget]:
        self._ids = self.app.size.width >= _WIDE
        lines = [Content(_INTRODUCTION.get(self._mode, "")), Content("")]
        scopes = dict.fromkeys(action.scope for action in ACTIONS)
        here = [scope for scope in scopes if scope == self._mode or scope.startswith(f"{self._mode}.")]
        for scope in (*here, "app", "dialog"):
            actions = [action for action in ACTIONS if action.scope == scope]
            if actions:
                heading = Content.styled(_heading(scope), "bold $accent")
                lines += [
                    self._beside(heading, _COLUMN if len(lines) == 2 else ""),
                    *map(self._line, actions),
                    Content(""),
                ]
        by = "these ids" if self._ids else "ids, which a wider terminal shows here"
        keymap = self.app.folders.short(f"{self.app.folders.config}/keymap.toml")
        where = f"Keys can be changed in {keymap}, by {by}."
        lines.append(Content.styled(where, "$text-muted"))
        scroll = VerticalScroll(Static(Content("\n").join(lines)), classes="scroll")
        scroll.can_focus = False
        yield scroll

    def _line(self, action: Action) -> Content:
        keys = ", ".join(key_label(key) for key in self.app.keymap.keys_of(action))
        reason = self.app.reason_against(action.id)
        line = Content.assemble(
            (f"{keys:<16} ", "bold"),
            (action.description, "$text-muted" if reason else ""),
        )
        line = self._beside(line, action.id)
        if action.command:
            line += Content.assemble("\n" + " " * 17, (f"same as: {action.command}", "$text-muted"))
        if reason:
            line += Content.assemble("\n" + " " * 17, (f"not now: {reason}", "$warning"))
        return line

    def _beside(self, line: Content, name: str) -> Content:
        """The line with an id, or their heading, in the column at the right; a narrow terminal has none."""
        if not self._ids or not name:
            return line
        return Content.assemble(line, " " * max(2, _IDS_AT - line.cell_length), (name, "$text-muted"))

    def outcome_of(self, button: str) -> HelpOutcome:
        return HelpOutcome()


def _heading(scope: str) -> str:
    if scope == "app":
        return "Everywhere"
    if scope == "dialog":
        return "In dialogs"
    screen, _, part = scope.partition(".")
    name = dict(SCREENS).get(screen, screen)
    parts = {"tile": "on the lines at the top", "list": "in a list"}
    return f"{name}, {parts.get(part, part)}" if part else name
