"""An entry, or some of them, as text for another program: JSON, CSV, or the command that shows the same."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

from devstate.chain import MEMBERS

if TYPE_CHECKING:
    from devstate.chain import Entry, EntryFilter

__all__ = ["csv_of", "json_of", "list_command", "show_command"]

# A spreadsheet would take a text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def json_of(entries: list[Entry]) -> str:
    """One entry as an object with its exact bytes, several as an array."""
    if len(entries) == 1:
        return entries[0].raw.decode("utf-8", "replace")
    return json.dumps([entry.members for entry in entries], indent=4, ensure_ascii=False)


def csv_of(entries: Iterable[Entry]) -> str:
    """A header and one line an entry, by RFC 4180; metadata and unknown members are JSON."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("entry", *MEMBERS, "unknown"))
    for entry in entries:
        values = [_cell(entry.members.get(name)) for name in MEMBERS]
        writer.writerow((entry.index, *values, _cell(entry.unknown or None)))
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "'" + text if text.startswith(_FORMULA) else text


def show_command(root: str, entry: int) -> str:
    """The command line that shows one entry."""
    return shlex.join(["devstate", "-C", root, "history", "show", str(entry)])


def list_command(root: str, chosen: EntryFilter) -> str | None:
    """The command line that lists what a filter lets through; None where the command has no such option."""
    words = ["devstate", "-C", root, "history", "list"]
    for name, matches in (("actor", chosen.actor), ("action", chosen.action), ("cp", chosen.cp)):
        if len(matches) > 1 or any(match.part for match in matches):
            return None
        words += [part for match in matches for part in (f"--{name}", match.value)]
    for name, wanted in (("since", chosen.since), ("until", chosen.until)):
        if wanted is not None:
            words += [f"--{name}", wanted.isoformat().replace("+00:00", "Z")]
    for phrase in chosen.text:
        words += ["--text", phrase]
    return shlex.join(words)
