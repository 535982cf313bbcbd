"""Everything that the user chose: keys, themes, and what was kept from the last start; read once, at the start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .config import Problem, UserFolders
from .keymap import Keymap, load_keymap
from .layout import Layout, load_layout
from .themes import BUILT_IN, DARK, load_themes

if TYPE_CHECKING:
    from textual.theme import Theme

    from devstate.settings import TuiSettings

__all__ = ["Preferences", "load_preferences"]


@dataclass(frozen=True)
class Preferences:
    """`theme` is the name to begin with, `problems` what could not be followed in the user's files."""

    keymap: Keymap
    layout: Layout
    themes: tuple[Theme, ...]
    theme: str
    problems: tuple[Problem, ...]


def load_preferences(
    folders: UserFolders, chosen: TuiSettings | None, textual_themes: frozenset[str]
) -> Preferences:
    """Read the user's files. `chosen` are the settings of the workspace or the command line, which win.

    `textual_themes` are the names that textual brings; themes of the user may not have them.
    """
    keymap_file = chosen.keymap if chosen is not None else None
    keymap = load_keymap(
        keymap_file or os.path.join(folders.config, "keymap.toml"), required=keymap_file is not None
    )
    layout, layout_problems = load_layout(folders.data)
    themes, theme_problems = load_themes(folders.config)
    problems = [*keymap.problems, *layout_problems, *theme_problems]
    known = textual_themes | {theme.name for theme in (*BUILT_IN, *themes)}
    setting = chosen.theme if chosen is not None else None
    theme = setting or layout.theme or DARK
    if theme not in known:
        problems.append(
            Problem("devstate.toml" if setting else "layout.json", f'there is no theme "{theme}"')
        )
        theme = DARK
    return Preferences(keymap, layout, (*BUILT_IN, *themes), theme, tuple(problems))
