"""Replay: P1 to P6, and the live store as the oracle of every run."""

from __future__ import annotations

import gc
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstate.engine.builtin import builtin_registry
from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.errors import HistoryPruned, RunNotFound, ValueRangeError, WalCorruptionError
from devstate.engine.framing import Transaction
from devstate.engine.journal import MemoryHistory
from devstate.engine.map_primitive import MapPrimitive
from devstate.engine.primitives.runs import RunStatus
from devstate.engine.registry import Registry
from devstate.engine.replay import replay
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.engine.view import ReadOnlyView, run_digest, run_digests, view_of_live
from run_samples import REGISTRY, begin, book_of, open_db, raw, run_id, source_of, work

NO_SNAPSHOT = SnapshotPolicy(close_bytes=-1, wal_bytes=0, seconds=0)


def replayed(db: Database, number: int, **where: Any) -> ReadOnlyView:
    with source_of(db) as source:
        return replay(source, REGISTRY, raw(number), **where)


def hold_all_runs(db: Database) -> int:
    """Every live run equals its replay; how many there are."""
    live = run_digests(db.primitives)
    for run, digest in live.items():
        assert run_digest(db.primitives, run) == digest
        with source_of(db) as source:
            assert replay(source, REGISTRY, run).digest() == digest
    return len(live)


def three_runs(db: Database) -> None:
    for number in (1, 2, 3):
        begin(db, number, tags=["t"], metadata={"n": number})
    for turn in range(3):  # interleaved, so that each run's transactions lie between the others'
        for number in (1, 2, 3):
            work(db, run_id(number), rounds=1, first=turn, word=f"w{number}")
    db.end_run(run_id(1))
    db.abort_run(run_id(2), "no luck")


def test_every_run_replays_to_its_live_state_in_memory() -> None:
    with open_db() as db:
        three_runs(db)
        assert hold_all_runs(db) == 3


def test_every_run_replays_to_its_live_state_through_snapshots_archives_and_reopening(tmp_path: Path) -> None:
    """Runs that began before a snapshot, between snapshots, and after; history in sealed segments and live ones."""
    path = tmp_path / "db"
    with open_db(path, segment_bytes=4096, snapshots=NO_SNAPSHOT) as db:
        three_runs(db)
        db.snapshot()
        begin(db, 4)
        work(db, run_id(4))
        db.snapshot()
        work(db, run_id(3), first=3)
        db.snapshot()
        assert hold_all_runs(db) == 4
    assert len(os.listdir(path / "history")) > 4, "nothing was archived: the test tests nothing"
    for _ in range(2):
        with open_db(path, segment_bytes=4096, snapshots=NO_SNAPSHOT) as db:
            assert hold_all_runs(db) == 4
            begin(db, 5)
            work(db, run_id(5), rounds=1)
            assert hold_all_runs(db) == 5
            db.delete_run(run_id(5), force=True)
            assert hold_all_runs(db) == 4


def test_a_deleted_and_remade_run_replays_from_its_second_beginning(tmp_path: Path) -> None:
    with open_db(tmp_path / "db", segment_bytes=2048, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        work(db, run_id(1), word="first life")
        db.delete_run(run_id(1), force=True)
        with pytest.raises(RunNotFound):
            replayed(db, 1)
        begin(db, 1)
        db.handle(run_id(1)).kv.put("a", 1)
        for _ in range(3):
            db.snapshot()
            db.handle(run_id(1)).kv.put("b", 2)
        view = replayed(db, 1)
        assert dict(view.kv) == {"a": 1, "b": 2}
        assert hold_all_runs(db) == 1


def test_p1_the_result_depends_on_the_entries_of_the_run_alone(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, segment_bytes=4096, snapshots=NO_SNAPSHOT) as db:
        three_runs(db)
        first = replayed(db, 1)
        expected = first.digest(), first.to_dict()
        db.snapshot()
        assert replayed(db, 1).digest() == expected[0]
    with open_db(path, snapshots=NO_SNAPSHOT) as db:
        db.snapshot()
        db.snapshot()
        view = replayed(db, 1)
        assert (view.digest(), view.to_dict()) == expected
    shutil.copytree(path, tmp_path / "copy")
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from run_samples import *; from devstate.engine.replay import replay\n"
        "db = open_db(sys.argv[1], read_only=True)\n"
        "with source_of(db) as source: print(replay(source, REGISTRY, raw(1)).digest())\n"
        "db.close()"
    )
    for seed in ("1", "77"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "copy"), str(Path(__file__).parents[1])],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.strip() == expected[0]


