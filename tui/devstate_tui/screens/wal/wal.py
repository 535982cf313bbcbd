"""The WAL screen: files, entries, fields and bytes, what they say to each other, and each change on disk."""

from __future__ import annotations

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from devstate.errors import DevStateError
from devstate.findings import visible
from devstate_tui.actions import bindings
from devstate_tui.messages import LogGrew, LogSearchGrew
from devstate_tui.models.wal import WalModel
from devstate_tui.models.wal_files import FileLine, base_of, file_lines, folder_verdict
from devstate_tui.screens.no_database import no_database
from devstate_tui.services.log_reader import LogReader
from devstate_tui.widgets.filter_bar import FilterBar
from devstate_tui.widgets.hex_view import HexView
from devstate_tui.widgets.row_list import NoRows, RowHeading, RowList
from devstate_tui.widgets.title_line import TitleLine, TitlePart

from .asking import AskingView
from .filtering import Filtering, WalFilterBar
from .headline import headline
from .rows import EntrySource, FieldSource, FileSource

__all__ = ["WalScreen"]

_STYLES = {"good": "$text-success", "bad": "$text-error", "look": "$text-warning", "muted": "$text-muted"}


class WalList(RowList):
    """A list of this screen."""

    BINDINGS = bindings("wal.list")


class WalScreen(AskingView):
    """The log of a database, read without a lock while others may be writing it."""

    MODE = "wal"
    OWN_BREAKS = True
    BINDINGS = bindings("wal")
    CSS_PATH = "wal.tcss"
    AUTO_FOCUS = "#wal-entries"

    title_line = getters.query_one("#wal-title", TitleLine)
    files = getters.query_one("#wal-files", WalList)
    file_heading = getters.query_one("#wal-file-heading", RowHeading)
    heading = getters.query_one("#wal-heading", RowHeading)
    entries = getters.query_one("#wal-entries", WalList)
    fields = getters.query_one("#wal-fields", WalList)
    hex = getters.query_one("#wal-hex", HexView)
    filter_bar = getters.query_one("#wal-filter-bar", WalFilterBar)

    def __init__(self) -> None:
        super().__init__()
        self.filtering = Filtering(self)
        self.reader: LogReader | None = None
        self.lines: list[FileLine] = []
        self._chosen: int | None = None  # start LSN of the segment that the user chose; None: the last one
        self._begun = False
        self._touched = False
        self._damaged = False
        self.following = True
        self._followed = 0  # the row that was last gone to because the end is followed
        self._shown: tuple[object, ...] = ()
        self._source: EntrySource | None = None

    def compose_body(self) -> ComposeResult:
        yield TitleLine([TitlePart(Content("WAL  reading"), 0)], id="wal-title")
        yield Static(id="wal-filter", classes="line", markup=False)
        yield WalFilterBar(id="wal-filter-bar")
        yield Static(id="wal-empty", markup=False)
        with Vertical(id="wal-body"):
            yield RowHeading(id="wal-file-heading")
            yield WalList(id="wal-files")
            yield RowHeading(id="wal-heading")
            yield WalList(id="wal-entries", empty="no entry")
            with Vertical(id="wal-detail"):
                yield Static(id="wal-entry-title", markup=False)
                with Horizontal(id="wal-parts"):
                    yield WalList(id="wal-fields")
                    yield HexView(id="wal-hex")

    def on_unmount(self) -> None:
        self.filtering.stop()
        if self.reader is not None:
            self.reader.close()

    # -- readings ----------------------------------------------------------------------------------

    def follow(self, folder: str) -> None:
        if self.reader is None or self.reader.root != folder:
            if self.reader is not None:
                self.reader.close()
            self.reader, self._begun = LogReader(folder), False
        self.read_in_thread(self.reader, self._chosen, LogGrew)

    def on_log_grew(self, message: LogGrew) -> None:
        if message.reader is self.reader:
            self._redraw(message.reader)

    def _redraw(self, reader: LogReader) -> None:
        look = reader.look
        empty = no_database(self.app.folders.short(reader.root), look, reader.error, self.app.record_command)
        self.set_empty(empty is not None)
        if empty is not None or look is None:
            self.query_one("#wal-empty", Static).update(empty or "")
            self.title_line.show([TitlePart(Content.styled("WAL", "bold"), 0)])
            self.model = None
            self.entries.show(NoRows())
            self.lines = []
            self._tell_damage()
            return
        self.lines = file_lines(
            look,
            dict(reader.indexes),
            set(reader.whole),
            dict(reader.snapshots),
            reader.gone,
            done=reader.done,
        )
        self._tell_damage()
        source = FileSource(self.lines)
        self.file_heading.show(source)
        self.files.show(source)
        self.files.styles.height = max(1, min(len(self.lines), 4 if self.size.height < 34 else 8))
        self._show_segment(reader)
        self.title_line.show(headline(look, self.lines, self.following and self.at_last, reader.done))

    def _tell_damage(self) -> None:
        if (damaged := bool(self._wrong())) != self._damaged:
            self._damaged = damaged
            self.refresh_bindings()  # the way to the damage is a key to have, or none at all

    def _show_segment(self, reader: LogReader) -> None:
        look = reader.look
        if look is None or not look.segments:
            self.model = None
            return
        segment = next((one for one in look.segments if one.start == self._chosen), look.segments[-1])
        index = reader.indexes.get(segment.start)
        if index is None:
            return
        if self.model is None or self.model.index is not index or self.model.segment.path != segment.path:
            same_place = self.model is not None and self.model.index.start == index.start
            self.model = WalModel(segment, index, reader)
            self._source = EntrySource(self.model)
            self._shown = ()
            self.filtering.again()
            if not same_place:
                self._begun = False
        elif self.filtering.active:
            self.filtering.grew_behind()
        self.model.base = base_of(dict(reader.snapshots))
        self._show_entries()
        whole = segment.start in reader.whole
        if not self._touched and not self._begun and len(self.model):
            self._begun = whole
            first = index.defects[0] if index.defects else None
            self.following = first is None
            self._followed = len(self.model) - 1
            self.entries.open_at(self._followed if first is None else first)
        elif self.following and self.at_last and self.filtering.narrowed is None:
            self._followed = len(self.model) - 1
            self.entries.select(self._followed)
        at = next((i for i, line in enumerate(self.lines) if line.path == segment.path), None)
        if at is not None and self.focused is not self.files:
            self.files.select(at)
        self._show_entry()

    def _show_entries(self) -> None:
        if self._source is not None:
            self.heading.show(self._source)
            self.entries.show(self._source, self.filtering.narrowed)

    @property
    def at_last(self) -> bool:
        """Whether the last segment is the one that is shown."""
        look = self.reader.look if self.reader is not None else None
        return look is not None and bool(look.segments) and self._chosen in (None, look.segments[-1].start)

    def redraw_title(self) -> None:
        """Tell whether the end is followed."""
        if self.reader is not None and self.reader.look is not None and self.lines:
            self.title_line.show(
                headline(self.reader.look, self.lines, self.following and self.at_last, self.reader.done)
            )

    # -- the selection -----------------------------------------------------------------------------

    def on_key(self) -> None:
        self._touched = True

    def on_click(self) -> None:
        self._touched = True

    @on(RowList.Selected, "#wal-entries")
    def _entry_selected(self) -> None:
        # Not "at the end": more may have been added since this was sent.
        if self._touched and self.following and self.entries.cursor < self._followed:
            self.following = False
            self.redraw_title()
        self._show_entry()

    def _show_entry(self) -> None:
        model, row = self.model, self.entries.cursor
        if model is None or row >= len(model):
            return
        shown = (
            id(model),
            row,
            model.base,
            model.index.span(row),
            model.index.mark(row),
            model.index.damage(row),
        )
        if shown == self._shown:
            return
        try:
            name, verdict, tone = model.title(row)
            source = FieldSource(model, row)
            data = model.data(row)
        except (DevStateError, IndexError):
            return  # gone just now: the next reading tells
        self._shown = shown
        style = _STYLES.get(tone, "")
        title = self.query_one("#wal-entry-title", Static)
        told = Content.assemble((name, "bold"), "   ", (visible(verdict), style))
        # A layout of the screen costs as much as drawing a page: only where the height can change.
        title.update(told, layout=title.size.height != 1 or told.cell_length > title.content_size.width)
        self.fields.set_reactive(RowList.cursor, 0)
        self.fields.show(source)
        self.fields.scroll_home(animate=False)
        self.hex.show(data)
        if len(source):
            self.hex.light(source.fields[0].start, source.fields[0].end)

    @on(RowList.Selected, "#wal-fields")
    def _field_selected(self) -> None:
        source = self.fields.source
        if isinstance(source, FieldSource) and self.fields.cursor < len(source) and not self.hex.has_focus:
            field = source.fields[self.fields.cursor]
            self.hex.light(field.start, field.end)

    @on(HexView.Moved)
    def _byte_selected(self, message: HexView.Moved) -> None:
        source = self.fields.source
        if isinstance(source, FieldSource):
            at = source.at(message.offset)
            if at is not None:
                self.fields.select(at)
                self.hex.light(source.fields[at].start, source.fields[at].end, follow=False)

    @on(HexView.Left)
    def _leave_hex(self) -> None:
        self.entries.focus()

    @on(RowList.Opened, "#wal-files")
    def _file_opened(self, message: RowList.Opened) -> None:
        line = self.lines[message.item] if message.item < len(self.lines) else None
        if line is None:
            return
        if line.kind in ("snapshot", "missing"):
            self.tell_file(line)
        else:
            self.choose(line.start)
            self.entries.focus()

    @on(RowList.Opened, "#wal-entries")
    def _entry_opened(self) -> None:
        self.remove_class("-no-hex")
        self.fields.focus()

    @on(RowList.Opened, "#wal-fields")
    def _field_opened(self) -> None:
        self.hex.focus()

    def choose(self, start: int) -> None:
        """Show the segment that begins at this LSN."""
        last = self.reader.look.segments[-1].start if self.reader and self.reader.look else None
        self._chosen = None if start == last else start
        self._begun = False
        self._touched = False
        self.following = start == last
        self.follow(self.app.db_folder)

    def go_to(self, row: int) -> None:
        """Select an entry, in all entries where the filter hides it."""
        self._touched = True
        self.following = False
        self.filtering.reveal(row)
        self.entries.select(row, centre=True)
        self.entries.focus()
        self.redraw_title()

    # -- actions -----------------------------------------------------------------------------------

    def action_back(self) -> None:
        if self.focused not in (self.entries, None):
            self.entries.focus()
        elif self.filtering.active:
            self.filtering.clear()

    def action_follow(self) -> None:
        """Follow the end of the log, or stop."""
        if self.has_class("-empty"):
            return
        self.following = not (self.following and self.at_last)
        if self.following:
            self._chosen = None
            if self.reader is not None:
                self._redraw(self.reader)
        self.redraw_title()
        self.notify("Following the end of the log." if self.following else "Staying here.")

    def action_toggle_hex(self) -> None:
        self.toggle_class("-no-hex")
        if self.has_class("-no-hex"):
            self.entries.focus()

    def action_filter(self) -> None:
        self.filter_bar.open(self.filtering.text)

    def action_matches_only(self) -> None:
        self.filtering.switch()

    def action_next_match(self) -> None:
        self.filtering.step(forward=True) if self.filtering.active else self.action_next_defect()

    def action_previous_match(self) -> None:
        self.filtering.step(forward=False) if self.filtering.active else self.action_previous_defect()

    @on(FilterBar.Applied)
    def _filter_applied(self, message: FilterBar.Applied) -> None:
        self.entries.focus()
        self._touched = True
        self.filtering.apply(message.text)

    @on(FilterBar.Closed)
    def _filter_closed(self) -> None:
        self.entries.focus()

    def on_log_search_grew(self, message: LogSearchGrew) -> None:
        self.filtering.grew(message.search)

    def show_narrowed(self) -> None:
        """Show what the filter lets through, and what it says."""
        self._show_entries()
        line = self.query_one("#wal-filter", Static)
        content = self.filtering.sentence()
        line.set_class(content is not None, "-shown")
        line.update(content or "")

    @property
    def verdict(self) -> tuple[str, str]:
        """The verdict on all files, and its tone."""
        return folder_verdict(self.lines)
