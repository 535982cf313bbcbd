"""Opening a database: find or make it, lock it, recover it, repair it, and put its running parts together."""

from __future__ import annotations

import os

from devstate.durable import atomic_replace, ensure_folder
from devstate.durable.files import Files, retried
from devstate.durable.reading import unreadable
from devstate.errors import StorageFault

from .commit import Committer
from .commit_parts import Position, read_only
from .errors import DurabilityError, NotADatabase, NotDurableError
from .following import Follower
from .framing import make_tx_id
from .layout import (
    CLEAN,
    LOCK,
    META,
    WRITERS,
    history_folder,
    is_temp_name,
    segment_name,
    snapshots_folder,
    wal_folder,
)
from .locking import DatabaseLocks
from .memory_log import MemoryLog
from .meta import CleanMark, Meta, encode_clean, encode_meta
from .opened import Opened, OpenSettings, or_given_back
from .owners import Owners
from .recovery import Recovered, recover
from .recovery_result import RecoveryResult
from .registry import Registry
from .reloading import adopt, appended_to, begin_again, read_state, segment_start, watch_owners
from .repair import repair
from .segments import list_segments
from .sharing import ReadGate, SharedGate
from .snapshot_reading import list_snapshots
from .syncing import Flusher
from .versions import Versions
from .wal_writer import WalWriter

__all__ = ["open_files", "open_memory", "remove_clean", "write_clean"]

_OURS = frozenset({LOCK, WRITERS, META, CLEAN, "wal", "snapshots", "history", "quarantine"})


def open_memory(
    path: str | os.PathLike[str] | None, registry: Registry, settings: OpenSettings, files: Files
) -> Opened:
    """A database that ends with the process; a `path` must have nothing at it. Raises NotDurableError."""
    if (
        settings.shared
        or settings.read_only
        or (path is not None and _looks(os.fspath(path), files) != "nothing")
    ):
        raise NotDurableError(
            "a database in memory has no files to share or to read",
            remedy="Give a path, and `buffered` or `strict` durability.",
        )
    meta = _new_meta(settings)
    log = MemoryLog(meta.salt, settings.history_limit)
    committer = Committer(
        registry.instances(Versions()), Position(), salt=meta.salt, now=settings.now, memory=log
    )
    return Opened(None, meta, committer, RecoveryResult(), Owners("memory", files), memory=log)


def open_files(root: str, registry: Registry, settings: OpenSettings, files: Files) -> Opened:
    """The database in a folder. Raises what `Database.open` says."""
    there = _looks(root, files)
    if there == "other":
        raise NotADatabase(
            f"{root} holds other files and no database",
            path=root,
            remedy="Name the folder of a database, or one that does not exist yet.",
        )
    if there == "nothing" and (settings.read_only or not settings.create):
        raise NotADatabase(
            f"there is no database in {root}",
            path=root,
            remedy="Name the folder of a database, or let one be made.",
        )
    if settings.read_only:
        return _open_to_read(root, registry, settings, files)
    if there == "nothing":
        ensure_folder(root, files=files)
    locks = DatabaseLocks(root, shared=settings.shared, wait=settings.wait, files=files)
    try:
        return _open_to_write(root, registry, settings, locks, files)
    except OSError as error:
        locks.close()
        raise StorageFault(
            f"cannot open the database {root}: {error.strerror or error}",
            path=root,
            remedy="See to the device and to the permissions of the folder, then open it again.",
        ) from None
    except BaseException:
        locks.close()
        raise


def write_clean(root: str, end: int, cv: int, files: Files) -> None:
    """Vouch for a log that ends at LSN `end` with commit `cv` and is durable. Raises DurabilityError."""
    try:
        atomic_replace(os.path.join(root, CLEAN), encode_clean(CleanMark(end, cv)), mode=0o644, files=files)
    except StorageFault as error:
        raise DurabilityError(error.message, committed=True, path=root, remedy=error.remedy) from None


def remove_clean(root: str, files: Files) -> None:
    """Take away the mark of a clean close, durably: what is appended from now on is not covered by it."""
    path = os.path.join(root, CLEAN)
    try:
        retried(files.unlink, path)
    except FileNotFoundError:
        return
    files.fsync_dir(root)


def _open_to_write(
    root: str, registry: Registry, settings: OpenSettings, locks: DatabaseLocks, files: Files
) -> Opened:
    owners = Owners(settings.entropy(8).hex(), files)
    if settings.shared:
        locks.acquire()
    try:
        # Looked at again, now that nobody else can be making it.
        if _looks(root, files) == "nothing":
            _create(root, settings, files)
        for folder in (wal_folder(root), snapshots_folder(root), history_folder(root)):
            ensure_folder(folder, files=files)
        # With shared openers about, whether a run's process lives decides; alone, none can.
        recovered = recover(
            root,
            registry,
            lambda: Versions(always=settings.durability.mode == "strict"),
            settings.recovery,
            alone=not settings.shared,
            prepare=lambda primitives: watch_owners(primitives, owners) if settings.shared else None,
            files=files,
        )
        if recovered.read_only:
            opened = _reading(root, recovered, settings, owners, None, files)
            opened.locks = locks
            return opened
        aside = repair(root, recovered, files=files)
        opened = _writing(root, recovered, registry, settings, locks, owners, files)
        opened.aside = aside
        return opened
    finally:
        if settings.shared:
            locks.release()


