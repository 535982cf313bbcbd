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
    from .app import DevStateApp

    # Textual looks at the environment by itself, and takes an empty variable for a set one.
    if no_color:
        os.environ["NO_COLOR"] = "1"
    elif not os.environ.get("NO_COLOR"):
        os.environ.pop("NO_COLOR", None)
    app = DevStateApp(root, settings=settings, db=db, demo=demo)
    # What is loaded now stays to the end: looking at it again would stop the screen for 50 ms now and then.
    gc.freeze()
    app.run(mouse=settings.tui.mouse if settings is not None else True)
    return app.return_code or 0
