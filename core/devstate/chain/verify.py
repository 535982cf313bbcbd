"""Verification of a history: one pass over the bytes, alone or in several processes, to one report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from devstate.clock import parse_rfc3339
from devstate.durable import OS, Files

from .conclusion import Verified, conclude
from .framing import End, frame, regular_part
from .index import HistoryIndex, IndexBuilder
from .judging import Judge
from .keys import Keyring
from .limits import Limits
from .listing import Block, Single
from .parallel import jobs_for, judge_in_parallel
from .progress import Progress, VerificationCancelled, report_step
from .recall import BlockCache, KnownBlock
from .report import ChainContext, ChainReport
from .source import BytesSource, Source, open_source

__all__ = ["Verification", "scan_history", "verify_history"]

_CLOCK_TOLERANCE = timedelta(minutes=5)


class Verification(msgspec.Struct, frozen=True):
    """The verdict, and the index over the entries it is about."""

    report: ChainReport
    index: HistoryIndex


def verify_history(
    source: str | bytes | Source,
    *,
    keyring: Keyring | None,
    jobs: int | None = 1,
    context: ChainContext | None = None,
    limits: Limits | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    files: Files = OS,
) -> ChainReport:
    """Verify a v1 history: a path, its bytes, or an open source.

    `jobs` is the number of processes (None: as many as the size is worth); the report is the same for any.
    Faults in the file are findings. Raises InputMissing, InputUnreadable, LimitExceeded and ChangedDuringRead
    about the file itself, and VerificationCancelled when `cancelled` says so.
    """
    opened: Source
    if isinstance(source, str):
        opened = open_source(source, limits=limits, files=files)
    elif isinstance(source, bytes):
        opened = BytesSource(source)
    else:
        return _verify(source, keyring, jobs, context, limits, on_progress, cancelled, digested=False).report
    try:
        return _verify(opened, keyring, jobs, context, limits, on_progress, cancelled, digested=False).report
    finally:
        opened.close()


def scan_history(
    source: Source,
    *,
    keyring: Keyring | None,
    jobs: int | None = 1,
    context: ChainContext | None = None,
    limits: Limits | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    digested: bool = True,
    cache: BlockCache | None = None,
) -> Verification:
    """As `verify_history`, with the index over the entries; the source stays open for reading them.

    `digested` keeps a digest of each block, by which an entry that is read later is known to be the one that
    was judged. `cache` is what scans that follow one another hand on; without it everything is judged anew.
    """
    return _verify(
        source, keyring, jobs, context, limits, on_progress, cancelled, digested=digested, cache=cache
    )


def _verify(
    source: Source,
    keyring: Keyring | None,
    jobs: int | None,
    context: ChainContext | None,
    limits: Limits | None,
    on_progress: Callable[[Progress], None] | None,
    cancelled: Callable[[], bool] | None,
    *,
    digested: bool,
    cache: BlockCache | None = None,
) -> Verification:
    context = context or ChainContext()
    limits = limits or Limits()
    latest = _latest(context.now)
    verified = None
    jobs = jobs or jobs_for(source.size)
    if jobs > 1:
        verified = judge_in_parallel(
            source, keyring, context, limits, latest, jobs, cancelled, on_progress, digested=digested
        )
    if verified is None:
        verified = _in_one_pass(
            source, keyring, context, limits, latest, on_progress, cancelled, digested=digested, cache=cache
        )
    report = conclude(verified, keyring, context, limits)
    source.check_unchanged()
    return Verification(report, verified.index)


def _latest(now: str | None) -> str | None:
    """The sort key of the latest time that an entry may claim; clocks differ a little."""
    moment = parse_rfc3339(now) if now is not None else None
    return None if moment is None else (moment + _CLOCK_TOLERANCE).replace(tzinfo=None).isoformat()


def _in_one_pass(
    source: Source,
    keyring: Keyring | None,
    context: ChainContext,
    limits: Limits,
    latest: str | None,
    on_progress: Callable[[Progress], None] | None,
    cancelled: Callable[[], bool] | None,
    *,
    digested: bool,
    cache: BlockCache | None,
) -> Verified:
    recall = cache.begin(keyring, source.size) if cache is not None else None
    judge = Judge(keyring, context, limits, latest=latest)
    builder = IndexBuilder(regular_part(source)[0], limits, digested=digested)
    result: list[End] = []
    reported, step = 0, report_step(source.size)
    for piece in frame(source, limits, result, recall):
        if cancelled is not None and cancelled():
            raise VerificationCancelled("the verification was cancelled; there is no verdict")
        if isinstance(piece, Block):
            key = judge.add_block(piece)
            if recall is not None and key is not None:
                recall.add(piece.digest, piece.layout, KnownBlock(piece.entries, key))
            builder.add(piece.offset, piece.data, len(piece.entries), alone=False, digest=piece.digest)
            done = piece.offset + len(piece.data)
        elif isinstance(piece, Single):
            judge.add_single(piece)
            builder.add(piece.offset, piece.raw, 1, alone=True)
            done = piece.offset + len(piece.raw)
        else:
            judge.add_fault(piece)
            continue
        if on_progress is not None and done - reported >= step:
            reported = done
            on_progress(
                Progress(
                    done,
                    source.size,
                    judge.count,
                    judge.bad,
                    judge.first_bad,
                    builder.index(),
                    judge.letters(),
                    source,
                )
            )
    if recall is not None:
        recall.finish()
    return Verified(judge.segment(), result[0], builder.index(), source)
