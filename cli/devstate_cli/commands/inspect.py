"""`devstate` and `devstate DIR`: the inspector on a terminal, the status elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from devstate.errors import UsageError
from devstate_cli.command import command, invocation_of
from devstate_cli.databases import db_option
from devstate_cli.invocation import Invocation
from devstate_cli.judging import environment_of
from devstate_cli.outcome import Outcome

from .status import status_of

__all__ = ["inspect"]


@command("inspect", schema="status", hidden=True, examples=("devstate", "devstate .", "devstate --demo"))
@click.argument("directory", required=False, type=click.Path())
@db_option
@click.pass_context
def inspect(context: click.Context, directory: str | None, db: str | None) -> Outcome | int:
    call = invocation_of(context)
    if directory is not None:
        if call.directory is not None:
            raise UsageError("the folder is given twice, as DIR and as -C DIR", remedy="Give it once.")
        call.directory = directory
    if not call.demo:
        return _look(call, db)
    if call.directory is not None:
        raise UsageError("--demo makes a folder of its own", remedy="Leave DIR and -C out.")
    with _demo_folder() as folder:
        call.directory = folder
        return _look(call, db)


def _look(call: Invocation, db: str | None) -> Outcome | int:
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if call.json or not terminal or os.environ.get("TERM") == "dumb":
        return status_of(call)
    from devstate.workspace import find_root, load_workspace_settings
    from devstate_tui import run

    root = find_root(call.directory)
    settings = load_workspace_settings(root, flags=call.flags(), environ=environment_of(call))
    folder = os.path.abspath(db) if db is not None else None
    return run(root, settings=settings, db=folder, demo=call.demo, no_color=call.no_color)


@contextmanager
def _demo_folder() -> Iterator[str]:
    """A demo workspace in a temporary folder, which is removed at the end."""
    from tempfile import TemporaryDirectory

    from devstate.demo import DEFAULT_RUNS, demo_workspace, write_demo

    with TemporaryDirectory(prefix="devstate-demo-") as folder:
        root = os.path.join(folder, "demo-project")
        write_demo(root, demo_workspace(runs=DEFAULT_RUNS))
        yield root
