"""Findings and entries as rows of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from devstate.findings import Finding, shortened
from devstate_tui.models.lines import said, severity_mark

from .fitting import cell_len, fit
from .line_list import Row

if TYPE_CHECKING:
    from devstate.chain import Entry
    from devstate_tui.models.groups import FindingGroup

__all__ = ["entry_rows", "finding_row"]

_ACTOR = 14  # columns


def finding_row(finding: Finding | FindingGroup, code_width: int, root: str) -> Row:
    """Its code in a column of `code_width` (0: no code), and its sentence."""
    glyph, tone = severity_mark(finding.severity)
    entry = finding.where.entry if isinstance(finding, Finding) else None
    named = entry is None or finding.message.lower().startswith(f"entry {entry:,}")
    return Row(
        (
            (f"{glyph} ", tone),
            (f"{finding.code.ljust(code_width)}  " if code_width else "", tone),
            (f"entry {entry:,}: " if not named else "", "strong"),
            (shortened(said(finding.message, root), 300), ""),
        ),
        finding,
    )


def entry_rows(entries: Sequence[Entry], with_time: bool) -> list[Row]:
    """Number, time, actor and action of each, in columns."""
    digits = max((len(f"{entry.index:,}") for entry in entries), default=0)
    actors = [shortened(entry.actor, _ACTOR) for entry in entries]
    width = max(map(cell_len, actors), default=0)
    return [
        Row(
            (
                (f"{entry.index:>{digits},}  ", "muted"),
                (
                    fit(shortened(entry.ts[5:16].replace("T", " "), 11), 11) + "  " if with_time else "",
                    "muted",
                ),
                (fit(actor, width) + "  ", ""),
                (shortened(entry.action, 60), "strong"),
            ),
            entry.index,
        )
        for entry, actor in zip(entries, actors, strict=True)
    ]
