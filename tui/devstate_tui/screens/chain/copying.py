"""The text that is copied for each form of `CopyChoice`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstate.errors import UsageError
from devstate_tui.models.copies import csv_of, json_of, list_command, show_command

if TYPE_CHECKING:
    from devstate.chain import EntryFilter
    from devstate_tui.models.chain import ChainModel
    from devstate_tui.models.matches import Matches

__all__ = ["copied_text"]


def copied_text(
    form: str,
    model: ChainModel,
    entry: int,
    *,
    root: str,
    matches: Matches | None,
    chosen: EntryFilter | None,
    most: int,
) -> tuple[str, str]:
    """What it is called and the text itself. Raises DevStateError where it cannot be made."""
    kind, _, of_matches = form.partition("-")
    if kind == "command":
        return "Command", _command(root, entry, chosen if of_matches else None)
    if of_matches and matches is not None:
        which = [matches[row] for row in range(min(len(matches), most))]
    else:
        which = [entry]
    entries = [model.entry(index) for index in which]
    name = f"Entry {entry:,}" if len(which) == 1 else f"{len(which):,} entries"
    return f"{name} as {kind.upper()}", json_of(entries) if kind == "json" else csv_of(entries)


def _command(root: str, entry: int, chosen: EntryFilter | None) -> str:
    if chosen is None:
        return show_command(root, entry)
    command = list_command(root, chosen)
    if command is None:
        raise UsageError(
            "the command has no options for this filter",
            remedy="It takes one value for a field, and whole values only (`:` and not `~`).",
        )
    return command
