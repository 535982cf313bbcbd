"""One sync for many commits: whoever waits first leads, the others are served by the same call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import get_ident

from .errors import DurabilityError

__all__ = ["Flusher", "GroupSync"]


class GroupSync:
    """How far the log is on the device.

    `sync` makes it so: it syncs, and returns the LSN up to which that counts; it raises DurabilityError, after
    which nothing is ever synced again, since the kernel may have dropped what it could not write.
    `on_failure` is called once.
    """

    __slots__ = ("_awaited", "_changed", "_failure", "_leading", "_lock", "_sync", "on_failure", "synced")

    def __init__(self, synced: int, sync: Callable[[], int]) -> None:
        self.synced = synced
        self._sync = sync
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._leading = 0  # the thread that syncs, 0 for none
        self._awaited = False  # whether anybody may be waiting for it
        self._failure: DurabilityError | None = None
        self.on_failure: Callable[[], None] | None = None

    def through(self, lsn: int) -> None:
        """Return when everything before `lsn` is durable. Raises DurabilityError."""
        me = get_ident()
        while self.synced < lsn:
            # Who has the lead itself was interrupted before it could give it back, or asks from a signal handler.
            if self._leading in (0, me):
                self._lead(me)
            else:
                self._wait(lsn, me)

    def retire(self, close: Callable[[], None]) -> None:
        """Close a descriptor as soon as no sync uses it."""
        with self._lock:
            while self._leading not in (0, get_ident()):
                self._awaited = True
                self._changed.wait()
            close()

    def _wait(self, lsn: int, me: int) -> None:
        """Until another thread that syncs is done."""
        with self._lock:
            while self._leading not in (0, me) and self.synced < lsn and self._failure is None:
                self._awaited = True
                self._changed.wait()

    def _lead(self, me: int) -> None:
        """Sync for all who wait, unless another thread has begun to.

        An interrupt may come anywhere in here: who has taken the lead gives it back. (A lock is taken whole or not at
        all by `with`; a condition is not.)
        """
        reached, failure = self.synced, None
        try:
            with self._lock:
                if self._leading not in (0, me):
                    return
                if self._failure is not None:
                    raise self._told_again(self._failure)
                self._leading = me
            try:
                reached = self._sync()
            except DurabilityError as error:
                failure = error
                if self.on_failure is not None:
                    self.on_failure()
                raise
        finally:
            with self._lock:
                if self._leading == me:
                    self._leading = 0
                    self._failure = failure
                    if reached > self.synced:
                        self.synced = reached
                    if self._awaited:
                        self._changed.notify_all()
                        self._awaited = False  # last: who wakes says so again before it waits again

    def _told_again(self, failure: DurabilityError) -> DurabilityError:
        return DurabilityError(failure.message, committed=None, path=failure.path, remedy=failure.remedy)


class Flusher:
    """The thread that syncs a buffered log `interval` seconds after a commit, or sooner when told to.

    `flush` raises DurabilityError when the device fails; the thread ends then, and the log refuses writes.
    While nothing is committed the thread sleeps.
    """

    # A queue in C takes whole messages from a thread that a signal may interrupt anywhere; an event has locks that
    # would stay taken.
    __slots__ = ("_flush", "_interval", "_messages", "_thread", "armed")

    def __init__(self, flush: Callable[[], None], interval: float) -> None:
        self._flush = flush
        self._interval = interval
        self._messages: SimpleQueue[str] = SimpleQueue()
        self.armed = False
        self._thread = threading.Thread(target=self._work, name="devstate-wal-sync", daemon=True)
        self._thread.start()

    def arm(self) -> None:
        """There is something to sync when the interval is over."""
        # In this order: the thread that takes the message says that it did, and must not be contradicted afterwards.
        try:
            self.armed = True
        finally:  # an interrupt between the two would leave it armed for ever
            self._messages.put("armed")

    def soon(self) -> None:
        """Do not wait for the interval."""
        self._messages.put("soon")

    def close(self) -> None:
        """End the thread; returns when it has."""
        self._messages.put("end")
        self._thread.join()

    def _work(self) -> None:
        messages = self._messages
        while True:
            message = messages.get()
            if message == "armed":
                with suppress(Empty):
                    message = messages.get(timeout=self._interval)
            if message == "end":
                return
            self.armed = False
            try:
                self._flush()
            except DurabilityError:
                return  # the log remembers it and says so to each later commit
