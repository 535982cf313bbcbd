"""Taking snapshots without being asked: after so much log, or after so long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .snapshotting import SnapshotPolicy

if TYPE_CHECKING:
    from .commit import Committer

__all__ = ["SnapshotKeeper"]

_MOST_DOUBLINGS = 6


class SnapshotKeeper:
    """A thread that sleeps until the policy wants a snapshot. It is started by the first commit.

    `take` takes one and raises where that fails, whatever it is: a commit never fails by it, the log has everything,
    and the thread goes on. After a failure the next try waits for twice as much log. `newest` says where the newest
    snapshot stands: another process may have taken one.
    """

    def __init__(
        self,
        committer: Committer,
        policy: SnapshotPolicy,
        *,
        since: int,
        take: Callable[[], object],
        newest: Callable[[], int],
    ) -> None:
        self.since = since
        self.failures = 0
        self._committer = committer
        self._policy = policy
        self._take = take
        self._newest = newest
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._ended = False
        if committer.log is not None and (policy.wal_bytes or policy.seconds):
            committer.snapshot_due = self._due
            committer.snapshot_at = 0

    def taken(self, lsn: int) -> None:
        """A snapshot of all before `lsn` is there."""
        self.since, self.failures = lsn, 0
        if self._thread is not None:
            self._committer.snapshot_at = self._next()

    def close(self) -> None:
        """End the thread; returns when it has. A snapshot that is being taken is finished."""
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _due(self) -> None:
        """Called under the commit lock, when the log has reached `snapshot_at`."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="devstate-snapshots", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # no thread is to be had now, or any more; the commit stands, and the next one asks again
            self._thread = thread
            self._committer.snapshot_at = self._next()
        log = self._committer.log
        if log is not None and log.end >= self._committer.snapshot_at:
            self._committer.snapshot_at = float("inf")
            self._wake.set()

    def _next(self) -> float:
        wanted = self._policy.wal_bytes << min(self.failures, _MOST_DOUBLINGS)
        return self.since + wanted if wanted else float("inf")

    def _work(self) -> None:
        while True:
            called = self._wake.wait(self._policy.seconds or None)
            if self._ended:
                return
            self._wake.clear()
            log = self._committer.log
            try:
                newest = self._newest()
                if newest > self.since:
                    self.taken(newest)
                wanted = called and log is not None and log.end >= self._next()
                late = not called and log is not None and log.end > self.since
                if wanted or late:
                    self._take()
            except (
                Exception
            ):  # of the device, or of a kind that a plug-in registered: the next try may be better
                self.failures += 1
            self._committer.snapshot_at = self._next()
