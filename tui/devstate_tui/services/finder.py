"""Searching a history in a thread: block by block, to be stopped between two, telling how far it is."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

from devstate.chain import parse_entry
from devstate.errors import DevStateError

if TYPE_CHECKING:
    from devstate.chain import EntryFilter
    from devstate_tui.models.chain import EntrySource

__all__ = ["Search", "needles", "run_search"]

_TELL_EACH = 0.08  # seconds: a dozen updates a second are as many as an eye can use

# Alternatives, in lower case, of which one has to stand in the bytes.
Needles = tuple[tuple[bytes, ...], ...]


class Search:
    """One search and what it has found so far.

    The thread that runs it only adds to `found` and raises `scanned`; others read them at any time.
    """

    def __init__(self, chosen: EntryFilter, text: str, source: EntrySource) -> None:
        self.chosen = chosen
        self.text = text
        self.source = source
        self.total = len(source)
        self.found = array("I")
        self.scanned = 0
        self.done = False
        self.error: DevStateError | None = None


def run_search(search: Search, *, tell: Callable[[], object], cancelled: Callable[[], bool]) -> None:
    """Look at every entry; `tell` is called now and then and at the end, `cancelled` asked at each block.

    What cannot be read ends the search with `search.error`; entries that are damaged do not match.
    """
    told = time.monotonic()
    matches, wanted = search.chosen.matches, needles(search.chosen)
    try:
        for first, raws in search.source.raw_blocks():
            if cancelled():
                return
            for at, raw in enumerate(raws):
                if _possible(raw, wanted) and matches(parse_entry(raw, index=first + at)):
                    search.found.append(first + at)
            search.scanned = first + len(raws)
            if time.monotonic() - told > _TELL_EACH:
                told = time.monotonic()
                tell()
    except DevStateError as error:
        search.error = error
    search.done = True
    tell()


def needles(chosen: EntryFilter) -> Needles:
    """What has to stand in the bytes of every match: most entries need not be parsed to be refused."""
    groups = [tuple(match.value for match in matches) for matches in (chosen.actor, chosen.action, chosen.cp)]
    groups += [(phrase,) for phrase in chosen.text]
    return tuple(
        tuple(value.lower().encode() for value in group)
        for group in groups
        if group and all(value.isascii() for value in group)
    )


def _possible(raw: bytes, wanted: Needles) -> bool:
    """False only where the entry cannot match. Escapes and other letter cases than ASCII's are left to parsing."""
    if not wanted or b"\\" in raw or not raw.isascii():
        return True
    lowered = raw.lower()
    return all(any(value in lowered for value in group) for group in wanted)