def files_of(path: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(file.relative_to(path)): (file.stat().st_size, file.stat().st_mtime_ns, file.read_bytes())
        for file in path.rglob("*")
        if file.is_file()
    }


def test_p2_no_side_effect(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, segment_bytes=4096, snapshots=NO_SNAPSHOT) as db:
        three_runs(db)
        db.snapshot()
        db.snapshot()
        db.flush()
        for index in (path / "history").glob("*.idx"):
            index.unlink()  # then it reads segments, and must not put the index back
        before = db.digest(), files_of(path), db.committer.sequence, db.committer.cv
        for number in (1, 2, 3):
            replayed(db, number).to_dict()
        assert (db.digest(), files_of(path), db.committer.sequence, db.committer.cv) == before
    modes = {folder: folder.stat().st_mode for folder in (path, *path.rglob("*"))}
    for place, mode in modes.items():
        place.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        with open_db(path, read_only=True) as db:
            assert hold_all_runs(db) == 3
    finally:
        for place, mode in modes.items():
            place.chmod(mode)


def test_p3_what_a_view_gives_belongs_to_the_caller() -> None:
    with open_db() as db:
        three_runs(db)
        view = replayed(db, 1)
    before = view.digest(), json.dumps(view.to_dict())
    view.kv["key 2"]["word"] = "other"
    view.json["plan"]["steps"].clear()
    view.get_json("plan", "$.steps").append(1)
    view.events[0].payload["n"] = -1
    view.traces[0].attrs.clear()
    assert view.run is not None
    view.run.metadata["n"] = "other"
    view.changes[0].detail["x"] = 1
    view.to_dict()["kv"].clear()
    assert (view.digest(), json.dumps(view.to_dict())) == before
    for name in ("kv", "json", "state", "events", "traces"):
        assert not any(
            hasattr(getattr(view, name), method) for method in ("put", "set", "append", "__setitem__")
        )
    with pytest.raises(AttributeError):
        view.step = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del view.cv


def test_p4_not_persisted(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, snapshots=NO_SNAPSHOT) as db:
        three_runs(db)
        names = sorted(files_of(path))
        view = replayed(db, 1)
        assert sorted(files_of(path)) == names
        reference = weakref.ref(view)
        del view
        gc.collect()
        assert reference() is None


def test_p5_ten_replays_are_one_and_none_reads_a_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_db() as db:
        three_runs(db)
        digest = replayed(db, 1).digest()

        def no_clock(*_: object) -> int:
            raise AssertionError("a replay read a clock")

        for name in ("time", "time_ns", "monotonic", "monotonic_ns"):
            monkeypatch.setattr(f"time.{name}", no_clock)
        assert {replayed(db, 1).digest() for _ in range(10)} == {digest}


def test_p6_a_replay_while_others_write_equals_the_one_after(tmp_path: Path) -> None:
    with open_db(tmp_path / "db", snapshots=NO_SNAPSHOT) as db:
        three_runs(db)
        stop = threading.Event()

        def write() -> None:
            for turn in range(400):
                if stop.is_set():
                    return
                db.handle(run_id(3)).kv.put("busy", turn)
                time.sleep(0.0002)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            during = []
            for _ in range(20):
                view = replayed(db, 3)
                during.append((view.cv, view.step, view.digest()))
        finally:
            stop.set()
            writer.join()
        assert during[0][0] < during[-1][0], "nothing was written meanwhile"
        for cv, step, digest in during:
            assert replayed(db, 3, cv=cv).digest() == digest
            assert replayed(db, 3, step=step).digest() == digest


