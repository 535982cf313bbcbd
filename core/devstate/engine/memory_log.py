"""The log of a database that lives in memory: the same entries, kept as long as `limit` allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Any

from .envelope import ENTRY_VERSION, WalEntry
from .errors import HistoryPruned
from .framing import Transaction, make_tx_id

__all__ = ["MemoryLog"]


class MemoryLog:
    """Committed transactions by position; a position (`lsn`) is a transaction's number from 0."""

    __slots__ = ("_kept", "_limit", "_salt", "end")

    def __init__(self, salt: bytes, limit: int | None = None) -> None:
        # Flat tuples of atoms, (run, cv, ts, sequence, type, payload, type, payload, ...): the collector looks at
        # such a one once, at nested ones again and again.
        self._kept: deque[tuple[Any, ...]] = deque(maxlen=limit)
        self._limit = limit
        self._salt = salt
        self.end = 0

    def append(self, transaction: tuple[bytes, int, int, int, Sequence[tuple[int, bytes]]]) -> None:
        """Keep `(run, cv, ts, sequence, entries)`; the oldest goes where the limit is reached."""
        run, cv, ts, sequence, entries = transaction
        if len(entries) == 1:
            kind, payload = entries[0]
            self._kept.append((run, cv, ts, sequence, kind, payload))
        else:
            self._kept.append((run, cv, ts, sequence, *chain.from_iterable(entries)))
        self.end += 1

    def settle(self, lsn: int, size: int, cv: int) -> bool:
        """After an interrupt in or behind `append`: whether the transaction was kept."""
        kept = self.end > lsn or (bool(self._kept) and self._kept[-1][1] == cv)
        self.end = lsn + 1 if kept else lsn
        return kept

    def read_transaction(self, lsn: int) -> Transaction:
        """The transaction at a position. Raises HistoryPruned."""
        found = self._kept_at(lsn)
        if found is None:
            kept = self._kept[0][1] if self._kept else self.end + 1
            raise HistoryPruned(
                f"the database in memory keeps the last {self._limit} transactions only",
                from_cv=kept,
                remedy="Open it with a larger history_limit.",
            )
        run, cv, ts, sequence, *flat = found
        tx_id = make_tx_id(sequence, self._salt)
        listed = tuple(
            WalEntry(kind, ENTRY_VERSION, tx_id, payload, lsn)
            for kind, payload in zip(flat[::2], flat[1::2], strict=True)
        )
        return Transaction(run, cv, ts, lsn, lsn + 1, sequence, listed)

    def _kept_at(self, lsn: int) -> tuple[Any, ...] | None:
        """What stands at a position, None where it was let go.

        Readers hold no lock: how many are kept, and how many there were, are not told at one moment while another
        thread appends. The versions in what is kept are, and count from 1 as positions do from 0.
        """
        kept = self._kept
        while True:
            try:
                place = lsn + 1 - kept[0][1]
                if place < 0:
                    return None
                found = kept[place]
            except IndexError:
                if not kept or kept[0][1] > lsn + 1:
                    return None
                if lsn >= self.end:
                    raise
                continue  # the first one went between the two looks
            if found[1] == lsn + 1:
                return found
