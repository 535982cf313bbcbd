"""What damage in the log means: kept while the log is walked, concluded at its end.

The rules are told in `devstate.engine.walk`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from uuid import UUID

from .framing import CommitMarker
from .reports import CorruptionReport, Defect, Gap
from .segments import Segment

__all__ = ["Damage"]


class Damage:
    """The defects since the last valid commit, the gaps passed over, and, once data is lost, what follows.

    Holds no resource; one walk fills it. `noticed` is True while a commit cannot simply be taken.
    """

    def __init__(self, segments: Sequence[Segment], max_gaps: int) -> None:
        self.noticed = False
        self.pending: Defect | None = None
        self.fatal: Defect | None = None
        self.gaps: list[Gap] = []
        self.entries_before = 0
        self._segments = segments
        self._starts = [segment.start for segment in segments]
        self._max_gaps = max_gaps
        self._pending_in_last = False
        self._inside = 0
        self._resumed = 0  # from where on everything is intact again
        self._intact: dict[int, bytes] = {}  # the whole commits behind lost data: cv -> run

    def place(self, lsn: int) -> tuple[str, int]:
        """The file, and the byte in it, of a position."""
        segment = self._segments[max(0, bisect_right(self._starts, lsn) - 1)]
        return segment.path, lsn - segment.start

    def note(self, reason: str, lsn: int, resumed: int, detail: str = "", *, inside: int = 0) -> None:
        """A defect at `lsn`; from `resumed` on the bytes are intact again, though up to `inside` they may be the
        content of the damaged entry."""
        self._inside = max(self._inside, inside)
        path, offset = self.place(lsn)
        in_last = path == self._segments[-1].path
        self._note(Defect(reason, lsn, path, offset, detail), in_last, resumed)

    def note_hole(self, path: str, offset: int, lsn: int, other: int) -> None:
        """No file holds the positions between `lsn` and `other`. A crash takes no file away."""
        detail = f"no file holds LSN {min(lsn, other)} to {max(lsn, other) - 1}"
        self._note(Defect("missing", lsn, path, offset, detail), False, max(lsn, other))

    def overlap(self, segment: Segment, reached: int, entries: int) -> None:
        """The segment begins before `reached`, where the one before ends: which of them to believe?"""
        detail = f"another file reaches to LSN {reached}"
        self._lose(Defect("overlap", segment.start, segment.path, 0, detail), entries)

    def broken_commit(self, marker: CommitMarker | str, lsn: int, resumed: int) -> None:
        """A marker that no whole transaction ends with, or that cannot be read (then it is the words why)."""
        if not isinstance(marker, str):
            marker = f"the marker of commit {marker.cv} says {marker.n} entries from LSN {marker.lsn}"
        self.note("commit", lsn, resumed, marker)

    def passes(
        self, marker: CommitMarker, first: int, end: int, last_cv: int, last_ts: int, entries: int
    ) -> bool:
        """Whether a whole commit may be applied that is odd, or stands behind something odd.

        Its first entry is at `first`, its marker ends at `end`; `entries` were read until it.
        """
        if marker.cv <= last_cv:
            self.note("duplicate", first, end, f"commit {marker.cv} once more")
            return False
        if self.fatal is None:
            self._judge(marker, first, last_cv, last_ts, entries)
        if self.fatal is not None:
            self._intact.setdefault(marker.cv, marker.run)
            return False
        if self.pending is not None:
            size = max(0, self._resumed - self.pending.lsn)
            self.gaps.append(Gap(self.pending.lsn, size, self.pending.reason))
            self.pending = None
        self.noticed = False
        return True

    def conclude(self, entries: int) -> None:
        """The log ends: what is still pending is a torn tail, but only in the last segment."""
        if self.fatal is None and self.pending is not None and not self._pending_in_last:
            self._lose(self.pending, entries)

    def report(self, end_lsn: int, last_cv: int, bytes_cut: int) -> CorruptionReport | None:
        """The report of what is lost, None where nothing is."""
        fatal = self.fatal
        if fatal is None:
            return None
        intact = self._intact
        destroyed = 0
        span = None
        if intact:
            newest = max(intact)
            destroyed = newest - last_cv - len(intact)
            if destroyed:
                first, last = last_cv + 1, newest
                while first in intact:
                    first += 1
                while last in intact:
                    last -= 1
                span = (first, last)
        return CorruptionReport(
            segment=fatal.segment,
            lsn=fatal.lsn,
            offset=fatal.offset,
            reason=fatal.reason,
            last_cv=last_cv,
            detail=fatal.detail,
            end_lsn=end_lsn,
            first_cv_after=min(intact) if intact else None,
            commits_destroyed=destroyed,
            destroyed_cvs=span,
            intact_commits_cut=len(intact),
            runs_cut=tuple(str(UUID(bytes=run)) for run in sorted(set(intact.values()))),
            bytes_cut=bytes_cut,
        )

    def _judge(self, marker: CommitMarker, first: int, last_cv: int, last_ts: int, entries: int) -> None:
        """Data is lost where the commit is not the next one, at its place, in its time, or there are many gaps."""
        detail = f"commit {marker.cv} follows on commit {last_cv}"
        if marker.lsn != first:
            reason = "position"
            detail = f"commit {marker.cv} was written at LSN {marker.lsn}"
        elif marker.ts < last_ts:
            reason = "time"
        elif marker.cv != last_cv + 1:
            reason = "sequence"
        elif first < self._inside:
            reason = "nested"
            detail = f"commit {marker.cv} at LSN {first} may be the content of a damaged entry"
            self._lose(Defect(reason, first, *self.place(first), detail), entries)
            return
        elif self.pending is not None and len(self.gaps) >= self._max_gaps:
            pending = self.pending
            detail = f"{len(self.gaps) + 1} places, the limit is {self._max_gaps}"
            self._lose(Defect("gaps", pending.lsn, pending.segment, pending.offset, detail), entries)
            return
        else:
            return
        self._lose(self.pending or Defect(reason, first, *self.place(first), detail), entries)

    def _note(self, defect: Defect, in_last: bool, resumed: int) -> None:
        if self.pending is None:
            self.pending = defect
            self._pending_in_last = in_last
        self._resumed = resumed
        self.noticed = True

    def _lose(self, defect: Defect, entries: int) -> None:
        if self.fatal is None:
            self.fatal = defect
            self.entries_before = entries
        self.noticed = True