def test_each_step_is_the_live_state_after_that_commit() -> None:
    with open_db() as db:
        begin(db, 1)
        begin(db, 2)
        digests = [run_digest(db.primitives, raw(1))]
        cvs = [db.primitives.named("runs").view(raw(1), 1 << 63).last_cv]
        handle = db.handle(run_id(1))
        for turn in range(6):
            handle.kv.put("a", turn)
            db.handle(run_id(2)).kv.put("b", turn)
            digests.append(run_digest(db.primitives, raw(1)))
            cvs.append(cvs[0] + 2 + 2 * turn)
        for step, (digest, cv) in enumerate(zip(digests, cvs, strict=True), 1):
            view = replayed(db, 1, step=step)
            assert (view.step, view.n_steps, view.cv, view.digest()) == (step, 7, cv, digest)
            assert replayed(db, 1, cv=cv).digest() == digest
            # A commit of another run in between changes nothing.
            assert replayed(db, 1, cv=cv + (1 if step > 1 else 0)).digest() == digest


def test_step_0_is_empty() -> None:
    with open_db() as db:
        three_runs(db)
        view = replayed(db, 1, step=0)
        assert (view.step, view.cv, view.ts, view.run, view.changes, view.keys()) == (0, 0, 0, None, (), ())
        assert not view.kv and not view.json and not view.state and not view.events and not view.traces
        assert view.digest() == replayed(db, 1, cv=0).digest()
        assert view.get_kv("count", "nothing") == "nothing"
        assert view.get_state("phase") is None
        with pytest.raises(KeyError):
            view.get_json("plan")
        json.dumps(view.to_dict())


def test_a_view_reads_as_the_run_does() -> None:
    with open_db() as db:
        three_runs(db)
        view, handle = replayed(db, 2), db.handle(run_id(2))
        assert list(view.kv) == ["count", "in a transaction", "key 2", "soon gone"]
        assert view.get_kv("count") == 2
        # No clock hides it: the entry has been expired for long.
        assert handle.kv.get("soon gone") is None or view.kv["soon gone"] == "w2"
        assert view.kv["soon gone"] == "w2"
        assert view.get_json("plan") == handle.json.get("plan")
        assert view.get_json("plan", "$.steps[0].n") == 1
        assert view.get_state("phase") == "begin++"
        assert [event.hash for event in view.events] == [event.hash for event in handle.events.range()]
        assert list(view.traces) == handle.traces.items()
        assert view.run is not None
        assert (view.run.status, view.run.reason, view.run.name) == (RunStatus.FAILED, "no luck", "run 2")
        assert view.run == db.run_metadata(run_id(2))
        assert view.primitive("kv") == view.kv
        assert {("kv", "count"), ("events", 0), ("json", "plan")} <= set(view.keys())
        assert view.run_id == run_id(2) and view.complete
        assert "step 34 of 34" in repr(view)


def test_changes_tell_what_a_step_did() -> None:
    with open_db() as db:
        begin(db, 1)
        handle = db.handle(run_id(1))
        handle.json.create("d", {"a": 1})
        handle.json.set("d", "$.a", 2)
        with handle.transaction() as tx:
            tx.ext("kv").put("k", 1)
            tx.ext("kv").put("k", 2)
            tx.ext("kv").delete("k")
            tx.ext("events").append("e", [1])
        db.end_run(run_id(1), reason="done")

        def told(step: int) -> list[tuple[Any, ...]]:
            changes = replayed(db, 1, step=step).changes
            return [(one.op, one.primitive, one.key, one.before, one.after) for one in changes]

        assert [one[:3] for one in told(1)] == [("create", "runs", None), ("begin", "runs", None)]
        assert told(2) == [("create", "json", "d", None, {"a": 1})]
        assert told(3) == [("set", "json", "d", {"a": 1}, {"a": 2})]
        detail = replayed(db, 1, step=3).changes[0].detail
        assert detail == {"path": "$.a", "value": 2, "ver": 2}
        assert [one[:4] for one in told(4)] == [
            ("put", "kv", "k", None),
            ("put", "kv", "k", 1),
            ("delete", "kv", "k", 2),
            ("append", "events", 0, None),
        ]
        assert [one[4] for one in told(4)[:3]] == [1, 2, None]
        (end,) = replayed(db, 1, step=5).changes
        assert (end.op, end.before["status"], end.after["status"]) == ("end", "active", "completed")
        assert end.to_dict()["detail"] == {"status": "completed", "reason": "done"}


