"""The registry of actions: every key of the inspector is named here and nowhere else.

The footer, the help, the command palette and the keymap file are all derived from `ACTIONS`. A scope is where
an action can be used: `app` everywhere, `overview` or `chain` on that screen, `chain.list` in that screen's
widget `list`, `dialog` in every dialog. A widget or screen binds its part: `BINDINGS = bindings("chain")`.
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
    of the scope implements (`action_<call>`). `label` is for the line of keys, `description` a sentence for
    help and palette, `command` the command line that does the same. `shown` puts it in the line of keys.
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
SCREENS: tuple[tuple[str, str], ...] = (
    ("overview", "Overview"),
    ("chain", "Chain"),
    ("runs", "Runs"),
    ("wal", "WAL"),
)

ACTIONS: tuple[Action, ...] = (
    # -- everywhere --------------------------------------------------------------------------------
    Action(
        "app.overview",
        ("1",),
        "show('overview')",
        "overview",
        "Show the Overview",
        shown=True,
        command="devstate status",
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
    Action("app.runs", ("4", "f4"), "show('runs')", "runs", "Show the Runs", command="devstate run list"),
    Action("app.wal", ("7", "f7"), "show('wal')", "wal", "Show the WAL", command="devstate wal dump"),
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
        "Go to the first break; on the WAL, the damage",
        shown=True,
        command="devstate verify",
    ),
    Action(
        "app.palette", (":", "ctrl+p"), "command_palette", "palette", "Find and run any action", shown=True
    ),
    Action("app.help", ("?", "f1"), "help", "help", "What the keys do on this screen", shown=True),
    Action("app.read_again", ("R", "f5"), "read_again", "read again", "Read all files again now"),
    Action("app.theme", ("T",), "change_theme", "theme", "Choose a theme"),
    Action("app.screenshot", ("S",), "screenshot", "screenshot", "Save a picture of the screen (SVG)"),
    Action("app.quit", ("q", "ctrl+q"), "quit", "quit", "Leave the inspector", shown=True),
    # -- dialogs -----------------------------------------------------------------------------------
    Action("dialog.close", ("escape",), "cancel", "cancel", "Close without doing anything", shown=True),
    Action("dialog.down", ("j", "down"), "scroll_body(1)", "down", "Scroll down"),
    Action("dialog.up", ("k", "up"), "scroll_body(-1)", "up", "Scroll up"),
    Action("dialog.page_down", ("pagedown", "ctrl+d"), "scroll_page(1)", "page down", "Scroll one page down"),
    Action("dialog.page_up", ("pageup", "ctrl+u"), "scroll_page(-1)", "page up", "Scroll one page up"),
    Action("dialog.first", ("home", "g"), "scroll_edge(-1)", "top", "To the beginning of the text"),
    Action("dialog.last", ("end", "G"), "scroll_edge(1)", "bottom", "To the end of the text"),
    # -- Overview ----------------------------------------------------------------------------------
    Action(
        "overview.findings", ("f",), "focus_findings", "findings", "Go to the list of findings", shown=True
    ),
    Action("overview.latest", ("l",), "focus_latest", "latest", "Go to the latest entries"),
    Action(
        "overview.tile.open", ("enter", "space"), "open", "open", "Open what this line speaks of", shown=True
    ),
    # -- lists of the Overview and of dialogs ------------------------------------------------------
    Action("overview.list.open", ("enter", "space"), "open", "open", "Open the selected line", shown=True),
    Action("overview.tile.down", ("j", "down"), "down", "down", "To the line below"),
    Action("overview.tile.up", ("k", "up"), "up", "up", "To the line above"),
    Action("overview.list.down", ("j", "down"), "down", "down", "One line down"),
    Action("overview.list.up", ("k", "up"), "up", "up", "One line up"),
    Action("overview.list.page_down", ("pagedown", "ctrl+d"), "page_down", "page down", "One page down"),
    Action("overview.list.page_up", ("pageup", "ctrl+u"), "page_up", "page up", "One page up"),
    Action("overview.list.first", ("g", "home"), "first", "first", "To the first line"),
    Action("overview.list.last", ("G", "end"), "last", "last", "To the last line"),
    # -- Chain -------------------------------------------------------------------------------------
    Action("chain.filter", ("/",), "filter", "filter", "Show the entries that match", shown=True),
    Action("chain.next_match", ("n",), "next_match", "next match", "Go to the next match of the filter"),
    Action("chain.previous_match", ("N",), "previous_match", "match before", "Go to the match before"),
    Action(
        "chain.matches_only",
        ("m",),
        "matches_only",
        "all or matches",
        "Show only the matches, or mark them among all",
    ),
    Action("chain.next_break", ("]",), "next_break", "next broken", "Go to the next broken entry"),
    Action(
        "chain.previous_break", ("[",), "previous_break", "broken before", "Go to the broken entry before"
    ),
    Action("chain.goto", ("#", "ctrl+g"), "goto", "go to", "Go to an entry by number or by time", shown=True),
    Action(
        "chain.explain", ("e",), "explain", "explain", "Show the very bytes that the HMAC covers", shown=True
    ),
    Action("chain.bookmark", ("b",), "bookmark", "bookmark", "Bookmark this entry, with a note", shown=True),
    Action("chain.bookmarks", ("B",), "bookmarks", "bookmarks", "List the bookmarks and go to one"),
    Action("chain.next_bookmark", ("'",), "next_bookmark", "next bookmark", "Go to the next bookmark"),
    Action("chain.copy", ("c",), "copy", "copy", "Copy as JSON, CSV or command line", shown=True),
    Action("chain.back", ("escape",), "back", "no filter", "Take the filter away"),
    # -- the list of entries -----------------------------------------------------------------------
    Action("chain.list.open", ("enter",), "open", "detail", "Go to the detail of the entry", shown=True),
    Action("chain.list.down", ("j", "down"), "down", "down", "One entry down"),
    Action("chain.list.up", ("k", "up"), "up", "up", "One entry up"),
    Action(
        "chain.list.page_down", ("pagedown", "space", "ctrl+d"), "page_down", "page down", "One page down"
    ),
    Action("chain.list.page_up", ("pageup", "ctrl+u"), "page_up", "page up", "One page up"),
    Action("chain.list.first", ("g", "home"), "first", "first", "To the first entry"),
    Action("chain.list.last", ("G", "end"), "last", "last", "To the last entry, and follow new ones"),
    # -- the detail of an entry --------------------------------------------------------------------
    Action("chain.detail.down", ("j", "down"), "down", "down", "One line down"),
    Action("chain.detail.up", ("k", "up"), "up", "up", "One line up"),
    Action(
        "chain.detail.page_down", ("pagedown", "space", "ctrl+d"), "page_down", "page down", "One page down"
    ),
    Action("chain.detail.page_up", ("pageup", "ctrl+u"), "page_up", "page up", "One page up"),
    Action("chain.detail.first", ("g", "home"), "first", "first", "To the beginning"),
    Action("chain.detail.last", ("G", "end"), "last", "last", "To the end"),
    Action("chain.detail.back", ("escape",), "back", "back", "Back to the list", shown=True),
    # -- the line of the filter --------------------------------------------------------------------
    Action(
        "chain.filter_bar.leave", ("escape",), "leave", "cancel", "Leave the filter as it was", shown=True
    ),
    # -- Runs --------------------------------------------------------------------------------------
    Action("runs.filter", ("/",), "filter", "filter", "Show the runs that match", shown=True),
    Action("runs.steps", ("s",), "pane('steps')", "steps", "What each step of the run did", shown=True),
    Action("runs.spans", ("t",), "pane('spans')", "spans", "The tree of spans of the run", shown=True),
    Action("runs.about", ("i",), "pane('about')", "about", "What is known of the run", shown=True),
    Action("runs.pin_a", ("a",), "pin('A')", "pin A", "Pin this run as A, for a comparison", shown=True),
    Action("runs.pin_b", ("b",), "pin('B')", "pin B", "Pin this run as B, for a comparison", shown=True),
    Action("runs.copy", ("c",), "copy", "copy", "Copy the id or a command line", shown=True),
    Action("runs.back", ("escape",), "back", "no filter", "Take the filter away"),
    # -- the list of runs, and the pane below it ---------------------------------------------------
    Action(
        "runs.list.open",
        ("enter",),
        "open",
        "open",
        "Go into the run; of a step, show all it did",
        shown=True,
    ),
    Action("runs.list.down", ("j", "down"), "down", "down", "One line down"),
    Action("runs.list.up", ("k", "up"), "up", "up", "One line up"),
    Action("runs.list.page_down", ("pagedown", "space", "ctrl+d"), "page_down", "page down", "One page down"),
    Action("runs.list.page_up", ("pageup", "ctrl+u"), "page_up", "page up", "One page up"),
    Action("runs.list.first", ("g", "home"), "first", "first", "To the beginning"),
    Action("runs.list.last", ("G", "end"), "last", "last", "To the last line"),
    Action("runs.filter_bar.leave", ("escape",), "leave", "cancel", "Leave the filter as it was", shown=True),
    # -- WAL ---------------------------------------------------------------------------------------
    Action("wal.filter", ("/",), "filter", "filter", "Show the entries that match", shown=True),
    Action(
        "wal.report",
        ("r",),
        "report",
        "report",
        "What opening this database would do",
        shown=True,
        command="devstate db recover --on-corruption read_only",
    ),
    Action("wal.follow", ("F",), "follow", "follow", "Follow the end of the log, or stay here", shown=True),
    Action("wal.goto", ("#", "ctrl+g"), "goto", "go to", "Go to a position of the log (LSN)", shown=True),
    Action("wal.copy", ("c",), "copy", "copy", "Copy as JSON, hex or command line", shown=True),
    Action("wal.toggle_hex", ("X",), "toggle_hex", "bytes", "Show or hide the bytes and fields", shown=True),
    Action("wal.next_defect", ("]",), "next_defect", "next damage", "Go to the next damage"),
    Action("wal.previous_defect", ("[",), "previous_defect", "damage before", "Go to the damage before"),
    Action(
        "wal.next_match", ("n",), "next_match", "next match", "Go to the next match; without a filter, damage"
    ),
    Action(
        "wal.previous_match", ("N",), "previous_match", "match before", "Go to the match or damage before"
    ),
    Action(
        "wal.matches_only", ("m",), "matches_only", "all or matches", "Show only the matches, or all entries"
    ),
    Action("wal.back", ("escape",), "back", "no filter", "Take the filter away"),
    # -- the lists of the WAL: files, entries, fields ----------------------------------------------
    Action(
        "wal.list.open",
        ("enter",),
        "open",
        "open",
        "On to the entries, the fields, the bytes",
        shown=True,
    ),
    Action("wal.list.down", ("j", "down"), "down", "down", "One line down"),
    Action("wal.list.up", ("k", "up"), "up", "up", "One line up"),
    Action("wal.list.page_down", ("pagedown", "space", "ctrl+d"), "page_down", "page down", "One page down"),
    Action("wal.list.page_up", ("pageup", "ctrl+u"), "page_up", "page up", "One page up"),
    Action("wal.list.first", ("g", "home"), "first", "first", "To the beginning"),
    Action("wal.list.last", ("G", "end"), "last", "last", "To the last line, and follow new ones"),
    # -- the bytes of an entry ---------------------------------------------------------------------
    Action("wal.hex.left", ("h", "left"), "left", "left", "One byte back", shown=True),
    Action("wal.hex.right", ("l", "right"), "right", "right", "One byte on", shown=True),
    Action("wal.hex.down", ("j", "down"), "down", "down", "One row down"),
    Action("wal.hex.up", ("k", "up"), "up", "up", "One row up"),
    Action("wal.hex.page_down", ("pagedown", "space", "ctrl+d"), "page_down", "page down", "One page down"),
    Action("wal.hex.page_up", ("pageup", "ctrl+u"), "page_up", "page up", "One page up"),
    Action("wal.hex.first", ("g", "home"), "first", "first", "To the beginning"),
    Action("wal.hex.last", ("G", "end"), "last", "last", "To the last byte"),
    Action("wal.hex.back", ("escape",), "back", "back", "Back to the entries", shown=True),
    Action("wal.filter_bar.leave", ("escape",), "leave", "cancel", "Leave the filter as it was", shown=True),
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
