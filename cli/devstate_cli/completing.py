"""Answering the shell's request for completions; kept apart, as it is slow to import and rarely needed."""

from __future__ import annotations

import os

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from .invocation import Invocation

__all__ = ["SHELLS", "complete", "script_for"]

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_VARIABLE = "_DEVSTATE_COMPLETE"


def complete(app: click.Command) -> int:
    """Print the completions that `_DEVSTATE_COMPLETE` asks for (`bash_complete` and so on)."""
    shell, _, task = os.environ.get(_VARIABLE, "").partition("_")
    if shell not in SHELLS or task != "complete":
        return 2
    completer = SHELLS[shell](app, {"obj": Invocation()}, "devstate", _VARIABLE)
    click.echo(completer.complete())
    return 0


def script_for(shell: str, app: click.Command) -> str:
    """The script that a shell sources."""
    if shell == "bash":
        # click's own way asks the installed bash for its version, which is not the one that will run this.
        template = BashComplete.source_template
        return template % BashComplete(app, {}, "devstate", _VARIABLE).source_vars()
    return SHELLS[shell](app, {}, "devstate", _VARIABLE).source()
