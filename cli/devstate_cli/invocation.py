"""What the global options say, for every command; they are accepted anywhere before `--`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from devstate.errors import UsageError

__all__ = ["GlobalOption", "Invocation", "global_options", "refuse_secrets", "wants"]


@dataclass
class Invocation:
    """The global options of one call; commands read it and never change it."""

    directory: str | None = None
    json: bool = False
    no_color: bool = False
    debug: bool = False
    unmasked: bool = False
    demo: bool = False
    secret_file: str | None = None
    keyring: str | None = None
    allow_public_key: bool = False
    schema: str = "devstate/1"

    def flags(self, **more: Any) -> dict[str, object]:
        """The options that are settings, by the names of the settings."""
        return {
            "secret_file": self.secret_file,
            "keyring": self.keyring,
            "allow_public_key": self.allow_public_key or None,
            **more,
        }


class GlobalOption(click.Option):
    """An option whose value goes to the `Invocation`, wherever in the line it stands."""

    def __init__(self, names: Sequence[str], **attributes: Any) -> None:
        super().__init__(names, expose_value=False, callback=_keep, **attributes)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    name = (parameter.name or "").removeprefix("given_")  # a command has arguments of its own
    if value is not None and value is not False:
        setattr(context.find_root().obj, name, value)
    return value


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from devstate import __version__

        if context.find_root().obj.json:
            click.echo(f'{{"schema": "devstate.version/1", "version": "{__version__}"}}')
        else:
            click.echo(f"devstate {__version__}")
        context.exit()


def global_options(*, hidden: bool) -> list[click.Parameter]:
    """The global options; a command's own help leaves them to `devstate --help`."""
    folder = click.Path(file_okay=True)
    file = click.Path()
    return [
        GlobalOption(
            ["-C", "given_directory"],
            type=folder,
            metavar="DIR",
            hidden=hidden,
            help="Workspace root, or below it.",
        ),
        GlobalOption(
            ["--json"],
            is_flag=True,
            is_eager=True,
            hidden=hidden,
            help="Exactly one JSON document on stdout.",
        ),
        GlobalOption(["--no-color"], is_flag=True, hidden=hidden, help="No colour (NO_COLOR does the same)."),
        GlobalOption(
            ["--unmasked"], is_flag=True, hidden=hidden, help="Show stored HMACs whole in texts and reports."
        ),
        GlobalOption(
            ["--secret-file"],
            type=file,
            metavar="FILE",
            hidden=hidden,
            help="File that holds the chain's secret.",
        ),
        GlobalOption(["--keyring"], type=file, metavar="FILE", hidden=hidden, help="Key ring file."),
        GlobalOption(
            ["--allow-public-key"],
            is_flag=True,
            hidden=hidden,
            help="In CI: a public or short secret is a warning only.",
        ),
        GlobalOption(["--debug"], is_flag=True, hidden=hidden, help="Show tracebacks."),
    ]


def version_option() -> click.Option:
    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_version,
        help="Show the version.",
    )


def wants(arguments: Sequence[str], option: str) -> bool:
    """Whether a flag stands in the line before `--`: needed where the line itself cannot be parsed."""
    for argument in arguments:
        if argument == "--":
            return False
        if argument == option:
            return True
    return False


_SECRET_FLAGS = ("--secret", "--hmac-secret", "--beamline-hmac-secret", "--key", "--password")


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Raise UsageError, which does not repeat the value, where a secret is given as an argument.

    Arguments are seen by every user of the machine, and stay in the shell's history.
    """
    known = [os.environ.get(name) for name in ("BEAMLINE_HMAC_SECRET", "HMAC_SECRET")]
    for argument in arguments:
        if argument == "--":
            return
        named = argument.split("=", 1)[0] in _SECRET_FLAGS
        if named or any(secret and len(secret) > 3 and secret in argument for secret in known):
            raise UsageError(
                "a secret is never accepted on the command line: other users can see it there",
                remedy="Set BEAMLINE_HMAC_SECRET in the environment, or give --secret-file FILE.",
            )
