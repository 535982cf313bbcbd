"""The cursor over the steps of a run; the whole database in the past; commits by time."""

from __future__ import annotations

import json
import shutil
from math import isqrt
from pathlib import Path
from random import Random
from typing import Any

import pytest

from devstate.engine.database import Database
from devstate.engine.errors import HistoryPruned, RunNotFound, ValueRangeError, WalCorruptionError
from devstate.engine.point_in_time import cv_at, cv_at_memory, database_view, memory_view
from devstate.engine.replay import replay
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.engine.timeline import Timeline
from devstate.engine.view import run_digest, run_digests
from run_samples import FIRST_US, REGISTRY, begin, open_db, raw, run_id, source_of, work

NO_SNAPSHOT = SnapshotPolicy(close_bytes=-1, wal_bytes=0, seconds=0)


def cursor(db: Database, number: int = 1, **options: Any) -> Timeline:
    with source_of(db) as source:
        return Timeline(source, REGISTRY, raw(number), **options)


@pytest.fixture
def db() -> Any:
    with open_db() as database:
        begin(database, 1)
        begin(database, 2)
        for turn in range(4):
            work(database, run_id(1), rounds=1, first=turn)
            work(database, run_id(2), rounds=1, first=turn)
        yield database


@pytest.mark.parametrize("memory", [0, 20_000, 64 << 20])
def test_every_seek_gives_what_a_replay_gives(db: Database, memory: int) -> None:
    line = cursor(db, checkpoint_bytes=memory)
    assert len(line) == 44
    chance = Random(7)
    with source_of(db) as source:
        for step in [44, 0, 44, 43, *(chance.randrange(45) for _ in range(60))]:
            line.seek(step)
            view, expected = line.view, replay(source, REGISTRY, raw(1), step=step)
            assert (line.step, view.step, view.n_steps, view.cv) == (step, step, 44, expected.cv)
            assert view.digest() == expected.digest()
            assert view.changes == expected.changes


def test_a_seek_applies_no_more_than_the_square_root_of_the_steps() -> None:
    with open_db() as db:
        begin(db, 1)
        for turn in range(399):
            db.handle(run_id(1)).kv.put("k", turn)
        line = cursor(db)
        line.seek(400)
        assert line.applied == 400
        for step in [*range(399, -1, -1), 250, 3, 399, 17]:
            before = line.applied
            line.seek(step)
            assert line.applied - before <= isqrt(400), step
            assert line.view.get_kv("k") == (step - 2 if step > 1 else None)


def test_with_less_memory_there_are_fewer_checkpoints_and_the_same_states() -> None:
    with open_db() as db:
        begin(db, 1)
        for turn in range(899):
            db.handle(run_id(1)).kv.put(f"k{turn}", turn)
        costs: list[int] = []
        for memory in (64 << 20, 200_000, 0):
            line = cursor(db, checkpoint_bytes=memory)
            line.seek(900)
            line.seek(899)
            costs.append(line.applied - 900)
            assert len(line.view.kv) == 898
        assert costs[0] <= 30 < costs[1] < costs[2] == 899


def test_next_and_prev_stop_at_the_ends(db: Database) -> None:
    line = cursor(db)
    assert not line.prev() and line.step == 0
    steps = 0
    while line.next():
        steps += 1
        assert line.step == steps
    assert steps == len(line) and not line.next()
    while line.prev():
        steps -= 1
        assert line.step == steps
    assert steps == 0


def test_a_view_given_out_does_not_move_with_the_cursor(db: Database) -> None:
    line = cursor(db)
    line.seek(5)
    view = line.view
    before = view.digest(), json.dumps(view.to_dict())
    late = line.view  # its parts are first asked for when the cursor is elsewhere
    line.seek(44)
    line.seek(2)
    db.handle(run_id(1)).kv.put("count", "changed")
    assert (view.digest(), json.dumps(view.to_dict())) == before
    assert (late.digest(), json.dumps(late.to_dict())) == before


