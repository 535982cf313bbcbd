"""The Chain screen: the list, the map and the detail, what they say to each other, and each new reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from devstate.errors import DevStateError
from devstate_tui.actions import bindings
from devstate_tui.messages import SearchGrew
from devstate_tui.models.chain import ChainModel
from devstate_tui.models.changes import Change, change_between
from devstate_tui.models.detail import Detail, detail_of, fault_detail
from devstate_tui.widgets.entry_detail import EntryDetail
from devstate_tui.widgets.entry_list import EntryHeading, EntryList
from devstate_tui.widgets.filter_bar import FilterBar
from devstate_tui.widgets.minimap import Minimap
from devstate_tui.widgets.title_line import TitleLine, TitlePart

from .asking import AskingView
from .filtering import Filtering
from .headline import file_faults, headline, no_entries, progress_line, trouble

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.workspace import Reading

__all__ = ["ChainScreen"]

# A held key repeats each 33 ms or so; the detail follows when the selection rests.
_REST = 0.06


class ChainScreen(AskingView):
    """All entries of the history."""

    MODE = "chain"
    BINDINGS = bindings("chain")
    CSS_PATH = "chain.tcss"
    AUTO_FOCUS = "#entries"

    title_line = getters.query_one("#chain-title", TitleLine)
    heading = getters.query_one("#entry-heading", EntryHeading)
    minimap = getters.query_one("#minimap", Minimap)
    detail = getters.query_one("#detail", EntryDetail)
    filter_bar = getters.query_one("#filter-bar", FilterBar)

    def __init__(self) -> None:
        super().__init__()
        self.filtering = Filtering(self)
        self._wanted: int | None = None
        self._touched = False
        self._faulted = False
        self._resting: Timer | None = None

    def compose_body(self) -> ComposeResult:
        yield TitleLine([TitlePart(Content("Chain  reading"), 0)], id="chain-title")
        yield Static(id="chain-fault", classes="line", markup=False)
        yield Static(id="chain-notice", classes="line", markup=False)
        yield Static(id="chain-filter", classes="line", markup=False)
        yield FilterBar(id="filter-bar")
        yield Static(id="chain-trouble", markup=False)
        with Horizontal(id="chain-body"):
            with Horizontal(id="chain-list"):
                with Vertical():
                    yield EntryHeading(id="entry-heading")
                    yield EntryList(id="entries")
                yield Minimap(id="minimap")
            yield EntryDetail(id="detail")

    def on_mount(self) -> None:
        # Watched, and not told by a message: the list and the map are drawn in one go.
        self.watch(self.entries, "scroll_y", self._view_changed, init=False)
        self.watch(self.entries, "cursor", self._view_changed, init=False)
        # While a search finds more, other entries come into view without any scrolling.
        self.watch(self.entries, "virtual_size", self._view_changed, init=False)
        super().on_mount()

    # -- readings ----------------------------------------------------------------------------------

    def show(self, reading: Reading) -> None:
        """Show a reading; the selection stays, or follows the end where it stood there."""
        self.reading = reading
        self.bookmarking.load(reading.root)
        history = reading.history
        if history is None or not len(history):
            self._show_trouble(reading)
            return
        before = self.model
        model = ChainModel.of_reading(history)
        first_time = before is None or not before.complete
        follow = not first_time and self.entries.at_end
        change = None if first_time or before is None else change_between(before, model)
        self._use(model)
        self._line("#chain-fault", file_faults(history.report.findings))
        self.title_line.show(headline(model))
        self._show_change(reading, model, change)
        if first_time:
            self._begin(model)
        elif follow:
            self.entries.action_last()
        self.filtering.again(changed=first_time or change is not None)
        self._show_detail()

    def _show_change(self, reading: Reading, model: ChainModel, change: Change | None) -> None:
        """Say what is different now; after a trouble, that it is over."""
        recovered, self._faulted = self._faulted, False
        if change is None:
            if recovered:
                self._line(
                    "#chain-notice", Content(f"{reading.taken_at[11:19]}  the history can be read again")
                )
            return
        hint = ""
        if change.worse and change.entry is not None:
            hint = "  ! goes there" if change.entry == model.first_break else f"  # {change.entry} goes there"
        style = "bold $text-error" if change.worse else "bold $text-accent"
        self._line(
            "#chain-notice", Content.styled(f"{reading.taken_at[11:19]}  {change.sentence}{hint}", style)
        )

    def _begin(self, model: ChainModel) -> None:
        """Where to look first: what was asked for, else the first break, else the newest entry."""
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self.entries.select(wanted, centre=True)
        elif not self._touched:
            first = model.first_break
            self.entries.open_at(model.count - 1 if first is None else first)

    def show_progress(self, progress: Progress) -> None:
        """Show what a first scan has indexed; while there is a reading, only say that a new one comes."""
        first = self.model is None or not self.model.complete
        self.title_line.show(progress_line(progress, again=not first))
        if first and progress.entries:
            self._use(ChainModel.of_progress(progress))
            if not self.detail.shown:
                self._show_detail()

    def on_unmount(self) -> None:
        self.filtering.stop()

    def show_error(self, error: DevStateError) -> None:
        self._faulted = True
        self._line(
            "#chain-notice",
            Content.assemble((f"✘ {error.code}  ", "bold $text-error"), f"{error.message}. {error.remedy}"),
        )

    def _use(self, model: ChainModel) -> None:
        self.model = model
        self.set_class(False, "-trouble")
        self.entries.set_model(model)
        self.heading.set_total(model.total)
        self.minimap.set_letters(model.letters, model.total)
        self._show_marks()
        self._view_changed()

    def _show_trouble(self, reading: Reading) -> None:
        self.model = None
        self._faulted = True
        self.filtering.stop()
        self.entries.set_model(None)
        self.set_class(True, "-trouble")
        concerned = [f for f in reading.findings if f.where.file is None or "history" in f.where.file]
        self.query_one("#chain-trouble", Static).update(trouble(concerned or reading.findings))
        self.title_line.show(no_entries())
        for line in ("#chain-fault", "#chain-notice"):
            self._line(line, None)

    def _show_marks(self) -> None:
        marked = self.bookmarking.bookmarks
        self.entries.set_bookmarked(frozenset(marked.entries))
        self.minimap.set_marks(marked.entries, self.entries.matches)

    def marks_changed(self) -> None:
        self._show_marks()
        self._show_detail()

    def _line(self, selector: str, content: Content | None) -> None:
        line = self.query_one(selector, Static)
        line.set_class(content is not None, "-shown")
        line.update(content or "")

    # -- the selection -----------------------------------------------------------------------------

    def select_entry(self, index: int) -> None:
        """Select an entry from outside of this screen, now or as soon as there are entries."""
        if self.model is None or not self.model.complete or index >= self.model.count:
            self._wanted = index
        else:
            self.go_to(index)

    def go_to(self, index: int) -> None:
        """Select an entry, in all entries where the filter hides it."""
        self._touched = True
        matches = self.entries.matches
        if matches is not None and self.entries.matches_only and index not in matches:
            self.filtering.set_only(False)
        self.entries.select(index, centre=True)
        self.entries.focus()

    @on(EntryList.Selected)
    def _selected(self) -> None:
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(_REST, self._show_detail)

    def _view_changed(self) -> None:
        if self.model is not None and self.model.count:
            self.minimap.set_view(*self.entries.in_view, self.entries.cursor)

    @on(EntryList.Opened)
    def _opened(self) -> None:
        self._show_detail()
        if not self.detail.display or self.has_class("-narrow") or self.has_class("-short"):
            self.add_class("-page")
        self.detail.focus()

    @on(Minimap.Jumped)
    def _jumped(self, message: Minimap.Jumped) -> None:
        if self.model is not None and self.model.count:
            self._touched = True
            self.entries.select(min(message.entry, self.model.count - 1), centre=True)

    def on_key(self) -> None:
        self._touched = True

    def _show_detail(self) -> None:
        model, index = self.model, self.entries.cursor
        if model is None or not self.entries.row_count:
            self.detail.show(None)
            return
        self.detail.show(self._detail_of(model, index))

    def _detail_of(self, model: ChainModel, index: int) -> Detail:
        try:
            entry, explanation = self.explained(model, index)
        except DevStateError as error:
            return fault_detail(index, model.letter(index), error.message, model.findings(index))
        return detail_of(
            entry,
            explanation,
            letter=model.letter(index),
            findings=model.findings(index),
            note=self.bookmarking.note_of(index),
        )

    # -- moving ------------------------------------------------------------------------------------

    @on(EntryDetail.Left)
    def _to_list(self) -> None:
        self.remove_class("-page")
        self.entries.focus()

    def action_back(self) -> None:
        """Take the filter away."""
        if self.has_class("-page"):
            self._to_list()
        elif self.filtering.active:
            self.filtering.clear()

    def action_next_break(self) -> None:
        self._to_break(forward=True)

    def action_previous_break(self) -> None:
        self._to_break(forward=False)

    def _to_break(self, *, forward: bool) -> None:
        if self.model is None:
            return
        here = self.entries.cursor
        found = self.model.next_break(here) if forward else self.model.previous_break(here)
        if found is not None:
            self.go_to(found)
        elif self.model.first_break is None:
            self.notify("No entry is broken.")
        else:
            self.notify(f"No broken entry {'after' if forward else 'before'} entry {here:,}.")

    # -- filter ------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        self.filter_bar.open(self.filtering.text)

    def action_next_match(self) -> None:
        self.filtering.step(forward=True)

    def action_previous_match(self) -> None:
        self.filtering.step(forward=False)

    def action_matches_only(self) -> None:
        if self.filtering.active:
            self.filtering.set_only(not self.entries.matches_only)
        else:
            self.notify("There is no filter; / sets one.")

    @on(FilterBar.Applied)
    def _filter_applied(self, message: FilterBar.Applied) -> None:
        self.entries.focus()
        self.filtering.apply(message.text)

    @on(FilterBar.Closed)
    def _filter_closed(self) -> None:
        self.entries.focus()

    def on_search_grew(self, message: SearchGrew) -> None:
        self.filtering.grew(message.search)

    def show_filter(self, content: Content | None) -> None:
        """Say under the title which filter holds and what it has found."""
        self._line("#chain-filter", content)
        self.detail.release_room()
