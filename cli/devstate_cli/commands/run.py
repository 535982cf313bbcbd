"""`devstate run`: the runs of a database, and beginning and ending them from a script."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from importlib import import_module
from math import isfinite
from typing import Any

import click

from devstate.errors import UsageError
from devstate_cli.changing_database import (
    Agreement,
    Change,
    change_database,
    changing_options,
    log_targets,
)
from devstate_cli.command import CommandGroup, command, invocation_of
from devstate_cli.databases import (
    checked_name,
    chosen_run,
    db_option,
    has_database,
    place_of,
    reading,
    require_database,
    writing,
)
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen

__all__ = ["run"]

STATUSES = ("active", "paused", "completed", "failed", "cancelled", "archived", "orphaned")
_NONE_YET = "no runs yet; `devstate run record -- CMD` or `devstate run begin` makes the first one"

# Subcommands of other modules, imported when they are asked for.
_LATER = {"record": ("run_record", "run_record")}


class _RunGroup(CommandGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["list", "show", *_LATER, "begin", "end", "abort"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _LATER:
            module, name = _LATER[cmd_name]
            return getattr(import_module(f"devstate_cli.commands.{module}"), name)
        return super().get_command(ctx, cmd_name)


@click.group(
    "run",
    cls=_RunGroup,
    examples=("devstate run list", "devstate run show last"),
    help=(
        "Runs: what was done together, step by step, so that it can be replayed and compared.\n\n"
        "RUN is an identifier, its first digits (4 or more), a name, or `last`."
    ),
)
def run() -> None:
    pass


@command(
    "list",
    schema="run.list",
    examples=("devstate run list", "devstate run list --status failed --limit 5 --json"),
    help="List the runs, newest first.",
)
@click.option("--status", type=click.Choice(STATUSES), help="Only runs in this status.")
@click.option("--tag", metavar="T", help="Only runs with this tag.")
@click.option("--parent", metavar="RUN", help="Only runs under this one.")
@click.option("--limit", type=click.IntRange(0), default=50, metavar="N", help="At most N (50); 0 for all.")
@db_option
@click.pass_context
def list_runs(
    context: click.Context,
    status: str | None,
    tag: str | None,
    parent: str | None,
    limit: int,
    db: str | None,
) -> Outcome:
    call = invocation_of(context)
    place = place_of(call, db)
    if place.root is not None and not has_database(place):
        # A workspace has no database before its first run: that is no fault.
        nothing: dict[str, Any] = {
            "ok": True,
            "db": place.path,
            "total": 0,
            "runs": [],
            "shown": 0,
            "note": _NONE_YET,
        }
        return Outcome(nothing, lambda screen: [_NONE_YET])
    from devstate_cli.run_pages import run_document, run_table
    from devstate_cli.shown_values import Veil

    veil = Veil(call)
    with reading(place) as database:
        total = len(database.list_runs())
        under = chosen_run(database, parent).run_id if parent is not None else None
        found = database.list_runs(status=status, tag=tag, parent=under)[::-1]
    shown = found[:limit] if limit else found
    document = {
        "ok": True,
        "db": place.path,
        "total": total,
        "matching": len(found),
        "runs": [veil.document(run_document(one)) for one in shown],
        "shown": len(shown),
    }

    def text(screen: Screen) -> Iterator[str]:
        if not shown:
            yield f"no run of {total:,} matches" if total else _NONE_YET
            return
        yield from run_table(shown, screen, veil, now=time.time_ns() // 1000)
        if len(shown) < len(found):
            yield screen.paint(f"{len(shown):,} shown of {len(found):,} runs; --limit 0 shows all", "dim")

    return Outcome(document, text)


@command(
    "show",
    schema="run.show",
    short_help="One run: its steps, spans and contents.",
    examples=("devstate run show last", "devstate run show last --steps 0 --json"),
    help="Show a run: what is known of it, its steps, its spans, and how much it holds.",
)
@click.argument("run_text", metavar="RUN")
@click.option(
    "--steps",
    type=click.IntRange(0),
    default=20,
    metavar="N",
    help="At most the last N steps (20); 0 for all.",
)
@db_option
@click.pass_context
def show(context: click.Context, run_text: str, steps: int, db: str | None) -> Outcome:
    from devstate_cli.run_pages import looked_at, page_document, page_lines
    from devstate_cli.shown_values import Veil

    call = invocation_of(context)
    veil = Veil(call)
    with reading(place_of(call, db)) as database:
        told = chosen_run(database, run_text)
        page = looked_at(database, told, steps)
    document = {"ok": True, **veil.document(page_document(page))}
    return Outcome(document, lambda screen: page_lines(page, screen, veil, now=time.time_ns() // 1000))


@command(
    "begin",
    schema="run.begin",
    short_help="Begin a run, and print its identifier.",
    examples=("devstate run begin build --tag ci --yes", "devstate run begin --dry-run"),
    help=(
        "Begin a run, in a new database where there is none, and print its identifier. It stays active until "
        "`devstate run end` or `devstate run abort`; programs write to it meanwhile."
    ),
)
@click.argument("name", required=False)
@click.option("--tag", "tags", multiple=True, metavar="T", help="A tag; may be given several times.")
@click.option("--parent", metavar="RUN", help="The run that this one belongs under.")
@click.option("--metadata", metavar="JSON", help="An object with more about the run.")
@changing_options
@db_option
@click.pass_context
def begin(
    context: click.Context,
    name: str | None,
    tags: tuple[str, ...],
    parent: str | None,
    metadata: str | None,
    agreed: Agreement,
    db: str | None,
) -> Outcome:
    from devstate.engine.values import encode_value

    call = invocation_of(context)
    place = place_of(call, db)
    checked_name(name, "Choose another name, or give none.")
    told = _metadata(metadata)
    for given in (told, [name, *tags]):
        encode_value(given)  # what the engine would refuse is refused before it makes a database
    under = None
    if parent is not None:
        with reading(place) as database:
            under = chosen_run(database, parent).run_id

    def work() -> Change:
        with writing(place, wait=agreed.wait, create=True) as database:
            made = database.begin_run(name=name, parent=under, tags=tags, metadata=told, owned=False)
        undo = f"To undo: devstate run abort {made} --reason ..."
        return Change((place.shown,), lambda screen: [made], {"run": made}, undo)

    action = f"begin run {name!r}" if name else "begin a run"
    targets = log_targets(place, "append: one commit that begins the run")
    return change_database(call, place, action, targets, work, agreed, otherwise={"run": None})


@command(
    "end",
    schema="run.end",
    examples=("devstate run end review --yes", "devstate run end last --status cancelled --dry-run"),
    help="End an active run. It takes no writes after that.",
)
@click.argument("run_text", metavar="RUN")
@click.option(
    "--status",
    type=click.Choice(("completed", "failed", "cancelled")),
    default="completed",
    help="How it ended (completed).",
)
@click.option("--reason", metavar="R", help="Why.")
@changing_options
@db_option
@click.pass_context
def end(
    context: click.Context,
    run_text: str,
    status: str,
    reason: str | None,
    agreed: Agreement,
    db: str | None,
) -> Outcome:
    return _ended(context, run_text, status, reason, agreed, db)


@command(
    "abort",
    schema="run.abort",
    short_help="End an active run as failed.",
    examples=("devstate run abort trial --reason 'wrong input' --yes",),
    help="End an active run as failed, and say why.",
)
@click.argument("run_text", metavar="RUN")
@click.option("--reason", metavar="R", required=True, help="Why.")
@changing_options
@db_option
@click.pass_context
def abort(context: click.Context, run_text: str, reason: str, agreed: Agreement, db: str | None) -> Outcome:
    return _ended(context, run_text, "failed", reason, agreed, db)


for _one in (list_runs, show, begin, end, abort):
    run.add_command(_one)


def _ended(
    context: click.Context,
    text: str,
    status: str,
    reason: str | None,
    agreed: Agreement,
    db: str | None,
) -> Outcome:
    from devstate.engine.errors import RunNotActive
    from devstate_cli.run_pages import run_title
    from devstate_cli.shown_values import Veil

    call = invocation_of(context)
    place = place_of(call, db)
    require_database(place)
    veil = Veil(call)
    with reading(place) as database:
        told = chosen_run(database, text)
    if told.status not in ("active", "orphaned"):
        raise RunNotActive(
            f"run {told.run_id} is {told.status.value}: it cannot be ended",
            status=told.status.value,
            remedy="`devstate run list --status active` shows those that can.",
        )

    def said(screen: Screen) -> list[str]:
        return [f"{screen.paint('✔ done', 'good')}  {run_title(told, veil)} is {status}"]

    def work() -> Change:
        with writing(place, wait=agreed.wait) as database:
            database.end_run(told.run_id, status, reason)
        return Change((place.shown,), said)

    targets = log_targets(place, "append: one commit that ends the run")
    done = change_database(call, place, f"end run {told.run_id} as {status}", targets, work, agreed)
    return Outcome({**done.document, "run": str(told.run_id), "status": status}, done.text, done.status)


def _metadata(text: str | None) -> Mapping[str, Any]:
    import json

    if text is None:
        return {}
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UsageError(
            f"--metadata is not JSON: {why}", remedy='Give an object, like \'{"commit": "abc"}\'.'
        ) from None
    if not isinstance(value, dict):
        raise UsageError(
            "--metadata is not a JSON object", remedy='Give an object, like \'{"commit": "abc"}\'.'
        )
    return value


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if isfinite(number) else _no_number(digits)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        raise ValueError("a member stands twice in one object")
    return told
