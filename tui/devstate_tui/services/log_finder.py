"""Searching a segment in a thread: entry by entry, to be stopped at any batch, going on where the log grew."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

from devstate.errors import DevStateError

if TYPE_CHECKING:
    from devstate_tui.models.wal import WalModel
    from devstate_tui.models.wal_filter import WalFilter

__all__ = ["LogSearch"]

_TELL_EACH = 0.08  # seconds
_BATCH = 2048


class LogSearch:
    """One filter over one model, and what it lets through so far; `found` are rows, ascending."""

    def __init__(self, model: WalModel, chosen: WalFilter, text: str) -> None:
        self.model = model
        self.chosen = chosen
        self.text = text
        self.found = array("I")
        self.scanned = 0
        self.error: DevStateError | None = None

    @property
    def done(self) -> bool:
        """Whether all that is indexed was looked at."""
        return self.scanned >= len(self.model)

    def run(self, *, tell: Callable[[], object], cancelled: Callable[[], bool]) -> None:
        """Look at the rows that were not looked at yet."""
        told = time.monotonic()
        index, chosen = self.model.index, self.chosen
        try:
            for row in range(self.scanned, len(self.model)):
                if not chosen.quick_no(index, row) and (
                    not chosen.needs_bytes or chosen.passes(self.model.data(row))
                ):
                    self.found.append(row)
                self.scanned = row + 1
                if row % _BATCH == 0:
                    if cancelled():
                        return
                    now = time.monotonic()
                    if now - told > _TELL_EACH:
                        told = now
                        tell()
                        time.sleep(0)
        except DevStateError as error:
            self.error = error
        tell()
