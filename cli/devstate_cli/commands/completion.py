"""`devstate completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click

from devstate_cli.command import command
from devstate_cli.outcome import Outcome

__all__ = ["completion"]

_INSTALL = {
    "bash": "devstate completion bash > ~/.local/share/bash-completion/completions/devstate",
    "zsh": 'devstate completion zsh > "${fpath[1]}/_devstate"   # then start a new shell',
    "fish": "devstate completion fish > ~/.config/fish/completions/devstate.fish",
}


@command(
    "completion",
    examples=("devstate completion bash", *_INSTALL.values()),
    help="Print the completion script for a shell; the examples install it for good.",
)
@click.argument("shell", type=click.Choice(list(_INSTALL)))
def completion(shell: str) -> Outcome:
    from devstate_cli.app import app
    from devstate_cli.completing import script_for

    script = script_for(shell, app).strip("\n")
    document = {"ok": True, "shell": shell, "install": _INSTALL[shell], "script": script + "\n"}
    header = "#compdef devstate\n" if shell == "zsh" else ""
    body = script.removeprefix("#compdef devstate\n")
    return Outcome(document, lambda screen: [f"{header}# To install:  {_INSTALL[shell]}\n{body}"])
