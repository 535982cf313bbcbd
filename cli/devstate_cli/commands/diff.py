"""`devstate diff`: what is different in B: runs, snapshots, or documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from devstate_cli.command import command, invocation_of
from devstate_cli.databases import db_option
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen

__all__ = ["diff"]

FORMATS = ("text", "json", "json-patch", "markdown")


@command(
    "diff",
    examples=(
        "devstate diff run:baseline run:candidate",
        "devstate diff run:baseline@1 run:baseline --path",
        "devstate diff entry:0 entry:head --format json-patch",
        "devstate diff .trae/state.json .trae/state.json --exit-code",
    ),
    help=(
        "What is different in B. A and B are run:ID (with @STEP as it was after that step), snapshot:FILE (run by "
        "run) or snapshot:FILE#RUN, entry:N of the history, git:REF (state.json at that commit, or git:REF:PATH), "
        "or a JSON file. Runs and snapshots are compared by key, documents by path.\n\n"
        "Exit status: 0, also where they differ; with --exit-code 1 where they differ."
    ),
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--path", "paths", is_flag=True, help="Show what differs inside of modified values, by path.")
@click.option(
    "--traces", is_flag=True, help="Compare the spans of runs too; their identifiers always differ."
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Output format (default: text).")
@click.option("--exit-code", is_flag=True, help="End with status 1 where A and B differ.")
@db_option
@click.pass_context
def diff(
    context: click.Context,
    a: str,
    b: str,
    paths: bool,
    traces: bool,
    form: str | None,
    exit_code: bool,
    db: str | None,
) -> Outcome:
    from devstate.engine.ids import run_bytes
    from devstate_cli.diff_reports import compared, diff_document, diff_lines, markdown_lines, patch_of
    from devstate_cli.diff_sides import RunSide, Sides
    from devstate_cli.shown_values import Veil

    from .verify import choose_format

    call = invocation_of(context)
    form = choose_format(call.json, form)
    call.json = form == "json"
    veil = Veil(call)
    with Sides(call, db) as sides:
        one, other = sides.read(a), sides.read(b)
        found = compared(one, other, traces=traces)
        if isinstance(one, RunSide) and isinstance(other, RunSide) and one.live and other.live:
            from dataclasses import replace

            divergence = (
                sides.database.first_divergence(one.view.run_id, other.view.run_id)
                if run_bytes(one.view.run_id) != run_bytes(other.view.run_id)
                else None
            )
            found = replace(found, divergence=divergence)
    status = 1 if exit_code and not found.is_empty else 0
    if form == "json-patch":
        patch: list[dict[str, Any]] = veil.document(patch_of(one, other))
        return Outcome({}, lambda screen: _patch_lines(patch), status, for_programs=True)
    if form == "markdown":
        return Outcome({}, lambda screen: markdown_lines(found, veil), status, for_programs=True)

    def text(screen: Screen) -> Iterator[str]:
        return diff_lines(found, screen, veil, paths=paths)

    # Made only where it is wanted: it holds every value whole.
    document = veil.document({"ok": True, **diff_document(found, paths=paths)}) if call.json else {}
    return Outcome(document, text, status)


def _patch_lines(patch: list[dict[str, Any]]) -> Iterable[str]:
    import json

    from devstate.findings import visible_json

    return [visible_json(json.dumps(patch, ensure_ascii=False, indent=2))]
