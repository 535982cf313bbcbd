"""`devstate status`: the workspace at a glance."""

from __future__ import annotations

import click

from devstate_cli.command import command, invocation_of
from devstate_cli.glance import glance_document, glance_lines
from devstate_cli.invocation import Invocation
from devstate_cli.judging import open_workspace
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen

__all__ = ["status", "status_of"]


@command(
    "status",
    examples=("devstate status", "devstate -C . status --json"),
    help=(
        "The state, the chain, the artifacts and the findings at a glance.\n\n"
        "Exit status: 0 whatever it finds, 3 when nothing can be read."
    ),
)
@click.pass_context
def status(context: click.Context) -> Outcome:
    return status_of(invocation_of(context))


def status_of(call: Invocation) -> Outcome:
    """The outcome of `status` for the workspace of a call."""
    screen = Screen(colour=not call.no_color)
    with open_workspace(call) as workspace:
        reading = workspace.read(on_progress=screen.progress("reading"))
        reading.close()
    document = {"ok": reading.ok, **glance_document(reading, unmasked=call.unmasked)}
    if reading.unreadable and reading.findings:
        first = reading.findings[0]
        document["error"] = {"code": first.code, "message": first.message, "remedy": first.remedy}
    return Outcome(document, lambda screen: glance_lines(reading, screen), 3 if reading.unreadable else 0)
