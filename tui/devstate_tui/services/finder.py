"""Searching a history in a thread: block by block, to be stopped between two, telling how far it is."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

from devstate.chain import parse_entry, quick_no
from devstate.errors import DevStateError

if TYPE_CHECKING:
    from devstate.chain import EntryFilter
    from devstate_tui.models.chain import EntrySource

__all__ = ["Search", "run_search"]

_TELL_EACH = 0.08  # seconds: a dozen updates a second are as many as an eye can use


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
    matches, impossible = search.chosen.matches, quick_no(search.chosen)
    try:
        for first, raws in search.source.raw_blocks():
            if cancelled():
                return
            for at, raw in enumerate(raws):
                if not impossible(raw) and matches(parse_entry(raw, index=first + at)):
                    search.found.append(first + at)
            search.scanned = first + len(raws)
            if time.monotonic() - told > _TELL_EACH:
                told = time.monotonic()
                tell()
    except DevStateError as error:
        search.error = error
    search.done = True
    tell()
