"""The intact transactions behind damage in the log, written to a file for a person to judge.

They were committed, but commits before them are gone: applied, they would make a state that never was. So they are
exported and never merged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from devstate.durable import atomic_replace
from devstate.durable.files import OS, Files

from .envelope import TRANSACTION_ABORT, TRANSACTION_COMMIT, WalEntry
from .errors import NoRecoveryBaseError
from .framing import Transaction, decode_commit, split_tx_id
from .identity import read_identity
from .ids import run_text
from .jsonable import jsonable
from .recovery import recover
from .recovery_result import RecoveryOptions
from .reports import CorruptionReport
from .scan import ListedEntry, scan_entries
from .segments import Segment, SegmentReader, list_segments
from .versions import Versions

if TYPE_CHECKING:
    from .registry import Primitives, Registry

__all__ = ["SalvageReport", "intact_behind", "salvage"]

_any = msgspec.msgpack.Decoder().decode
_json = msgspec.json.Encoder().encode


class SalvageReport(msgspec.Struct, frozen=True):
    """What was saved: `path` of the file (None where nothing was there to save, and nothing was written), number of
    transactions, their versions (first, last) and runs (UUID text), bytes of the file, and the damage before them.

    `corruption` is None where recovery cuts nothing off, and where there is no state to build on; `detail` says which.
    """

    path: str | None
    transactions: int
    cvs: tuple[int, int] | None
    runs: tuple[str, ...]
    bytes: int
    corruption: CorruptionReport | None
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return msgspec.to_builtins(self)


def salvage(root: str, out_path: str, *, registry: Registry, files: Files = OS) -> SalvageReport:
    """Write the intact transactions that recovery of the database in `root` would cut off to `out_path`, one JSON
    object a line: `cv, ts, run, lsn, entries`, each entry with its type, kind, what its kind says of it, and its
    payload (see `devstate.engine.jsonable`). A file that is there is replaced, whole or not at all.

    Changes nothing in the database. Raises InputUnreadable, UnsupportedFormat, UnknownEntryType, StorageFault.
    """
    with SegmentReader(root, files=files) as reader:
        meta, _ = read_identity(root, reader, files)
        segments = list_segments(root, history=True, files=files)
        try:
            options = RecoveryOptions(on_corruption="read_only", verify_all_checksums=False)
            result = recover(root, registry, Versions, options, alone=False, files=files).result
        except NoRecoveryBaseError as error:
            since, last_cv, lost, detail = 0, 0, None, error.message
        else:
            lost = result.corruption
            if lost is None:
                detail = "recovery cuts no commit off"
                return SalvageReport(None, 0, None, (), 0, None, detail)
            since, last_cv, detail = lost.end_lsn, result.last_cv, lost.sentences()[0]
        kinds = registry.instances()
        found = list(intact_behind(segments, reader, since=since, last_cv=last_cv, salt=meta.salt))
    if not found:
        return SalvageReport(None, 0, None, (), 0, lost, f"{detail} Nothing intact lies behind it.")
    data = b"".join(_json(_told(one, kinds)) + b"\n" for one in found)
    atomic_replace(out_path, data, files=files)
    return SalvageReport(
        path=os.path.abspath(out_path),
        transactions=len(found),
        cvs=(min(one.cv for one in found), max(one.cv for one in found)),
        runs=tuple(str(run_text(run)) for run in sorted({one.run for one in found})),
        bytes=len(data),
        corruption=lost,
        detail=detail,
    )


def intact_behind(
    segments: Sequence[Segment], reader: SegmentReader, *, since: int, last_cv: int, salt: bytes
) -> Iterator[Transaction]:
    """The whole transactions of the database at LSN `since` or behind with versions above `last_cv`, in the order
    of the log, each version once. Nothing is said of what lies between them."""
    seen: set[int] = set()
    held: dict[bytes, list[ListedEntry]] = {}
    for segment in segments:
        if segment.end <= since:
            continue
        offset = max(0, since - segment.start)
        for entry in scan_entries(reader.load(segment, offset), segment.start + offset, salt=salt):
            if not isinstance(entry, ListedEntry) or not entry.crc_ok or entry.tx_id[8:] != salt:
                continue
            if entry.entry_type not in (TRANSACTION_COMMIT, TRANSACTION_ABORT):
                held.setdefault(entry.tx_id, []).append(entry)
                continue
            parts = held.pop(entry.tx_id, [])
            marker = decode_commit(entry.payload) if entry.entry_type == TRANSACTION_COMMIT else ""
            if isinstance(marker, str) or not parts or marker.n != len(parts):
                continue
            if marker.crc != crc32(b"".join(part.checksum.to_bytes(4, "little") for part in parts)):
                continue
            if marker.cv > last_cv and marker.cv not in seen:
                seen.add(marker.cv)
                yield Transaction(
                    marker.run,
                    marker.cv,
                    marker.ts,
                    parts[0].lsn,
                    entry.lsn + entry.size,
                    split_tx_id(entry.tx_id)[0],
                    tuple(WalEntry(p.entry_type, p.version, p.tx_id, p.payload, p.lsn) for p in parts),
                )


def _told(transaction: Transaction, kinds: Primitives) -> dict[str, Any]:
    return {
        "cv": transaction.cv,
        "ts": transaction.ts,
        "run": str(run_text(transaction.run)),
        "lsn": transaction.lsn,
        "entries": [_told_entry(entry, kinds) for entry in transaction.entries],
    }


def _told_entry(entry: WalEntry, kinds: Primitives) -> dict[str, Any]:
    told: dict[str, Any] = {"type": entry.entry_type, "version": entry.version}
    primitive = kinds.handler(entry.entry_type)
    if primitive is not None:
        told["primitive"] = primitive.name
        try:
            told["change"] = jsonable(primitive.describe(entry))
        except Exception as error:  # whatever is odd about it, the payload itself follows
            told["unreadable"] = f"{type(error).__name__}: {error}"
    try:
        told["payload"] = jsonable(_any(entry.payload))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told["payload"] = jsonable(entry.payload)
    return told
