"""A run deleted while somebody reads at an earlier commit: in a snapshot it is whole, and a transaction is told.

The deletion is a later commit: where a power cut takes it, recovery has the snapshot alone.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.files import OS
from devstate.engine import Database
from devstate.engine.builtin import builtin_registry
from devstate.engine.checking import check
from devstate.engine.errors import RunNotFound


class Meanwhile:
    """The real files; what is in `then` is called once, when the next snapshot file has been opened."""

    def __init__(self) -> None:
        self.then: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(OS, name)

    def open(self, path: str, *more: Any, **named: Any) -> int:
        fd = OS.open(path, *more, **named)
        if self.then and os.path.basename(os.path.dirname(path)) == "snapshots":
            self.then.pop()()
        return fd


def test_a_run_deleted_meanwhile_is_in_the_snapshot_whole(tmp_path: Path) -> None:
    files: Any = Meanwhile()
    with Database.open(tmp_path / "db", files=files) as db:
        run = db.begin_run()
        db.kv.put(run, "a", 1)
        db.json.create(run, "d", {"b": 2})
        db.state.init(run, "c", 3)
        db.events.append(run, "e", 4)
        db.traces.record(run, "thought", "f")
        other = db.begin_run()
        db.end_run(other)
        digest = db.digest()
        files.then.append(lambda: db.delete_run(run, force=True))
        info = db.snapshot()
        assert not files.then
        assert db.last_cv == info.cv + 1
        assert info.records == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 2}
    assert check(str(tmp_path / "db"), registry=builtin_registry()) == ()

    # The power cut: the log ends where the snapshot stands.
    segment, sealed_after = sorted((tmp_path / "db/wal").iterdir())
    os.truncate(segment, info.wal_offset)
    sealed_after.unlink()
    (tmp_path / "db/CLEAN").unlink()
    with Database.open(tmp_path / "db") as db:
        assert db.last_cv == info.cv
        assert db.digest() == digest
        assert db.kv.get(run, "a") == 1


def test_a_transaction_of_a_deleted_run_is_told_instead_of_seeing_nothing() -> None:
    with Database.open() as db:
        run = db.begin_run()
        db.kv.put(run, "a", 1)
        db.events.append(run, "e")
        transaction = db.transaction(run)
        assert transaction.kv.get("a") == 1
        other = threading.Thread(target=lambda: db.delete_run(run, force=True))
        other.start()
        other.join()
        for read in (
            lambda: transaction.kv.get("a"),
            lambda: transaction.kv.keys(),
            lambda: transaction.events.len(),
            lambda: transaction.events.read(0),
            lambda: transaction.json.exists("b"),
        ):
            with pytest.raises(RunNotFound):
                read()
        transaction.rollback()
