"""Exceptions from signals in the middle of commits: memory and log agree afterwards, and everything goes on."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.errors import EngineError
from devstate.engine.snapshotting import SnapshotPolicy

RUN = "00000001-0000-4000-8000-000000000000"
# An interrupt may fall into a callback of the garbage collector, which has nobody to raise it to.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Interrupted(BaseException):
    """What the signal handler raises; as KeyboardInterrupt, nothing catches it on its way."""


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise Interrupted


@pytest.fixture
def alarms() -> Iterator[Callable[[float], None]]:
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def put(db: Database, number: int) -> None:
    db.kv.put(RUN, f"k{number % 50}", number)


def transact(db: Database, number: int) -> None:
    with db.transaction(RUN) as tx:
        tx.kv.put("last", number)
        tx.events.append("tick", number)
        tx.state.set("s", number)
        tx.json.set("d", ["n"], number)


WORK: tuple[Callable[[Database, int], None], ...] = (put, transact)
MODES: dict[str, dict[str, Any]] = {
    "memory": {"durability": "memory"},
    "memory, little history": {"durability": "memory", "history_limit": 0},
    "buffered": {"durability": Durability.buffered(interval_ms=5, max_pending=20)},
    "strict": {"durability": "strict"},
    "shared": {"durability": "buffered", "shared": True},
    "rotating": {"durability": Durability.buffered(interval_ms=0), "segment_bytes": 2000},
}


def hammer(db: Database, alarms: Callable[[float], None], rounds: int, seed: int) -> int:
    """Commits in a row, each row interrupted at a random microsecond; how many interrupts there were."""
    dice = random.Random(seed)
    hits = number = 0
    for _ in range(rounds):
        work = dice.choice(WORK)
        try:
            alarms(dice.uniform(2e-6, 6e-4))
            for _ in range(2000):  # an interrupt that falls into a destructor is lost
                number += 1
                work(db, number)
        except Interrupted:
            hits += 1
        before = db.committer.cv
        put(db, number)  # the thread is free, nothing is stuck
        transact(db, number)
        assert db.committer.cv == before + 2
        assert db.last_cv == before + 2
    return hits


def interrupted(tmp_path: Path, alarms: Callable[[float], None], mode: str, rounds: int, seed: int) -> None:
    options = {"snapshots": SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1), **MODES[mode]}
    on_disk = options["durability"] != "memory"
    path = tmp_path / "db" if on_disk else None
    db = Database.open(path, **options)
    db.begin_run(RUN)
    assert hammer(db, alarms, rounds, seed) > rounds * 0.9
    digest, cv = db.digest(), db.committer.cv
    assert db.run_metadata(RUN).tx_count == cv
    events = db.events.len(RUN)
    assert [event.seq for event in db.events.range(RUN)] == list(range(events))
    assert db.events.verify_chain(RUN) is None
    db.close()
    if path is not None:
        with Database.open(path) as again:
            assert (again.last_cv, again.digest()) == (cv, digest)
            assert not again.recovery.has_issues


@pytest.mark.parametrize("mode", MODES)
def test_memory_and_log_agree(tmp_path: Path, alarms: Callable[[float], None], mode: str) -> None:
    interrupted(tmp_path, alarms, mode, 250, 1)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", MODES)
def test_memory_and_log_agree_for_long(tmp_path: Path, alarms: Callable[[float], None], mode: str) -> None:
    interrupted(tmp_path, alarms, mode, 6000, 2)


def test_a_transaction_that_nobody_holds_frees_its_thread() -> None:
    db = Database.open()
    db.begin_run(RUN)
    db.transaction(RUN).kv.put("k", 1)
    put(db, 1)
    held = db.transaction(RUN)
    with pytest.raises(EngineError):
        put(db, 2)
    held.rollback()
    put(db, 2)
    assert not db.committer.versions.readers
    db.close()
