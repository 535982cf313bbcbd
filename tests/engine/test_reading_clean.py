"""What a clean close vouched for is missed by a reader too, not only by the next writer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstate.engine import Database, RecoveryOptions
from devstate.engine.errors import WalCorruptionError


def closed(path: Path) -> Path:
    with Database.open(path) as database, database.run(name="r") as run:
        for number in range(5):
            run.kv.put("n", number)
    return path


def test_a_reader_refuses_a_log_that_was_cut_after_a_clean_close(tmp_path: Path) -> None:
    root = closed(tmp_path / "db")
    (log,) = (root / "wal").iterdir()
    os.truncate(log, log.stat().st_size - 5)
    with pytest.raises(WalCorruptionError) as caught:
        Database.open(root, read_only=True)
    assert caught.value.report.reason == "vanished"  # type: ignore[attr-defined]
    shown = RecoveryOptions(on_corruption="read_only")
    with Database.open(root, read_only=True, recovery=shown) as database:
        assert database.recovery.committed_lost == 1 and not database.recovery.clean_close


def test_after_a_crash_the_same_end_is_not_finished_yet(tmp_path: Path) -> None:
    root = closed(tmp_path / "db")
    (log,) = (root / "wal").iterdir()
    os.truncate(log, log.stat().st_size - 5)
    (root / "CLEAN").unlink()
    with Database.open(root, read_only=True) as database:
        assert database.recovery.last_cv == 6 and database.recovery.committed_lost == 0


def test_a_reader_beside_a_writer_is_not_misled_by_an_older_mark(tmp_path: Path) -> None:
    root = closed(tmp_path / "db")
    with Database.open(root) as writer, Database.open(root, read_only=True) as reader:
        assert reader.recovery.clean_close
        writer.kv.put(writer.begin_run(), "k", 1)
        assert reader.refresh() == writer.last_cv
        with Database.open(root, read_only=True) as late:
            assert late.last_cv == writer.last_cv and not late.recovery.clean_close
