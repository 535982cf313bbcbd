"""The actions of the WAL screen that lead to a place, ask in a dialog or tell something in one."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from textual import getters, work
from textual.content import Content

from devstate.errors import DevStateError
from devstate.findings import visible
from devstate_tui.models.wal import WalModel, fitting_bytes
from devstate_tui.models.wal_files import HISTORY_DAMAGED, FileLine
from devstate_tui.screens.database_view import DatabaseView
from devstate_tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from devstate.engine.segments import Segment
    from devstate_tui.services.log_reader import LogReader

__all__ = ["AskingView"]

_MOST_COPIED = 1 << 20


class AskingView(DatabaseView):
    """What the WAL screen does about the selected entry, with a dialog in between."""

    reader: LogReader | None
    lines: list[FileLine]
    entries = getters.query_one("#wal-entries", RowList)

    def __init__(self) -> None:
        super().__init__()
        self.model: WalModel | None = None

    def go_to(self, row: int) -> None:
        """Select an entry."""
        raise NotImplementedError

    def choose(self, start: int) -> None:
        """Show another segment."""
        raise NotImplementedError

    # -- damage ------------------------------------------------------------------------------------

    def _wrong(self) -> list[FileLine]:
        return [line for tone in ("bad", "look") for line in self.lines if line.tone == tone]

    def reason_against_break(self) -> str | None:
        return None if self._wrong() else "no file that was read is damaged"

    def to_first_break(self) -> None:
        """Go to the first damage there is, the gravest kind first."""
        line = self._wrong()[0]
        if line.kind in ("snapshot", "missing"):
            self.tell_file(line)
        elif self.model is not None and self.model.segment.path == line.path and self.model.index.defects:
            self.go_to(self.model.index.defects[0])
        else:
            self.choose(line.start)

    def action_next_defect(self) -> None:
        self._to_defect(forward=True)

    def action_previous_defect(self) -> None:
        self._to_defect(forward=False)

    def _to_defect(self, *, forward: bool) -> None:
        model = self.model
        if model is None:
            return
        here = self.entries.cursor
        found = model.next_defect(here) if forward else model.previous_defect(here)
        if found is not None:
            self.go_to(found)
        elif not model.index.defects:
            self.notify("Nothing is damaged in this file.")
        else:
            self.notify(f"No damage {'after' if forward else 'before'} this entry in this file.")

    def tell_file(self, line: FileLine) -> None:
        """Tell in a dialog what is known of what has no entries to show: a snapshot, or a part that is missing."""
        if line.kind == "missing":
            self._tell_missing(line)
            return
        text = [
            f"{line.glyph} {line.word}",
            "",
            f"file      {visible(os.path.basename(line.path))}",
            f"size      {fitting_bytes(line.size or 0)}",
            f"position  LSN {line.start:,}: opening starts here and replays the log behind it",
        ]
        if line.holds:
            text.append(f"holds     {line.holds}")
        if line.tone == "bad":
            text += ["", "Opening falls back to an older snapshot, or to the whole log. Nothing was changed."]
        self.app.show_text("Snapshot", "\n".join(text))

    def _tell_missing(self, line: FileLine) -> None:
        below = line.tone == "look"
        meaning = (
            "Opening starts at a snapshot behind it: the state is whole, and runs of that time cannot be replayed."
            if below
            else "A clean close or a snapshot vouches for it: committed data is gone. r tells what opening would do."
        )
        text = [
            f"{line.glyph} {line.word}",
            "",
            f"after     {visible(os.path.basename(line.path))}",
            f"position  LSN {line.start:,}",
            f"what      {visible(line.holds)}",
            "",
            meaning,
            "Restore the missing file from a copy of the folder. Nothing was changed.",
        ]
        self.app.show_text("Missing part of the log", "\n".join(text))

    # -- go to -------------------------------------------------------------------------------------

    @work
    async def action_goto(self) -> None:
        from devstate_tui.screens.dialogs.position import PositionDialog

        look = self.reader.look if self.reader is not None else None
        if look is None or not look.segments or self.model is None:
            return
        segments = look.segments
        first, last = segments[0].start, max(segments[-1].end - 1, segments[0].start)
        choice = await self.app.push_screen_wait(PositionDialog(first, last, self._told_at))
        if choice.lsn is None or self.model is None:
            return
        segment = _holding(segments, choice.lsn)
        if segment is None:
            self.notify(f"No file holds LSN {choice.lsn:,}.", severity="warning")
        elif segment.start == self.model.segment.start:
            self.go_to(self.model.index.row_at(choice.lsn - segment.start))
        else:
            self.choose(segment.start)
            self.notify(f"LSN {choice.lsn:,} is in this segment; # again goes there when it is read.")

    def _told_at(self, lsn: int) -> str:
        model = self.model
        if (
            model is None
            or not model.segment.start <= lsn < model.index.start + model.index.end
            or not len(model)
        ):
            return f"LSN {lsn:,}, in another segment"
        row = model.index.row_at(lsn - model.index.start)
        shown = model.row(row)
        return f"{shown.name} at LSN {shown.lsn:,}" + (f", commit {shown.cv}" if shown.cv else "")

    # -- the report --------------------------------------------------------------------------------

    @work
    async def action_report(self) -> None:
        from textual.worker import get_current_worker

        from devstate_tui.screens.dialogs.detail import DetailDialog
        from devstate_tui.services.opening import opening_report

        if self.reader is None or self.reader.look is None or not self.reader.look.there:
            self.notify("There is no database here yet.")
            return
        waiting = self.set_timer(0.4, lambda: self.notify("Reading the log as opening would…", timeout=3))
        folder = self.reader.root
        history = any(line.word == HISTORY_DAMAGED for line in self.lines)
        worker = self.run_worker(
            lambda: opening_report(folder, damaged_history=history),
            thread=True,
            group="wal-report",
            exclusive=True,
            exit_on_error=False,
        )
        try:
            title, parts = await worker.wait()
        except Exception:  # cancelled by the next one, or by the end
            return
        finally:
            waiting.stop()
        if get_current_worker().is_cancelled:
            return
        styles = {
            "good": "$text-success",
            "bad": "$text-error",
            "look": "$text-warning",
            "muted": "$text-muted",
        }
        lines = [Content.styled(text, styles.get(tone, tone)) for text, tone in parts]
        await self.app.push_screen_wait(DetailDialog(title, Content("\n").join(lines)))

    # -- copying -----------------------------------------------------------------------------------

    @work
    async def action_copy(self) -> None:
        from devstate_tui.screens.dialogs.choice import ChoiceDialog

        model, row = self.model, self.entries.cursor
        if model is None or row >= len(model):
            return
        lsn = model.index.start + model.index.span(row)[0]
        lines = [
            (f"The entry at LSN {lsn:,} as JSON", "json"),
            ("Its bytes as hex", "hex"),
            ("The command that lists the log from here", "command"),
        ]
        choice = await self.app.push_screen_wait(ChoiceDialog("Copy", lines))
        if choice.value:
            self.copy_as(choice.value, model, row)

    def copy_as(self, form: str, model: WalModel, row: int) -> None:
        """Copy a row as `json`, `hex` or `command`."""
        from devstate_tui.services.clipboard import copy_text

        offset, size = model.index.span(row)
        lsn = model.index.start + offset
        try:
            if form == "json":
                name, text = "JSON", model.document(row)
            elif form == "hex":
                name, text = "Hex", model.data(row)[:_MOST_COPIED].hex()
            else:
                name, text = "Command", dump_command(model.segment.path, lsn)
        except DevStateError as error:
            self.notify(f"{error.message}\n{error.remedy}", severity="warning", markup=False)
            return
        cut = f" (the first {fitting_bytes(_MOST_COPIED)})" if form == "hex" and size > _MOST_COPIED else ""
        self.notify(f"{name}{cut}: {copy_text(text, self.app.copy_to_clipboard)}", markup=False)


def dump_command(path: str, lsn: int) -> str:
    """The command line that lists a log from a position on."""
    return shlex.join(["devstate", "wal", "dump", path, "--from", str(lsn)])


def _holding(segments: tuple[Segment, ...], lsn: int) -> Segment | None:
    return next((one for one in segments if one.start <= lsn < one.end), None)
