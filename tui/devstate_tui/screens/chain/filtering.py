"""The filter of the Chain screen: it starts and stops searches, and shows what they find as they find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.worker import Worker, get_current_worker

from devstate.chain import EntryFilter, parse_filter
from devstate.findings.visible import visible
from devstate_tui.messages import SearchGrew
from devstate_tui.models.matches import Matches
from devstate_tui.services.finder import Search, run_search

if TYPE_CHECKING:
    from .chain import ChainScreen

__all__ = ["Filtering"]


class Filtering:
    """At most one search runs; a new filter or a new reading takes the place of the one before."""

    def __init__(self, screen: ChainScreen) -> None:
        self._screen = screen
        self._search: Search | None = None
        self._worker: Worker[None] | None = None
        self._jump = False
        self.text = ""
        self.chosen: EntryFilter | None = None

    @property
    def active(self) -> bool:
        """Whether a filter holds."""
        return self.chosen is not None

    def apply(self, text: str) -> None:
        """Filter by a text that `parse_filter` takes; an empty one takes the filter away."""
        if not text:
            self.clear()
            return
        self.text, self.chosen = text, parse_filter(text)
        self._jump = True
        self._start()

    def clear(self) -> None:
        """Show all entries again, with the same one selected."""
        self.stop()
        self.text, self.chosen, self._search = "", None, None
        self._show(None)
        self._screen.show_filter(None)
        self._screen.entries.select(self._screen.entries.cursor, centre=True)

    def stop(self) -> None:
        """Let a running search end at its next batch."""
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    def again(self, *, changed: bool) -> None:
        """A new reading has come: search it where it is different."""
        if self.active and changed:
            self._start()

    def set_only(self, only: bool) -> None:
        """Show the matches alone, or all entries with the matches marked."""
        entries = self._screen.entries
        cursor = entries.cursor
        entries.set_matches(entries.matches, only=only)
        entries.select(cursor, centre=True)
        self._say()

    def step(self, *, forward: bool) -> None:
        """Go to the next or the previous match; behind the last comes the first."""
        entries, screen = self._screen.entries, self._screen
        matches = entries.matches
        if matches is None:
            screen.notify("There is no filter; / sets one.")
        elif not len(matches):
            screen.notify("No match so far." if not matches.done else "No entry matches.")
        else:
            found = matches.next(entries.cursor) if forward else matches.previous(entries.cursor)
            if found is None:
                found = matches[0] if forward else matches[len(matches) - 1]
                screen.notify(f"Went round the {'end' if forward else 'beginning'}.")
            screen.go_to(found)

    # -- the search --------------------------------------------------------------------------------

    def _start(self) -> None:
        self.stop()
        model = self._screen.model
        if model is None or self.chosen is None:
            return
        search = Search(self.chosen, self.text, model.source)
        self._search = search
        self._show(Matches(self.text, search.total))
        self._say()
        screen = self._screen

        def run() -> None:
            worker = get_current_worker()
            run_search(
                search,
                tell=lambda: screen.post_message(SearchGrew(search)),
                cancelled=lambda: worker.is_cancelled,
            )

        self._worker = screen.run_worker(
            run, thread=True, group="search", exclusive=True, exit_on_error=False
        )

    def grew(self, search: Search) -> None:
        """Take over what the search has found since the last time."""
        matches = self._screen.entries.matches
        if search is not self._search or matches is None:
            return
        done, scanned = search.done, search.scanned
        matches.extend(search.found[len(matches) :], scanned=scanned)
        matches.done = done
        entries = self._screen.entries
        entries.matches_grew()
        self._screen.minimap.set_marks(self._screen.bookmarking.bookmarks.entries, matches)
        if self._jump and len(matches):
            self._jump = False
            here = entries.cursor
            first = here if here in matches else matches.next(here - 1)
            entries.select(matches[0] if first is None else first, centre=True)
        self._say()

    def _show(self, matches: Matches | None) -> None:
        screen = self._screen
        screen.entries.set_matches(matches, only=screen.entries.matches_only)
        screen.minimap.set_marks(screen.bookmarking.bookmarks.entries, matches)

    def _say(self) -> None:
        matches, search = self._screen.entries.matches, self._search
        if matches is None or search is None:
            return
        style = "" if len(matches) or not matches.done else "$text-warning"
        parts = [
            Content.assemble(("/ ", "$text-muted"), (visible(self.text), "bold")),
            Content.styled(matches.sentence(), style),
            Content.styled(
                "m shows all" if self._screen.entries.matches_only else "m shows matches only", "$text-muted"
            ),
        ]
        if search.error is not None:
            parts.append(Content.styled(f"✘ stopped: {search.error.message}", "$text-error"))
        self._screen.show_filter(Content("   ").join(parts))
