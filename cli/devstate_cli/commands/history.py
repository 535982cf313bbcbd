"""`devstate history`: listing, searching and explaining entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from devstate.errors import DevStateError, UsageError
from devstate_cli.command import CommandGroup, command, invocation_of
from devstate_cli.entries import Listing, entry_document, explanation_lines, listing_outcome
from devstate_cli.judging import Judged, judged_history
from devstate_cli.outcome import Outcome

__all__ = ["entry_number", "history", "readable"]

F = TypeVar("F", bound=Callable[..., Any])

_FILTERS = (
    click.option("--actor", metavar="A", help="Only entries of this actor."),
    click.option("--action", metavar="A", help="Only entries with this action."),
    click.option("--cp", metavar="CP", help="Only entries from or to this development checkpoint."),
    click.option("--since", metavar="TS", help="Only entries from this day or RFC 3339 time on."),
    click.option("--until", metavar="TS", help="Only entries up to this day or RFC 3339 time."),
    click.option(
        "--limit", type=click.IntRange(0), default=50, metavar="N", help="At most N (50); 0 for all."
    ),
    click.option("--after", type=click.IntRange(-1), default=-1, metavar="N", help="Begin after entry N."),
)


def _filtered(function: F) -> F:
    for option in reversed(_FILTERS):
        function = option(function)
    return function


@click.group(
    "history",
    cls=CommandGroup,
    examples=("devstate history list --actor AGENT_1 --limit 5", "devstate history show 0"),
    help="Look into the history; entries are counted from 0.",
)
def history() -> None:
    pass


@command(
    "list",
    schema="history.list",
    examples=(
        "devstate history list",
        "devstate history list --since 2026-01-01 --limit 10",
        "devstate history list --limit 0 --json",
    ),
    help=(
        "List entries, oldest first, each with its letter: G good, B broken, U good under a public or weak "
        "key, Y retired key, R compromised key, E cannot be checked.\n\n"
        "With --json the entries are whole, HMACs included."
    ),
)
@_filtered
@click.option("--text", metavar="T", help="Only entries with this text in a name or value.")
@click.pass_context
def list_entries(context: click.Context, text: str | None, **options: Any) -> Outcome:
    return _listing(context, text, options)


@command(
    "search",
    schema="history.search",
    examples=("devstate history search gate", "devstate history search gate --actor AGENT_1 --json"),
    help="List the entries that hold TEXT in a name or value, letter case ignored.",
)
@click.argument("text")
@_filtered
@click.pass_context
def search(context: click.Context, text: str, **options: Any) -> Outcome:
    return _listing(context, text, options)


@command(
    "show",
    schema="history.show",
    examples=("devstate history show 0", "devstate history show head", "devstate history show 0 --json"),
    help=(
        "Show entry N (`head` is the last one): its fields, which of them the HMAC covers, and whether HMAC "
        "and link are good. HMACs are masked; with --json the entry is whole, what was computed stays masked."
    ),
)
@click.argument("n", metavar="N")
@click.pass_context
def show(context: click.Context, n: str) -> Outcome:
    from devstate.chain import explain_entry

    call = invocation_of(context)
    with judged_history(call) as judged:
        opened = readable(judged)
        number = entry_number(n, len(opened))
        entry = opened.entry(number)
        previous = opened.entry(number - 1) if number else None
        explained = explain_entry(entry, previous, judged.keyring)
        letter = chr(opened.report.letters[number])
        found = [finding for finding in judged.findings if finding.where.entry == number]
    document = entry_document(entry, letter, explained, found)
    return Outcome(document, lambda screen: explanation_lines(entry, letter, explained, found, screen))


history.add_command(list_entries)
history.add_command(search)
history.add_command(show)


def _listing(context: click.Context, text: str | None, options: dict[str, Any]) -> Outcome:
    from devstate.chain.filters import EntryFilter, Match, parse_moment

    def equal(name: str) -> tuple[Match, ...]:
        return (Match(options[name]),) if options[name] is not None else ()

    def moment(name: str) -> Any:
        given = options[name]
        return None if given is None else parse_moment(given, end=name == "until", position=f"--{name}")

    chosen = EntryFilter(
        actor=equal("actor"),
        action=equal("action"),
        cp=equal("cp"),
        since=moment("since"),
        until=moment("until"),
        text=(text,) if text else (),
    )
    # The file stays open until the outcome is printed: entries are read while they are written.
    judged = context.find_root().with_resource(judged_history(invocation_of(context)))
    return listing_outcome(Listing(readable(judged), chosen, options["after"], options["limit"]))


def readable(judged: Judged) -> Any:
    """The open history. Raises the gravest finding as an error where it cannot be read."""
    if judged.history is not None:
        return judged.history
    gravest = judged.findings[0]
    error = DevStateError(gravest.message, path=gravest.where.file, remedy=gravest.remedy)
    error.code = gravest.code
    error.exit_code = {"io": 5, "integrity": 1}.get(gravest.failure_class, 3)
    raise error


def entry_number(text: str, entries: int) -> int:
    """The number of an entry, `head` for the last. Raises UsageError where there is no such entry."""
    if text in ("head", "last") and entries:
        return entries - 1
    if text.isascii() and text.isdigit() and len(text) < 12 and int(text) < entries:
        return int(text)
    held = f"entries 0 to {entries - 1:,}" if entries else "no entries"
    raise UsageError(
        f"there is no entry {text!r}: the history holds {held}", remedy="Give a number, or `head`."
    )
