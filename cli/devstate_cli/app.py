"""The root of the command: its subcommands, imported when they run, and what `devstate DIR` means."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import click

from devstate.errors import UsageError

from .invocation import GlobalOption, global_options, version_option

__all__ = ["COMMANDS", "app"]

# name -> (module of commands/, attribute, what it does): the texts stand here so that --help imports none.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "status": ("status", "status", "The state, the chain and the artifacts at a glance."),
    "verify": ("verify", "verify", "Can the history be trusted, and if not, why?"),
    "validate": ("validate", "validate", "The No-Drift gate: state, schemas, artifacts and chain."),
    "watch": ("watch", "watch", "Say what each change on disk does to the verdict."),
    "state": ("state", "state", "Look into state.json: get, checksum."),
    "history": ("history", "history", "Look into the history: list, search, show."),
    "run": ("run", "run", "Runs: list, show, record, begin, end, abort."),
    "replay": ("replay", "replay", "A run as it was after any of its steps."),
    "diff": ("diff", "diff", "What is different between runs, snapshots or documents."),
    "search": ("search", "search", "Find records of runs by their words."),
    "db": ("db", "db", "The embedded database: info, check, snapshots, recovery."),
    "wal": ("wal", "wal", "The log of the database, entry by entry."),
    "mask": ("mask", "mask", "Find unmasked HMACs and secrets in documents and logs."),
    "doctor": ("doctor", "doctor", "Check the environment: secrets, locks, leftovers, versions."),
    "init": ("init", "init", "Make an empty workspace, or a demo."),
    "completion": ("completion", "completion", "Completion for bash, zsh or fish."),
}

# Names under which existing pipelines call a command; they are not listed.
_OTHER_NAMES = {"verify_chain": "verify", "verify-chain": "verify"}
_HIDDEN = {"inspect": ("inspect", "inspect", "")}


class _Root(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(_OTHER_NAMES.get(cmd_name, cmd_name)) or _HIDDEN.get(cmd_name)
        if place is None:
            return None
        return getattr(import_module(f"devstate_cli.commands.{place[0]}"), place[1])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        found = self.get_command(ctx, name)
        if found is not None:
            return found.name, found, args[1:]
        if os.path.isdir(name) or "/" in name:  # devstate DIR
            return "inspect", self.get_command(ctx, "inspect"), args
        raise _no_such_command(name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place[2]) for name, place in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            formatter.write_dl(
                [
                    ("devstate", "look at the project around this folder"),
                    ("devstate --demo", "look at a made-up project"),
                    ("devstate verify", "is the history intact? exit status 0, 1 or 3"),
                    ("devstate verify --json", "the same for a program"),
                    ("devstate init demo --demo", "make a demo workspace in ./demo"),
                ]
            )
        with formatter.section("Exit status"):
            formatter.write_text(
                "0 good   1 integrity failure   2 wrong use   3 cannot decide   4 policy (--strict)   "
                "5 input changed or I/O error   6 locked   7 service unavailable   8 refused"
            )


def _no_such_command(name: str) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(name, [*COMMANDS, *_OTHER_NAMES], n=1, cutoff=0.5)
    hint = f"Did you mean `devstate {near[0]}`? " if near else ""
    return UsageError(f"there is no command {name!r}", remedy=f"{hint}`devstate --help` lists the commands.")


def _bare(context: click.Context) -> Any:
    if context.invoked_subcommand is None:
        inspect = app.get_command(context, "inspect")
        if inspect is None:  # pragma: no cover - it is in the table above
            raise LookupError("inspect")
        with inspect.make_context("inspect", [], parent=context) as inner:
            return inspect.invoke(inner)
    return None


app = _Root(
    "devstate",
    callback=click.pass_context(_bare),
    invoke_without_command=True,
    options_metavar="[OPTIONS]",
    subcommand_metavar="[COMMAND | DIR]",
    help=(
        "Read, verify and explain the development state of a project: .trae/state.json and the "
        "HMAC-chained .trae/history.json.\n\n"
        "Without a command: the inspector on a terminal, `devstate status` elsewhere."
    ),
    params=[
        *global_options(hidden=False),
        GlobalOption(["--demo"], is_flag=True, help="Without a command: show a made-up project."),
        version_option(),
    ],
)
