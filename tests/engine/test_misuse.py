"""Arguments of the wrong kind: refused by the call, before they are in the log or a file is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from devstate.engine import Database, Durability, EngineError, RecoveryOptions, RunId
from log_forgery import flip


class Word(str):
    """What no value may be: a subclass."""


def ended_by_transaction(database: Database, run: RunId, *how: Any) -> None:
    with database.handle(run).transaction() as transaction:
        transaction.end_run(*how)


CALLS: dict[str, Callable[[Database, RunId], object]] = {
    "name, number": lambda db, run: db.begin_run(name=cast(Any, 5)),
    "name, bytes": lambda db, run: db.begin_run(name=cast(Any, b"x")),
    "name, list": lambda db, run: db.begin_run(name=cast(Any, ["x"])),
    "name, surrogate": lambda db, run: db.begin_run(name="\ud800"),
    "tags, numbers": lambda db, run: db.begin_run(tags=cast(Any, [1])),
    "tags, None": lambda db, run: db.begin_run(tags=cast(Any, [None])),
    "tags, bytes": lambda db, run: db.begin_run(tags=cast(Any, [b"x"])),
    "tags, one text": lambda db, run: db.begin_run(tags="nightly"),
    "tags added, number": lambda db, run: db.add_tags(run, cast(Any, 5)),
    "tags added, list": lambda db, run: db.add_tags(run, cast(Any, ["x"])),
    "reason, number": lambda db, run: db.end_run(run, "failed", cast(Any, 5)),
    "reason, bytes": lambda db, run: db.end_run(run, "failed", cast(Any, b"x")),
    "reason, list": lambda db, run: db.abort_run(run, cast(Any, ["x"])),
    "reason, surrogate": lambda db, run: db.abort_run(run, "\ud800"),
    "reason, subclass": lambda db, run: db.abort_run(run, Word("x")),
    "reason, too long": lambda db, run: db.abort_run(run, "x" * (17 << 20)),
    "end in a transaction, paused": lambda db, run: ended_by_transaction(db, run, "paused"),
    "end in a transaction, archived": lambda db, run: ended_by_transaction(db, run, "archived"),
    "end in a transaction, unknown": lambda db, run: ended_by_transaction(db, run, "great"),
    "end in a transaction, reason": lambda db, run: ended_by_transaction(db, run, "failed", 5),
    "fork, name": lambda db, run: db.fork_run(run, name=cast(Any, 5)),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_known_of_runs_is_checked_before_it_is_written(name: str, tmp_path: Path) -> None:
    with Database.open(tmp_path / "db") as database:
        run = database.begin_run(name="good")
        database.kv.put(run, "before", 1)
        before = database.last_cv
        with pytest.raises(EngineError) as caught:
            CALLS[name](database, run)
        assert caught.value.exit_code == 2 and database.last_cv == before
        database.kv.put(run, "after", 2)
    with Database.open(tmp_path / "db") as database:  # what was written can be read again
        assert database.kv.get(run, "after") == 2 and database.last_cv == before + 1


@pytest.mark.parametrize("how", ["Raise", "READ_ONLY", "prefx", "", None, 5])
def test_a_misspelled_decision_cuts_nothing(how: Any, tmp_path: Path) -> None:
    with Database.open(tmp_path / "db") as database:
        run = database.begin_run()
        for number in range(5):
            database.kv.put(run, "n", number)
    flip(tmp_path / "db", 3)
    before = {path: path.read_bytes() for path in (tmp_path / "db").rglob("*") if path.is_file()}
    with pytest.raises(EngineError) as caught:
        Database.open(tmp_path / "db", recovery=RecoveryOptions(on_corruption=how))
    assert caught.value.exit_code == 2 and "read_only" in caught.value.remedy
    assert before == {path: path.read_bytes() for path in (tmp_path / "db").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "options", [{"unknown": "x"}, {"max_corrupt_entries": -1}, {"max_corrupt_entries": "x"}]
)
def test_other_options_of_recovery(options: dict[str, Any]) -> None:
    with pytest.raises(EngineError) as caught:
        RecoveryOptions(**options)
    assert caught.value.exit_code == 2 and caught.value.remedy
    with pytest.raises(EngineError):
        msgspec.structs.replace(RecoveryOptions(), **options)


@pytest.mark.parametrize(
    "options", [{"interval_ms": -1}, {"interval_ms": "x"}, {"max_pending": -1}, {"max_pending": None}]
)
def test_a_durability_that_would_never_sync(options: dict[str, Any]) -> None:
    with pytest.raises(EngineError) as caught:
        Durability.buffered(**options)
    assert caught.value.exit_code == 2 and caught.value.remedy
