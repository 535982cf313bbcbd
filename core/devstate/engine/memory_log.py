"""The log of a database that lives in memory: the same entries, kept as long as `limit` allows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final

from .envelope import ENTRY_VERSION, WalEntry
from .errors import HistoryPruned
from .framing import Transaction, decode_head, make_tx_id

if TYPE_CHECKING:
    from .batch import Change

__all__ = ["MemoryLog"]

_HEAD: Final = Struct("<QB")
_pack_head = _HEAD.pack
_unpack_head = _HEAD.unpack_from


class MemoryLog:
    """Committed transactions by position; a position (`lsn`) is a transaction's number from 0.

    Their commit versions and sequences both count from 1.
    """

    __slots__ = ("_kept", "_limit", "_salt", "end")

    def __init__(self, salt: bytes, limit: int | None = None) -> None:
        # Each entry as bytes: commit version, type, payload, where the rest stands. The collector has no work with
        # bytes; so a transaction of one entry is that, and only one of several is a tuple of them.
        self._kept: deque[bytes | tuple[bytes, ...]] = deque(maxlen=limit)
        self._limit = limit
        self._salt = salt
        self.end = 0

    def append(self, cv: int, changes: Sequence[Change]) -> None:
        """Keep the entries of a transaction; the oldest goes where the limit is reached."""
        if len(changes) == 1:
            self._kept.append(_pack_head(cv, changes[0][0]) + changes[0][1])
        else:
            self._kept.append(tuple([_pack_head(cv, change[0]) + change[1] for change in changes]))
        self.end += 1

    def settle(self, lsn: int, size: int, cv: int) -> bool:
        """After an interrupt in or behind `append`: whether the transaction was kept."""
        kept = self.end > lsn or (bool(self._kept) and _cv_of(self._kept[-1]) == cv)
        self.end = lsn + 1 if kept else lsn
        return kept

    def read_transaction(self, lsn: int) -> Transaction:
        """The transaction at a position. Raises HistoryPruned."""
        found = self._kept_at(lsn)
        if found is None:
            raise HistoryPruned(
                f"the database in memory keeps the last {self._limit} transactions only",
                from_cv=_cv_of(self._kept[0]) if self._kept else self.end + 1,
                remedy="Open it with a larger history_limit.",
            )
        cv = lsn + 1
        tx_id = make_tx_id(cv, self._salt)
        entries = tuple(
            WalEntry(_unpack_head(entry)[1], ENTRY_VERSION, tx_id, entry[_HEAD.size :], lsn)
            for entry in _entries_of(found)
        )
        head = decode_head(entries[0].payload)
        return Transaction(head.run, cv, head.ts, lsn, cv, cv, entries)

    def _kept_at(self, lsn: int) -> bytes | tuple[bytes, ...] | None:
        """What stands at a position, None where it was let go.

        Readers hold no lock: how many are kept, and how many there were, are not told at one moment while another
        thread appends. The versions in what is kept are, and count from 1 as positions do from 0.
        """
        kept = self._kept
        while True:
            try:
                place = lsn + 1 - _cv_of(kept[0])
                if place < 0:
                    return None
                found = kept[place]
            except IndexError:
                if not kept or _cv_of(kept[0]) > lsn + 1:
                    return None
                if lsn >= self.end:
                    raise
                continue  # the first one went between the two looks
            if _cv_of(found) == lsn + 1:
                return found


def _entries_of(kept: bytes | tuple[bytes, ...]) -> tuple[bytes, ...]:
    return kept if isinstance(kept, tuple) else (kept,)


def _cv_of(kept: bytes | tuple[bytes, ...]) -> int:
    return _unpack_head(_entries_of(kept)[0])[0]
