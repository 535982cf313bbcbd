"""How a database is to be recovered, and what that came to."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from .errors import ValueRangeError
from .reports import CorruptionReport
from .snapshot_file import SnapshotInfo

__all__ = ["OnCorruption", "RecoveryOptions", "RecoveryResult"]

OnCorruption = Literal["raise", "prefix", "read_only"]

_ON_CORRUPTION = get_args(OnCorruption)
_MANY = {"entry": "entries"}
_UNKNOWN = ("preserve", "raise")


class RecoveryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to open a database whose files are not what a clean close leaves.

    `max_corrupt_entries` bounds harmless gaps: damage that no commit can have been in. `verify_all_checksums`
    looks at the other retained snapshots too. `rebuild_indexes` derives search indexes at once instead of at the
    first search. `on_corruption`: what to do where committed data is lost: `raise`, open the intact `prefix` and
    set the rest aside, or open the prefix `read_only`. `unknown`: `preserve` what no registered kind knows, or `raise`.
    """

    max_corrupt_entries: int = 10
    verify_all_checksums: bool = True
    rebuild_indexes: bool = False
    on_corruption: OnCorruption = "raise"
    unknown: Literal["preserve", "raise"] = "preserve"

    def __post_init__(self) -> None:
        # A word that is not known must not come to mean the one that cuts the log.
        for name, allowed in (("on_corruption", _ON_CORRUPTION), ("unknown", _UNKNOWN)):
            given = getattr(self, name)
            if given not in allowed:
                raise ValueRangeError(
                    f"{name} cannot be {given!r}", remedy=f"Use one of {', '.join(allowed)}."
                )
        gaps: Any = self.max_corrupt_entries
        if type(gaps) is not int or gaps < 0:
            raise ValueRangeError(
                f"max_corrupt_entries cannot be {gaps!r}", remedy="Give a number from 0 on."
            )

    @classmethod
    def default(cls) -> RecoveryOptions:
        """Ten harmless gaps; lost data raises."""
        return cls()

    @classmethod
    def strict(cls) -> RecoveryOptions:
        """No gap at all; an entry of an unknown kind raises."""
        return cls(max_corrupt_entries=0, unknown="raise")

    @classmethod
    def permissive(cls) -> RecoveryOptions:
        """A hundred harmless gaps; where data is lost, the prefix. Checksums are verified all the same."""
        return cls(max_corrupt_entries=100, on_corruption="prefix")


class RecoveryResult(msgspec.Struct, frozen=True, kw_only=True):
    """What opening a database came to. Positions are LSNs, times microseconds.

    `transactions_recovered` counts those applied from the log; those in the snapshot are
    `snapshot_used.transaction_count`. `committed_lost` counts intact commits cut off and commits destroyed.
    """

    snapshot_used: SnapshotInfo | None = None
    snapshots_rejected: tuple[tuple[str, str], ...] = ()
    wal_replay_from_offset: int = 0
    wal_end_offset: int = 0
    wal_entries_replayed: int = 0
    transactions_recovered: int = 0
    orphaned_transactions: int = 0
    aborted_transactions: int = 0
    corrupt_entries_skipped: int = 0
    unknown_entries_skipped: int = 0
    unframed_entries: int = 0
    tail_bytes_discarded: int = 0
    tail_reason: str | None = None
    committed_lost: int = 0
    corruption: CorruptionReport | None = None
    last_cv: int = 0
    last_ts: int = 0
    orphaned_runs: tuple[str, ...] = ()
    index_rebuilt: bool = False
    degraded_types: tuple[int, ...] = ()
    meta_rebuilt: bool = False
    clean_close: bool = False
    phases: dict[str, int] = {}
    recovery_time_micros: int = 0

    @property
    def has_issues(self) -> bool:
        """Whether anything was found that a clean close does not leave."""
        return bool(
            self.snapshots_rejected
            or self.orphaned_transactions
            or self.corrupt_entries_skipped
            or self.unknown_entries_skipped
            or self.unframed_entries
            or self.tail_bytes_discarded
            or self.committed_lost
            or self.degraded_types
            or self.meta_rebuilt
        )

    def comparable(self) -> RecoveryResult:
        """The same without times: equal for two recoveries of the same bytes."""
        return msgspec.structs.replace(self, phases={}, recovery_time_micros=0)

    def summary(self) -> str:
        """One line for a person."""
        base = f"snapshot at {self.snapshot_used.wal_offset}" if self.snapshot_used else "empty state"
        told = [f"{base} + {_counted(self.transactions_recovered, 'transaction')} = commit {self.last_cv}"]
        for count, what, more in (
            (len(self.snapshots_rejected), "snapshot", " rejected"),
            (self.corrupt_entries_skipped, "harmless gap", ""),
            (self.tail_bytes_discarded, "byte", " of torn tail discarded"),
            (self.committed_lost, "committed transaction", " lost"),
            (self.unknown_entries_skipped, "entry", " of unknown kinds kept aside"),
            (len(self.orphaned_runs), "orphaned run", ""),
        ):
            if count:
                told.append(_counted(count, what) + more)
        return "; ".join(told)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {_MANY.get(what, what + 's')}"
