"""`devstate db`: the embedded database of a workspace: what is in its folder, checks, snapshots and recovery."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from devstate.errors import PlanRefused, StorageFault
from devstate.findings import counted, exit_code, findings_document, render_text, visible
from devstate_cli.changing_database import Agreement, Change, change_database, changing_options
from devstate_cli.command import CommandGroup, command, invocation_of
from devstate_cli.databases import db_option, place_of, reading, require_database, waited, writing
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen

__all__ = ["db"]

_LOOKS = 2


@click.group(
    "db",
    cls=CommandGroup,
    examples=("devstate db info", "devstate db check"),
    help=(
        "The embedded database that holds the runs: .trae/store of the workspace, or --db DIR. What only looks "
        "takes no lock, and works while others write."
    ),
)
def db() -> None:
    pass


@command(
    "info",
    schema="db",
    short_help="What it holds, its files, and how it opens.",
    examples=("devstate db info", "devstate db info --json"),
    help=(
        "What the database holds, its files, and what opening it comes to.\n\n"
        "Below the snapshot that it opens from, only the outline of the log is looked at: segments that are missing, "
        "emptied or overlapping, or that begin with no entry. `devstate db check` verifies the entries there.\n\n"
        "Exit status: 0 it opens whole, 1 committed data is damaged (what is intact is shown), 3 there is none."
    ),
)
@db_option
@click.pass_context
def info(context: click.Context, db: str | None) -> Outcome:
    from devstate_cli.db_pages import info_document, info_lines, looked_at

    call = invocation_of(context)
    place = place_of(call, db)
    with reading(place, on_corruption="read_only") as database:
        page = looked_at(database)
    document = {"ok": not page.damaged, **info_document(page)}
    return Outcome(document, lambda screen: info_lines(page, screen), 1 if page.damaged else 0)


@command(
    "check",
    schema="db.check",
    short_help="Read every byte and judge it.",
    examples=("devstate db check", "devstate db check --json"),
    help=(
        "Read every byte of the database and judge it: log, history, snapshots, indexes, and the state that "
        "they lead to. Nothing is changed.\n\n"
        "Exit status: 0 sound, 1 damaged, 3 it cannot be judged."
    ),
)
@db_option
@click.pass_context
def check(context: click.Context, db: str | None) -> Outcome:
    from devstate.engine.builtin import builtin_registry
    from devstate.engine.checking import check as check_folder
    from devstate.engine.inspection import look_at

    place = place_of(invocation_of(context), db)
    require_database(place)
    registry = builtin_registry()
    findings = check_folder(place.path, registry=registry)
    if look_at(place.path).clean is None:
        # Perhaps others have it open: what they are just doing is no fault, and neither are their runs.
        findings = tuple(finding for finding in findings if finding.code != "RUN_ORPHANED")
        for _ in range(_LOOKS):
            if exit_code(findings) == 0:
                break
            findings = check_folder(place.path, registry=registry, live=True)
    status = exit_code(findings)
    document = {"ok": status == 0, "path": place.path, "findings": findings_document(findings)}

    def text(screen: Screen) -> Iterator[str]:
        if not findings:
            told = "log, history, snapshots and indexes agree, and lead to one state"
            yield f"{screen.paint('✔ SOUND', 'good')}  {visible(place.shown)}: {told}"
            return
        mark, style = {0: ("✔ SOUND", "good"), 1: ("✘ DAMAGED", "bad")}.get(
            status, ("? CANNOT DECIDE", "look")
        )
        yield f"{screen.paint(mark, style)}  {counted(findings)} in {visible(place.shown)}"
        yield ""
        yield render_text(findings, colour=screen.colour, width=screen.width)

    return Outcome(document, text, status)


@command(
    "snapshots",
    schema="db.snapshots",
    short_help="List the snapshots, each read through.",
    examples=("devstate db snapshots", "devstate db snapshots --json"),
    help="List the snapshots, newest first, and read each through: is it whole, and of this database?",
)
@db_option
@click.pass_context
def snapshots(context: click.Context, db: str | None) -> Outcome:
    from devstate_cli.db_pages import judged_snapshots, snapshot_lines

    place = place_of(invocation_of(context), db)
    require_database(place)
    found = judged_snapshots(place.path)
    document = {"ok": True, "path": place.path, "snapshots": found}
    return Outcome(document, lambda screen: snapshot_lines(found, screen))


@command(
    "snapshot",
    schema="db.snapshot",
    short_help="Take a snapshot.",
    examples=("devstate db snapshot --dry-run", "devstate db snapshot --yes"),
    help="Take a snapshot: later openings start from it. Others may go on writing.",
)
@changing_options
@db_option
@click.pass_context
def snapshot(context: click.Context, agreed: Agreement, db: str | None) -> Outcome:
    return _snapshot(context, "take a snapshot", agreed, db, exclusive=False)


@command(
    "compact",
    schema="db.compact",
    short_help="Take a snapshot, put the log behind it away.",
    examples=("devstate db compact --dry-run", "devstate db compact --yes"),
    help=(
        "Take a snapshot, remove those beyond the newest two, and move the log behind the older of these into "
        "history/, where runs are replayed from. Nobody else may have the database open."
    ),
)
@changing_options
@db_option
@click.pass_context
def compact(context: click.Context, agreed: Agreement, db: str | None) -> Outcome:
    return _snapshot(context, "compact the database", agreed, db, exclusive=True)


@command(
    "recover",
    schema="db.recover",
    short_help="Repair what a crash or damage leaves.",
    examples=("devstate db recover --dry-run", "devstate db recover --on-corruption read_only"),
    help=(
        "Open the database as any writer would, repair what a crash leaves, and say what that came to.\n\n"
        "Where committed data is damaged: `raise` (default) reports it and changes nothing, `read_only` shows "
        "what is intact and changes nothing, `prefix` cuts the log at the damage and keeps what is cut in "
        "quarantine/.\n\n"
        "Damage below the snapshot that it opens from is told and left alone: the present state does not need "
        "what is there.\n\n"
        "Exit status: 0 whole, or repaired; 1 committed data is damaged and nothing was changed."
    ),
)
@click.option(
    "--on-corruption",
    type=click.Choice(("raise", "prefix", "read_only")),
    default="raise",
    help="What to do where committed data is damaged.",
)
@changing_options
@db_option
@click.pass_context
def recover(context: click.Context, on_corruption: str, agreed: Agreement, db: str | None) -> Outcome:
    from devstate.engine import Database, RecoveryOptions
    from devstate.engine.inspection import look_at, preview_opening
    from devstate.engine.segments import in_the_way
    from devstate_cli.db_pages import (
        below_lines,
        faults_below,
        recovery_document,
        recovery_lines,
        recovery_targets,
        report_document,
    )

    call = invocation_of(context)
    place = place_of(call, db)
    require_database(place)
    preview = preview_opening(place.path)
    result = preview.result
    if result is None:
        raise preview.fault or StorageFault("the database cannot be looked at", path=place.path)
    lost = result.corruption
    told: dict[str, Any] = {"recovery": recovery_document(result), "report": report_document(lost)}
    look = look_at(place.path)
    below = faults_below(look, result)

    def as_it_is(screen: Screen) -> Iterator[str]:
        yield from recovery_lines(result, screen, whole=not below)
        if below:
            yield from below_lines(below, look.root, screen)

    if on_corruption == "read_only" or (lost is not None and on_corruption == "raise"):
        document = {"ok": lost is None, "plan": None, "applied": [], "undo": None, **told, "set_aside": []}
        return Outcome(document, as_it_is, 1 if lost is not None else 0)
    obstacle = in_the_way(place.path, result.wal_end_offset)
    if obstacle is not None:
        raise obstacle
    targets = recovery_targets(place.path, preview, place.root or place.path)
    if not targets:
        document = {"ok": True, "plan": None, "applied": [], "undo": None, **told, "set_aside": []}
        return Outcome(document, lambda screen: [*as_it_is(screen), "nothing has to be repaired"])

    def work() -> Change:
        options = RecoveryOptions(on_corruption=on_corruption)  # pyright: ignore[reportArgumentType]
        opened = waited(lambda: Database.open(place.path, create=False, recovery=options), agreed.wait)
        with opened as database:
            after, base = database.recovery, place.root or place.path
            aside = tuple(os.path.relpath(path, base) for path in database.set_aside)

        def said(screen: Screen) -> Iterator[str]:
            yield from recovery_lines(after, screen, repaired=True)
            for path in aside:
                yield f"  set aside  {visible(path)}"

        came_to = {"recovery": recovery_document(after), "report": report_document(after.corruption)}
        applied = tuple(target.path for target in targets)
        return Change(applied, said, {**came_to, "set_aside": list(aside)}, set_aside=aside)

    return change_database(
        call, place, "recover the database", targets, work, agreed, otherwise={"set_aside": [], **told}
    )


@command(
    "salvage",
    schema="db.salvage",
    short_help="Save intact commits behind damage to a file.",
    examples=("devstate db salvage lost.jsonl --yes",),
    help=(
        "Write the intact commits that stand behind damage, which recovery cuts off, to OUT: one JSON object a "
        "line, for a person to judge. Nothing is merged, and the database is not changed."
    ),
)
@click.argument("out", metavar="OUT", type=click.Path())
@changing_options
@db_option
@click.pass_context
def salvage(context: click.Context, out: str, agreed: Agreement, db: str | None) -> Outcome:
    from devstate.durable import kind_of
    from devstate.engine.builtin import builtin_registry
    from devstate.engine.salvage import salvage as salvage_folder
    from devstate.plans import Target
    from devstate_cli.db_pages import salvage_document, salvage_lines

    call = invocation_of(context)
    place = place_of(call, db)
    require_database(place)
    if kind_of(out) is not None:
        raise PlanRefused(f"{out} exists", path=out, remedy="Name a file that does not exist yet.")
    what = "write: the intact commits behind the damage, where there are any"

    def work() -> Change:
        report = salvage_folder(place.path, out, registry=builtin_registry())
        written = report.path is not None
        return Change(
            (out,) if written else (),
            lambda screen: salvage_lines(report, screen),
            salvage_document(report),
            f"To undo: rm {out}" if written else None,
        )

    targets = (Target(out, None, None, what),)
    return change_database(call, place, "salvage cut-off commits", targets, work, agreed)


for _one in (info, check, snapshots, snapshot, compact, recover, salvage):
    db.add_command(_one)


def _snapshot(
    context: click.Context, action: str, agreed: Agreement, db: str | None, *, exclusive: bool
) -> Outcome:
    from devstate.engine import Database
    from devstate.engine.jsonable import jsonable
    from devstate.plans import Target
    from devstate_cli.db_pages import files_of, taken_lines

    call = invocation_of(context)
    place = place_of(call, db)
    require_database(place)
    with reading(place):  # what cannot be read is not compacted: the error says why
        pass
    what = "write: a snapshot of the present state; older ones than the newest two go, the log behind them to history/"

    def work() -> Change:
        before = files_of(place.path)
        opened = (
            waited(lambda: Database.open(place.path, create=False), agreed.wait)
            if exclusive
            else writing(place, wait=agreed.wait)
        )
        with opened as database:
            taken = database.snapshot()
        after = files_of(place.path)
        gone = tuple(sorted(before - after))
        told = jsonable(taken)
        told["file"] = os.path.basename(told.pop("path"))
        return Change(
            tuple(sorted(f"{place.shown}/{name}" for name in after - before)),
            lambda screen: taken_lines(taken, gone, screen),
            {"snapshot": told, "gone": list(gone)},
        )

    targets = (Target(f"{place.shown}/snapshots", None, None, what),)
    return change_database(call, place, action, targets, work, agreed)