def test_find_by_type_by_key_and_by_both(db: Database) -> None:
    line = cursor(db)
    steps: dict[str, list[int]] = {"tick": [], "step": []}
    with source_of(db) as source:
        views = [replay(source, REGISTRY, raw(1), step=step) for step in range(45)]
    for view in views:
        for kind in steps:
            if any(one.primitive == "events" and one.detail["type"] == kind for one in view.changes):
                steps[kind].append(view.step)
    assert len(steps["tick"]) == len(steps["step"]) == 4
    assert line.find("tick") == steps["tick"][0]
    assert line.find("tick", start=steps["tick"][0]) == steps["tick"][0]
    assert line.find("tick", start=steps["tick"][3] + 1) is None
    assert line.step == 0
    line.seek(steps["tick"][1])
    assert line.find("tick") == steps["tick"][2]
    assert line.find("tick", backwards=True) == steps["tick"][0]
    assert line.find("tick", start=44, backwards=True) == steps["tick"][3]
    assert line.find("step", "in a transaction", start=1) == steps["step"][0]
    assert line.find("tick", "in a transaction", start=1) is None
    assert line.find(key="document 3", start=0) == steps["step"][3]
    assert line.find("nothing", start=1) is None
    first_event = next(view.step for view in views if any(one.key == 0 for one in view.changes))
    assert line.find(key=0, start=1) == first_event
    line.seek(44)
    assert line.find("tick") is None
    with pytest.raises(ValueRangeError):
        line.find()
    with pytest.raises(ValueRangeError):
        line.find("tick", start=45)


def test_places_that_are_not_there(db: Database) -> None:
    line = cursor(db)
    for step in (-1, 45):
        with pytest.raises(ValueRangeError):
            line.seek(step)
    assert line.step == 0
    with pytest.raises(RunNotFound):
        cursor(db, 9)


def test_the_facade_offers_a_timeline(tmp_path: Path) -> None:
    with open_db(tmp_path / "db", segment_bytes=2048, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        work(db, run_id(1))
        for _ in range(2):
            db.snapshot()
        line = db.timeline(run_id(1))
        line.seek(len(line))
        assert line.view.digest() == run_digest(db.primitives, raw(1))


# -- the whole database


def driven(db: Database) -> dict[int, dict[bytes, str]]:
    """The digests of all runs after each commit."""
    found: dict[int, dict[bytes, str]] = {0: {}}

    def note() -> None:
        found[db.last_cv] = run_digests(db.primitives)

    for number in (1, 2):
        begin(db, number)
        note()
    for turn in range(12):
        db.handle(run_id(1 + turn % 2)).kv.put(f"k{turn % 5}", "x" * 100)
        note()
        if turn in (4, 8) and db.path is not None:
            db.snapshot()
    db.delete_run(run_id(2), force=True)
    note()
    return found


@pytest.mark.parametrize("kind", ["memory", "files"])
def test_view_at_every_commit_is_what_the_database_was(tmp_path: Path, kind: str) -> None:
    path = None if kind == "memory" else tmp_path / "db"
    with open_db(path, segment_bytes=1024, snapshots=NO_SNAPSHOT) as db:
        was = driven(db)
        assert sorted(was) == list(range(16))
        for cv, digests in was.items():
            memory = db.committer.memory
            view = (
                memory_view(memory, REGISTRY, cv)
                if memory is not None
                else database_view(str(path), REGISTRY, cv)
            )
            assert view.cv == cv
            assert {raw_of(told.run_id): view.run(told.run_id).digest() for told in view.runs()} == digests
            assert db.view_at(cv).ts == view.ts
        assert database_or_facade(db, 3).run(run_id(2)).get_kv("k0") is None
        assert database_or_facade(db, 3).run(run_id(1)).get_kv("k0") == "x" * 100
        with pytest.raises(RunNotFound):
            database_or_facade(db, 15).run(run_id(2))
        for cv in (-1, 16):
            with pytest.raises(ValueRangeError):
                db.view_at(cv)


def raw_of(run: Any) -> bytes:
    return run.bytes


def database_or_facade(db: Database, cv: int) -> Any:
    return db.view_at(cv)


def test_a_point_before_the_kept_history_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, segment_bytes=1024, snapshots=NO_SNAPSHOT, history="off") as db:
        was = driven(db)
        oldest = 7  # the snapshot after turn 4
        with pytest.raises(HistoryPruned) as caught:
            db.view_at(3)
        assert caught.value.from_cv == oldest
        view = db.view_at(oldest)
        assert {told.run_id.bytes: view.run(told.run_id).digest() for told in view.runs()} == was[oldest]


