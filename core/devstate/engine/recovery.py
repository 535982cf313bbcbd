"""From the files of a database to its state: the newest valid snapshot, and the log behind it.

Nothing here changes a file. What is found leads to a `Recovered`: the state, where to append, and what a repair
(`devstate.engine.repair`) has to put right before that. The same bytes give the same result, always: nothing
reads a clock (times of the phases apart), and the log is applied through the one `Primitives.apply`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import perf_counter_ns

import msgspec

from devstate.durable.files import OS, Files
from devstate.durable.reading import unreadable

from .envelope import ENTRY_VERSION
from .errors import (
    EngineError,
    UnknownEntryType,
    WalCorruptionError,
)
from .framing import Transaction, decode_head
from .identity import read_clean, read_identity
from .ids import run_text
from .layout import is_temp_name, snapshots_folder, wal_folder
from .meta import CleanMark, Meta
from .recovery_base import RecoveryBase, find_base, rejected_besides
from .recovery_result import RecoveryOptions, RecoveryResult
from .registry import Primitives, Registry
from .reports import CorruptionReport, WalkEnd
from .segments import Segment, SegmentReader, list_segments
from .versions import Versions
from .walk import LogWalk

__all__ = ["COMMIT_STEP", "Recovered", "apply_transaction", "recover"]


class Recovered(msgspec.Struct, frozen=True):
    """The outcome of `recover`, for the one who opens the database. `cut` says that the log must end at `end_lsn`."""

    meta: Meta
    primitives: Primitives
    result: RecoveryResult
    end: WalkEnd
    segments: tuple[Segment, ...]
    opaque: dict[int, list[bytes]]
    next_tx: int
    first_history_lsn: int
    leftovers: tuple[str, ...]
    commits: tuple[tuple[int, int, int], ...]
    cut: bool
    read_only: bool


def recover(
    root: str,
    registry: Registry,
    versions: Callable[[], Versions],
    options: RecoveryOptions,
    *,
    alone: bool,
    live: bool = False,
    prepare: Callable[[Primitives], None] | None = None,
    files: Files = OS,
) -> Recovered:
    """Build the state of the database in folder `root`, which has files of one.

    `alone`: nobody else has it open, so what is not committed never will be. `live`: others may be writing this
    moment; an unfinished tail is then not judged. Raises WalCorruptionError, NoRecoveryBaseError, UnsupportedFormat,
    UnknownEntryType, InputUnreadable.
    """
    started = perf_counter_ns()
    phases: dict[str, int] = {}
    with _collector_resting(), SegmentReader(root, files=files) as reader:
        with _timed(phases, "discovering"):
            meta, rebuilt = read_identity(root, reader, files)
            segments = list_segments(root, history=True, files=files)
            clean = read_clean(root, files)
        limit: int | None = None
        reason = ""
        while True:
            with _timed(phases, "loading"):
                base, rejected = find_base(root, registry, versions, meta, segments, files)
                if prepare is not None:
                    prepare(base.primitives)
            with _timed(phases, "scanning"):
                walked = _walk(base, segments, reader, meta, options, limit, reason)
            if walked.refused is None or limit is not None:
                break
            limit, reason = (
                walked.refused.lsn,
                walked.reason,
            )
        if live and clean != read_clean(root, files):
            clean = None  # somebody began to write meanwhile: it vouches for nothing that was read
        end = _with_clean(walked.end, clean, segments)
        if end.lost is not None and options.on_corruption == "raise" and not live:
            raise _lost(end.lost)
        with _timed(phases, "rebuilding"):
            base.primitives.recovered(alone=alone)
            if options.verify_all_checksums:
                rejected += rejected_besides(root, base.info, meta.salt, rejected, files)
    degraded = tuple(sorted(base.unknown))
    orphans = tuple(sorted(str(run_text(run)) for run in base.primitives.orphaned()))
    lost = end.lost
    result = RecoveryResult(
        snapshot_used=base.info,
        snapshots_rejected=tuple(rejected),
        wal_replay_from_offset=base.lsn,
        wal_end_offset=end.end_lsn,
        wal_entries_replayed=walked.applied,
        transactions_recovered=walked.transactions,
        orphaned_transactions=end.orphaned_transactions,
        aborted_transactions=end.aborted_transactions,
        corrupt_entries_skipped=len(end.gaps),
        unknown_entries_skipped=walked.unknown,
        unframed_entries=end.unframed_entries,
        tail_bytes_discarded=0 if lost is not None or live else end.tail_bytes,
        tail_reason=None if live else end.tail_reason,
        committed_lost=0 if lost is None else lost.commits_destroyed + lost.intact_commits_cut,
        corruption=lost,
        last_cv=end.last_cv,
        last_ts=end.last_ts,
        orphaned_runs=orphans,
        index_rebuilt=options.rebuild_indexes,
        degraded_types=degraded,
        meta_rebuilt=rebuilt,
        clean_close=clean is not None and lost is None and end.tail_bytes == 0,
        phases=phases,
        recovery_time_micros=(perf_counter_ns() - started) // 1000,
    )
    return Recovered(
        meta=meta,
        primitives=base.primitives,
        result=result,
        end=end,
        segments=segments,
        opaque=base.opaque,
        next_tx=max(base.next_tx, end.max_sequence + 1),
        first_history_lsn=segments[0].start if segments else base.lsn,
        leftovers=_leftovers(root, files),
        commits=tuple(walked.commits),
        cut=lost is not None or end.tail_bytes > 0,
        read_only=lost is not None and options.on_corruption == "read_only",
    )


def apply_transaction(primitives: Primitives, transaction: Transaction, unknown: set[int]) -> tuple[int, int]:
    """Apply all entries of one committed transaction; (applied, of unknown kinds).

    `unknown` collects entry types without a handler, or of a later version than the handler knows. Raises whatever
    an entry that does not fit the state makes its kind raise: such a transaction is damage.
    """
    applied = skipped = 0
    run, cv, ts = transaction.run, transaction.cv, transaction.ts
    known = primitives.knows(run)
    for entry in transaction.entries:
        head = decode_head(entry.payload)
        if head.run != run or head.cv != cv or head.ts != ts:
            raise EngineError(
                f"an entry says run {head.run.hex()}, commit {head.cv}: not what its marker says"
            )
        if entry.version > ENTRY_VERSION or primitives.handler(entry.entry_type) is None:
            unknown.add(entry.entry_type)
            skipped += 1
        else:
            primitives.apply(entry)
            applied += 1
    if not known and not primitives.knows(run):
        raise EngineError(f"run {run_text(run)} was never begun")
    primitives.transaction_applied(run, cv, ts, transaction.lsn)
    return applied, skipped


class _Walked(msgspec.Struct):
    end: WalkEnd
    applied: int
    unknown: int
    transactions: int
    commits: list[tuple[int, int, int]]
    refused: Transaction | None
    reason: str


COMMIT_STEP = 256
"""Every so many commits the position of one is kept in memory, for looking up times and versions."""


def _walk(
    base: RecoveryBase,
    segments: tuple[Segment, ...],
    reader: SegmentReader,
    meta: Meta,
    options: RecoveryOptions,
    limit: int | None,
    reason: str,
) -> _Walked:
    """Apply the log behind the base; with `limit` (an LSN) only what is before it, the rest counts as lost."""
    needed = tuple(segment for segment in segments if segment.end > base.lsn or segment is segments[-1])
    walk = LogWalk(
        needed,
        reader=reader,
        start=base.lsn,
        last_cv=base.cv,
        last_ts=base.ts,
        salt=meta.salt,
        max_gaps=options.max_corrupt_entries,
    )
    applied = unknown = transactions = cut = 0
    cut_runs: set[bytes] = set()
    last_cv, last_ts, end_lsn = base.cv, base.ts, base.lsn
    commits: list[tuple[int, int, int]] = []
    refused: Transaction | None = None
    for transaction in walk:
        if refused is not None or (limit is not None and transaction.lsn >= limit):
            refused = refused or transaction
            cut += 1
            cut_runs.add(transaction.run)
            continue
        try:
            count, skipped = apply_transaction(base.primitives, transaction, base.unknown)
        except (NameError, AttributeError, ImportError, MemoryError):
            raise  # a fault of the program says nothing about the data
        except Exception as error:
            refused, reason, cut = transaction, f"{type(error).__name__}: {error}", 1
            cut_runs.add(transaction.run)
            continue
        if skipped and options.unknown == "raise":
            raise UnknownEntryType(
                f"commit {transaction.cv} holds entries of kinds that are not registered",
                types=tuple(sorted(base.unknown)),
                remedy="Register the plug-in that wrote them, or open without `strict`.",
            )
        applied += count
        unknown += skipped
        transactions += 1
        last_cv, last_ts, end_lsn = transaction.cv, transaction.ts, transaction.end
        if last_cv % COMMIT_STEP == 0 or transactions == 1:
            commits.append((last_cv, last_ts, transaction.lsn))
    end = walk.end
    if refused is not None:
        segment = max((s for s in needed if s.start <= refused.lsn), key=lambda s: s.start)
        end = msgspec.structs.replace(
            end,
            end_lsn=end_lsn,
            last_cv=last_cv,
            last_ts=last_ts,
            tail_bytes=0,
            tail_reason=None,
            lost=CorruptionReport(
                segment=segment.path,
                lsn=refused.lsn,
                offset=refused.lsn - segment.start,
                reason="inapplicable",
                last_cv=last_cv,
                detail=reason,
                end_lsn=end_lsn,
                first_cv_after=refused.cv,
                intact_commits_cut=cut,
                runs_cut=tuple(sorted(str(run_text(run)) for run in cut_runs)),
                bytes_cut=end.log_end - end_lsn,
            ),
        )
    return _Walked(end, applied, unknown, transactions, commits, refused, reason)


def _with_clean(end: WalkEnd, clean: CleanMark | None, segments: tuple[Segment, ...]) -> WalkEnd:
    """Bytes that a clean close vouched for and that are gone are lost data, not a torn tail."""
    if clean is None or end.lost is not None or (clean.end_lsn <= end.end_lsn and clean.cv <= end.last_cv):
        return end
    defect = end.tail_defect
    last = max((s for s in segments if s.start <= end.end_lsn), key=lambda s: s.start, default=None)
    path, offset = (last.path, end.end_lsn - last.start) if last is not None else ("", 0)
    return msgspec.structs.replace(
        end,
        lost=CorruptionReport(
            segment=defect.segment if defect is not None else path,
            lsn=end.end_lsn,
            offset=defect.offset if defect is not None else offset,
            reason="vanished",
            detail=f"a clean close left commit {clean.cv}, ending at LSN {clean.end_lsn}",
            last_cv=end.last_cv,
            end_lsn=end.end_lsn,
            commits_destroyed=clean.cv - end.last_cv,
            destroyed_cvs=(end.last_cv + 1, clean.cv) if clean.cv > end.last_cv else None,
            bytes_cut=max(0, end.log_end - end.end_lsn),
        ),
    )


def _leftovers(root: str, files: Files) -> tuple[str, ...]:
    """Files that an interrupted write left, by path."""
    found: list[str] = []
    for folder in (root, wal_folder(root), snapshots_folder(root)):
        try:
            names = files.listdir(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise unreadable(error, folder) from None
        found += [os.path.join(folder, name) for name in sorted(names) if is_temp_name(name)]
    return tuple(found)


def _lost(report: CorruptionReport) -> WalCorruptionError:
    sentences = report.sentences()
    return WalCorruptionError(
        " ".join(sentences[:-3]) or sentences[0],
        report=report,
        path=report.segment or None,
        position=f"LSN {report.lsn}",
        remedy="Copy the folder first. `devstate db check` shows all damage, `devstate db salvage OUT` exports what "
        "is intact behind it, `devstate db recover --on-corruption prefix` opens what is intact before it.",
    )


@contextmanager
def _timed(phases: dict[str, int], name: str) -> Generator[None]:
    begun = perf_counter_ns()
    try:
        yield
    finally:
        phases[name] = phases.get(name, 0) + (perf_counter_ns() - begun) // 1000


@contextmanager
def _collector_resting() -> Generator[None]:
    """Loading makes millions of tuples and no garbage; the collector would look at all of them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
