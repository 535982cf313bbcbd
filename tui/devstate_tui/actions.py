"""The registry of actions: every key of the inspector is named here and nowhere else.

The footer, the help, the command palette and the keymap file are all derived from `ACTIONS`. A scope is where
an action can be used: `app` everywhere, `overview` or `chain` on that screen, `chain.list` in that screen's
widget `list`, `dialog` in every dialog. A widget or screen binds its part with `BINDINGS = bindings("chain")`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.binding import Binding, BindingType

__all__ = ["ACTIONS", "SCREENS", "Action", "actions_of", "bindings", "scope_chain"]


@dataclass(frozen=True)
class Action:
    """One thing that a user can do.

    `id` is what a keymap file names; it begins with its scope. `call` is the textual action that the owner
    of the scope implements (`action_<call>`). `label` is for the footer, `description` a sentence for help and
    palette, `command` the command line that does the same. `shown` puts it in the footer.
    """

    id: str
    keys: tuple[str, ...]
    call: str
    label: str
    description: str
    shown: bool = False
    mutating: bool = False
    command: str = ""

    @property
    def scope(self) -> str:
        return self.id.rpartition(".")[0]


# (mode, name): in the order of the tabs. A screen that does not exist is not listed.
SCREENS: tuple[tuple[str, str], ...] = (("overview", "Overview"), ("chain", "Chain"))

ACTIONS: tuple[Action, ...] = (
    # -- everywhere --------------------------------------------------------------------------------
    Action("app.help", ("?", "f1"), "help", "help", "What the keys do on this screen", shown=True),
    Action(
        "app.palette", (":", "ctrl+p"), "command_palette", "palette", "Find and run any action", shown=True
    ),
    Action(
        "app.verify",
        ("v",),
        "verify",
        "verify",
        "Verify the whole chain again and show a receipt",
        shown=True,
        command="devstate verify",
    ),
    Action(
        "app.first_break",
        ("!",),
        "first_break",
        "first break",
        "Go to the first entry that does not verify",
        shown=True,
        command="devstate verify",
    ),
    Action(
        "app.overview", ("1",), "show('overview')", "overview", "Show the Overview", command="devstate status"
    ),
    Action(
        "app.chain",
        ("2",),
        "show('chain')",
        "chain",
        "Show the Chain",
        shown=True,
        command="devstate history list",
    ),
    Action("app.read_again", ("R", "f5"), "read_again", "read again", "Read all files again now"),
    Action("app.theme", ("T",), "change_theme", "theme", "Choose a theme"),
    Action("app.quit", ("q", "ctrl+q"), "quit", "quit", "Leave the inspector", shown=True),
    # -- dialogs -----------------------------------------------------------------------------------
    Action("dialog.close", ("escape",), "cancel", "cancel", "Close without doing anything", shown=True),
    # -- Overview ----------------------------------------------------------------------------------
    Action(
        "overview.findings", ("f",), "focus_findings", "findings", "Go to the list of findings", shown=True
    ),
    Action("overview.latest", ("l",), "focus_latest", "latest", "Go to the latest entries"),
    Action(
        "overview.next", ("J", "ctrl+down"), "next_part", "next part", "Go to the next part of the screen"
    ),
    Action(
        "overview.previous",
        ("K", "ctrl+up"),
        "previous_part",
        "part before",
        "Go to the part of the screen before",
    ),
    Action(
        "overview.tile.open", ("enter", "space"), "open", "open", "Open what this line speaks of", shown=True
    ),
    # -- lists of the Overview and of dialogs ------------------------------------------------------
    Action("overview.list.open", ("enter", "space"), "open", "open", "Open the selected line", shown=True),
    Action("overview.list.down", ("j", "down"), "down", "down", "One line down"),
    Action("overview.list.up", ("k", "up"), "up", "up", "One line up"),
    Action("overview.list.page_down", ("pagedown", "ctrl+d"), "page_down", "page down", "One page down"),
    Action("overview.list.page_up", ("pageup", "ctrl+u"), "page_up", "page up", "One page up"),
    Action("overview.list.first", ("g", "home"), "first", "first", "To the first line"),
    Action("overview.list.last", ("G", "end"), "last", "last", "To the last line"),
    # -- Chain -------------------------------------------------------------------------------------
)


def actions_of(scope: str) -> Iterator[Action]:
    """The actions of exactly this scope, in the order of the registry."""
    return (action for action in ACTIONS if action.scope == scope)


def bindings(scope: str) -> list[BindingType]:
    """The textual bindings of one scope, with ids, so that a keymap can replace their keys."""
    return [
        Binding(",".join(action.keys), action.call, action.label, show=action.shown, id=action.id)
        for action in actions_of(scope)
    ]


def scope_chain(scope: str) -> tuple[str, ...]:
    """The scopes whose keys are live together with those of `scope`: `chain.list` -> chain.list, chain, app.

    A dialog covers the screen below it: its keys stand alone.
    """
    if scope == "app" or scope == "dialog":
        return (scope,)
    parts = scope.split(".")
    return (*(".".join(parts[:length]) for length in range(len(parts), 0, -1)), "app")
