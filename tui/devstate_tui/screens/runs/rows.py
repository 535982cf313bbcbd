"""The lists of the Runs screen as cells: runs, steps, spans, and what is known of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from devstate.errors import DevStateError
from devstate.findings import visible
from devstate_tui.models.runs import (
    about_lines,
    duration_text,
    length_of,
    moment,
    span_lines,
    status_of,
    step_words,
)
from devstate_tui.services.run_reader import RunDetail, RunReader
from devstate_tui.widgets.fitting import fit, fold
from devstate_tui.widgets.row_list import Cell

if TYPE_CHECKING:
    from devstate.engine.primitives.runs import RunMetadata
    from devstate.engine.reports import CorruptionReport

__all__ = ["AboutSource", "RunSource", "SpanSource", "StepSource"]

_STATUS = 11


class RunSource:
    """The runs, newest first."""

    def __init__(
        self, runs: Sequence[RunMetadata], spans: Mapping[str, int], pinned: Mapping[str, str]
    ) -> None:
        self.runs = runs
        self._spans = spans
        self._pins: dict[str, str] = {}
        for name, run_id in pinned.items():
            self._pins[run_id] = self._pins.get(run_id, "") + name

    def __len__(self) -> int:
        return len(self.runs)

    def _columns(self, width: int) -> tuple[tuple[str, int, bool], ...]:
        fixed = [("status", _STATUS, False), ("pin", 2, False)]
        after = [
            ("id", 8, False),
            ("started", 19 if width >= 96 else 11, False),
            ("took", 9, True),
            ("steps", 6, True),
        ]
        if width >= 90:
            after += [("events", 6, True), ("spans", 6, True)]
        left = width - sum(size + 1 for _, size, _ in (*fixed, *after))
        tags = min(left * 2 // 5, 28) if width >= 96 else 0
        name = ("name", max(left - (tags + 1 if tags else 0), 6), False)
        return (*fixed, name, *after, *((("tags", tags, False),) if tags else ()))

    def heading(self, width: int) -> str:
        titles = {"pin": "", "started": "started UTC"}
        return " ".join(
            fit(titles.get(name, name), size, right=right) for name, size, right in self._columns(width)
        )

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        run = self.runs[item]
        glyph, word, tone = status_of(run)
        started = moment(run.started_at or run.created_at)
        took = duration_text(length_of(run))
        tags = ", ".join(run.tags) + (f" of {run.parent[:8]}" if run.parent else "")
        sizes = {name: size for name, size, _ in self._columns(width)}
        texts: dict[str, Cell] = {
            "status": (f"{glyph} {word}", tone),
            "pin": (self._pins.get(run.run_id, ""), "accent"),
            "name": (visible(run.name or "(no name)"), "strong" if run.name else "muted"),
            "id": (run.run_id[:8], "muted"),
            "started": (started if sizes["started"] > 11 else started[5:16], "muted"),
            "took": (took or "goes on" if word == "active" else took, "plain"),
            "steps": (f"{run.tx_count:,}", "plain"),
            "events": (f"{run.event_count:,}", "plain"),
            "spans": (f"{self._spans.get(run.run_id, 0):,}", "plain"),
            "tags": (visible(tags), "muted"),
        }
        return [
            (fit(texts[name][0], size, right=right) + " ", texts[name][1])
            for name, size, right in self._columns(width)
        ]


class AboutSource:
    """What is known of a run; long texts go on beside their labels."""

    def __init__(self, detail: RunDetail, width: int, lost: CorruptionReport | None = None) -> None:
        fault = f"{detail.fault.message}. {detail.fault.remedy}" if detail.fault is not None else ""
        self._lines: list[tuple[str, str, str]] = []
        for label, text, tone in about_lines(detail.run, detail.last_written, fault, lost):
            for at, line in enumerate(fold(text, max(width - 15, 10))):
                self._lines.append((label if at == 0 else "", line, tone))

    def __len__(self) -> int:
        return len(self._lines)

    def heading(self, width: int) -> str:
        return ""

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        label, text, tone = self._lines[item]
        return ((fit(label, 11) + " ", "muted"), (fit(text, max(width - 12, 1)), tone))


class StepSource:
    """The steps of a run; each is read from the log when it is shown."""

    def __init__(self, reader: RunReader, detail: RunDetail) -> None:
        self.reader = reader
        self.detail = detail

    def __len__(self) -> int:
        return len(self.detail.steps) if self.detail.steps is not None else 0

    def heading(self, width: int) -> str:
        return f"{'step':>6} {'at':<15} {'commit':>7}  what it did"

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        number = f"{item + 1:>6,} "
        try:
            step = self.reader.step(self.detail, item)
        except DevStateError as error:
            return ((number, "muted"), (fit(f"✘ {visible(error.message)}", width - 7), "bad"))
        left = f"{moment(step.ts)[11:]}.{step.ts % 1_000_000:06} {step.cv:>7,}  "
        return (
            (number, "plain"),
            (left, "muted"),
            (fit(step_words(step), max(width - len(number) - len(left), 1)), "plain"),
        )


class SpanSource:
    """The spans of a run as a tree."""

    def __init__(self, detail: RunDetail) -> None:
        self._lines = span_lines(detail.spans)

    def __len__(self) -> int:
        return len(self._lines)

    def heading(self, width: int) -> str:
        return f"{fit('span', width - 38)} {'kind':<10} {'started UTC':<15} {'took':>9}"

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        line = self._lines[item]
        room = max(width - 38, 8)
        name = visible(line.name)
        at = f"{moment(line.start)[11:]}.{line.start % 1_000_000 // 1000:03}"
        took = duration_text(line.length) if line.length is not None else "goes on"
        return (
            (fit(line.lead, min(len(line.lead), room)), "muted"),
            (fit(name, max(room - len(line.lead), 0)) + " ", "bad" if line.failed else "plain"),
            (fit(line.kind, 10) + " ", "bad" if line.failed else "muted"),
            (fit(at, 15) + " ", "muted"),
            (fit(took, 9, right=True), "plain"),
        )
