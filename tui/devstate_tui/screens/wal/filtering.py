"""The filter of the WAL screen: one search in a thread, what it lets through, and the steps between matches."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.worker import Worker, get_current_worker

from devstate.findings import visible
from devstate_tui.actions import bindings
from devstate_tui.messages import LogSearchGrew
from devstate_tui.models.wal_filter import HINT, WalFilter, parse_wal_filter
from devstate_tui.services.log_finder import LogSearch
from devstate_tui.widgets.filter_bar import FilterBar

if TYPE_CHECKING:
    from .wal import WalScreen

__all__ = ["Filtering", "WalFilterBar"]


class WalFilterBar(FilterBar, inherit_bindings=False):
    """Reads filters of the log."""

    BINDINGS = bindings("wal.filter_bar")
    HINT = HINT

    def parse(self, text: str) -> object:
        return parse_wal_filter(text)


class Filtering:
    """At most one search runs. `only` shows the matches alone."""

    def __init__(self, screen: WalScreen) -> None:
        self._screen = screen
        self._worker: Worker[None] | None = None
        self._search: LogSearch | None = None
        self._jump = False
        self.only = True
        self.text = ""
        self.chosen: WalFilter | None = None

    @property
    def active(self) -> bool:
        """Whether a filter holds."""
        return self.chosen is not None

    @property
    def narrowed(self) -> Sequence[int] | None:
        """The rows that are to be shown; None: all."""
        return self._search.found if self._search is not None and self.only else None

    def apply(self, text: str) -> None:
        """Filter by a text; an empty one takes the filter away."""
        if not text:
            self.clear()
            return
        self.text, self.chosen, self.only, self._jump = text, parse_wal_filter(text), True, True
        self.again()

    def clear(self) -> None:
        """Show all entries again, with the same one selected."""
        self.stop()
        self.text, self.chosen, self._search = "", None, None
        self._screen.show_narrowed()
        self._screen.entries.select(self._screen.entries.cursor, centre=True)

    def stop(self) -> None:
        """Let a running search end at its next batch."""
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    def again(self) -> None:
        """Search anew: another filter, or another model."""
        self.stop()
        model = self._screen.model
        if model is not None and self.chosen is not None:
            self._search = LogSearch(model, self.chosen, self.text)
            self._start(self._search)
            self._screen.show_narrowed()

    def grew_behind(self) -> None:
        """The log has grown: search what is new."""
        if (
            self._search is not None
            and not self._search.done
            and (self._worker is None or self._worker.is_finished)
        ):
            self._start(self._search)

    def _start(self, search: LogSearch) -> None:
        screen = self._screen

        def run() -> None:
            worker = get_current_worker()
            search.run(
                tell=lambda: screen.post_message(LogSearchGrew(search)),
                cancelled=lambda: worker.is_cancelled,
            )

        self._worker = screen.run_worker(
            run, thread=True, group="wal-search", exclusive=True, exit_on_error=False
        )

    def grew(self, search: LogSearch) -> None:
        """Show what the search has found since the last time."""
        if search is not self._search:
            return
        screen = self._screen
        screen.show_narrowed()
        if self._jump and len(search.found):
            self._jump = False
            at = bisect_left(search.found, screen.entries.cursor)
            screen.entries.select(search.found[min(at, len(search.found) - 1)], centre=True)
        elif len(search.found) and self.only:
            screen.entries.select(screen.entries.cursor)

    def switch(self) -> None:
        """The matches alone, or all entries."""
        if not self.active:
            self._screen.notify("There is no filter; / sets one.")
            return
        self.only = not self.only
        self._screen.show_narrowed()
        self._screen.entries.select(self._screen.entries.cursor, centre=True)

    def reveal(self, row: int) -> None:
        """Show all entries where the filter hides this one."""
        found = self.narrowed
        if found is not None:
            at = bisect_left(found, row)
            if at == len(found) or found[at] != row:
                self.only = False
                self._screen.show_narrowed()

    def step(self, *, forward: bool) -> None:
        """Go to the next or the previous match; behind the last comes the first."""
        search, screen = self._search, self._screen
        if search is None or not len(search.found):
            screen.notify("No entry matches." if search is None or search.done else "No match so far.")
            return
        here = screen.entries.cursor
        at = bisect_right(search.found, here) if forward else bisect_left(search.found, here) - 1
        if not 0 <= at < len(search.found):
            screen.notify(f"Went round the {'end' if forward else 'beginning'}.")
            at = 0 if forward else len(search.found) - 1
        screen.go_to(search.found[at])

    def sentence(self) -> Content | None:
        """What holds and what it has found; None without a filter."""
        search = self._search
        if search is None:
            return None
        count, total = len(search.found), len(search.model)
        so_far = "" if search.done else f" so far, {100 * search.scanned // max(total, 1)} % searched"
        parts = [
            Content.assemble(("/ ", "$text-muted"), (visible(self.text), "bold")),
            Content.styled(f"{count:,} of {total:,}{so_far}", "" if count else "$text-warning"),
            Content.styled("m shows all" if self.only else "m shows matches only", "$text-muted"),
        ]
        if search.error is not None:
            parts.append(Content.styled(f"✘ stopped: {visible(search.error.message)}", "$text-error"))
        return Content("   ").join(parts)
