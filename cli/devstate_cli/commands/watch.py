"""`devstate watch`: a line for each change on disk."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from devstate.errors import WorkspaceNotFound
from devstate.findings import Severity, counted, visible
from devstate_cli.command import command, invocation_of
from devstate_cli.glance import glance_document
from devstate_cli.invocation import Invocation
from devstate_cli.outcome import json_line
from devstate_cli.screen import Screen

if TYPE_CHECKING:
    from devstate.workspace import Reading

__all__ = ["watch"]


@command(
    "watch",
    examples=("devstate watch", "devstate watch --json", "devstate watch --exec 'devstate validate'"),
    help=(
        "Print the verdict now, and again after each change of the documents; with --json one document a "
        "line. "
        "Ends with status 0 on Ctrl-C.\n\n"
        "--exec runs CMD in a shell after each change, with DEVSTATE_ROOT, DEVSTATE_OK (true or false) and "
        "DEVSTATE_REVISION set; what it prints goes to stderr."
    ),
)
@click.option("--exec", "run", metavar="CMD", help="Run CMD after each change.")
@click.pass_context
def watch(context: click.Context, run: str | None) -> int:
    import asyncio

    call = invocation_of(context)
    screen = Screen(colour=not call.no_color, unmasked=call.unmasked)
    try:
        return asyncio.run(_watch(call, run, screen))
    except KeyboardInterrupt:  # before the handlers were in place
        return 0


async def _watch(call: Invocation, run: str | None, screen: Screen) -> int:
    import asyncio
    import signal
    import threading

    from devstate.workspace import Workspace, load_workspace_settings

    if call.json:
        screen.utf8()
    stop = threading.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    root = _root_to_watch(call)
    settings = load_workspace_settings(root, flags=call.flags())
    before: Reading | None = None
    with Workspace(root, settings=settings) as workspace:
        if not call.json:
            screen.note(f"watching {visible(root)}; Ctrl-C ends it")
        async for reading in workspace.watch(stop=stop):
            changed = _changes(before, reading)
            if call.json:
                screen.write(json_line(_document(reading, changed, call)))
            else:
                screen.write(_line(reading, changed, screen) + "\n")
            screen.flush()
            reading.close()
            if run is not None and before is not None:
                await _execute(run, reading)
            before = reading
    return 0


def _root_to_watch(call: Invocation) -> str:
    """The workspace, or, where there is none yet, the folder in which one may appear."""
    import os

    from devstate.workspace import find_root

    try:
        return find_root(call.directory)
    except WorkspaceNotFound:
        folder = os.path.abspath(call.directory or os.getcwd())
        if not os.path.isdir(folder):
            raise
        return folder


def _changes(before: Reading | None, now: Reading) -> list[str]:
    """Which of the documents differ from the reading before, `state` and `history`; both in the first one."""
    if before is None:
        return []
    changed: list[str] = []
    if _digest(before.state) != _digest(now.state):
        changed.append("state")
    if _digest(before.history) != _digest(now.history):
        changed.append("history")
    return changed


def _digest(document: Any) -> str | None:
    return None if document is None else document.sha256


def _document(reading: Reading, changed: list[str], call: Invocation) -> dict[str, Any]:
    return {
        "schema": call.schema,
        "ok": reading.ok,
        "revision": reading.revision,
        "taken_at": reading.taken_at,
        "changed": changed,
        **glance_document(reading, unmasked=call.unmasked),
    }


def _line(reading: Reading, changed: list[str], screen: Screen) -> str:
    chain = reading.chain
    mark, style = ("✔", "good") if reading.ok else ("✘", "bad")
    if chain is None:
        mark, style, what = "?", "look", "history.json cannot be read"
    elif chain.first_bad is not None:
        what = f"{chain.verified:,} of {chain.entries:,} entries are good, first bad {chain.first_bad:,}"
    else:
        what = f"{chain.verified:,} of {chain.entries:,} entries are good"
    why = f"  {' and '.join(changed)} changed" if changed else ""
    gravest = next((f for f in reading.findings if f.severity is Severity.ERROR), None)
    codes = f"  {gravest.code}" if gravest is not None else ""
    found = counted([f for f in reading.findings if f.severity is not Severity.INFO])
    return (
        f"{screen.paint(reading.taken_at[11:19], 'dim')}  {screen.paint(mark, style)} {what}"
        f"{screen.paint(codes, style)}  {screen.paint(found, 'dim')}{why}"
    )


async def _execute(run: str, reading: Reading) -> None:
    """Run the user's own command and wait for it; its output must not mix with our lines."""
    import asyncio
    import os

    environment = {
        **os.environ,
        "DEVSTATE_ROOT": reading.root,
        "DEVSTATE_OK": "true" if reading.ok else "false",
        "DEVSTATE_REVISION": str(reading.revision),
    }
    process = await asyncio.create_subprocess_shell(run, env=environment, stdout=sys.stderr.fileno())
    await process.wait()