def _open_to_read(root: str, registry: Registry, settings: OpenSettings, files: Files) -> Opened:
    owners = Owners(settings.entropy(8).hex(), files)
    recovered = read_state(root, registry, settings.recovery, owners, files)
    return _reading(root, recovered, settings, owners, registry, files)


def _writing(
    root: str,
    recovered: Recovered,
    registry: Registry,
    settings: OpenSettings,
    locks: DatabaseLocks,
    owners: Owners,
    files: Files,
) -> Opened:
    end = recovered.end.end_lsn
    start = appended_to(root, end, files)
    log = WalWriter(
        root,
        start=start,
        end=end,
        salt=recovered.meta.salt,
        segment_bytes=settings.segment_bytes,
        before_first=lambda: remove_clean(root, files),
        files=files,
    )
    committer = Committer(
        recovered.primitives,
        Position(recovered.end.last_cv, recovered.end.last_ts, recovered.next_tx),
        salt=recovered.meta.salt,
        now=settings.now,
        log=log,
        strict=settings.durability.mode == "strict",
        max_pending=settings.durability.max_pending,
    )
    opened = Opened(
        root, recovered.meta, committer, recovered.result, owners, recovered, opaque=recovered.opaque
    )
    with or_given_back(opened):
        if settings.shared:
            follower = Follower(root, committer, start=start, end=end, files=files)

            def reload() -> None:
                begin_again(root, opened, registry, settings, log, files)

            committer.gate = SharedGate(committer, log, locks, follower, reload)
            committer.following = True
            opened.follower = follower
        # What recovery read may never have been synced by the process that wrote it.
        log.syncing.synced = -1
        if settings.durability.mode == "strict":
            log.sync_through(end)
        elif settings.durability.interval_ms:
            interval = settings.durability.interval_ms / 1000
            committer.flusher = Flusher(lambda: log.sync_through(log.end), interval)
            if not recovered.result.clean_close and end:
                committer.flusher.arm()  # a process that died may have left commits that are not on the device
    opened.locks = locks
    return opened


def _reading(
    root: str,
    recovered: Recovered,
    settings: OpenSettings,
    owners: Owners,
    registry: Registry | None,
    files: Files,
) -> Opened:
    committer = Committer(
        recovered.primitives,
        Position(recovered.end.last_cv, recovered.end.last_ts, recovered.next_tx),
        salt=recovered.meta.salt,
        now=settings.now,
    )
    committer.write_obstacle = read_only
    opened = Opened(
        root,
        recovered.meta,
        committer,
        recovered.result,
        owners,
        recovered,
        opaque=recovered.opaque,
        writable=False,
    )
    if registry is not None and recovered.end.lost is None:
        follower = Follower(
            root, committer, start=segment_start(recovered), end=recovered.end.end_lsn, files=files
        )

        def reload() -> None:
            fresh = read_state(root, registry, settings.recovery, owners, files)
            adopt(opened, fresh, segment_start(fresh))

        committer.gate = ReadGate(committer, follower, reload)
        committer.following = True
        opened.follower = follower
    return opened


def _looks(root: str, files: Files) -> str:
    """What a folder is: `nothing` of a database yet, a `database`, or full of `other` things."""
    try:
        names = [name for name in files.listdir(root) if not is_temp_name(name)]
    except FileNotFoundError:
        return "nothing"
    except NotADirectoryError:
        return "other"
    except OSError as error:
        raise unreadable(error, root) from None
    if META in names:
        return "database"
    if any(name not in _OURS for name in names):
        return "other"
    # Made in this order: the empty first segment, then META. Data without META is a database that lost it.
    data = [segment for segment in list_segments(root, history=True, files=files) if segment.size]
    return "database" if data or list_snapshots(root, files) else "nothing"


def _create(root: str, settings: OpenSettings, files: Files) -> None:
    meta = encode_meta(_new_meta(settings))  # first: a clock that gives no time leaves nothing half made
    for folder in (wal_folder(root), snapshots_folder(root), history_folder(root)):
        ensure_folder(folder, files=files)
    path = os.path.join(wal_folder(root), segment_name(0))
    fd = retried(files.open, path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        retried(files.fsync, fd)
    finally:
        files.close(fd)
    files.fsync_dir(wal_folder(root))
    atomic_replace(os.path.join(root, META), meta, mode=0o644, files=files)


def _new_meta(settings: OpenSettings) -> Meta:
    salt = settings.entropy(8)
    while not any(salt):
        salt = settings.entropy(8)
    make_tx_id(1, salt)
    return Meta(db_uuid=settings.entropy(16), salt=salt, created=settings.now())
