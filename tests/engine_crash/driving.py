"""Scripted use of a database on simulated files: what was committed, what was promised, and what must come back.

A `Driver` runs the steps of a workload. A rehearsal records the digest after each commit; a run that loses power
is then held against that record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from devstate.durable.files import Files
from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.recovery import RecoveryOptions
from devstate.engine.snapshotting import SnapshotPolicy

ROOT = "/data/db"
START = 1_700_000_000_000_000
RUNS = tuple(f"{number:08x}-0000-4000-8000-000000000000" for number in range(1, 8))
MODES = {"buffered": Durability.buffered(interval_ms=0), "strict": Durability.strict()}


def ticking(start: int = START, step: int = 7) -> Callable[[], int]:
    """A clock that moves with each look."""
    times = count(start, step)
    return lambda: next(times)


def drawing(seed: int = 1) -> Callable[[int], bytes]:
    """Random bytes that are the same each time."""
    state = count(seed)

    def entropy(size: int) -> bytes:
        return b"".join((next(state) * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big") for _ in range(size))[
            :size
        ]

    return entropy


def opened(
    files: Files, root: str = ROOT, *, mode: str = "buffered", seed: int = 1, **options: Any
) -> Database:
    """The database, with a clock, random bytes and runs without owner that are the same each time."""
    given: dict[str, Any] = {
        "durability": MODES[mode],
        "now": ticking(START + seed * 1_000_000),
        "entropy": drawing(seed),
        "owner": (),
        "snapshots": SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1),
        **options,
    }
    return Database.open(root, files=files, **given)


class Driver:
    """Runs steps, and keeps account.

    `committed` is the cv of the last commit that returned, `durable` that of the last one that a power cut must
    not take. `digests` has, in a rehearsal, the digest by cv; `on_commit` is called after each commit.
    """

    def __init__(
        self, files: Files, *, mode: str = "buffered", rehearse: bool = False, **options: Any
    ) -> None:
        self.files = files
        self.mode = mode
        self.options = options
        self.committed = self.durable = 0
        self.digests: dict[int, str] = {}
        self.on_commit: Callable[[int], None] = lambda cv: None
        self._rehearse = rehearse
        self._opens = 0
        self.db: Database = None  # type: ignore[assignment]

    def open(self, **options: Any) -> Database:
        self._opens += 1
        self.db = opened(self.files, mode=self.mode, seed=self._opens, **{**self.options, **options})
        # What opening found counts as promised only where it was promised before.
        self.committed = self.db.last_cv
        if self.mode == "strict":
            self.durable = self.committed
        self._note()
        return self.db

    def do(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """One commit."""
        answer = step(*args, **kwargs)
        self.did()
        return answer

    def did(self) -> None:
        """A commit has returned."""
        self.committed = self.db.last_cv
        if self.mode == "strict":
            self.durable = self.committed
        self._note()

    def flush(self) -> None:
        self.db.flush()
        self.durable = self.committed

    def snapshot(self) -> None:
        self.db.snapshot()
        self.durable = self.committed

    def close(self) -> None:
        self.db.close()
        self.durable = self.committed

    def died(self) -> None:
        """The process of this handle is gone: its locks with it, its unsynced bytes stay with the system."""
        locks = self.db._opened.locks  # type: ignore[attr-defined]
        assert locks is not None
        locks.close()

    @contextmanager
    def transaction(self, run: str) -> Iterator[Any]:
        with self.db.transaction(run) as transaction:
            yield transaction
        self.did()

    def _note(self) -> None:
        if self._rehearse:
            cv = self.db.last_cv
            digest = self.db.digest()
            assert self.digests.setdefault(cv, digest) == digest, f"the state at cv {cv} changed"
            self.on_commit(cv)


def prefix_options(**more: Any) -> RecoveryOptions:
    """Open the intact prefix where data is lost."""
    return RecoveryOptions(on_corruption="prefix", **more)
