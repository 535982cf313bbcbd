"""Taking in what other processes append to the log.

A follower stands at an LSN and applies the whole transactions behind it. What is unfinished at the end is "not yet":
it is looked at again from the same place. It goes through the same walk and the same `apply` as recovery.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from devstate.durable.files import OS, Files, retried
from devstate.durable.reading import unreadable

from .errors import EngineError, WalCorruptionError
from .framing import Transaction
from .layout import segment_name, wal_folder
from .recovery import apply_transaction
from .reports import CorruptionReport, WalkEnd
from .segments import Segment, list_segments
from .walk import LogWalk

if TYPE_CHECKING:
    from .commit import Committer

__all__ = ["Follower", "Stranded"]

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Stranded(Exception):
    """The part of the log that comes next is no longer there: start again from a snapshot."""


class Follower:
    """Stands in the segment that begins at `start`, at LSN `end`. `unknown` are entry types without a handler."""

    def __init__(self, root: str, committer: Committer, *, start: int, end: int, files: Files = OS) -> None:
        self.root = root
        self.start = start
        self.end = end
        self.unknown: set[int] = set()
        self._committer = committer
        self._files = files
        self._fd = -1
        self._path = ""
        self._taking: Transaction | None = None

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            self._files.close(fd)

    def catch_up(self, *, alone: bool) -> WalkEnd | None:
        """Apply what came behind `end`; what the last walk ended with, None where nothing came.

        `alone`: nobody appends at this moment, so what is damaged is damaged. Raises WalCorruptionError,
        Stranded, InputUnreadable.
        """
        self._settle()
        last: WalkEnd | None = None
        while True:
            if self._fd < 0:
                self._open()
            offset = self.end - self.start
            try:
                size = self._files.fstat(self._fd).st_size
                data = self._read(offset, size - offset) if size > offset else b""
            except OSError as error:
                raise unreadable(error, self._path) from None
            if data:
                last = self._take(data, alone=alone)
                if last.end_lsn < self.start + size:
                    return last  # an unfinished end; a segment with one has no successor
            if not self._moved_on():
                return last

    def _take(self, data: bytes, *, alone: bool) -> WalkEnd:
        committer = self._committer
        segment = Segment(start=self.end, size=len(data), path=self._path, archived=False)
        walk = LogWalk(
            (segment,),
            reader=_Bytes(data),  # pyright: ignore[reportArgumentType]
            start=self.end,
            last_cv=committer.cv,
            last_ts=committer.ts,
            salt=committer.salt,
        )
        for transaction in walk:
            self._taking = transaction
            committer.installing = True  # readers that miss a record wait for the whole transaction
            try:
                apply_transaction(committer.primitives, transaction, self.unknown)
            except (NameError, AttributeError, ImportError, MemoryError):
                raise  # a fault of the program says nothing about the data
            except Exception as error:
                raise self._inapplicable(transaction, error) from None
            committer.taken_in(transaction.cv, transaction.ts, transaction.sequence, transaction.end)
            committer.installing = False
            self.end = transaction.end
            self._taking = None
        end = walk.end
        if end.lost is not None:
            if alone:
                raise WalCorruptionError(
                    " ".join(end.lost.sentences()[:2]),
                    report=end.lost,
                    path=self._path,
                    position=f"LSN {end.lost.lsn}",
                    remedy="Close the database and run `devstate db check`.",
                )
            return end
        self.end = end.end_lsn
        return end

    def _settle(self) -> None:
        """After an interrupt: what is in memory already is behind this follower, or it would be taken for a copy, and
        cut off. What may be there in part cannot be applied once more."""
        left, committer = self._taking, self._committer
        if left is None:
            return
        if committer.cv < left.cv:
            raise self._inapplicable(left, InterruptedError("taking it in was interrupted"))
        committer.taken_in(left.cv, left.ts, left.sequence, left.end)
        committer.installing = False
        self.end = max(self.end, left.end)
        self._taking = None

    def _inapplicable(self, transaction: Transaction, error: Exception) -> EngineError:
        """Refuse everything from now on: a part of the transaction may be in memory, over what was there before."""
        lsn, path = transaction.lsn, self._path
        detail = f"{type(error).__name__}: {error}"

        def refusal() -> EngineError:
            return WalCorruptionError(
                f"commit {transaction.cv} of another process cannot be applied: {detail}",
                report=CorruptionReport(path, lsn, lsn - self.start, "inapplicable", detail=detail),
                path=path,
                position=f"LSN {lsn}",
                remedy="Close the database and run `devstate db check`.",
            )

        self._committer.shut(refusal)
        return refusal()

    def _moved_on(self) -> bool:
        """Go to the next segment where there is one; whether there was."""
        live = wal_folder(self.root)
        following = os.path.join(live, segment_name(self.end))
        if self.end > self.start and self._exists(following):
            self.go(self.end, following)
            return True
        # Not `_path`: the segment may have been found in history when it was opened.
        if self._exists(os.path.join(live, segment_name(self.start))):
            return False
        # This segment was moved into history: the next one may have been, too.
        for segment in list_segments(self.root, history=True, files=self._files):
            if segment.start == self.end and segment.path != self._path:
                moved = segment.start == self.start
                self.go(segment.start, segment.path)
                return not moved or segment.size > 0
            if segment.start == self.start:
                self._path = segment.path
        if not self._exists(self._path):
            raise Stranded(f"the log behind LSN {self.end} is gone")
        return False

    def go(self, start: int, path: str = "") -> None:
        """Stand in another segment."""
        self.close()
        self.start, self._path = start, path

    def _open(self) -> None:
        path = self._path or os.path.join(wal_folder(self.root), segment_name(self.start))
        for attempt in range(3):
            try:
                self._fd, self._path = retried(self._files.open, path, _FLAGS), path
                return
            except FileNotFoundError:
                again = [
                    s
                    for s in list_segments(self.root, history=True, files=self._files)
                    if s.start == self.start
                ]
                if not again or attempt == 2:
                    break
                path = again[0].path
            except OSError as error:
                raise unreadable(error, path) from None
        raise Stranded(f"the segment at LSN {self.start} is gone")

    def _read(self, offset: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = retried(self._files.pread, self._fd, size, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)

    def _exists(self, path: str) -> bool:
        try:
            self._files.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unreadable(error, path) from None
        return True


class _Bytes:
    """A segment that is in memory, in the place of a reader of segments."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def load(self, segment: Segment, offset: int = 0) -> bytes:
        return self._data[offset:] if offset else self._data
