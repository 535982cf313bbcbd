"""Arguments of the wrong kind: refused by the call, before they are in the log or a file is touched."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from devstate.engine import Database, Durability, EngineError, RecoveryOptions, RunId, errors
from devstate.engine.snapshotting import HistoryPolicy, SnapshotPolicy
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
    "retries, fewer than none": lambda db, run: db.transact(run, lambda tx: tx.kv.put("a", 1), retries=-1),
    "retries, text": lambda db, run: db.transact(run, lambda tx: tx.kv.put("a", 1), retries=cast(Any, "x")),
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


ASKED: dict[str, Callable[[Database, RunId], object]] = {
    "step, text": lambda db, run: db.replay_run(run, step=cast(Any, "x")),
    "step, part": lambda db, run: db.replay_run(run, step=cast(Any, 1.5)),
    "step, yes": lambda db, run: db.replay_run(run, step=True),
    "commit, text": lambda db, run: db.replay_run(run, cv=cast(Any, "x")),
    "export": lambda db, run: db.export_run(run, step=cast(Any, "x")),
    "fork": lambda db, run: db.fork_run(run, step=cast(Any, "x")),
    "comparison": lambda db, run: db.diff_runs(run, run, step_a=cast(Any, "x")),
    "cursor": lambda db, run: db.timeline(run).seek(cast(Any, "x")),
    "view, text": lambda db, run: db.view_at(cast(Any, "x")),
    "view, None": lambda db, run: db.view_at(cast(Any, None)),
    "view, part": lambda db, run: db.view_at(cast(Any, 1.0)),
    "time, text": lambda db, run: db.cv_at(cast(Any, "x")),
    "time, no number": lambda db, run: db.cv_at(cast(Any, float("nan"))),
    "query, number": lambda db, run: db.search(run, cast(Any, 5)),
    "query, None": lambda db, run: db.kv.search(run, cast(Any, None)),
    "k, text": lambda db, run: db.search(run, "x", k=cast(Any, "x")),
    "recency, text": lambda db, run: db.search(run, "value", recency=cast(Any, "x")),
    "budget, number": lambda db, run: db.search(run, "x", budget=cast(Any, 5)),
    "ttl, for ever": lambda db, run: db.kv.put(run, "k", 1, ttl=float("inf")),
    "ttl, no number": lambda db, run: db.kv.put(run, "k", 1, ttl=float("nan")),
    "ttl, below zero": lambda db, run: db.kv.put(run, "k", 1, ttl=-1),
    "ttl, zero": lambda db, run: db.kv.put(run, "k", 1, ttl=0),
    "ttl, too long": lambda db, run: db.kv.put(run, "k", 1, ttl=1e300),
    "ttl, text": lambda db, run: db.kv.put(run, "k", 1, ttl=cast(Any, "x")),
}


@pytest.mark.parametrize("memory", [False, True], ids=["files", "memory"])
@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_for_is_of_the_right_kind(name: str, memory: bool, tmp_path: Path) -> None:
    with Database.open(None if memory else tmp_path / "db") as database:
        run = database.begin_run()
        database.kv.put(run, "k", "value")
        before = database.last_cv
        with pytest.raises(EngineError) as caught:
            ASKED[name](database, run)
        assert caught.value.exit_code == 2 and caught.value.remedy and database.last_cv == before


BAD_SETTINGS: dict[str, Callable[[], dict[str, Any]]] = {
    "history, unknown": lambda: {"history": "forever"},
    "history, number": lambda: {"history": 5},
    "history, None": lambda: {"history": None},
    "history, no days": lambda: {"history": HistoryPolicy(float("nan"))},
    "history, days before": lambda: {"history": HistoryPolicy(-1)},
    "history, text of days": lambda: {"history": HistoryPolicy(cast(Any, "x"))},
    "snapshots, number": lambda: {"snapshots": 5},
    "snapshots, text": lambda: {"snapshots": "never"},
    "snapshots, none kept": lambda: {"snapshots": SnapshotPolicy(keep=0)},
    "snapshots, bytes": lambda: {"snapshots": SnapshotPolicy(wal_bytes=cast(Any, "x"))},
    "snapshots, seconds": lambda: {"snapshots": SnapshotPolicy(seconds=float("nan"))},
    "snapshots, at close": lambda: {"snapshots": SnapshotPolicy(close_bytes=cast(Any, None))},
    "segment, text": lambda: {"segment_bytes": "x"},
    "segment, part": lambda: {"segment_bytes": 1.5},
    "segment, none": lambda: {"segment_bytes": 0},
    "segment, None": lambda: {"segment_bytes": None},
    "limit, text": lambda: {"history_limit": "x"},
    "limit, below zero": lambda: {"history_limit": -1},
    "wait, text": lambda: {"wait": "x"},
    "wait, no number": lambda: {"wait": float("nan")},
    "recovery, text": lambda: {"recovery": "prefix"},
    "kinds, number": lambda: {"registry": 5},
    "clock, number": lambda: {"now": 5},
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_how_a_database_is_opened_is_looked_at_before_it_is_made(name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        Database.open(tmp_path / "db", **BAD_SETTINGS[name]())
    assert caught.value.exit_code == 2 and caught.value.remedy
    assert not (tmp_path / "db").exists()


@pytest.mark.parametrize("told", [1.5, "x", None, True, -5, 1 << 70], ids=repr)
def test_a_clock_that_gives_no_time_writes_none(told: Any, tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        Database.open(tmp_path / "new", now=lambda: told)
    assert caught.value.exit_code == 2 and caught.value.remedy
    assert not (tmp_path / "new" / "META").exists() and not (tmp_path / "new" / "wal").exists()
    with Database.open(tmp_path / "db") as database:
        run = database.begin_run(owned=False)
    with Database.open(tmp_path / "db", now=lambda: told) as database:
        with pytest.raises(EngineError) as caught:
            database.kv.put(run, "k", 1)
        assert caught.value.exit_code == 2 and database.last_cv == 1
    with Database.open(tmp_path / "db") as database:
        database.begin_run()
        assert database.last_cv == 2


NEEDED = {
    "what": "x",
    "limit": 1,
    "found": 2,
    "status": "completed",
    "kind": "cas",
    "primitive": "kv",
    "key": "k",
    "from_cv": 1,
    "report": None,
    "reason": "short",
    "version": 2,
    "types": (9,),
}


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_says_what_to_do(name: str) -> None:
    kind = getattr(errors, name)
    parameters = inspect.signature(kind).parameters.values()
    needed = {
        one.name: NEEDED[one.name] for one in parameters if one.default is one.empty and one.name != "message"
    }
    assert kind("it went wrong", **needed).remedy.endswith(".")
    if "remedy" in inspect.signature(kind).parameters:
        assert kind("it went wrong", **needed, remedy="Do this.").remedy == "Do this."


MISSED: dict[str, Callable[[Database, RunId], object]] = {
    "value": lambda db, run: db.kv.get_entry(run, "none"),
    "document": lambda db, run: db.json.get_doc(run, "none"),
    "document twice": lambda db, run: [db.json.create(run, "d", 1), db.json.create(run, "d", 1)],
    "cell": lambda db, run: db.state.read(run, "none"),
    "cell twice": lambda db, run: [db.state.init(run, "c", 1), db.state.init(run, "c", 1)],
    "value of no kind": lambda db, run: db.kv.put(run, "k", cast(Any, object())),
    "run": lambda db, run: db.run_metadata(RunId.new()),
    "run of no kind": lambda db, run: db.run_metadata(cast(Any, 5)),
    "comparison": lambda db, run: db.diff_runs(run, against="child"),
    "kind of records": lambda db, run: db.index_run(run, ["none"]),
}


@pytest.mark.parametrize("name", MISSED)
def test_what_is_not_there_comes_with_a_way_on(name: str) -> None:
    with Database.open() as database:
        run = database.begin_run()
        with pytest.raises(EngineError) as caught:
            MISSED[name](database, run)
        assert caught.value.remedy.endswith(".")
