"""Where a run's transactions stand: from memory, from indexes, from segments; and what it costs to know."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from devstate.durable.files import OS, Files
from devstate.engine.errors import HistoryPruned, RunNotFound, WalCorruptionError
from devstate.engine.journal import run_positions
from devstate.engine.replay import replay
from devstate.engine.segments import SegmentReader
from devstate.engine.snapshotting import SnapshotPolicy
from run_samples import REGISTRY, begin, book_of, open_db, raw, run_id, source_of, work

NO_SNAPSHOT = SnapshotPolicy(close_bytes=-1, wal_bytes=0, seconds=0)


class Counting:
    """The operating system, with a count of the bytes that were read."""

    def __init__(self) -> None:
        self.bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(OS, name)

    def read(self, fd: int, size: int) -> bytes:
        data = OS.read(fd, size)
        self.bytes += len(data)
        return data

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        data = OS.pread(fd, size, offset)
        self.bytes += len(data)
        return data


def bytes_of_replay(db: Any) -> int:
    files = Counting()
    with source_of(db, files=cast("Files", files)) as source:
        assert replay(source, REGISTRY, raw(1)).step == 5
    return files.bytes


def one_among(db: Any, foreign: int) -> None:
    """Run 1 of five steps with `foreign` commits of run 2 between each two of them, and behind."""
    begin(db, 1)
    begin(db, 2)
    for turn in range(4):
        for other in range(foreign):
            db.handle(run_id(2)).kv.put(f"k{other}", "x" * 500)
        db.handle(run_id(1)).kv.put("own", turn)
    for other in range(foreign):
        db.handle(run_id(2)).kv.put(f"k{other}", "x" * 500)


def test_a_replay_reads_no_more_for_ten_times_the_foreign_data(tmp_path: Path) -> None:
    found: list[int] = []
    for factor in (1, 10):
        with open_db(tmp_path / f"db{factor}", snapshots=NO_SNAPSHOT) as db:
            one_among(db, 20 * factor)
            found.append(bytes_of_replay(db))
    assert found[0] == found[1] > 0


def test_a_replay_from_sealed_segments_reads_directories_not_segments(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, snapshots=NO_SNAPSHOT, segment_bytes=16384) as db:
        one_among(db, 100)
        for _ in range(2):
            db.snapshot()
            db.handle(run_id(2)).kv.put("z", 1)
    sealed = sum(file.stat().st_size for file in (path / "history").glob("*.wal"))
    indexes = sum(file.stat().st_size for file in (path / "history").glob("*.idx"))
    with open_db(path, snapshots=NO_SNAPSHOT) as db:
        assert not book_of(db)(raw(1)).lsns, "the snapshot must be behind the run"
        live = sum(file.stat().st_size for file in (path / "wal").glob("*.wal"))
        read = bytes_of_replay(db)
    assert read <= indexes + live + 5 * 4096 < sealed


@pytest.fixture
def aged(tmp_path: Path) -> Path:
    """A run whose transactions lie in several sealed segments, before the snapshots."""
    path = tmp_path / "db"
    with open_db(path, snapshots=NO_SNAPSHOT, segment_bytes=2048) as db:
        for number in (1, 2):
            begin(db, number)
            work(db, run_id(number), rounds=2)
        for _ in range(2):
            db.snapshot()
            work(db, run_id(1), rounds=1, first=2 if _ == 0 else 3)
    assert len(list((path / "history").glob("*.idx"))) > 3
    return path


def positions(path: Path, number: int = 1, **options: Any) -> list[int]:
    with (
        open_db(path, read_only=True, **options) as db,
        SegmentReader(str(path)) as reader,
    ):
        return list(run_positions(str(path), raw(number), book_of(db)(raw(number)), reader=reader))


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "of another segment"])
def test_bad_or_missing_indexes_are_passed_over_and_left_as_they_are(aged: Path, damage: str) -> None:
    expected = positions(aged)
    indexes = sorted((aged / "history").glob("*.idx"))
    for index in indexes:
        data = index.read_bytes()
        if damage == "missing":
            index.unlink()
        elif damage == "cut":
            index.write_bytes(data[:-3])
        elif damage == "flipped":
            spot = min(70, len(data) - 1)
            index.write_bytes(data[:spot] + bytes([data[spot] ^ 1]) + data[spot + 1 :])
        else:
            index.write_bytes(indexes[0].read_bytes() if index != indexes[0] else data)
    before = {file: file.read_bytes() for file in (aged / "history").iterdir()}
    assert positions(aged) == expected == sorted(set(expected))
    assert {file: file.read_bytes() for file in (aged / "history").iterdir()} == before


def test_the_positions_are_those_of_the_runs_own_transactions(aged: Path) -> None:
    found = positions(aged)
    with open_db(aged, read_only=True) as db, source_of(db) as source:
        assert len(found) == db.run_metadata(run_id(1)).tx_count
        assert all(source.transaction(lsn).run == raw(1) for lsn in found)
        with pytest.raises(RunNotFound):
            source.positions(raw(7))


def test_segments_gone_from_the_beginning_are_pruned_history(aged: Path) -> None:
    first = sorted((aged / "history").glob("*.wal"))[0]
    os.rename(first, aged / "first")
    with pytest.raises(HistoryPruned) as caught:
        positions(aged)
    (aged / "first").rename(first)
    with open_db(aged, read_only=True) as db, source_of(db) as source:
        kept = [source.transaction(lsn).cv for number in (1, 2) for lsn in positions(aged, number)]
    second = int(sorted((aged / "history").glob("*.wal"))[1].stem)
    after = [
        cv for cv, lsn in zip(kept, positions(aged, 1) + positions(aged, 2), strict=True) if lsn >= second
    ]
    assert caught.value.from_cv == min(after)


def test_a_segment_gone_from_the_middle_is_damage(aged: Path) -> None:
    segments = sorted((aged / "history").glob("*.wal"))
    segments[1].unlink()
    with pytest.raises(WalCorruptionError) as caught:
        positions(aged)
    assert "check" in caught.value.remedy


def test_a_transaction_let_go_after_its_position_was_looked_up_is_pruned(aged: Path) -> None:
    with open_db(aged, read_only=True) as db, source_of(db) as source:
        first, *_ = source.positions(raw(1))
        sorted((aged / "history").glob("*.wal"))[0].unlink()
        with pytest.raises(HistoryPruned):
            source.transaction(first)