@pytest.mark.parametrize("where", [{"step": -1}, {"step": 35}, {"cv": -1}, {"step": 1, "cv": 1}])
def test_a_place_that_the_run_does_not_have_is_refused(where: dict[str, int]) -> None:
    with open_db() as db:
        three_runs(db)
        with pytest.raises(ValueRangeError) as caught:
            replayed(db, 1, **where)
        assert caught.value.remedy


def test_an_unknown_run_is_refused() -> None:
    with open_db() as db, pytest.raises(RunNotFound):
        replayed(db, 9)


class Bent:
    """A source that gives other transactions than it should."""

    def __init__(self, transactions: list[Transaction]) -> None:
        self._transactions = transactions

    def positions(self, run: bytes) -> list[int]:
        return list(range(len(self._transactions)))

    def transaction(self, lsn: int) -> Transaction:
        return self._transactions[lsn]

    def transactions(self, positions: Sequence[int]) -> Iterator[Transaction]:
        return map(self.transaction, positions)

    def opened(self) -> AbstractContextManager[Bent]:
        return nullcontext(self)


def test_transactions_of_others_or_out_of_order_or_that_do_not_fit_are_damage() -> None:
    with open_db() as db:
        begin(db, 1)
        begin(db, 2)
        handle = db.handle(run_id(1))
        handle.json.create("d", 1)
        handle.json.set("d", "", 2)
        memory = db.committer.memory
        assert memory is not None
        own = [memory.read_transaction(lsn) for lsn in book_of(db)(raw(1)).lsns]
        other = memory.read_transaction(1)
    replay(Bent(own), REGISTRY, raw(1))
    for bent in ([own[0], other], [own[0], own[0]], [own[0], own[2], own[1]], [own[0], own[2]], [own[1]]):
        with pytest.raises(WalCorruptionError):
            replay(Bent(bent), REGISTRY, raw(1))


def test_pruned_history_is_said_and_the_final_state_is_still_there(tmp_path: Path) -> None:
    with open_db(tmp_path / "db", segment_bytes=2048, snapshots=NO_SNAPSHOT, history="off") as db:
        three_runs(db)
        db.snapshot()
        work(db, run_id(3), first=3)
        db.snapshot()
        begin(db, 4)
        with pytest.raises(HistoryPruned) as caught:
            replayed(db, 1)
        assert 1 < caught.value.from_cv <= db.last_cv
        assert replayed(db, 4).digest() == run_digest(db.primitives, raw(4))
        for number in (1, 3):
            final = view_of_live(db.primitives, REGISTRY, raw(number), db.last_cv, guard=db.committer.lock)
            assert not final.complete and final.changes == ()
            assert final.digest() == run_digest(db.primitives, raw(number))
            assert final.step == final.n_steps == db.run_metadata(run_id(number)).tx_count
            assert final.kv["count"] == db.handle(run_id(number)).kv.get("count")
        kept = view_of_live(db.primitives, REGISTRY, raw(3), db.last_cv)
        db.handle(run_id(3)).kv.put("count", "later")
        assert kept.kv["count"] == 5, "the view must not follow the database"
        with pytest.raises(RunNotFound):
            view_of_live(db.primitives, REGISTRY, raw(9), db.last_cv)


def test_history_limit_in_memory(tmp_path: Path) -> None:
    with open_db(history_limit=10) as db:
        begin(db, 1)
        work(db, run_id(1), rounds=2)
        begin(db, 2)
        with pytest.raises(HistoryPruned):
            replayed(db, 1)
        assert replayed(db, 2).step == 1
        memory = db.committer.memory
        assert memory is not None
        assert len(MemoryHistory(memory, book_of(db)).positions(raw(2))) == 1


class Tally(MapPrimitive):
    """A kind that is not the engine's own."""

    type_id = 9
    name = "tally"
    puts = (0x80,)
    deletes = (0x81,)


def with_tally() -> Registry:
    return builtin_registry().register(Tally)