def test_a_bad_snapshot_is_passed_over_and_damage_is_said(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, segment_bytes=1024, snapshots=NO_SNAPSHOT) as db:
        was = driven(db)
    shutil.copytree(path, tmp_path / "sound")
    for file in (path / "snapshots").iterdir():
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    for cv in (5, 15):
        view = database_view(str(path), REGISTRY, cv)
        assert {told.run_id.bytes: view.run(told.run_id).digest() for told in view.runs()} == was[cv]
    first = sorted((path / "history").glob("*.wal"))[0]
    data = first.read_bytes()
    first.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    with pytest.raises(WalCorruptionError):
        database_view(str(path), REGISTRY, 5)


@pytest.mark.parametrize("kind", ["memory", "files", "files without known commits"])
def test_cv_at_each_time(tmp_path: Path, kind: str) -> None:
    path = None if kind == "memory" else tmp_path / "db"
    with open_db(path, segment_bytes=2048, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        for turn in range(600):
            db.handle(run_id(1)).kv.put("k", turn)
            if turn in (200, 400) and path is not None:
                db.snapshot()
        assert db.last_cv == 601
        times = {cv: db.view_at(cv).ts for cv in (1, 2, 255, 256, 257, 300, 512, 599, 601)}
    with open_db(path, snapshots=NO_SNAPSHOT) if path is not None else nothing(db) as again:

        def found(ts: int) -> int:
            memory = again.committer.memory
            if memory is not None:
                return cv_at_memory(memory, ts)
            return cv_at(str(path), ts) if "without" in kind else again.cv_at(ts)

        for cv, ts in times.items():
            assert (found(ts), found(ts - 1), found(ts + 1)) == (cv, cv - 1, cv)
        assert found(0) == found(FIRST_US - 1) == 0
        assert found(1 << 62) == 601


class nothing:
    """A database that was closed, for what needs no open one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def __enter__(self) -> Database:
        return self._db

    def __exit__(self, *_: object) -> None: ...


def test_cv_at_before_the_kept_history_is_refused(tmp_path: Path) -> None:
    with open_db(tmp_path / "db", segment_bytes=1024, snapshots=NO_SNAPSHOT, history="off") as db:
        driven(db)
        with pytest.raises(HistoryPruned) as caught:
            db.cv_at(FIRST_US)
        assert caught.value.from_cv > 1
        assert db.cv_at(1 << 62) == db.last_cv
    with open_db(history_limit=4) as db:
        driven(db)
        with pytest.raises(HistoryPruned):
            db.cv_at(FIRST_US + 1)
        assert db.cv_at(1 << 62) == db.last_cv
        with pytest.raises(HistoryPruned):
            db.view_at(15)
    with open_db() as db:
        assert db.cv_at(1 << 62) == 0


def test_cv_at_with_a_first_commit_of_many_bytes(tmp_path: Path) -> None:
    with open_db(tmp_path / "db", segment_bytes=2048, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        for turn in range(4):
            db.handle(run_id(1)).kv.put("k", f"{turn}" * 100_000)
        times = [db.view_at(cv).ts for cv in range(1, 6)]
        assert [db.cv_at(ts) for ts in times] == [1, 2, 3, 4, 5]
        assert [db.cv_at(ts - 1) for ts in times] == [0, 1, 2, 3, 4]
