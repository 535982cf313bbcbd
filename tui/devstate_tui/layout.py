"""What is kept between two starts: the last screen, the theme, the sizes of panels.

Written only when the inspector ends, and only if something changed. A file that cannot be used is told to the
user and replaced at the next end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devstate.durable import atomic_replace, ensure_folder, kind_of, read_bounded
from devstate.errors import DevStateError

from .config import Problem

__all__ = ["Layout", "load_layout", "save_layout"]

_LIMIT = 64 * 1024
_SCHEMA = "devstate.layout/1"


@dataclass(frozen=True)
class Layout:
    """`mode` is the screen to begin with, `theme` a theme's name ("" = the built-in choice).

    `sizes` maps a panel's id to its size in cells.
    """

    mode: str = ""
    theme: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)


def layout_path(folder: str) -> str:
    """The file inside the user's data folder."""
    return os.path.realpath(os.path.join(folder, "layout.json"))


def load_layout(folder: str) -> tuple[Layout, tuple[Problem, ...]]:
    """The layout of the last end; the default one, with a problem, where the file cannot be used."""
    path = layout_path(folder)
    try:
        if kind_of(path) is None:
            return Layout(), ()
        document = json.loads(read_bounded(path, limit=_LIMIT).data)
    except DevStateError as error:
        return Layout(), (Problem(path, error.message),)
    except (ValueError, RecursionError):
        return Layout(), (Problem(path, "is damaged; the layout starts afresh"),)
    layout = _layout_of(document)
    if layout is None:
        return Layout(), (Problem(path, "is no layout of this version; the layout starts afresh"),)
    return layout, ()


def save_layout(folder: str, layout: Layout) -> None:
    """Replace the file. Raises DevStateError where that fails; nothing is lost by that but the layout."""
    document = {
        "schema": _SCHEMA,
        "mode": layout.mode,
        "theme": layout.theme,
        "sizes": dict(sorted(layout.sizes.items())),
    }
    ensure_folder(folder)
    atomic_replace(layout_path(folder), (json.dumps(document, indent=2) + "\n").encode())


def _layout_of(document: Any) -> Layout | None:
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        return None
    mode, theme, sizes = document.get("mode"), document.get("theme"), document.get("sizes")
    if not (isinstance(mode, str) and isinstance(theme, str) and isinstance(sizes, dict)):
        return None
    if not all(isinstance(size, int) and 0 < size < 10_000 for size in sizes.values()):
        return None
    return Layout(mode, theme, sizes)
