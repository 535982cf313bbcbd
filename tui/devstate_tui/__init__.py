"""The DevState inspector: a terminal app that shows readings of a workspace and changes nothing."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devstate.settings import Settings

__all__ = ["run"]


def run(
    root: str | None = None,
    *,
    settings: Settings | None = None,
    db: str | None = None,
    demo: bool = False,
    no_color: bool = False,
) -> int:
    """Start the inspector on the workspace at or above `root` (None = the current folder).

    `settings` are those of the command line, None = read from the workspace. `db` is a database folder to
    watch as well; `demo` marks a workspace that is only an example; `no_color` does what a variable NO_COLOR
    that is not empty does. Returns the exit status: 0, or 1 after a failure of the inspector itself, which was
    told on stderr.
    """
    # All that is loaded stays to the end: collecting meanwhile would only hold up the first picture.
    gc.disable()
    from .app import DevStateApp

    # Textual looks at the environment by itself, and takes an empty variable for a set one.
    if no_color:
        os.environ["NO_COLOR"] = "1"
    elif not os.environ.get("NO_COLOR"):
        os.environ.pop("NO_COLOR", None)
    app = DevStateApp(root, settings=settings, db=db, demo=demo, on_first_picture=_collect_rarely)
    try:
        app.run(mouse=settings.tui.mouse if settings is not None else True)
    finally:
        gc.enable()
    return app.return_code or 0


def _collect_rarely() -> None:
    """Begin to collect, seldom: each time stops the screen, all of it for 20 to 50 ms, and finds next to nothing."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 50)
    gc.enable()
