"""A dialog that explains something in full, and can lead to the entry that it speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from devstate.findings import CODES, Finding, place_of, visible
from devstate_tui.models.lines import severity_mark

from .dialog import Dialog

__all__ = ["DetailDialog", "DetailOutcome", "finding_dialog"]


@dataclass(frozen=True)
class DetailOutcome:
    """`entry` is the entry that the user wants to see, None where the dialog was only closed."""

    entry: int | None = None


class DetailDialog(Dialog[DetailOutcome]):
    """Shows a text; with `entry` it offers to show that entry in the Chain."""

    def __init__(self, title: str, body: Content, *, entry: int | None = None) -> None:
        buttons = [("cancel", "Close")]
        if entry is not None:
            buttons.append(("entry", f"Show entry {entry:,}"))
        super().__init__(title, buttons)
        self._body = body
        self._entry = entry

    def compose_body(self) -> Iterable[Widget]:
        scroll = VerticalScroll(Static(self._body), classes="scroll")
        scroll.can_focus = False  # the keys of the dialog scroll it; Tab goes from button to button
        yield scroll

    def outcome_of(self, button: str) -> DetailOutcome:
        return DetailOutcome(self._entry if button == "entry" else None)


def finding_dialog(finding: Finding) -> DetailDialog:
    """One finding in full: what, where, expected and actual, and what to do."""
    glyph, tone = severity_mark(finding.severity)
    colour = {"bad": "$error", "look": "$warning"}.get(tone, "$text-muted")
    code = CODES.get(finding.code)
    lines = [
        Content.assemble(
            (f"{glyph} {finding.severity.value}  ", f"bold {colour}"), (finding.code, f"bold {colour}")
        ),
        Content(visible(finding.message)),
        Content(""),
    ]
    place = place_of(finding)
    pairs = [("where", place), ("expected", finding.expected), ("actual", finding.actual)]
    lines += [
        Content.assemble((label.ljust(10), "$text-muted"), visible(value)) for label, value in pairs if value
    ]
    remedy = finding.remedy or (code.remedy if code is not None else "")
    if remedy:
        lines += [Content(""), Content.styled("What to do", "bold"), Content(visible(remedy))]
    return DetailDialog("Finding", Content("\n").join(lines), entry=finding.where.entry)
