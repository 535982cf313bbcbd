"""The actions of the Chain screen that ask in a dialog first: go to, explain, bookmark, copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import getters, work

from devstate.chain import explain_entry
from devstate.errors import DevStateError
from devstate_tui.models.chain import ChainModel
from devstate_tui.screens.view import View
from devstate_tui.widgets.entry_list import EntryList

from .bookmarking import Bookmarking
from .filtering import Filtering

if TYPE_CHECKING:
    from devstate.chain import Entry, Explanation
    from devstate.workspace import Reading

__all__ = ["AskingView"]

_MOST_COPIED = 1000


class AskingView(View):
    """What the Chain screen does about the selected entry, with a dialog in between."""

    filtering: Filtering
    entries = getters.query_one("#entries", EntryList)

    def __init__(self) -> None:
        super().__init__()
        self.model: ChainModel | None = None
        self.reading: Reading | None = None
        self.bookmarking = Bookmarking(self.app.folders.data, self.tell_problem)

    def go_to(self, index: int) -> None:
        """Select an entry, in all entries where the filter hides it."""
        raise NotImplementedError

    def marks_changed(self) -> None:
        """Show the bookmarks, which are other ones now."""
        raise NotImplementedError

    def tell_problem(self, sentence: str, remedy: str) -> None:
        """Tell something that did not work, and what to do."""
        self.notify(f"{sentence}\n{remedy}", severity="warning", markup=False)

    def explained(self, model: ChainModel, index: int) -> tuple[Entry, Explanation]:
        """An entry and what its HMAC covers. Raises DevStateError where it cannot be decoded."""
        # Both at once: they mostly stand in the same block.
        *before, entry = model.source.entries(max(index - 1, 0), index + 1)
        previous = before[0] if before else None
        workspace = self.app.workspace
        return entry, explain_entry(entry, previous, None if workspace is None else workspace.keyring)

    @work
    async def action_goto(self) -> None:
        from devstate_tui.screens.dialogs.goto import GotoDialog

        if self.model is None:
            return
        choice = await self.app.push_screen_wait(GotoDialog(self.model))
        if choice.entry is not None:
            self.go_to(choice.entry)
            if choice.sentence:
                self.notify(choice.sentence, markup=False)

    @work
    async def action_explain(self) -> None:
        from devstate_tui.screens.dialogs.explain import ExplainDialog

        if self.model is None or not self.entries.row_count:
            return
        try:
            entry, explanation = self.explained(self.model, self.entries.cursor)
        except DevStateError as error:
            self.tell_problem(error.message, error.remedy)
            return
        await self.app.push_screen_wait(ExplainDialog(entry, explanation))

    # -- bookmarks -------------------------------------------------------------------------------

    @work
    async def action_bookmark(self) -> None:
        from devstate_tui.screens.dialogs.note import NoteDialog

        model, index = self.model, self.entries.cursor
        if model is None or not self.entries.row_count:
            return
        choice = await self.app.push_screen_wait(NoteDialog(index, self.bookmarking.note_of(index)))
        if choice.kind == "cancel":
            return
        marks = self.bookmarking.bookmarks
        if choice.kind == "remove":
            self.bookmarking.change(marks.without(index))
        else:
            try:
                hmac = model.entry(index).hmac
            except DevStateError:
                hmac = ""
            self.bookmarking.change(marks.with_note(index, hmac, choice.text))
        self.marks_changed()

    @work
    async def action_bookmarks(self) -> None:
        from devstate_tui.screens.dialogs.bookmarks import BookmarksDialog

        if self.model is None:
            return
        marks = self.bookmarking.bookmarks
        choice = await self.app.push_screen_wait(BookmarksDialog(marks, self.bookmarking.moved(self.model)))
        if choice.entry is not None and self.model is not None:
            if choice.entry < self.model.count:
                self.go_to(choice.entry)
            else:
                self.notify(f"The history has no entry {choice.entry:,} any more.")

    def action_next_bookmark(self) -> None:
        found = self.bookmarking.bookmarks.next(self.entries.cursor)
        if found is None:
            self.notify("There is no bookmark; b makes one.")
        elif self.model is not None and found < self.model.count:
            self.go_to(found)

    # -- copying -----------------------------------------------------------------------------------

    @work
    async def action_copy(self) -> None:
        from devstate_tui.screens.dialogs.copy import CopyDialog

        if self.model is None or not self.entries.row_count:
            return
        matches = self.entries.matches
        count = 0 if matches is None else len(matches)
        choice = await self.app.push_screen_wait(CopyDialog(self.entries.cursor, count, _MOST_COPIED))
        if choice.form:
            self.copy_as(choice.form)

    def copy_as(self, form: str) -> None:
        """Copy the selected entry or the matches in one of the forms of `CopyChoice`."""
        from devstate_tui.services.clipboard import copy_text

        from .copying import copied_text

        if self.model is None or self.reading is None:
            return
        try:
            name, text = copied_text(
                form,
                self.model,
                self.entries.cursor,
                root=self.reading.root,
                matches=self.entries.matches,
                chosen=self.filtering.chosen,
                most=_MOST_COPIED,
            )
        except DevStateError as error:
            self.tell_problem(error.message, error.remedy)
            return
        self.notify(f"{name}: {copy_text(text, self.app.copy_to_clipboard)}", markup=False)
