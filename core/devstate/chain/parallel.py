"""Judging a regular file in several processes: each takes a range, and the segments are joined in order.

A range that does not stand for itself (damage, an odd layout across its border) sends the whole file back to the
sequential way, so the outcome never depends on the number of processes.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable

import msgspec

from .conclusion import Verified
from .framing import End, Range, frame_range, plan_ranges
from .index import HistoryIndex, IndexBuilder, block_digest
from .judging import Judge
from .keys import Keyring
from .layout import REFERENCE
from .limits import Limits
from .listing import Block, Single
from .progress import Progress, VerificationCancelled, report_step
from .report import ChainContext
from .segment import Segment, join
from .source import Source

__all__ = ["jobs_for", "judge_in_parallel"]

# Below this size starting a process costs more than it saves.
_WORTH_A_PROCESS = 4 << 20
_WORTH_PROCESSES = 16 << 20
_MOST_JOBS = 8
_READ = 1 << 20


class _Part(msgspec.Struct, array_like=True):
    """What a process sends back. `blocks` are (offset, length, entries, digest, alone) for the index."""

    segment: Segment
    blocks: list[tuple[int, int, int, bytes, bool]]
    irregular: tuple[int, str] | None


def jobs_for(size: int) -> int:
    """How many processes a history of this size (bytes) is worth on this machine."""
    if size < _WORTH_PROCESSES:
        return 1
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        processors = os.cpu_count() or 1
    return min(processors, _MOST_JOBS)


def judge_in_parallel(
    source: Source,
    keyring: Keyring | None,
    context: ChainContext,
    limits: Limits,
    latest: str | None,
    jobs: int,
    cancelled: Callable[[], bool] | None,
    on_progress: Callable[[Progress], None] | None,
    *,
    digested: bool,
) -> Verified | None:
    """The judged file, or None where it has to be judged in one pass.

    Progress is that of the first range, which this process judges itself, as a share of the whole.
    """
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return None  # a forked copy of other threads' locks would never be released
    count = min(jobs, source.size // _WORTH_A_PROCESS)
    ranges = plan_ranges(source, count) if count > 1 else []
    if len(ranges) < 2 or limits.depth < 64:
        return None

    def work(part: Range, report: Callable[[Progress], None] | None = None) -> _Part | None:
        return _judge_range(
            source, part, keyring, context, limits, latest, cancelled, report, digested=digested
        )

    workers = [_Worker(work, part) for part in ranges[1:]]
    try:
        parts = [work(ranges[0], on_progress)]
        sha256 = _sha256(source)
        parts += [worker.result() for worker in workers]
    finally:
        for worker in workers:
            worker.close()
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    layout = ranges[0].layout
    segment = join((part.segment for part in found), limits.findings_per_code)
    irregular = next((part.irregular for part in found if part.irregular is not None), None)
    if layout != REFERENCE:
        irregular = (0, f"{layout.name}, form {layout.form}; the reference is an array with indent 4")
    elif irregular is None and source.size > (end := ranges[-1].stop + len(layout.closing)):
        irregular = (end, "white space after the end")
    end = End(layout.form, layout.name, sha256, irregular)
    return Verified(segment, end, _index(found, ranges[0], limits), source)


def _judge_range(
    source: Source,
    part: Range,
    keyring: Keyring | None,
    context: ChainContext,
    limits: Limits,
    latest: str | None,
    cancelled: Callable[[], bool] | None,
    on_progress: Callable[[Progress], None] | None,
    *,
    digested: bool,
) -> _Part | None:
    judge = Judge(keyring, context, limits, latest=latest, begins_file=part.start == len(part.layout.opening))
    blocks: list[tuple[int, int, int, bytes, bool]] = []
    irregular: tuple[int, str] | None = None
    nothing_yet = IndexBuilder(part.layout, limits, digested=False).index()
    reported, step = part.start, report_step(source.size)
    for piece in frame_range(source, part, limits):
        if cancelled is not None and cancelled():
            raise VerificationCancelled("the verification was cancelled; there is no verdict")
        if isinstance(piece, Block):
            judge.add_block(piece)
            digest = block_digest(piece.data) if digested else b""
            blocks.append((piece.offset, len(piece.data), len(piece.entries), digest, False))
            if on_progress is not None and piece.offset - reported >= step:
                reported = piece.offset
                share = (piece.offset - part.start) / (part.stop - part.start)
                done = int(share * source.size)
                on_progress(
                    Progress(
                        done, source.size, judge.count, judge.bad, judge.first_bad, nothing_yet, b"", source
                    )
                )
        elif isinstance(piece, Single):
            if not isinstance(piece.parsed.value, dict):
                return None
            judge.add_single(piece)
            blocks.append(
                (piece.offset, len(piece.raw), 1, block_digest(piece.raw) if digested else b"", True)
            )
        elif piece.code == "FORMAT_NONCANONICAL":
            irregular = (piece.offset, piece.detail)
        else:
            return None
    return _Part(judge.segment(), blocks, irregular)


def _sha256(source: Source) -> str:
    digest = hashlib.sha256()
    at = 0
    while at < source.size:
        data = source.pread(_READ, at)
        if not data:
            break
        digest.update(data)
        at += len(data)
    return digest.hexdigest()


def _index(parts: list[_Part], first: Range, limits: Limits) -> HistoryIndex:
    builder = IndexBuilder(first.layout, limits, digested=False)
    for part in parts:
        for offset, length, entries, digest, alone in part.blocks:
            builder.place(offset, length, entries, digest, alone=alone)
    return builder.index()


class _Worker:
    """A forked process that does one piece of work and sends the outcome through a pipe."""

    def __init__(self, work: Callable[[Range], _Part | None], part: Range) -> None:
        self._pipe, write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            _run_child(work, part, write_end)
        os.close(write_end)

    def result(self) -> _Part | None:
        """The outcome; None where the process could not give one."""
        chunks: list[bytes] = []
        while chunk := os.read(self._pipe, _READ):
            chunks.append(chunk)
        data = b"".join(chunks)
        return msgspec.msgpack.decode(data, type=_Part | None) if data else None

    def close(self) -> None:
        os.close(self._pipe)
        os.waitpid(self._pid, 0)


def _run_child(work: Callable[[Range], _Part | None], part: Range, write_end: int) -> None:
    """The whole life of a child; it never returns, and leaves nothing of the parent's to be flushed twice."""
    try:
        data = memoryview(msgspec.msgpack.encode(work(part)))
        while data:
            data = data[os.write(write_end, data) :]
    except BaseException:
        os._exit(1)  # an empty pipe tells the parent to do the work itself, and to see the error
    os._exit(0)
