"""Searching a history in a thread: batch by batch, to be stopped between two, telling how far it is."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

from devstate.errors import DevStateError

if TYPE_CHECKING:
    from devstate.chain import EntryFilter
    from devstate_tui.models.chain import EntrySource

__all__ = ["Search", "run_search"]

_BATCH = 256
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


def run_search(search: Search, *, tell: Callable[[], None], cancelled: Callable[[], bool]) -> None:
    """Look at every entry; `tell` is called now and then and at the end, `cancelled` asked at each batch.

    What cannot be read ends the search with `search.error`; entries that are damaged do not match.
    """
    matches = search.chosen.matches
    told = time.monotonic()
    try:
        for start in range(0, search.total, _BATCH):
            if cancelled():
                return
            stop = min(start + _BATCH, search.total)
            for entry in search.source.entries(start, stop):
                if matches(entry):
                    search.found.append(entry.index)
            search.scanned = stop
            if time.monotonic() - told > _TELL_EACH:
                told = time.monotonic()
                tell()
    except DevStateError as error:
        search.error = error
    search.done = True
    tell()
