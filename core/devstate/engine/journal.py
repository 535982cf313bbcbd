"""Where the transactions of one run stand in the log, and reading them: what a replay is made from.

The positions since the last snapshot are in memory (`RunBook.lsns`). Older ones come from the indexes beside the
segments in history/, or, where there is none that is sound, from the segments themselves. Nothing is written.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from devstate.durable.files import OS, Files

from .errors import HistoryPruned, RunNotFound, WalCorruptionError
from .framing import Transaction
from .history_index import HistoryIndexDamaged, read_index
from .ids import run_text
from .layout import history_folder, index_name
from .memory_log import MemoryLog
from .primitives.runs import RunBook
from .reports import CorruptionReport
from .segments import Segment, SegmentReader
from .snapshotting import commits_in

__all__ = ["BookOf", "FileHistory", "HistorySource", "MemoryHistory", "damaged_history", "run_positions"]

BookOf = Callable[[bytes], RunBook | None]
"""The account of a run, None for an unknown one. Where commits go on meanwhile: a copy made under their lock."""


class HistorySource(Protocol):
    """The committed transactions of runs, by position."""

    def positions(self, run: bytes) -> Sequence[int]:
        """Where all transactions of a run stand, in their order. Raises RunNotFound, HistoryPruned,
        WalCorruptionError."""
        ...

    def transaction(self, lsn: int) -> Transaction:
        """The transaction at a position, checked. Raises HistoryPruned, WalCorruptionError."""
        ...

    def transactions(self, positions: Sequence[int]) -> Iterator[Transaction]:
        """Those at positions of `positions`, in their order: less work than one by one."""
        ...

    def opened(self) -> AbstractContextManager[HistorySource]:
        """The same for many looks at once."""
        ...


class FileHistory:
    """The history of a database in a folder; it uses the reader and does not close it."""

    def __init__(self, reader: SegmentReader, book_of: BookOf, *, files: Files = OS) -> None:
        self._reader = reader
        self._book_of = book_of
        self._files = files

    def positions(self, run: bytes) -> Sequence[int]:
        book = known_book(self._book_of, run)
        return run_positions(self._reader.root, run, book, files=self._files, reader=self._reader)

    def opened(self) -> AbstractContextManager[FileHistory]:
        return nullcontext(self)

    def transaction(self, lsn: int) -> Transaction:
        return next(self.transactions((lsn,)))

    def transactions(self, positions: Sequence[int]) -> Iterator[Transaction]:
        try:
            yield from self._reader.read_transactions(positions)
        except WalCorruptionError as error:
            segments, report = self._reader.refresh(), error.report
            if segments and isinstance(report, CorruptionReport) and segments[0].start > report.lsn:
                # let go since its position was looked up
                raise _pruned(self._reader, segments, f"the transaction at LSN {report.lsn} was", 0) from None
            raise


class MemoryHistory:
    """The history of a database in memory, as far as its log goes back."""

    def __init__(self, log: MemoryLog, book_of: BookOf) -> None:
        self._log = log
        self._book_of = book_of

    def positions(self, run: bytes) -> Sequence[int]:
        return known_book(self._book_of, run).lsns[:]

    def opened(self) -> AbstractContextManager[MemoryHistory]:
        return nullcontext(self)

    def transaction(self, lsn: int) -> Transaction:
        return self._log.read_transaction(lsn)

    def transactions(self, positions: Sequence[int]) -> Iterator[Transaction]:
        return map(self._log.read_transaction, positions)


def known_book(book_of: BookOf, run: bytes) -> RunBook:
    """The account of a run. Raises RunNotFound."""
    book = book_of(run)
    if book is None:
        raise RunNotFound(f"no run {run_text(run)}", remedy="See `devstate run list`.")
    return book


def run_positions(
    root: str, run: bytes, book: RunBook, *, files: Files = OS, reader: SegmentReader
) -> array[int]:
    """The positions of all transactions of a run, ascending.

    What is in memory costs nothing; for what is older the index (or, without one, the bytes) of each segment in
    question is read. Raises HistoryPruned where segments that held some are gone, WalCorruptionError where the
    log holds another number than the run's account says.
    """
    known = book.lsns[:]
    missing = book.tx_count - len(known)
    segments = reader.refresh()
    first = book.first_lsn
    older = array("Q")
    if missing:
        stop = known[0] if known else book.last_lsn + 1
        for segment in segments:
            if segment.start < stop and segment.end > first:
                for lsn in _of_run(root, run, segment, reader, files):
                    # Ascending, and once each: a copied block of the log names the positions it was copied from.
                    if first <= lsn < stop and (not older or lsn > older[-1]):
                        older.append(lsn)
    pruned = not segments or segments[0].start > first
    if len(older) == missing and not pruned:
        return older + known
    if len(older) <= missing and pruned:
        told = f"transactions of run {run_text(run)}, from its beginning on, were"
        raise _pruned(reader, segments, told, book.last_cv)
    raise damaged_history(
        f"run {run_text(run)} has {book.tx_count:,} transactions, and the log {len(older) + len(known):,} of them",
        history_folder(root),
        first,
    )


def _pruned(reader: SegmentReader, segments: Sequence[Segment], what: str, last_cv: int) -> HistoryPruned:
    return HistoryPruned(
        f"{what} deleted with the oldest history",
        from_cv=first_kept_cv(segments, reader, last_cv + 1),
        path=history_folder(reader.root),
        remedy="Its final state is still there (`final_only=True`); with `keep` all later history stays.",
    )


def first_kept_cv(segments: Sequence[Segment], reader: SegmentReader, otherwise: int) -> int:
    """The version of the first commit that is still in the log."""
    for segment in segments:
        for commit in commits_in(reader.load(segment), segment.start):
            return commit.cv
    return otherwise


def damaged_history(detail: str, path: str, lsn: int) -> WalCorruptionError:
    """The error for a history that does not hold what the run's account or its own order demands."""
    return WalCorruptionError(
        f"the history is damaged: {detail}",
        report=CorruptionReport(path, lsn, 0, "sequence", detail=detail),
        path=path,
        position=f"LSN {lsn}",
        remedy="`devstate db check` shows all damage.",
    )


def _of_run(root: str, run: bytes, segment: Segment, reader: SegmentReader, files: Files) -> Iterator[int]:
    """The positions of a run's transactions in a segment."""
    try:
        index = read_index(os.path.join(history_folder(root), index_name(segment.start)), files)
        if (index.start, index.end) == (segment.start, segment.end):
            return iter(index.lsns(run, files))
    except HistoryIndexDamaged:
        pass  # it is derived: the segment says the same
    return (commit.lsn for commit in commits_in(reader.load(segment), segment.start) if commit.run == run)
