"""Many findings of one kind: a line each, to be opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.widget import Widget

from devstate_tui.widgets.line_list import LineList
from devstate_tui.widgets.listed import finding_row

from .dialog import Dialog

if TYPE_CHECKING:
    from devstate.findings import Finding

__all__ = ["FindingsDialog", "FindingsOutcome"]


@dataclass(frozen=True)
class FindingsOutcome:
    """`index` is the place in the list of the finding to open, None where the dialog was only closed."""

    index: int | None = None


class FindingsDialog(Dialog[FindingsOutcome]):
    """`findings` share one code, which stands in the frame; the cursor begins at `at`."""

    TALL = True
    AUTO_FOCUS = "LineList"

    def __init__(self, findings: Sequence[Finding], root: str, at: int = 0) -> None:
        super().__init__(f"{findings[0].code}: {len(findings):,} findings")
        self._findings = tuple(findings)
        self._root = root
        self._at = at

    def compose_body(self) -> Iterable[Widget]:
        yield LineList([finding_row(finding, 0, self._root) for finding in self._findings])

    def on_mount(self) -> None:
        self.call_after_refresh(self._put_cursor)

    def _put_cursor(self) -> None:
        self.query_one(LineList).cursor = self._at

    @on(LineList.Chosen)
    def _chosen(self, event: LineList.Chosen) -> None:
        self.dismiss(FindingsOutcome(event.index))

    def outcome_of(self, button: str) -> FindingsOutcome:
        return FindingsOutcome()
