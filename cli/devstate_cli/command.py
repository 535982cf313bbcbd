"""How commands are declared: global options everywhere, examples in every help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from devstate.errors import UsageError

from .invocation import Invocation, global_options

__all__ = ["Command", "CommandGroup", "command", "invocation_of", "not_yet"]


class Command(click.Command):
    """A command with examples, which a test runs; `schema` names its JSON document."""

    def __init__(
        self, *args: Any, examples: tuple[str, ...] = (), schema: str = "", **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples
        self.schema = schema
        self.params.extend(global_options(hidden=True))

    def make_context(self, *args: Any, **attributes: Any) -> click.Context:
        parent: click.Context | None = attributes.get("parent")
        if parent is not None and self.schema:
            # Known before the arguments are parsed, so that a usage error names the right document too.
            parent.find_root().obj.schema = f"devstate.{self.schema}/1"
        return super().make_context(*args, **attributes)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _examples(self.examples, formatter)


class CommandGroup(click.Group):
    """A command with subcommands; alone it shows its help."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples
        self.params.extend(global_options(hidden=True))

    def make_context(self, *args: Any, **attributes: Any) -> click.Context:
        parent: click.Context | None = attributes.get("parent")
        if parent is not None:
            parent.find_root().obj.schema = f"devstate.{self.name}/1"
        return super().make_context(*args, **attributes)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _examples(self.examples, formatter)


def command(
    name: str, *, examples: tuple[str, ...], schema: str | None = None, **attributes: Any
) -> Callable[[Callable[..., Any]], Command]:
    """Declare a command; `schema` is its part of the document's name where it is not the command's own."""

    def declare(function: Callable[..., Any]) -> Command:
        declared = click.command(name, cls=Command, examples=examples, schema=schema or name, **attributes)
        return declared(function)

    return declare


def not_yet(*names: str, why: str, takes_value: bool = True) -> Callable[[Any], Any]:
    """An option of the contract that this version does not have: not shown, and refused with a sentence."""

    def refuse(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value and not context.resilient_parsing:
            raise UsageError(f"{names[0]} is not part of this version", remedy=why)

    return click.option(
        *names,
        hidden=True,
        expose_value=False,
        callback=refuse,
        is_flag=not takes_value,
        default=None if takes_value else False,
    )


def invocation_of(context: click.Context) -> Invocation:
    """The global options of this call."""
    return context.find_root().obj


def _examples(examples: tuple[str, ...], formatter: click.HelpFormatter) -> None:
    if examples:
        with formatter.section("Examples"):
            formatter.write("".join(f"  $ {line}\n" for line in examples))
