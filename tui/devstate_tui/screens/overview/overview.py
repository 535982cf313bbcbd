"""The Overview: the verdict first, then the four answers, the facts they rest on, and what to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static
from textual.worker import get_current_worker

from devstate.findings import Finding, visible
from devstate_tui.actions import bindings
from devstate_tui.messages import OpenEntry, OpenFinding, OpenScreen, RunsChanged
from devstate_tui.models.activity import Activity, activity, sparkline
from devstate_tui.models.groups import FindingGroup
from devstate_tui.models.lines import Line, said
from devstate_tui.models.overview import Overview, overview
from devstate_tui.screens.view import View
from devstate_tui.widgets.fitting import cell_len
from devstate_tui.widgets.line_list import LineList
from devstate_tui.widgets.listed import entry_rows, finding_row
from devstate_tui.widgets.progress_line import bar
from devstate_tui.widgets.tile import Tile

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.errors import DevStateError
    from devstate.workspace import HistoryReading, Reading

__all__ = ["OverviewScreen"]

LATEST = 50
_WIDE = 110
_UNASKED = 16 << 20  # bytes of a database that are read to count its runs
_ANSWERS = ("integrity", "authenticity", "completeness", "time")
_FACTS = ("checkpoint", "artifacts", "state", "store", "activity")
_WAITING = Line(
    "headline", "", "·", "READING", "looking at .trae/state.json and .trae/history.json", "muted", "text"
)


class OverviewScreen(View):
    """Every line opens what it speaks of; the lists below open a finding or an entry."""

    MODE = "overview"
    CSS_PATH = "overview.tcss"
    BINDINGS = bindings("overview")
    AUTO_FOCUS = "#headline"

    findings_list = getters.query_one("#findings", LineList)
    latest_list = getters.query_one("#latest", LineList)

    def __init__(self) -> None:
        super().__init__()
        self._model: Overview | None = None
        self._activity = Activity((), 0)
        self._root = ""
        self._runs_line: Line | None = None
        self._runs_stale = False

    def compose_body(self) -> ComposeResult:
        yield Static(id="error")
        with Vertical(id="parts"):
            yield Tile("headline", "")
            with Vertical(id="answers", classes="part"):
                for name in _ANSWERS:
                    yield Tile(name, name.capitalize())
            with Vertical(id="facts", classes="part"):
                for name in _FACTS:
                    yield Tile(name, name.capitalize())
                yield Tile("runs", "Runs")
            with Vertical(id="lists"):
                with Vertical(classes="list"):
                    yield Static("Findings", classes="title", id="findings-title")
                    yield LineList(name="findings", empty="not known yet")
                    yield Static(id="remedy")
                with Vertical(classes="list", id="latest-part"):
                    yield Static("Latest entries", classes="title", id="latest-title")
                    yield LineList(name="latest", empty="not known yet")

    def on_mount(self) -> None:
        self._tile("headline").show(_WAITING)
        super().on_mount()
        self.watch(self.findings_list, "cursor", self._show_remedy)

    # -- what is shown -----------------------------------------------------------------------------

    def show(self, reading: Reading) -> None:
        self.remove_class("-failed")
        model = self._model = overview(reading)
        self._root = reading.root
        self._tile("headline").show(model.headline)
        self._activity = activity(reading.history) if reading.history is not None else Activity((), 0)
        self._show_lines(model)
        self._show_findings(model)
        self._show_latest(reading.history)
        self._look_at_runs(reading)

    def on_screen_resume(self) -> None:
        if self._runs_stale and self.app.reading is not None:
            self._look_at_runs(self.app.reading)

    def _look_at_runs(self, reading: Reading) -> None:
        """Count the runs where there is a database: in a thread, and the engine is loaded only then."""
        there = reading.store.backend != "files"
        self._tile("runs").display = there
        self._runs_stale = there and not self.is_current
        if not there or self._runs_stale:
            return
        folder = self.app.db_folder

        def run() -> None:
            worker = get_current_worker()
            reader = self.app.run_reader(folder)
            reader.read(
                None,
                tell=lambda: self.post_message(RunsChanged(reader)),
                cancelled=lambda: worker.is_cancelled,
                closer=False,
                most=_UNASKED,
            )

        self.run_worker(run, thread=True, group="overview-runs", exclusive=True, exit_on_error=False)

    def on_runs_changed(self, message: RunsChanged) -> None:
        from devstate_tui.models.runs import runs_line

        reader = message.reader
        self._runs_line = runs_line(reader.runs, reader.error, heavy=reader.heavy, lost=reader.lost)
        if self._model is not None:
            self._show_lines(self._model)

    def show_progress(self, progress: Progress) -> None:
        if self._model is not None:
            return  # a later scan goes on behind the reading that is shown; the badge tells it
        part = progress.bytes_done / max(1, progress.bytes_total)
        text = f"{''.join(bar(part, 20))} {part:4.0%}   {progress.entries:,} entries checked, {progress.bad:,} broken"
        tone = "bad" if progress.bad else "plain"
        self._tile("headline").show(Line("headline", "", "·", "READING", text, tone, "chain"))

    def show_error(self, error: DevStateError) -> None:
        self.add_class("-failed")
        lines = [
            Content.styled("✘ CANNOT READ", "bold $error"),
            Content(""),
            Content(visible(str(error))),
        ]
        if error.remedy:
            lines += [Content(""), Content.assemble(("What to do: ", "bold"), visible(error.remedy))]
        lines += [
            Content(""),
            Content.styled("This screen goes on by itself as soon as it can be read.", "$text-muted"),
        ]
        self.query_one("#error", Static).update(Content("\n").join(lines))

    def on_resize(self) -> None:
        if self._model is not None:
            self._show_lines(self._model)
            self._show_findings(self._model)
            self._show_latest(self.app.reading.history if self.app.reading is not None else None)

    def _tile(self, name: str) -> Tile:
        return self.query_one(f"#{name}", Tile)

    def _show_lines(self, model: Overview) -> None:
        lines = (*model.answers, *model.facts, self._activity_line(), *self._runs_lines())
        width = max(cell_len(line.word) for line in lines)
        for line in lines:
            self._tile(line.id).show(line, width)

    def _runs_lines(self) -> tuple[Line, ...]:
        return (self._runs_line,) if self._runs_line is not None else ()

    def _activity_line(self) -> Line:
        known = self._activity
        if known.first is None or known.last is None:
            return Line("activity", "Activity", "·", "none", "no entries with a time", "muted", "chain")
        first, last = (f"{moment:%Y-%m-%d}" for moment in (known.first, known.last))
        picture = sparkline(known.counts(max(8, min(40, self.size.width - 46))))
        return Line("activity", "Activity", "·", first, last, "plain", "chain", picture=picture)

    def _show_findings(self, model: Overview) -> None:
        title = self.query_one("#findings-title", Static)
        counts = model.findings_title
        while "," in counts and len("Findings  " + counts) > title.content_size.width > 0:
            counts = counts.rpartition(",")[0]  # the least grave first
        title.update(Content.assemble(("Findings  ", "bold"), (counts, "$text-muted")))
        self.findings_list.empty = "nothing to report"
        # Where there is little room, the sentence says more than the code.
        wide = self.size.width >= _WIDE
        width = max((len(finding.code) for finding in model.findings), default=0) if wide else 0
        self.findings_list.set_rows([finding_row(finding, width, self._root) for finding in model.findings])
        self._show_remedy(self.findings_list.cursor)

    def _show_remedy(self, cursor: int) -> None:
        findings = self._model.findings if self._model is not None else ()
        if cursor >= len(findings):
            self.query_one("#remedy", Static).update("")
            return
        finding = findings[cursor]
        lines = [Content(said(finding.message, self._root))]
        if finding.remedy:
            lines.append(Content.assemble(("What to do: ", "bold"), visible(finding.remedy)))
        self.query_one("#remedy", Static).update(Content("\n").join(lines))

    def _show_latest(self, history: HistoryReading | None) -> None:
        total = len(history) if history is not None else 0
        self.query_one("#latest-title", Static).update(
            Content.assemble(("Latest entries  ", "bold"), (f"of {total:,}" if total else "", "$text-muted"))
        )
        self.latest_list.empty = "none" if history is not None else "none known"
        entries = history.entries(max(0, total - LATEST), total) if history is not None else ()
        wide = self.size.width >= _WIDE
        self.latest_list.set_rows(entry_rows(tuple(reversed(entries)), wide))

    # -- what is opened ----------------------------------------------------------------------------

    @on(Tile.Opened)
    def _open_tile(self, message: Tile.Opened) -> None:
        line = message.line
        if line.opens == "entry" and line.entry is not None:
            self.post_message(OpenEntry(line.entry))
        elif line.opens in ("chain", "runs", "wal"):
            self.post_message(OpenScreen(line.opens))
        elif line.opens == "findings":
            self.action_focus_findings()
        elif line.opens == "artifacts":
            self.app.show_artifacts()
        elif line.explanation:
            self.app.show_text(line.label or line.word, line.explanation)

    @on(LineList.Chosen, "#findings")
    def _open_finding(self, message: LineList.Chosen) -> None:
        if isinstance(message.value, Finding):
            self.post_message(OpenFinding(message.value))
        elif isinstance(message.value, FindingGroup):
            self.app.show_findings(message.value.findings)

    @on(LineList.Chosen, "#latest")
    def _open_entry(self, message: LineList.Chosen) -> None:
        if isinstance(message.value, int):
            self.post_message(OpenEntry(message.value))

    def action_focus_findings(self) -> None:
        self.findings_list.focus()

    def action_focus_latest(self) -> None:
        self.latest_list.focus()