def tallied(db: Database) -> Tally:
    found = db.primitives.named("tally")
    assert isinstance(found, Tally)
    return found


def test_kinds_of_plug_ins_replay_and_without_them_the_rest_does(tmp_path: Path) -> None:
    registry = with_tally()
    with open_db(tmp_path / "db", registry=registry) as db:
        begin(db, 1)
        with db.transaction(run_id(1)) as tx:
            tx.write(tallied(db).put(0x80, "a", 1))
            tx.ext("kv").put("k", 1)
            tx.write(tallied(db).put(0x80, "b", [2]))
        with db.transaction(run_id(1)) as tx:
            tx.write(tallied(db).remove(0x81, "a"))
        db.end_run(run_id(1))
        with source_of(db) as source:
            view = replay(source, registry, raw(1))
            assert dict(view.primitive("tally")) == {"b": [[2]]}
            assert view.digest() == run_digest(db.primitives, raw(1))
            assert ("tally", "b") in view.keys()  # noqa: SIM118
            gone = replay(source, registry, raw(1), step=3).changes
            assert [(one.op, one.primitive, one.key, one.before, one.after) for one in gone] == [
                ("delete", "tally", "a", [1], None)
            ]
            without = replay(source, REGISTRY, raw(1), step=2)
            assert dict(without.kv) == {"k": 1}
            told = [(one.op, one.primitive, one.key) for one in without.changes]
            assert told == [("unknown", "", "a"), ("put", "kv", "k"), ("unknown", "", "b")]
            assert without.changes[0].detail["type"] == 0x80
            assert replay(source, REGISTRY, raw(1)).run == view.run


ACTIONS = (
    "put",
    "delete",
    "event",
    "create",
    "set",
    "destroy",
    "cell",
    "span",
    "many",
    "pause",
    "snapshot",
    "reopen",
)


def act(db: Database, run: str, action: str, number: int) -> None:
    handle, key = db.handle(run), f"k{number % 3}"
    if action == "put":
        handle.kv.put(key, number, ttl=number % 2 or None)
    elif action == "delete":
        handle.kv.delete(key)
    elif action == "event":
        handle.events.append(key, number)
    elif action == "create":
        handle.json.set(key, "", {"n": number, "l": []})
    elif action == "set" and handle.json.exists(key):
        handle.json.set(key, "$.l[0]", number)
    elif action == "destroy":
        handle.json.delete(key)
    elif action == "cell":
        handle.state.delete(key) if number % 3 == 0 else handle.state.set(key, number)
    elif action == "span":
        handle.traces.record("thought", key, span_id=key, start=number)
    elif action == "many":
        with handle.transaction() as tx:
            tx.ext("kv").put(key, number)
            tx.ext("kv").delete(key)
            tx.ext("events").append(key, [number])
            tx.ext("state").set(key, number)
    elif action == "pause":
        db.pause_run(run)
        db.resume_run(run)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(ACTIONS), st.integers(1, 3), st.integers(0, 8)), min_size=5, max_size=60
    )
)
def test_whatever_happens_every_step_replays_to_what_was_live_then(
    script: list[tuple[str, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "db")

        def opened() -> Database:
            quiet = Durability.buffered(interval_ms=0)
            return open_db(
                path, segment_bytes=1024, snapshots=NO_SNAPSHOT, durability=quiet, entropy=os.urandom
            )

        db = opened()
        try:
            was: dict[int, dict[int, str]] = {number: {} for number in (1, 2, 3)}
            for number in was:
                begin(db, number)
            for action, number, value in script:
                if action == "snapshot":
                    db.snapshot()
                elif action == "reopen":
                    db.close()
                    db = opened()
                    for other in was:
                        db.resume_run(run_id(other))  # they are orphans now
                else:
                    act(db, run_id(number), action, value)
                for other, digests in was.items():
                    digests[db.run_metadata(run_id(other)).tx_count] = run_digest(db.primitives, raw(other))
            for number, digests in was.items():
                line = db.timeline(run_id(number))
                for step, digest in digests.items():
                    assert replayed(db, number, step=step).digest() == digest
                    line.seek(step)
                    assert line.view.digest() == digest
            hold_all_runs(db)
        finally:
            db.close()
