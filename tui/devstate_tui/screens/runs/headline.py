"""The line above the runs, and the one above the pane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from devstate.errors import DevStateError
from devstate.findings import visible
from devstate_tui.models.runs import damage_words, status_of
from devstate_tui.widgets.title_line import TitlePart

if TYPE_CHECKING:
    from devstate.engine.primitives.runs import RunMetadata
    from devstate.engine.reports import CorruptionReport
    from devstate_tui.services.run_reader import RunDetail

__all__ = ["headline", "tabs"]

_STYLES = {
    "good": "$text-success",
    "bad": "$text-error",
    "look": "$text-warning",
    "muted": "$text-muted",
    "accent": "$text-accent",
    "plain": "",
}
_FIRST = ("orphaned", "active", "failed", "paused", "completed", "cancelled", "archived")


def headline(
    runs: Sequence[RunMetadata], error: DevStateError | None, lost: CorruptionReport | None
) -> list[TitlePart]:
    """How many runs there are, and of each status; those that want something first."""
    total = f"{len(runs):,} run{'' if len(runs) == 1 else 's'}"
    parts = [TitlePart(Content.styled("Runs", "bold"), 0), TitlePart(Content(total), 1)]
    if error is not None:
        told = Content.styled(f"✘ not up to date: {visible(error.message)}", "bold $text-error")
        parts.insert(1, TitlePart(told, 1))
    if lost is not None:
        told = Content.styled(f"✘ {damage_words(lost)}; 7 shows it", "bold $text-error")
        parts.insert(1, TitlePart(told, 1))
    counts = Counter(run.status.value for run in runs)
    samples = {run.status.value: run for run in runs}
    for rank, word in enumerate(_FIRST, 2):
        if counts[word]:
            glyph, _, tone = status_of(samples[word])
            parts.append(TitlePart(Content.styled(f"{glyph} {counts[word]:,} {word}", _STYLES[tone]), rank))
    return parts


def tabs(detail: RunDetail, spans: int, kind: str) -> Content:
    """What the pane can show of its run, each with its key, and the run: its name may be cut, the keys not."""
    run = detail.run
    parts: list[Content] = []
    steps = "?" if detail.steps is None else f"{len(detail.steps):,}"
    for name, key, count in (("about", "i", ""), ("steps", "s", f" {steps}"), ("spans", "t", f" {spans:,}")):
        label = Content.assemble((f" {key} ", "bold $text-accent"), f"{name}{count} ")
        parts.append(label.stylize("reverse") if name == kind else label)
    parts.append(Content.styled(visible(run.name or run.run_id[:8]), "bold"))
    return Content("  ").join(parts)
