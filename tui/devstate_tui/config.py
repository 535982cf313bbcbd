"""The user's own folders and files: where they are, and how a faulty one is told rather than swallowed.

| file | what it holds |
|---|---|
| `$XDG_CONFIG_HOME/devstate/keymap.toml` | keys (`keymap.py`) |
| `$XDG_CONFIG_HOME/devstate/themes/*.toml` | themes (`themes/`) |
| `$XDG_DATA_HOME/devstate/layout.json` | last screen, theme, panel sizes (`layout.py`) |
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devstate.durable import kind_of, read_bounded
from devstate.errors import DevStateError

__all__ = ["Problem", "UserFolders", "read_toml", "user_folders"]

_LIMIT = 256 * 1024


@dataclass(frozen=True)
class UserFolders:
    """Absolute paths; none of the folders needs to exist."""

    config: str
    data: str
    home: str

    def short(self, path: str) -> str:
        """A path as it is shown: with `~` for the user's home."""
        return "~" + path[len(self.home) :] if path.startswith(self.home + os.sep) else path


@dataclass(frozen=True)
class Problem:
    """Something in a file of the user that the inspector cannot follow; it goes on without that part."""

    file: str
    message: str

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}: {self.message}"


def user_folders(environ: Mapping[str, str]) -> UserFolders:
    """The folders that the XDG base directory rules name: a variable that is no absolute path is ignored."""
    home = environ.get("HOME") or os.path.expanduser("~")

    def folder(variable: str, *default: str) -> str:
        value = environ.get(variable, "")
        parent = value if os.path.isabs(value) else os.path.join(home, *default)
        return os.path.join(parent, "devstate")

    return UserFolders(
        config=folder("XDG_CONFIG_HOME", ".config"),
        data=folder("XDG_DATA_HOME", ".local", "share"),
        home=home,
    )


def read_toml(path: str) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The tables of a TOML file; empty where there is none, and with a problem where it cannot be used.

    A link is followed: people keep such files in a repository of their own.
    """
    path = os.path.realpath(path)
    try:
        if kind_of(path) is None:
            return {}, ()
        data = read_bounded(path, limit=_LIMIT).data
    except DevStateError as error:
        return {}, (Problem(path, error.message),)
    import tomllib  # only people with such a file pay for it

    try:
        return tomllib.loads(data.decode("utf-8")), ()
    except UnicodeDecodeError as error:
        return {}, (Problem(path, f"is not UTF-8 (byte {error.start})"),)
    except tomllib.TOMLDecodeError as error:
        return {}, (Problem(path, f"is not TOML: {error}"),)
