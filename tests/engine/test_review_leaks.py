"""What fails or is interrupted half-way leaves no lock, descriptor or reader behind, and nothing is taken for sound."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.faults import FaultyFiles
from devstate.durable.files import OS
from devstate.engine.database import Database
from devstate.engine.errors import ConflictError, EngineError, WalCorruptionError
from devstate.engine.recovery_result import RecoveryOptions
from devstate.engine.snapshotting import HistoryPolicy, SnapshotPolicy
from devstate.errors import InputUnreadable
from engine_crash.driving import RUNS, START, opened

A = RUNS[0]
ONE_SNAPSHOT = SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1, keep=1)


class Counting(FaultyFiles):
    """Knows which descriptors are open; `flock` can be interrupted."""

    def __init__(self) -> None:
        super().__init__(OS)
        self.held: set[int] = set()
        self.interrupted_at = 0

    def open(self, path: str, flags: int, mode: int = 0o666, *, dir_fd: int | None = None) -> int:
        fd = super().open(path, flags, mode, dir_fd=dir_fd)
        self.held.add(fd)
        return fd

    def close(self, fd: int) -> None:
        self.held.discard(fd)
        super().close(fd)

    def flock(self, fd: int, operation: int) -> None:
        self.interrupted_at -= 1
        if not self.interrupted_at:
            raise KeyboardInterrupt
        super().flock(fd, operation)


def interrupt(*args: Any, **kwargs: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("at", [1, 2])
def test_an_interrupt_while_it_waits_for_the_lock_leaves_no_descriptor(tmp_path: Path, at: int) -> None:
    files = Counting()
    files.interrupted_at = at
    with pytest.raises(KeyboardInterrupt):
        opened(files, str(tmp_path))
    assert files.held == set()
    opened(files, str(tmp_path)).close()
    assert files.held == set()


def test_an_interrupt_while_it_makes_indexes_gives_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Counting()
    with opened(files, str(tmp_path)) as db:
        db.begin_run(A)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "index_run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            opened(files, str(tmp_path), recovery=RecoveryOptions(rebuild_indexes=True))
    assert files.held == set()
    opened(files, str(tmp_path), recovery=RecoveryOptions(rebuild_indexes=True)).close()


@pytest.mark.parametrize("shared", [False, True])
def test_where_no_thread_can_be_had_opening_gives_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    files = Counting()
    with monkeypatch.context() as patch:
        patch.setattr("devstate.engine.opening.Flusher", interrupt)
        with pytest.raises(KeyboardInterrupt):
            opened(files, str(tmp_path), durability="buffered", shared=shared)
    assert files.held == set()
    opened(files, str(tmp_path), durability="buffered", shared=shared).close()


def test_an_interrupted_close_gives_the_locks_back(tmp_path: Path) -> None:
    files = Counting()
    db: Any = opened(files, str(tmp_path))
    db.begin_run(A)
    db._keeper.close = interrupt  # where a snapshot that goes on is waited for
    with pytest.raises(KeyboardInterrupt):
        db.close()
    assert files.held == set()
    with opened(files, str(tmp_path)) as again:
        assert again.last_cv == 1


def test_a_snapshot_that_cannot_begin_leaves_no_reader(tmp_path: Path) -> None:
    folder, aside = tmp_path / "db" / "snapshots", tmp_path / "aside"
    with opened(OS, str(tmp_path / "db")) as db:
        db.begin_run(A)
        folder.rename(aside)
        folder.write_bytes(b"")
        with pytest.raises(InputUnreadable):
            db.snapshot()
        folder.unlink()
        aside.rename(folder)
        assert not db.committer.versions.readers
        db.kv.put(A, "a", 1)
        db.kv.put(A, "a", 2)
        assert not db.committer.versions.chained
        assert db.snapshot().cv == 3


def test_history_is_not_deleted_behind_the_only_snapshot(tmp_path: Path) -> None:
    history = HistoryPolicy(days=1e-9)
    later: Callable[[], int] = lambda: START + 86_400_000_000  # noqa: E731
    with opened(OS, str(tmp_path), segment_bytes=600) as db:
        db.begin_run(A, owned=False)
        for number in range(20):
            db.kv.put(A, "a", number)
    with opened(OS, str(tmp_path), segment_bytes=600, history=history, now=later) as db:
        first = db.snapshot()
        db.kv.put(A, "a", 20)
    Path(first.path).write_bytes(b"damaged")
    with opened(OS, str(tmp_path), segment_bytes=600, history=history, now=later) as db:
        assert (db.last_cv, db.kv.get(A, "a")) == (22, 20)
        db.snapshot()
        db.kv.put(A, "a", 21)
        db.snapshot()
        db.kv.put(A, "a", 22)
        db.snapshot()
        # Two to rely on: now what is before them goes.
        assert not (tmp_path / "wal" / f"{0:020d}.wal").exists()
        assert not (tmp_path / "history" / f"{0:020d}.wal").exists()


@pytest.mark.parametrize("told", ["days=inf", "days=nan", "days=0", "days=-1", "days=", "days=two", "never"])
def test_what_is_no_policy_of_history_is_refused_at_once(tmp_path: Path, told: str) -> None:
    with pytest.raises(ValueError, match="history is"):
        opened(OS, str(tmp_path / "db"), history=told)
    assert not (tmp_path / "db").exists()


def test_the_identity_of_a_database_is_not_taken_from_a_damaged_entry(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path)) as db:
        db.begin_run(A)
        for number in range(5):
            db.kv.put(A, "a", number)
    (tmp_path / "META").unlink()
    (tmp_path / "CLEAN").unlink()
    log = tmp_path / "wal" / f"{0:020d}.wal"
    data = bytearray(log.read_bytes())
    data[15] ^= 1  # in the salt of the first entry
    log.write_bytes(data)
    with pytest.raises(WalCorruptionError) as raised:
        opened(OS, str(tmp_path))
    report: Any = raised.value.report
    assert report.intact_commits_cut == 5
    assert log.read_bytes() == data
    # With nothing intact there is nobody's log, and that is said.
    log.write_bytes(bytes(data[:40]))
    with pytest.raises(EngineError, match="intact"):
        opened(OS, str(tmp_path))


def test_a_reader_that_begins_again_from_a_snapshot_shows_its_transactions_no_holes(tmp_path: Path) -> None:
    options: dict[str, Any] = {"history": "off", "snapshots": ONE_SNAPSHOT, "segment_bytes": 600}
    with opened(OS, str(tmp_path), **options) as db:
        db.begin_run(A)
        db.kv.put(A, "a", 1)
        db.kv.put(A, "still", 1)
        with opened(OS, str(tmp_path), read_only=True) as reader:
            transaction = reader.transaction(A)
            assert transaction.kv.get("a") == 1
            for number in range(2, 20):
                db.kv.put(A, "a", number)
            db.snapshot()
            db.kv.delete(A, "a")
            db.snapshot()
            assert reader.refresh() == db.last_cv
            assert transaction.kv.get("still") == 1
            for look in (
                lambda: transaction.kv.get("a"),
                lambda: transaction.kv.keys(),
                lambda: transaction.events.len(),
            ):
                with pytest.raises(ConflictError, match="put away"):
                    look()
            transaction.rollback()
            with reader.transaction(A) as another:
                assert another.kv.keys() == ["still"]
    assert os.listdir(tmp_path / "history") == []
