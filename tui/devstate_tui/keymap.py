"""The user's keymap file: read, checked as a whole, and only then handed to textual.

```toml
[keys]
"app.verify" = "V"                  # one key
"chain.first_break" = ["!", "f8"]   # or several
```

Textual itself checks nothing: an unknown id is ignored and a collision silently drops a default. So every
line that cannot hold is left out here, and told.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from textual.keys import KEY_NAME_REPLACEMENTS, Keys, format_key

from .actions import ACTIONS, Action, scope_chain
from .config import Problem, read_toml

__all__ = ["Keymap", "check_keymap", "key_label", "load_keymap", "normal_key"]

_NAMED = {key.value for key in Keys} | {f"f{number}" for number in range(1, 25)}
_MODIFIERS = ("ctrl", "alt", "shift", "super", "hyper", "meta")
# What a terminal sends for these is another key, so that they could never work.
_SAME_AS = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+[": "escape"}
# Without these a user could not leave a dialog, move the focus, or copy and stop as in every terminal.
_RESERVED = ("ctrl+c", "tab", "shift+tab")


@dataclass(frozen=True)
class Keymap:
    """`keys` maps the id of each action that the user gave other keys to those keys, in textual's names."""

    keys: Mapping[str, tuple[str, ...]]
    problems: tuple[Problem, ...] = ()

    def keys_of(self, action: Action) -> tuple[str, ...]:
        """The keys of an action as they are now."""
        return self.keys.get(action.id) or tuple(normal_key(key) or key for key in action.keys)

    def as_textual(self) -> dict[str, str]:
        """The form that `App.set_keymap` takes."""
        return {action_id: ",".join(keys) for action_id, keys in self.keys.items()}


def load_keymap(path: str, *, required: bool = False) -> Keymap:
    """The keymap of a file; the default one where there is no file, with a problem if it is `required`."""
    document, problems = read_toml(path)
    if required and not problems and not os.path.exists(path):
        problems = (Problem(path, "does not exist"),)
    if problems:
        return Keymap({}, problems)
    return check_keymap(document, path)


def check_keymap(document: Mapping[str, Any], path: str) -> Keymap:
    """Keep every line that can hold; say of every other one why it cannot."""
    problems: list[Problem] = []
    wanted: dict[str, tuple[str, ...]] = {}
    known = {action.id: action for action in ACTIONS if action.keys}

    def say(message: str) -> None:
        problems.append(Problem(path, message))

    for table in document.keys() - {"keys"}:
        say(f'unknown table "{table}"; keys belong in [keys]')
    table = document.get("keys", {})
    if not isinstance(table, dict):
        say("[keys] must be a table")
        table = {}
    for action_id, value in table.items():
        if action_id not in known:
            say(f'unknown action "{action_id}"{_suggestion(action_id, known)}')
            continue
        keys = [value] if isinstance(value, str) else value
        if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
            say(f'"{action_id}" needs a key, or a list of keys')
            continue
        good = []
        for key in keys:
            normal = normal_key(key)
            if normal is None:
                say(f'"{action_id}": there is no key "{key}"')
            elif normal in _SAME_AS:
                say(f'"{action_id}": in a terminal {key} is the same as {_SAME_AS[normal]}')
            elif normal in _RESERVED:
                say(f'"{action_id}": {key} is reserved')
            else:
                good.append(normal)
        if good:
            wanted[action_id] = tuple(dict.fromkeys(good))
    for message, loser in _collisions(wanted):
        say(message)
        wanted.pop(loser, None)
    return Keymap(wanted, tuple(problems))


def normal_key(key: str) -> str | None:
    """Textual's name of a key as a person writes it (`?` -> `question_mark`), None where there is none."""
    *modifiers, name = key.split("+") if len(key) > 1 else [key]
    if any(modifier not in _MODIFIERS for modifier in modifiers):
        return None
    if len(name) == 1:
        if not name.isprintable() or name == " ":
            name = "space" if name == " " else ""
        elif not name.isalnum():
            name = unicodedata.name(name, "").lower().replace("-", "_").replace(" ", "_")
            name = KEY_NAME_REPLACEMENTS.get(name, name)
    elif name not in _NAMED and not _is_character_name(name):
        return None
    if not name:
        return None
    return "+".join((*modifiers, name))


def key_label(key: str) -> str:
    """How a key is written on the screen: `question_mark` -> `?`, `ctrl+p` -> `^p`."""
    *modifiers, name = key.split("+")
    label = format_key(name)
    if modifiers == ["ctrl"]:
        return f"^{label}"
    return "+".join((*modifiers, label))


def _is_character_name(name: str) -> bool:
    original = next((old for old, new in KEY_NAME_REPLACEMENTS.items() if new == name), name)
    for separator in (" ", "-"):
        try:
            unicodedata.lookup(original.replace("_", separator).upper())
        except KeyError:
            continue
        return True
    return False


def _suggestion(action_id: str, known: Mapping[str, Action]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(action_id, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _collisions(wanted: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """(message, id of the user's line that gives way) for each key that would mean two things at once."""
    found: list[tuple[str, str]] = []
    lost: set[str] = set()
    for scope in dict.fromkeys(action.scope for action in ACTIONS):
        owners: dict[str, Action] = {}
        live = scope_chain(scope)
        # An action that the user did not touch owns its keys first: the user's line is what gives way.
        actions = sorted(
            (action for action in ACTIONS if action.scope in live), key=lambda action: action.id in wanted
        )
        for action in actions:
            if action.id in lost:
                continue
            for key in wanted.get(action.id) or (normal_key(key) or key for key in action.keys):
                owner = owners.setdefault(key, action)
                if owner.id != action.id and action.id in wanted and action.id not in lost:
                    lost.add(action.id)
                    message = f'"{action.id}": {key_label(key)} already means "{owner.label}" ({owner.id})'
                    found.append((message, action.id))
    return found
