"""The state of a database that others write: read without a lock, and begun again from the newest snapshot where the
log that comes next was put away."""

from __future__ import annotations

import time

import msgspec

from devstate.durable.files import Files
from devstate.errors import InputUnreadable

from .errors import DurabilityError, EngineError
from .opened import Opened, OpenSettings
from .owners import Owners
from .primitives.runs import RunStore
from .recovery import Recovered, recover
from .recovery_result import RecoveryOptions
from .registry import Primitives, Registry
from .segments import list_segments
from .versions import Versions
from .wal_writer import WalWriter

__all__ = ["adopt", "appended_to", "begin_again", "read_state", "run_store", "segment_start", "watch_owners"]

_READ_ATTEMPTS = 20


def read_state(
    root: str, registry: Registry, options: RecoveryOptions, owners: Owners, files: Files
) -> Recovered:
    """Recover without a lock, while others may write: what looks lost is looked at again, since a listing and
    the reads after it may have met two states of the folder."""
    for attempt in range(_READ_ATTEMPTS):
        last = attempt == _READ_ATTEMPTS - 1
        try:
            recovered = recover(
                root,
                registry,
                Versions,
                options,
                alone=False,
                live=not last,
                prepare=lambda primitives: watch_owners(primitives, owners),
                files=files,
            )
        except (EngineError, InputUnreadable):
            if last:
                raise
        else:
            if recovered.end.lost is None or last:
                return recovered
        time.sleep(0.002 * (attempt + 1))
    raise AssertionError("the last attempt returns or raises")


def begin_again(
    root: str, opened: Opened, registry: Registry, settings: OpenSettings, log: WalWriter, files: Files
) -> None:
    """Put a shared writer, which holds the lock of the database, where the newest snapshot and the log behind it are.

    Doing it again, after an interrupt, is the same as once. Raises what `recover` raises, and DurabilityError where
    the log has less than this process committed, or cannot be synced; memory is then as it was.
    """
    committer = opened.committer
    options = msgspec.structs.replace(
        settings.recovery, on_corruption="raise", verify_all_checksums=False, rebuild_indexes=False
    )
    fresh = recover(
        root,
        registry,
        Versions,
        options,
        alone=False,
        prepare=lambda primitives: watch_owners(primitives, opened.owners),
        files=files,
    )
    if fresh.meta.salt != committer.salt or fresh.end.last_cv < committer.cv:
        raise DurabilityError(
            f"{root} ends at commit {fresh.end.last_cv}, and this process has seen commit {committer.cv}: "
            "somebody put other files there",
            path=root,
            remedy="Close the database and run `devstate db check`.",
        )
    end = fresh.end.end_lsn
    start = appended_to(root, end, files)
    log.move(start, end)
    if committer.strict:
        log.sync_through(end)  # before anybody sees it, as at opening
    adopt(opened, fresh, start)
    if committer.strict:
        log.sync_through(end)  # it is: now readers are told


def adopt(opened: Opened, fresh: Recovered, start: int) -> None:
    """Make `fresh` the state of an open database, which goes on in the segment that begins at `start`."""
    committer, follower, end = opened.committer, opened.follower, fresh.end
    committer.floor = end.last_cv  # no version before it is there any more
    committer.installing = True  # who misses a record waits for all of the state
    committer.primitives.adopt(fresh.primitives)
    opened.recovered, opened.opaque = fresh, fresh.opaque
    committer.taken_in(end.last_cv, end.last_ts, fresh.next_tx - 1, end.end_lsn)
    committer.installing = False
    if follower is not None:
        follower.unknown.clear()
        follower.end = end.end_lsn  # first: a place before the beginning of its segment is none
        follower.go(start)


def appended_to(root: str, end: int, files: Files) -> int:
    """Where the segment begins that a log which ends at `end` goes on in."""
    segments = [
        segment for segment in list_segments(root, history=False, files=files) if segment.start <= end
    ]
    # A log that ends before its snapshot leaves a hole: what comes now begins a segment of its own.
    return segments[-1].start if segments and segments[-1].end >= end else end


def segment_start(recovered: Recovered) -> int:
    end = recovered.end.end_lsn
    return max((segment.start for segment in recovered.segments if segment.start <= end), default=end)


def watch_owners(primitives: Primitives, owners: Owners) -> None:
    runs = run_store(primitives)
    runs.owner_alive = owners.alive
    runs.owner_lasts = owners.lasts


def run_store(primitives: Primitives) -> RunStore:
    """The kind that knows the runs. Raises EngineError where a plug-in took its name."""
    found = primitives.named("runs")
    if not isinstance(found, RunStore):
        raise EngineError("the kind named `runs` is not the engine's own")
    return found
