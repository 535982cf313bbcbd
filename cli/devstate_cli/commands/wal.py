"""`devstate wal`: the log, entry by entry, as it stands in the files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import click

from devstate.errors import InputUnreadable, UsageError
from devstate_cli.command import CommandGroup, command, invocation_of
from devstate_cli.databases import db_option, place_of, require_database
from devstate_cli.invocation import Invocation
from devstate_cli.outcome import json_line
from devstate_cli.screen import Screen

__all__ = ["wal"]

_NO_LIMIT = 1 << 62


@click.group(
    "wal",
    cls=CommandGroup,
    examples=("devstate wal dump --from 0",),
    help="Look into the log of a database.",
)
def wal() -> None:
    pass


@command(
    "dump",
    schema="wal.dump",
    short_help="Print the entries of the log in order.",
    examples=("devstate wal dump", "devstate wal dump --from 400 --hex", "devstate wal dump --json"),
    help=(
        "Print the entries of the log in order, one line each; with --json one document a line. FILE is one "
        "segment, by its path or its name in the database. Bytes that are no entry have a line of their own, "
        "with the reason.\n\n"
        "Exit status: 0 sound, or an unfinished tail as a crash leaves it; 1 damage before the end."
    ),
)
@click.argument("file", required=False, type=click.Path())
@click.option(
    "--from", "since", type=click.IntRange(0), default=0, metavar="LSN", help="Begin at this position."
)
@click.option("--hex", "with_hex", is_flag=True, help="Show the bytes of each entry too.")
@db_option
@click.pass_context
def dump(context: click.Context, file: str | None, since: int, with_hex: bool, db: str | None) -> int:
    from devstate_cli.shown_values import Veil
    from devstate_cli.wal_lines import Dump, entry_document, entry_lines, heading

    call = invocation_of(context)
    veil = Veil(call)
    screen = Screen(colour=not call.no_color, unmasked=call.unmasked)
    dump = Dump(_pieces(call, db, file), since)
    if call.json:
        screen.utf8()
    titled = call.json
    try:
        for item in dump:
            if not titled:  # not before something was read: an error has no heading
                titled = True
                screen.write(screen.paint(heading(), "dim") + "\n")
            if call.json:
                screen.write(json_line({"schema": call.schema, **entry_document(item, veil, with_hex)}))
            else:
                for line in entry_lines(item, screen, veil, with_hex):
                    screen.write(line + "\n")
    except BrokenPipeError:  # the reader has seen enough
        return dump.status
    if not call.json:
        screen.note(dump.summary())
    return dump.status


wal.add_command(dump)


def _pieces(
    call: Invocation, db: str | None, file: str | None
) -> Iterator[tuple[int, int, Callable[[], bytes]]]:
    """LSN, size and bytes of each segment to be read."""
    from devstate.durable import kind_of, read_bounded
    from devstate.engine.layout import parse_segment_name
    from devstate.engine.segments import SegmentReader
    from devstate_cli.wal_lines import holds_entries

    if file is not None and db is None and (os.sep in file or kind_of(file) is not None):
        data = read_bounded(file, limit=_NO_LIMIT).data
        start = parse_segment_name(os.path.basename(file))
        if start is None and data and not holds_entries(data):
            raise InputUnreadable(
                f"{file} holds no entry of a log", path=file, remedy="`devstate db info` lists the segments."
            )
        yield start or 0, len(data), lambda: data
        return
    place = place_of(call, db)
    require_database(place)
    with SegmentReader(place.path) as reader:
        found = reader.refresh()
        if file is not None:
            found = tuple(one for one in found if os.path.basename(one.path) == file)
            if not found:
                raise UsageError(
                    f"there is no segment {file!r} in {place.path}",
                    remedy="`devstate db info` lists the segments; a path works too.",
                )
        for segment in found:
            # As long as it was when it was listed: others may be appending to it.
            yield segment.start, segment.size, partial(reader.load, segment)
