"""The end of an open database: closing it, and a forked child that must not use what belongs to its parent."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from devstate.durable.files import Files

from .commit import Committer
from .commit_parts import closed
from .errors import ForkedHandleError
from .keeping import SnapshotKeeper
from .opened import Opened, OpenSettings
from .opening import write_clean
from .owners import OPEN_HANDLES
from .snapshot_file import SnapshotInfo
from .snapshotting import SnapshotPolicy

if TYPE_CHECKING:
    from typing import Self

__all__ = ["OPEN", "Closing"]


class Closing:
    """The part of `Database` that ends it."""

    _opened: Opened
    _committer: Committer
    _settings: OpenSettings
    _policy: SnapshotPolicy
    _files: Files
    _keeper: SnapshotKeeper
    _snapshotting: threading.RLock
    _closing: threading.Lock
    _closed: bool

    def close(self) -> None:
        """Make everything durable, say so on the disk, and give the locks back; more calls do nothing.

        Raises DurabilityError where the last sync fails; it is closed then, too.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
        opened, committer = self._opened, self._committer
        try:
            self._keeper.close()  # waits: an interrupt that comes meanwhile still gives the locks back
            if committer.flusher is not None:
                committer.flusher.close()
            if opened.writable and opened.root is not None and committer.log is not None:
                self._close_files(opened.root)
        finally:
            OPEN_HANDLES.discard(opened.owners.handle)
            OPEN.discard(self)
            # Nobody commits or reads the log through a descriptor given back, or puts files away without the locks.
            with self._snapshotting, committer.lock:
                committer.shut(closed)
                if committer.log is not None:
                    committer.log.close()
                if opened.follower is not None:
                    opened.follower.close()
                if opened.locks is not None:
                    opened.locks.close()

    def _close_files(self, root: str) -> None:
        committer, log, locks = self._committer, self._committer.log, self._opened.locks
        if log is None or log.broken is not None or committer.obstacle is not None:
            return
        log.sync_through(log.end)
        if committer.write_obstacle is not None:
            return  # failed: what is in memory may not be what is in the log, so nothing is vouched for
        since = self._keeper.since
        if 0 <= self._policy.close_bytes <= log.end - since and log.end > since:
            with suppress(Exception):  # whatever a plug-in raises: closing does not depend on it
                self.snapshot()
                log.sync_through(log.end)
        if self._settings.shared:
            if locks is None or committer.gate is None or not locks.last():
                return
            # What a process that died left is taken in, and made durable, before it is vouched for.
            with committer.lock, committer.gate:
                pass
        with committer.lock:  # a commit of another thread comes before this, or is refused
            if committer.write_obstacle is not None:
                return
            log.sync_through(log.end)
            write_clean(root, log.end, committer.cv, self._files)
            committer.shut(closed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def snapshot(self) -> SnapshotInfo:
        raise NotImplementedError

    def _forked(self) -> None:
        """In a forked child: the locks and the log belong to the parent."""
        if self._opened.locks is not None:
            self._opened.locks.close()
        # Locks that other threads of the parent held at that moment would be held for ever.
        self._committer.lock = threading.RLock()
        self._committer.transactions.clear()
        self._closing, self._snapshotting = threading.Lock(), threading.RLock()
        if self._committer.log is not None:
            self._committer.log.forked()
        self._committer.shut(
            lambda: ForkedHandleError(
                "this handle was opened by the parent process", remedy="Open the database in the child."
            )
        )


OPEN: weakref.WeakSet[Closing] = weakref.WeakSet()


def _after_fork() -> None:
    for database in list(OPEN):
        database._forked()  # pyright: ignore[reportPrivateUsage]


os.register_at_fork(after_in_child=_after_fork)
