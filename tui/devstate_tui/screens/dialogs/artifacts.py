"""The listed artifacts, those that need a look first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.widget import Widget

from devstate.findings import CODES, shortened, visible
from devstate_tui.widgets.line_list import LineList, Row
from devstate_tui.widgets.pairs import Pairs

from .dialog import Dialog

if TYPE_CHECKING:
    from devstate.trae import ArtifactReading

__all__ = ["ArtifactsDialog", "ArtifactsOutcome"]

_MARKS = {
    "refused": ("✘ refused", "bad"),
    "mismatched": ("✘ changed", "bad"),
    "missing": ("✘ missing", "bad"),
    "matched": ("✔ match", "good"),
}
_ORDER = tuple(_MARKS)
_LABEL = 8  # columns of `listed` and `now`


@dataclass(frozen=True)
class ArtifactsOutcome:
    """Nothing is chosen here."""


class ArtifactsDialog(Dialog[ArtifactsOutcome]):
    """One line an artifact; the selected one's checksums stand below."""

    TALL = True
    AUTO_FOCUS = "LineList"

    def __init__(self, artifacts: Sequence[ArtifactReading]) -> None:
        super().__init__(f"Artifacts listed in state.json: {len(artifacts):,}")
        self._artifacts = sorted(
            artifacts, key=lambda artifact: (_ORDER.index(artifact.status), artifact.path)
        )

    def compose_body(self) -> Iterable[Widget]:
        yield LineList([_row(artifact) for artifact in self._artifacts], empty="no artifacts are listed")
        yield Pairs(_LABEL, classes="body")

    def on_mount(self) -> None:
        self.watch(self.query_one(LineList), "cursor", self._selected)

    def _selected(self, cursor: int) -> None:
        if cursor >= len(self._artifacts):
            return
        artifact = self._artifacts[cursor]
        if artifact.status == "refused" and artifact.code in CODES:
            actual = f"not looked at: {CODES[artifact.code].title}"
        else:
            actual = artifact.actual or "the file is not there"
        self.query_one(Pairs).pairs = (("listed", visible(artifact.listed)), ("now", visible(actual)))

    def outcome_of(self, button: str) -> ArtifactsOutcome:
        return ArtifactsOutcome()


def _row(artifact: ArtifactReading) -> Row:
    mark, tone = _MARKS[artifact.status]
    return Row(((mark.ljust(11), tone), (shortened(artifact.path, 300), "")), artifact.path)
