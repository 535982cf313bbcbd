"""Write docs/reference/keys.md from the inspector's registry of actions (`make docs`); a test holds them together."""

from __future__ import annotations

from pathlib import Path

from devstate_tui.actions import ACTIONS, Action
from devstate_tui.keymap import key_label, normal_key

PAGE = Path(__file__).parents[1] / "docs/reference/keys.md"

_INTRO = """# Keys of the inspector

Written by `make docs` from the inspector's own list; `?` shows the keys of the screen you are on, and `:` finds and
runs any action by name. The mouse works too: a click selects or opens, the wheel scrolls.

## Keys of your own

A file `keymap.toml` in `~/.config/devstate` (or where `XDG_CONFIG_HOME` or the [setting](settings.md) `tui.keymap`
says) gives actions other keys; what it does not name stays as it is.

```toml
[keys]
"app.verify" = "V"                   # one key
"chain.next_break" = ["]", "f8"]     # or several
```

A line that cannot hold (an unknown action, a key that no terminal sends, a key that another action of the same place
has) is left out, and the inspector says so. `tab`, `shift+tab` and `ctrl+c` are reserved.
"""

# A scope of the registry, and how a person calls it, in the order of the page.
_PLACES = {
    "app": "Everywhere",
    "overview": "Overview",
    "overview.tile": "Overview: the tiles",
    "overview.list": "Overview: its lists, and lists in dialogs",
    "chain": "Chain",
    "chain.list": "Chain: the list of entries",
    "chain.detail": "Chain: the detail of an entry",
    "chain.filter_bar": "Chain: the line of the filter",
    "runs": "Runs",
    "runs.list": "Runs: the list and the pane below it",
    "runs.filter_bar": "Runs: the line of the filter",
    "wal": "WAL",
    "wal.list": "WAL: the lists of files, entries and fields",
    "wal.hex": "WAL: the bytes of an entry",
    "wal.filter_bar": "WAL: the line of the filter",
    "dialog": "Dialogs",
}


def page() -> str:
    """The whole page. Raises KeyError for an action in a place that has no name here."""
    by_place: dict[str, list[Action]] = {place: [] for place in _PLACES}
    for action in ACTIONS:
        if action.keys:
            by_place[action.scope].append(action)
    return "\n".join([_INTRO, *(_section(name, by_place[place]) for place, name in _PLACES.items())])


def _section(name: str, actions: list[Action]) -> str:
    rows = [f"| {_keys(action)} | {action.description} | `{action.id}` |" for action in actions]
    return "\n".join([f"## {name}", "", "| keys | what it does | action |", "|---|---|---|", *rows, ""])


def _keys(action: Action) -> str:
    return ", ".join(f"`{key_label(normal_key(key) or key)}`".replace("|", "\\|") for key in action.keys)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
