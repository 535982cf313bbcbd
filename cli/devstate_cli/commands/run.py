"""`devstate run`: the runs of a database, and beginning and ending them from a script."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

from devstate.errors import UsageError
from devstate_cli.changing import carry_out
from devstate_cli.command import CommandGroup, command, invocation_of
from devstate_cli.databases import (
    Place,
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

if TYPE_CHECKING:
    from devstate.plans import Plan, Target

__all__ = ["changing_options", "plan_of", "run", "run_plan"]

F = TypeVar("F", bound=Callable[..., Any])

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


def changing_options(function: F) -> F:
    """`--yes`, `--dry-run` and `--wait`."""
    for option in (
        click.option(
            "--wait", type=click.FloatRange(0), default=10.0, metavar="SECONDS", help="For the lock (10)."
        ),
        click.option("--dry-run", is_flag=True, help="Show what would be done, and stop."),
        click.option("--yes", is_flag=True, help="Go ahead without asking."),
    ):
        function = option(function)
    return function


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
    yes: bool,
    dry_run: bool,
    wait: float,
    db: str | None,
) -> Outcome:
    from devstate.plans import Receipt

    call = invocation_of(context)
    place = place_of(call, db)
    told = _metadata(metadata)
    under = None
    if parent is not None:
        with reading(place) as database:
            under = chosen_run(database, parent).run_id
    plan = run_plan(
        place, f"begin run {name!r}" if name else "begin a run", "append: one commit that begins the run"
    )
    made: list[str] = []

    def apply() -> Receipt:
        with writing(place, wait=wait, create=True) as database:
            made.append(database.begin_run(name=name, parent=under, tags=tags, metadata=told, owned=False))
        return Receipt(plan.id, (place.shown,), f"To undo: devstate run abort {made[0]} --reason ...")

    done = carry_out(plan, apply, call, yes=yes, dry_run=dry_run, said=lambda screen: made)
    return Outcome({**done.document, "run": made[0] if made else None}, done.text, done.status)


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
    yes: bool,
    dry_run: bool,
    wait: float,
    db: str | None,
) -> Outcome:
    return _ended(context, run_text, status, reason, yes=yes, dry_run=dry_run, wait=wait, db=db)


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
def abort(
    context: click.Context, run_text: str, reason: str, yes: bool, dry_run: bool, wait: float, db: str | None
) -> Outcome:
    return _ended(context, run_text, "failed", reason, yes=yes, dry_run=dry_run, wait=wait, db=db)


for _one in (list_runs, show, begin, end, abort):
    run.add_command(_one)


def run_plan(place: Place, action: str, what: str) -> Plan:
    """The plan of a change that is a commit: what is there is not touched."""
    from devstate.plans import Target

    log = Target(f"{place.shown}/wal", None, None, what)
    if has_database(place):
        return plan_of(place, action, (log,))
    return plan_of(place, action, (Target(place.shown, None, None, "write: a new database"), log))


def plan_of(place: Place, action: str, targets: tuple[Target, ...]) -> Plan:
    """A plan for a database; its files have no digests, as others may be writing them."""
    import hashlib

    from devstate.plans import Plan

    identity = "\0".join([action, place.path, *(f"{target.path}\0{target.diff}" for target in targets)])
    number = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return Plan(number, action, place.root or place.path, targets)


def _ended(
    context: click.Context,
    text: str,
    status: str,
    reason: str | None,
    *,
    yes: bool,
    dry_run: bool,
    wait: float,
    db: str | None,
) -> Outcome:
    from devstate.engine.errors import RunNotActive
    from devstate.plans import Receipt
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
    plan = run_plan(place, f"end run {told.run_id} as {status}", "append: one commit that ends the run")

    def apply() -> Receipt:
        with writing(place, wait=wait) as database:
            database.end_run(told.run_id, status, reason)
        return Receipt(plan.id, (place.shown,))

    def said(screen: Screen) -> list[str]:
        return [f"{screen.paint('✔ done', 'good')}  {run_title(told, veil)} is {status}"]

    done = carry_out(plan, apply, call, yes=yes, dry_run=dry_run, said=said)
    return Outcome({**done.document, "run": str(told.run_id), "status": status}, done.text, done.status)


def _metadata(text: str | None) -> Mapping[str, Any]:
    import json

    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--metadata is not JSON: {error}", remedy='Give an object, like \'{"commit": "abc"}\'.'
        ) from None
    if not isinstance(value, dict):
        raise UsageError(
            "--metadata is not a JSON object", remedy='Give an object, like \'{"commit": "abc"}\'.'
        )
    return value
