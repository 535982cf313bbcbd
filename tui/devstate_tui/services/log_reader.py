"""Reading a database folder in a thread: what is in it, an index of each segment, a verdict on each snapshot.

Nothing is locked and nothing is written. Indexes stay from one pass to the next: of a file that grew only the new bytes
are read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from devstate.durable import Identity, identity_of
from devstate.engine.inspection import FolderLook, SegmentIndex, SnapshotVerdict, judge_snapshot, look_at
from devstate.engine.log_outline import outline_faults
from devstate.engine.reports import Defect
from devstate.engine.segments import Segment, SegmentReader
from devstate.errors import DevStateError

__all__ = ["LogReader"]

_TELL_EACH = 0.15  # seconds
# What is read without being asked for; more is read when it is selected.
_UNASKED = 256 << 20


class LogReader:
    """What is known of one database folder. One thread at a time runs `read`; others look at the rest at any time.

    `look` is None before the first pass, `error` why the folder cannot be read. `whole` are the starts of the
    segments that are indexed to their end. `gone` is what the files of the log do not cover, although a clean close
    or a snapshot vouches for it.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.look: FolderLook | None = None
        self.error: DevStateError | None = None
        self.indexes: dict[int, SegmentIndex] = {}
        self.whole: set[int] = set()
        self.snapshots: dict[str, SnapshotVerdict] = {}
        self.gone: tuple[Defect, ...] = ()
        self.done = False
        self.bytes = SegmentReader(root)
        self._seen: dict[str, Identity | None] = {}
        self._pass = threading.Lock()

    def close(self) -> None:
        """Give the descriptors back."""
        self.bytes.close()

    def read(self, wanted: int | None, *, tell: Callable[[], object], cancelled: Callable[[], bool]) -> None:
        """Look at the folder, and read what is new in it: the segment that begins at LSN `wanted` first.

        `tell` is called now and then and at the end, `cancelled` asked at each batch.
        """
        with self._pass:
            if cancelled():
                return
            self.done = False
            try:
                self.look, self.error = look_at(self.root), None
                tell()
                self._all(self.look, wanted, tell, cancelled)
            except DevStateError as error:
                self.error = error
            if not cancelled():
                self.done = True
            tell()

    def part_of(self, segment: Segment, offset: int, size: int) -> bytes:
        """Bytes of a segment; fewer where it ends. Raises WalCorruptionError, InputUnreadable."""
        return self.bytes.load(Segment(segment.start, offset + size, segment.path, segment.archived), offset)

    # -- how

    def _all(
        self,
        look: FolderLook,
        wanted: int | None,
        tell: Callable[[], object],
        cancelled: Callable[[], bool],
    ) -> None:
        newest_first = sorted(look.segments, key=lambda one: one.start, reverse=True)
        for start in set(self.indexes) - {one.start for one in look.segments}:
            del self.indexes[start]
            self.whole.discard(start)
        for path in set(self.snapshots) - {one.path for one in look.snapshots}:
            del self.snapshots[path]
        # First what is looked at, or else the end of the log; then the snapshots; then the rest from the beginning.
        chosen = [one for one in newest_first if one.start == wanted] or newest_first[:1]
        left = _UNASKED
        for segment in chosen:
            self._index(look, segment, tell, cancelled)
        for file in look.snapshots:
            identity = identity_of(file.path)
            if file.path not in self.snapshots or self._seen.get(file.path) != identity:
                left -= file.size
                if left < 0 or cancelled():
                    break
                self._seen[file.path] = identity
                self.snapshots[file.path] = judge_snapshot(file, look.salt)
                tell()
        self.gone = self._gone(look)
        for segment in look.segments:
            if segment in chosen:
                continue
            if not self._is_current(segment):
                left -= segment.size
            if cancelled() or left < 0:
                return
            self._index(look, segment, tell, cancelled)
            tell()

    def _gone(self, look: FolderLook) -> tuple[Defect, ...]:
        valid = [one.info.wal_offset for one in self.snapshots.values() if one.info is not None]
        through = max([look.clean.end_lsn if look.clean is not None else 0, *valid])
        found = outline_faults(self.root, look.segments, through, salt=look.salt)
        return tuple(one for one in found if one.reason in ("missing", "overlap"))  # the rest are rows

    def _is_current(self, segment: Segment) -> bool:
        return segment.start in self.whole and self._seen.get(segment.path) == identity_of(segment.path)

    def _index(
        self,
        look: FolderLook,
        segment: Segment,
        tell: Callable[[], object],
        cancelled: Callable[[], bool],
    ) -> None:
        identity = identity_of(segment.path)
        known = self.indexes.get(segment.start)
        # A log that a clean close vouches for is not torn where it ends too early.
        vouched = look.clean is not None and look.clean.end_lsn > segment.end
        last = segment == look.segments[-1] and not vouched
        before = self._seen.get(segment.path)
        if known is not None and known.last == last:
            if segment.start in self.whole and before == identity:
                return
            grown = (
                before is not None
                and identity is not None
                and (before.dev, before.ino) == (identity.dev, identity.ino)
                and segment.size > known.end
            )
            if not grown and before != identity:
                known = None
        else:
            known = None
        self._seen[segment.path] = identity
        self.whole.discard(segment.start)
        if known is None:
            self.bytes.forget()
            known = SegmentIndex(
                segment.start, salt=look.salt, last_cv=self._cv_before(look, segment), last=last
            )
            self.indexes[segment.start] = known
        since = known.resume()
        told = time.monotonic()
        for count, _ in enumerate(known.extend(self.bytes.load(segment, since), since)):
            if cancelled():
                return
            now = time.monotonic()
            if count == 0 or now - told > _TELL_EACH:
                told = now
                tell()
                time.sleep(0)  # a held interpreter would hold up the screen
        self.whole.add(segment.start)

    def _cv_before(self, look: FolderLook, segment: Segment) -> int | None:
        if segment.start == 0:
            return 0
        known = self.indexes.get(next((one.start for one in look.segments if one.end == segment.start), -1))
        return known.last_cv if known is not None and known.start in self.whole else None
