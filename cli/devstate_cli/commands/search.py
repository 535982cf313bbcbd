"""`devstate search`: keyword search over the records of runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from devstate_cli.command import command, invocation_of
from devstate_cli.databases import chosen_run, db_option, place_of, reading
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen

if TYPE_CHECKING:
    from devstate_cli.shown_values import Veil

__all__ = ["search"]


# What is cut out of a text may begin or end inside an HMAC, or without the word that says that it is one.
_LONG_HEX = re.compile("(?:(?<=^…)[0-9A-Fa-f]{17,}|[0-9A-Fa-f]{17,}(?=…$)|[0-9A-Fa-f]{64})")


@command(
    "search",
    examples=("devstate search baseline", "devstate search 'model plan' --run last --limit 5 --json"),
    help=(
        "Find records by the words in them: values of keys, documents by path and value, events, cells, spans and "
        "the runs themselves; the best match first. The names of keys and documents are not searched."
    ),
)
@click.argument("text", metavar="TEXT")
@click.option("--run", "run_text", metavar="RUN", help="Only in this run.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=10, metavar="K", help="At most K (10).")
@db_option
@click.pass_context
def search(context: click.Context, text: str, run_text: str | None, limit: int, db: str | None) -> Outcome:
    from devstate.engine.jsonable import jsonable
    from devstate.findings import shortened, visible
    from devstate_cli.shown_values import Veil

    call = invocation_of(context)
    veil = Veil(call)
    with reading(place_of(call, db)) as database:
        run = chosen_run(database, run_text).run_id if run_text is not None else None
        answer = database.search(run, text, k=limit)
        names = {str(told.run_id): told.name for told in database.list_runs()}
    hits = [
        {
            "rank": hit.rank,
            "score": hit.score,
            "primitive": hit.ref.primitive,
            "run": hit.ref.run,
            "key": hit.ref.key,
            "snippet": _masked(hit.snippet, veil),
        }
        for hit in answer.hits
    ]
    document = {
        "ok": True,
        "query": text,
        "run": str(run) if run is not None else None,
        "hits": veil.document(hits),
        "truncated": answer.truncated,
        "stats": jsonable(answer.stats),
    }

    def lines(screen: Screen) -> Iterator[str]:
        if not answer.hits:
            yield f"nothing found for {visible(text)!r}"
        for hit in answer.hits:
            key = "" if hit.ref.key is None else f" {shortened(veil.text(str(hit.ref.key)), 40)}"
            name = names.get(hit.ref.run)
            of = f"run {hit.ref.run[:8]}" + (f" {shortened(veil.text(name), 24)}" if name else "")
            what = screen.paint(f"{visible(hit.ref.primitive)}{key}", "strong")
            yield f"{hit.rank:>3}  {what}  {screen.paint(of, 'dim')}"
            # A snippet is safe to print as it is: it has been made visible.
            yield f"     {shortened(_masked(hit.snippet, veil), screen.width - 5)}"
        if answer.truncated:
            yield screen.paint("the search stopped at its budget: there may be better matches", "look")

    return Outcome(document, lines)


def _masked(snippet: str, veil: Veil) -> str:
    shown = veil.text(snippet)
    return shown if veil.unmasked else _LONG_HEX.sub(lambda found: f"{found[0][:16]}...", shown)
