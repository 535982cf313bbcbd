"""The line above the lists, and the page in their place where there is nothing to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from devstate.findings import visible
from devstate_tui.models.wal_files import FileLine, folder_verdict
from devstate_tui.widgets.title_line import TitlePart

if TYPE_CHECKING:
    from devstate.engine.inspection import FolderLook

__all__ = ["headline"]

_STYLES = {"good": "$text-success", "bad": "$text-error", "look": "$text-warning", "muted": "$text-muted"}


def headline(look: FolderLook, lines: Sequence[FileLine], following: bool, done: bool) -> list[TitlePart]:
    """Verdict first, then what is there, then who has it open."""
    verdict, tone = folder_verdict(lines, refuses=look.refuses) if done else ("· reading", "muted")
    snapshots = sum(line.kind == "snapshot" for line in lines)
    segments = sum(line.kind in ("segment", "archived") for line in lines)
    parts = [
        TitlePart(Content.styled("WAL", "bold"), 0),
        TitlePart(Content.styled(verdict, f"bold {_STYLES[tone]}"), 1),
        TitlePart(Content(_counted(segments, "segment")), 5),
        TitlePart(Content(_counted(snapshots, "snapshot")), 6),
    ]
    if look.fault:
        style, glyph = ("$text-error", "✘") if look.refuses else ("$text-warning", "!")
        said = "META is missing" if look.meta is None and not look.refuses else look.fault
        parts.insert(2, TitlePart(Content.styled(f"{glyph} {visible(said)}", style), 3))
    if look.clean is not None:
        state = "closed cleanly"  # while others write there is no such mark
    elif look.holder is not None:
        state = f"open in process {look.holder}"
    else:
        state = "not closed: in use, or after a crash"
    parts.append(TitlePart(Content.styled(state, "$text-muted"), 4))
    if following:
        parts.append(TitlePart(Content.styled("FOLLOWING", "bold $text-accent"), 2, right=True))
    return parts


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
