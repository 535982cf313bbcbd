"""Themes of the user: one TOML file each, in the folder `themes` of the configuration folder.

```toml
name = "dusk"
dark = true
primary = "#88aaff"       # the only colour that must be there
error = "red"             # secondary accent success warning error foreground background surface panel boost
[variables]               # textual's design variables, for those who want to go further
text-muted = "#889"
```
"""

from __future__ import annotations

import os
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from devstate.durable import kind_of, list_folder
from devstate.errors import DevStateError
from devstate_tui.config import Problem, read_toml

from .built_in import BUILT_IN

__all__ = ["check_theme", "load_themes"]

_COLOURS = (
    "primary",
    "secondary",
    "accent",
    "success",
    "warning",
    "error",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
_MEMBERS = ("name", "dark", "variables", *_COLOURS)


def load_themes(folder: str) -> tuple[tuple[Theme, ...], tuple[Problem, ...]]:
    """The usable themes of `<folder>/themes`, in the order of file names, and what is wrong with others."""
    path = os.path.realpath(os.path.join(folder, "themes"))
    try:
        if kind_of(path) is None:
            return (), ()
        names = sorted(name for name in list_folder(path) if name.endswith(".toml"))
    except DevStateError as error:
        return (), (Problem(path, error.message),)
    themes: dict[str, Theme] = {}
    problems: list[Problem] = []
    for name in names:
        file = os.path.join(path, name)
        document, faults = read_toml(file)
        theme = None
        if not faults:
            theme, faults = check_theme(document, file)
        problems.extend(faults)
        if theme is None:
            continue
        if theme.name in themes:
            problems.append(Problem(file, f'another file already defines the theme "{theme.name}"'))
            continue
        themes[theme.name] = theme
    return tuple(themes.values()), tuple(problems)


def check_theme(document: dict[str, Any], file: str) -> tuple[Theme | None, tuple[Problem, ...]]:
    """A theme, or why there is none. A theme is taken whole or not at all."""
    faults = [Problem(file, f'unknown member "{member}"') for member in document if member not in _MEMBERS]
    name = document.get("name", os.path.basename(file).removesuffix(".toml"))
    if not isinstance(name, str) or not name.strip():
        faults.append(Problem(file, "name must be a text"))
    elif name in {theme.name for theme in BUILT_IN}:
        faults.append(Problem(file, f'"{name}" is the name of a built-in theme'))
    if not isinstance(document.get("dark", True), bool):
        faults.append(Problem(file, "dark must be true or false"))
    if "primary" not in document:
        faults.append(Problem(file, 'the colour "primary" is missing'))
    variables = document.get("variables", {})
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        faults.append(Problem(file, "[variables] must map names to texts"))
    faults.extend(
        Problem(file, f"{member} is no colour: {document[member]!r}")
        for member in _COLOURS
        if member in document and not _is_colour(document[member])
    )
    if faults:
        return None, tuple(faults)
    colours = {member: document[member] for member in _COLOURS if member in document}
    return Theme(name=name, dark=document.get("dark", True), variables=variables, **colours), ()


def _is_colour(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        Color.parse(value)
    except ColorParseError:
        return False
    return True
