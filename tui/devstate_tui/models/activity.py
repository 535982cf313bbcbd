"""When the entries were written, as a small picture: counts over equal spans of time, drawn in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from devstate.clock import parse_rfc3339
from devstate.errors import DevStateError

if TYPE_CHECKING:
    from devstate.workspace import HistoryReading

__all__ = ["Activity", "activity", "sparkline"]

SAMPLES = 256
# From here on, the first entry of each block shows the spread as well, and is cheaper to reach.
_MANY_BLOCKS = 48
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Activity:
    """`moments` are the times of the looked-at entries (all of them, or `SAMPLES` spread evenly), sorted."""

    moments: tuple[datetime, ...]
    entries: int

    @property
    def first(self) -> datetime | None:
        return self.moments[0] if self.moments else None

    @property
    def last(self) -> datetime | None:
        return self.moments[-1] if self.moments else None

    def counts(self, width: int) -> tuple[int, ...]:
        """How many of the looked-at entries fall into each of `width` equal spans between first and last."""
        if not self.moments or width < 1:
            return ()
        begin = self.moments[0]
        span = (self.moments[-1] - begin).total_seconds()
        counts = [0] * width
        for moment in self.moments:
            part = (moment - begin).total_seconds() / span if span else 0.0
            counts[min(width - 1, int(part * width))] += 1
        return tuple(counts)


def activity(history: HistoryReading) -> Activity:
    """The times of at most `SAMPLES` entries, whatever the length; one without a time is left out."""
    total = len(history)
    index = history.index
    if index.blocks >= _MANY_BLOCKS:
        numbers = index.block_starts(SAMPLES)
    else:
        step = max(1.0, total / SAMPLES)
        numbers = [int(number * step) for number in range(min(total, SAMPLES))]
    try:
        looked_at = index.pick(numbers, history.source)
    except DevStateError:  # the file changed in place: a new reading is on its way
        looked_at = []
    moments = (parse_rfc3339(entry.ts) for entry in looked_at)
    return Activity(tuple(sorted(moment for moment in moments if moment is not None)), total)


def sparkline(counts: Sequence[int]) -> str:
    """One character a count, a space for none, the highest bar for the most."""
    most = max(counts, default=0)
    return "".join(_BARS[(count * len(_BARS) - 1) // most] if count else " " for count in counts)
