"""What an open database consists of."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import msgspec

from .commit import Committer
from .durability import Durability
from .following import Follower
from .locking import DatabaseLocks
from .memory_log import MemoryLog
from .meta import Meta
from .owners import Owners
from .recovery import Recovered
from .recovery_result import RecoveryOptions, RecoveryResult

__all__ = ["OpenSettings", "Opened", "or_given_back"]


class OpenSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a database is opened."""

    durability: Durability
    shared: bool
    wait: float
    read_only: bool
    create: bool
    recovery: RecoveryOptions
    segment_bytes: int
    history_limit: int | None
    now: Callable[[], int]
    entropy: Callable[[int], bytes]


class Opened(msgspec.Struct):
    """The parts of an open database. `root` is None for one in memory."""

    root: str | None
    meta: Meta
    committer: Committer
    result: RecoveryResult
    owners: Owners
    recovered: Recovered | None = None
    locks: DatabaseLocks | None = None
    follower: Follower | None = None
    memory: MemoryLog | None = None
    opaque: dict[int, list[bytes]] = {}
    aside: tuple[str, ...] = ()
    writable: bool = True

    @property
    def origin(self) -> RecoveryResult:
        """What the present state began with: that of opening, or of beginning again from a newer snapshot."""
        return self.recovered.result if self.recovered is not None else self.result


@contextmanager
def or_given_back(opened: Opened) -> Generator[None]:
    """Where the block raises, nothing stays open of a database that nobody gets to see."""
    try:
        yield
    except BaseException:
        if opened.committer.flusher is not None:
            opened.committer.flusher.close()
        for held in (opened.committer.log, opened.follower, opened.locks):
            if held is not None:
                held.close()
        raise
