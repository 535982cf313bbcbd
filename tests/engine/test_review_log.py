"""Logs that were cut and whose positions are used again: nothing derived from the old bytes speaks for the new."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devstate.durable.files import OS
from devstate.engine.database import Database
from devstate.engine.errors import DatabaseClosed, WalCorruptionError
from devstate.engine.framing import frame_transaction
from devstate.engine.ids import run_bytes
from devstate.engine.recovery_result import RecoveryOptions
from engine_crash.driving import RUNS, opened

A, B = RUNS[0], RUNS[1]


def database(path: Path, **options: Any) -> Database:
    return opened(OS, str(path), now=lambda: 1_700_000_000_000_000, **options)


def log_end(db: Database) -> int:
    assert db.committer.log is not None
    return db.committer.log.end


def test_an_index_does_not_outlive_the_bytes_that_a_repair_cut_off(tmp_path: Path) -> None:
    positions: list[int] = []
    with database(tmp_path) as db:
        for run in (A, B):
            db.begin_run(run, owned=False)
        for number in range(6):
            positions.append(log_end(db))
            db.kv.put(A, f"k{number}", number)
        sealed = log_end(db)
        db.snapshot()
    for name in os.listdir(tmp_path / "snapshots"):
        (tmp_path / "snapshots" / name).unlink()
    segment = tmp_path / "wal" / f"{0:020d}.wal"
    damaged = bytearray(segment.read_bytes())
    damaged[positions[3] + 30] ^= 0xFF
    segment.write_bytes(damaged)

    with database(tmp_path, recovery=RecoveryOptions(on_corruption="prefix")) as db:
        assert log_end(db) == positions[3]
        for number in range(3):  # the same number of bytes, of another run
            db.kv.put(B, f"k{number}", number)
        assert log_end(db) == sealed
        db.snapshot()
    with database(tmp_path) as db:
        for run in (A, B):
            assert dict(db.replay_run(run).kv) == {"k0": 0, "k1": 1, "k2": 2}
        assert db.verify() == ()


def test_a_copy_of_a_commit_in_a_harmless_gap_is_in_no_index_and_keeps_no_snapshot_off(
    tmp_path: Path,
) -> None:
    with database(tmp_path) as db:
        db.begin_run(A, owned=False)
        start = log_end(db)
        db.kv.put(A, "a", 1)
        end, salt, ts = log_end(db), db.committer.salt, db.committer.ts
    segment = tmp_path / "wal" / f"{0:020d}.wal"
    copy = segment.read_bytes()[start:end]
    run = run_bytes(A)
    payload = msgspec.msgpack.encode((run, "b", 3, ts, 2))
    tx_id = (9).to_bytes(8, "little") + salt
    behind = frame_transaction(((0x10, payload),), tx_id, run, 3, ts, end + len(copy))
    with open(segment, "ab") as file:
        file.write(copy + bytes(behind))
    with database(tmp_path) as db:
        assert db.recovery.corrupt_entries_skipped == 1
        db.snapshot()
    assert f"{0:020d}.idx" in os.listdir(tmp_path / "history")
    with database(tmp_path) as db:
        assert dict(db.replay_run(A).kv) == {"a": 1, "b": 2}
        assert [finding.code for finding in db.verify()] == ["WAL_GAP"]


@pytest.mark.parametrize("shared", [True, False])
def test_a_commit_of_another_process_that_does_not_fit_leaves_nothing_to_read_by_half(
    tmp_path: Path, shared: bool
) -> None:
    with database(tmp_path, shared=True) as db:
        db.begin_run(A, owned=False)
        db.kv.put(A, "a", 1)
        run, ts, end, salt = run_bytes(A), db.committer.ts, log_end(db), db.committer.salt
        follower = database(tmp_path, shared=True) if shared else database(tmp_path, read_only=True)
        fits, unfit = (msgspec.msgpack.encode((run, key, 3, ts, 2)) for key in ("a", 5))
        tx_id = (9).to_bytes(8, "little") + salt
        with open(tmp_path / "wal" / f"{0:020d}.wal", "ab") as file:
            file.write(frame_transaction(((0x10, fits), (0x10, unfit)), tx_id, run, 3, ts, end))
        for _ in range(2):
            with pytest.raises(WalCorruptionError, match="commit 3"):
                follower.kv.get(A, "a")
        if shared:
            with pytest.raises(WalCorruptionError, match="commit 3"):
                follower.kv.put(A, "b", 1)
        follower.close()
        with pytest.raises(DatabaseClosed):
            follower.kv.get(A, "a")
        os.truncate(tmp_path / "wal" / f"{0:020d}.wal", end)


def test_what_vanished_behind_a_clean_close_is_reported_though_nothing_is_set_aside(tmp_path: Path) -> None:
    with database(tmp_path) as db:
        db.begin_run(A, owned=False)
        end = log_end(db)
        db.kv.put(A, "a", 1)
    os.truncate(tmp_path / "wal" / f"{0:020d}.wal", end)
    with database(tmp_path, recovery=RecoveryOptions(on_corruption="prefix")) as db:
        assert db.recovery.committed_lost == 1
        (report,) = db.set_aside
    assert msgspec.json.decode(Path(report).read_bytes())["reason"] == "vanished"
    assert os.listdir(tmp_path / "quarantine") == [os.path.basename(report)]
