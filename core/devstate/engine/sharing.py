"""Several processes on one database: what happens round each commit, and how readers keep up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from .errors import EngineError
from .following import Follower, Stranded

if TYPE_CHECKING:
    from .commit import Committer
    from .locking import DatabaseLocks
    from .wal_writer import WalWriter

__all__ = ["ReadGate", "SharedGate"]


class SharedGate:
    """Excludes the other processes for a commit, and takes in what they committed before it.

    A process that was killed while it wrote leaves at most an unfinished tail, which the next one, alone then,
    cuts off. Re-entrant within the thread that holds the commit lock.

    `reload` begins again from the newest snapshot; called with the lock, where the log between is gone.
    """

    def __init__(
        self,
        committer: Committer,
        log: WalWriter,
        locks: DatabaseLocks,
        follower: Follower,
        reload: Callable[[], None],
    ) -> None:
        self._committer = committer
        self._log = log
        self._locks = locks
        self.follower = follower
        self._reload = reload
        # Until it has been done: an interrupt may leave memory half-way.
        self._stranded = False
        self.depth = 0
        self._taken = False
        self.kept: AbstractContextManager[None] = _Kept(self)

    def __enter__(self) -> None:
        if self.depth == 0:
            self._committer.require_open()
            try:
                self._taken = True
                self._locks.acquire()
                self._catch_up()
                self.depth = 1
            except BaseException:
                self.depth = 0
                self._let_go()
                raise
        else:
            self.depth += 1

    def __exit__(self, *exc: object) -> None:
        self.depth -= 1
        if self.depth == 0:
            try:
                self._pass_own()
            finally:
                self._let_go()

    def back_to(self, depth: int) -> None:
        """Make up for an `__exit__` that an interrupt came before, or into."""
        self.depth = min(self.depth, depth)
        if self.depth == 0 and self._taken:
            self._let_go()

    def _let_go(self) -> None:
        self._locks.release()
        self._taken = False

    def follow(self) -> None:
        """Take in what others committed. Raises WalCorruptionError, DurabilityError."""
        committer = self._committer
        with committer.lock:
            if self.depth or committer.write_obstacle is not None:
                return  # what is in memory can be read, also where nothing can be taken in any more
            if not committer.strict and not self._stranded:
                self._pass_own()
                try:
                    self.follower.catch_up(alone=False)
                    return
                except Stranded:
                    self._stranded = True
            with self.kept, self:
                end = self._log.end
        if committer.strict:
            # What another process wrote is seen here when it is on the device, as everything is.
            self._log.sync_through(end)

    def _pass_own(self) -> None:
        """Put the follower behind what this process wrote."""
        follower, log = self.follower, self._log
        if follower.end < log.end or (follower.end == log.end and follower.start < log.segment_start):
            if follower.start != log.segment_start:
                follower.go(log.segment_start)
            follower.end = log.end

    def _catch_up(self) -> None:
        follower, log, committer = self.follower, self._log, self._committer
        if committer.write_obstacle is not None:
            return  # the commit itself will say so
        try:
            if not self._stranded:
                self._pass_own()  # an interrupt may have come before the last commit got to that
                try:
                    follower.catch_up(alone=True)
                except Stranded:
                    self._stranded = True
            if self._stranded:
                self._reload()
                self._stranded = False
        except EngineError as error:
            if committer.obstacle is None:
                committer.fail(error.message)
            raise
        log.move(follower.start, follower.end)


class _Kept:
    """Goes round the gate: whatever comes of that, the other processes are let in behind it."""

    def __init__(self, gate: SharedGate) -> None:
        self._gate = gate
        self.depths: list[int] = []

    def __enter__(self) -> None:
        self.depths.append(self._gate.depth)

    def __exit__(self, *exc: object) -> None:
        self._gate.back_to(self.depths.pop())


class ReadGate:
    """Keeps a read-only database up with its writers; never locks, never writes."""

    def __init__(self, committer: Committer, follower: Follower, reload: Callable[[], None]) -> None:
        self.kept: AbstractContextManager[None] = nullcontext()
        self._committer = committer
        self.follower = follower
        self._reload = reload

    def __enter__(self) -> None:
        """Nothing is committed here."""

    def __exit__(self, *exc: object) -> None: ...

    def follow(self) -> None:
        """Take in what was committed; from a newer snapshot where the log between is gone."""
        with self._committer.lock:
            self._committer.require_open()  # it may have been closed while this waited
            try:
                self.follower.catch_up(alone=False)
            except Stranded:
                self._reload()
