"""`devstate replay`: a run made again from its entries in the log, up to a step."""

from __future__ import annotations

import click

from devstate.errors import UsageError
from devstate_cli.command import command, invocation_of
from devstate_cli.databases import chosen_run, db_option, place_of, reading
from devstate_cli.outcome import Outcome

__all__ = ["replay"]


@command(
    "replay",
    examples=("devstate replay last", "devstate replay baseline --to 2", "devstate replay last --json"),
    help=(
        "Make a run again from its entries in the log, and show what it held after step STEP (default: the last "
        "one) and what that step changed. Nothing is executed and nothing is written.\n\n"
        "RUN is an identifier, its first digits (4 or more), a name, or `last`."
    ),
)
@click.argument("run_text", metavar="RUN")
@click.option(
    "--to", "step", type=click.IntRange(0), metavar="STEP", help="Stop after this step; 0 is empty."
)
@click.option("--final", is_flag=True, help="Where the history was pruned: the present state, without steps.")
@db_option
@click.pass_context
def replay(context: click.Context, run_text: str, step: int | None, final: bool, db: str | None) -> Outcome:
    from devstate_cli.replay_page import replay_document, replay_lines
    from devstate_cli.shown_values import Veil

    if final and step is not None:
        raise UsageError("--final has no steps", remedy="Leave --to out, or --final.")
    call = invocation_of(context)
    veil = Veil(call)
    with reading(place_of(call, db)) as database:
        run = chosen_run(database, run_text)
        view = database.replay_run(run.run_id, step=step, final_only=final)
    # A view is detached from the database.
    document = {"ok": True, **veil.document(replay_document(view))} if call.json else {}
    return Outcome(document, lambda screen: replay_lines(view, screen, veil))
