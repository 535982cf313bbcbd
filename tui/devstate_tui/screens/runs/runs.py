"""The Runs screen: the list, and below it what is known of the selected run, its steps, its spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import getters, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from devstate.errors import DevStateError
from devstate.findings import visible
from devstate_tui.actions import bindings
from devstate_tui.messages import RunsChanged
from devstate_tui.models.runs import (
    HINT,
    RunFilter,
    diff_command,
    located,
    parse_run_filter,
    replay_command,
    step_document,
)
from devstate_tui.screens.database_view import DatabaseView
from devstate_tui.screens.no_database import no_database
from devstate_tui.services.run_reader import RunDetail, RunReader
from devstate_tui.widgets.filter_bar import FilterBar
from devstate_tui.widgets.row_list import NoRows, RowHeading, RowList, RowSource
from devstate_tui.widgets.title_line import TitleLine, TitlePart

from .headline import headline, tabs
from .rows import AboutSource, RunSource, SpanSource, StepSource

if TYPE_CHECKING:
    from devstate.engine.primitives.runs import RunMetadata

__all__ = ["RunsScreen"]

_REST = 0.06


class RunList(RowList):
    """A list of this screen."""

    BINDINGS = bindings("runs.list")


class RunFilterBar(FilterBar, inherit_bindings=False):
    """Reads filters of runs."""

    BINDINGS = bindings("runs.filter_bar")
    HINT = HINT

    def parse(self, text: str) -> object:
        return parse_run_filter(text)


class RunsScreen(DatabaseView):
    """The runs of a database, followed without a lock while others write them."""

    MODE = "runs"
    BINDINGS = bindings("runs")
    CSS_PATH = "runs.tcss"
    AUTO_FOCUS = "#runs-list"

    title_line = getters.query_one("#runs-title", TitleLine)
    heading = getters.query_one("#runs-heading", RowHeading)
    runs = getters.query_one("#runs-list", RunList)
    pane = getters.query_one("#runs-pane", RunList)
    pane_heading = getters.query_one("#runs-pane-heading", RowHeading)
    filter_bar = getters.query_one("#runs-filter-bar", RunFilterBar)

    def __init__(self) -> None:
        super().__init__()
        self.reader: RunReader | None = None
        self.shown: list[RunMetadata] = []
        self.pinned: dict[str, str] = {}
        self.kind = "about"
        self.filter_text = ""
        self.chosen = RunFilter()
        self._wanted: str | None = None
        self._detail: RunDetail | None = None
        self._resting: Timer | None = None

    def compose_body(self) -> ComposeResult:
        yield TitleLine([TitlePart(Content("Runs  reading"), 0)], id="runs-title")
        yield Static(id="runs-filter", classes="line", markup=False)
        yield Static(id="runs-pins", classes="line", markup=False)
        yield RunFilterBar(id="runs-filter-bar")
        yield Static(id="runs-empty", markup=False)
        with Vertical(id="runs-body"):
            yield RowHeading(id="runs-heading")
            yield RunList(id="runs-list", empty="no run passes")
            with Vertical(id="runs-detail"):
                yield Static(id="runs-tabs", markup=False)
                yield RowHeading(id="runs-pane-heading")
                yield RunList(id="runs-pane", empty="none")

    # -- readings ----------------------------------------------------------------------------------

    def follow(self, folder: str) -> None:
        self.reader = self.app.run_reader(folder)
        self.read_in_thread(self.reader, self._wanted, RunsChanged)

    def on_runs_changed(self, message: RunsChanged) -> None:
        if message.reader is self.reader:
            self._redraw(message.reader)

    def _redraw(self, reader: RunReader) -> None:
        empty = no_database(
            self.app.folders.short(reader.root), reader.look, reader.error, self.app.record_command
        )
        if empty is None and not reader.runs:
            empty = _no_runs(reader, self.app.record_command)
        self.set_empty(empty is not None)
        if empty is not None:
            self.query_one("#runs-empty", Static).update(empty)
            self.title_line.show([TitlePart(Content.styled("Runs", "bold"), 0)])
            self.shown = []
            self.runs.show(NoRows())
            return
        self._show_runs(reader)
        self.title_line.show(headline(reader.runs, reader.error, reader.lost))
        if reader.detail is not None and reader.detail.run.run_id == self._selected_id():
            self._show_detail(reader.detail)

    def _show_runs(self, reader: RunReader) -> None:
        wanted = self._wanted
        self.shown = [run for run in reader.runs if self.chosen.passes(run)]
        source = RunSource(self.shown, reader.spans, self.pinned)
        self.heading.show(source)
        at = next((i for i, run in enumerate(self.shown) if run.run_id == wanted), None)
        if at is not None:
            self.runs.set_reactive(RowList.cursor, at)
        self.runs.show(source)
        if at is not None:
            self.runs.select(at)
        elif self.shown:
            self._choose()
        line = self.query_one("#runs-filter", Static)
        line.set_class(bool(self.filter_text), "-shown")
        line.update(
            Content.assemble(
                ("/ ", "$text-muted"),
                (visible(self.filter_text), "bold"),
                f"   {len(self.shown):,} of {len(reader.runs):,}",
            )
        )

    # -- the selection -----------------------------------------------------------------------------

    def _selected(self) -> RunMetadata | None:
        at = self.runs.cursor
        return self.shown[at] if at < len(self.shown) else None

    def _selected_id(self) -> str | None:
        run = self._selected()
        return None if run is None else run.run_id

    @on(RowList.Selected, "#runs-list")
    def _run_selected(self) -> None:
        if self._selected_id() == self._wanted:
            return
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(_REST, self._choose)

    def _choose(self) -> None:
        chosen = self._selected_id()
        if chosen is not None and chosen != self._wanted and self.reader is not None:
            self._wanted = chosen
            self.follow(self.reader.root)

    def _show_detail(self, detail: RunDetail) -> None:
        other = self._detail is None or self._detail.run.run_id != detail.run.run_id
        follow = not other and self.kind == "steps" and self.pane.at_end
        self._detail = detail
        self._show_pane(begin=other)
        if follow:
            self.pane.action_last()

    def _show_pane(self, *, begin: bool) -> None:
        detail, reader = self._detail, self.reader
        if detail is None or reader is None:
            return
        source: RowSource
        if self.kind == "steps":
            source = StepSource(reader, detail)
            self.pane.empty = "the history cannot be read: i says why" if detail.steps is None else "none"
        elif self.kind == "spans":
            source = SpanSource(detail)
            self.pane.empty = "this run recorded no spans"
        else:
            source = AboutSource(detail, max(self.pane.size.width, 40), reader.lost)
        spans = 0 if self.reader is None else self.reader.spans.get(detail.run.run_id, 0)
        self.query_one("#runs-tabs", Static).update(tabs(detail, spans, self.kind))
        self.pane_heading.show(source)
        self.pane_heading.set_class(self.kind != "about" and bool(len(source)), "-shown")
        if begin:
            self.pane.set_reactive(RowList.cursor, 0)
        self.pane.show(source)
        if begin:
            self.pane.scroll_home(animate=False)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_pane, begin=False)

    @on(RowList.Opened, "#runs-list")
    def _run_opened(self) -> None:
        self.pane.focus()

    @on(RowList.Opened, "#runs-pane")
    def _line_opened(self, message: RowList.Opened) -> None:
        source = self.pane.source
        if not isinstance(source, StepSource) or self._detail is None or self.reader is None:
            return
        try:
            text = step_document(self.reader.step(self._detail, message.item))
        except DevStateError as error:
            text = f"{error.message}\n{error.remedy}"
        self.app.show_text(f"Step {message.item + 1:,} of {len(source):,}", visible_lines(text))

    # -- actions -----------------------------------------------------------------------------------

    def action_pane(self, kind: str) -> None:
        """Show what is known of the run, its steps, or its spans."""
        self.kind = kind
        self._show_pane(begin=True)

    def action_pin(self, name: str) -> None:
        """Pin the selected run as A or B; once more takes the pin away."""
        run = self._selected()
        if run is None:
            return
        if self.pinned.get(name) == run.run_id:
            del self.pinned[name]
        else:
            self.pinned[name] = run.run_id
        self._show_pins()

    def _show_pins(self) -> None:
        line = self.query_one("#runs-pins", Static)
        line.set_class(bool(self.pinned), "-shown")
        a, b = self.pinned.get("A"), self.pinned.get("B")
        parts = [
            Content.assemble((f"{name} ", "bold $text-accent"), self._name_of(run))
            for name, run in sorted(self.pinned.items())
        ]
        if a and b:
            parts.append(Content.assemble(("same as: ", "$text-muted"), diff_command(a[:8], b[:8])))
            parts.append(Content.styled("c copies it", "$text-muted"))
        elif a or b:
            parts.append(Content.styled(f"{'b' if a else 'a'} pins another run to compare", "$text-muted"))
        line.update(Content("   ").join(parts))
        if self.reader is not None and self.shown:
            self.runs.show(RunSource(self.shown, self.reader.spans, self.pinned))

    def _name_of(self, run_id: str) -> str:
        runs = self.reader.runs if self.reader is not None else ()
        name = next((run.name for run in runs if run.run_id == run_id), None)
        return f"{run_id[:8]} {visible(name)}" if name else run_id[:8]

    def action_back(self) -> None:
        if self.focused not in (self.runs, None):
            self.runs.focus()
        elif self.filter_text:
            self._apply("")

    def action_filter(self) -> None:
        self.filter_bar.open(self.filter_text)

    @on(FilterBar.Applied)
    def _filter_applied(self, message: FilterBar.Applied) -> None:
        self.runs.focus()
        self._apply(message.text)

    @on(FilterBar.Closed)
    def _filter_closed(self) -> None:
        self.runs.focus()

    def _apply(self, text: str) -> None:
        self.filter_text, self.chosen = text, parse_run_filter(text)
        if self.reader is not None:
            self._redraw(self.reader)

    @work
    async def action_copy(self) -> None:
        from devstate_tui.screens.dialogs.choice import ChoiceDialog
        from devstate_tui.services.clipboard import copy_text

        run = self._selected()
        if run is None:
            return
        lines = [
            (f"The id: {run.run_id}", run.run_id),
            ("The command that shows it", f"devstate run show {run.run_id}"),
            ("The command that replays it", replay_command(run.run_id)),
        ]
        a, b = self.pinned.get("A"), self.pinned.get("B")
        if a and b:
            lines.append(("The command that compares A and B", diff_command(a, b)))
        if run.status.value == "orphaned":
            lines.append(("The command that ends it", f"devstate run end {run.run_id}"))
        choice = await self.app.push_screen_wait(ChoiceDialog("Copy", lines))
        if choice.value:
            text = choice.value
            if text != run.run_id and self.reader is not None and self.app.reading is not None:
                text = located(text, self.app.reading.root, self.reader.root)
            self.notify(copy_text(text, self.app.copy_to_clipboard), markup=False)


def visible_lines(text: str) -> str:
    """A text of several lines that is safe to show."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _no_runs(reader: RunReader, record: str) -> Content:
    if reader.error is not None:
        return Content("\n").join(
            [
                Content.styled("✘ The runs cannot be read.", "bold $text-error"),
                Content(""),
                Content(visible(reader.error.message)),
                Content(""),
                Content.assemble(("What to do: ", "bold"), visible(reader.error.remedy)),
                Content("7 shows the log itself, as far as it can be read."),
            ]
        )
    if reader.detail is None and reader.look is not None:
        lines = [
            Content.styled("No runs in this database yet.", "bold"),
            Content(""),
            Content(f"`{visible(record)}` records a command as a run."),
        ]
        return Content("\n").join(lines)
    return Content.styled("Reading…", "$text-muted")
