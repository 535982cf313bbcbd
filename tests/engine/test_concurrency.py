"""Several threads on one database: what each of them may see, and what must be there when they are done."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.files import OS
from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.errors import (
    DatabaseClosed,
    EngineError,
    ImplicitWriteInTransaction,
    NestedTransactionError,
)
from devstate.engine.snapshotting import SnapshotPolicy
from engine_oracle.interpret import from_snapshot, state_of
from engine_oracle.log import read_log
from engine_oracle.snapshots import read_snapshot

NO_SNAPSHOTS = SnapshotPolicy(close_bytes=-1)


@pytest.fixture(autouse=True)
def restless() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Watched:
    """The operating system's files, with something put round some of the calls."""

    def __init__(self, **instead: Callable[..., Any]) -> None:
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return self._instead.get(name) or getattr(OS, name)


def together(*works: Callable[[], Any]) -> None:
    """Each in a thread of its own, begun at the same time; the first exception of any of them is raised."""
    failures: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def guarded(work: Callable[[], Any]) -> None:
        try:
            gate.wait(20)
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


def modes(path: Path) -> dict[str, tuple[Path | None, str]]:
    return {"memory": (None, "memory"), "buffered": (path, "buffered"), "strict": (path, "strict")}


@pytest.mark.parametrize("mode", ["memory", "buffered", "strict"])
def test_a_reader_never_sees_half_a_transaction(tmp_path: Path, mode: str) -> None:
    path, durability = modes(tmp_path / "db")[mode]
    with Database.open(path, durability=durability, snapshots=NO_SNAPSHOTS) as db:
        run = db.run(name="r")
        with run.transaction() as tx:
            for name in ("kv", "json", "state"):
                _write_pair(tx, name, 0)
        done = threading.Event()

        def write(name: str) -> None:
            for number in range(1, 60 if mode == "strict" else 250):
                with run.transaction() as tx:
                    _write_pair(tx, name, number)
                    tx.events.append(name, number)

        def read() -> None:
            while not done.is_set():
                seen = run.kv.get_many(["one", "other"])
                assert seen["one"] == seen["other"]
                with run.transaction() as tx:
                    assert tx.kv.get("one") == tx.kv.get("other")
                    assert tx.json.get("one") == tx.json.get("other")
                    assert tx.state.get("one") == tx.state.get("other")
                    # The events of a kind are as many as its number says.
                    assert len(tx.events.by_type("kv")) == tx.kv.get("one")
                over = done.is_set()  # looked at first: a commit may come between the two listings until then
                assert dict(run.kv.items())["one"] == dict(run.kv.items("o"))["one"] or not over

        def write_all() -> None:
            try:
                together(*(lambda name=name: write(name) for name in ("kv", "json", "state")))
            finally:
                done.set()

        together(write_all, read, read)
        assert run.kv.get("one") == run.kv.get("other") > 0


def _write_pair(tx: Any, name: str, number: int) -> None:
    if name == "kv":
        tx.kv.put("one", number)
        tx.kv.put("other", number)
    elif name == "json":
        tx.json.set("one", "$", number)
        tx.json.set("other", "$", number)
    else:
        tx.state.set("one", number)
        tx.state.set("other", number)


def test_reads_one_after_the_other_never_go_back(tmp_path: Path) -> None:
    """A transaction deletes one key and writes another: who has seen the deletion sees the write, too."""
    with Database.open(tmp_path / "db", snapshots=NO_SNAPSHOTS) as db:
        run = db.run(name="r")
        done = threading.Event()

        def write() -> None:
            try:
                for number in range(1, 1500):
                    run.kv.put("gone", number)
                    with run.transaction() as tx:
                        tx.kv.delete("gone")
                        tx.kv.put("kept", number)
            finally:
                done.set()

        def read() -> None:
            while not done.is_set():
                kept = run.kv.get("kept", 0)
                gone = run.kv.get("gone")
                after = run.kv.get("kept", 0)
                # Absent behind commit n means that `kept` is n: at least one more than the number last seen there.
                if gone is None and kept:
                    again = run.kv.get("kept", 0)
                    assert again >= after >= kept
                elif gone is not None:
                    assert after >= gone - 1

        together(write, read, read)


def test_a_deletion_is_seen_with_the_rest_of_its_transaction(tmp_path: Path) -> None:
    """The moment between the two halves of an installation, held open."""
    with Database.open(tmp_path / "db", snapshots=NO_SNAPSHOTS) as db:
        run = db.run(name="r")
        run.kv.put("gone", 1)
        run.kv.put("kept", "old")
        store: Any = db.primitives.named("kv")
        install, halfway, go_on = store.install, threading.Event(), threading.Event()
        seen: list[Any] = []

        def slowly(raw: bytes, key: Any, record: Any) -> None:
            install(raw, key, record)
            if key == "gone":
                halfway.set()
                go_on.wait(5)

        def read() -> None:
            halfway.wait(5)
            threading.Timer(0.2, go_on.set).start()
            seen.extend((run.kv.get("gone"), run.kv.get("kept")))

        store.install = slowly

        def commit() -> None:
            """Without a reader, not even the transaction itself: then a deleted key is dropped at once."""
            with pytest.raises(ZeroDivisionError), run.transaction() as tx:
                tx.kv.delete("gone")
                tx.kv.put("kept", "new")
                raise ZeroDivisionError
            db.committer.commit(run.id.bytes, tx._operations)

        together(commit, read)
        assert seen in ([1, "old"], [1, "new"], [None, "new"]), (
            "a deletion seen before the rest of its commit"
        )


@pytest.mark.parametrize("count", [16])
def test_strict_groups_acknowledge_what_is_on_the_device(tmp_path: Path, count: int) -> None:
    path = tmp_path / "db"
    synced = [0]
    lock = threading.Lock()

    def fdatasync(fd: int) -> None:
        reached = os.fstat(fd).st_size
        time.sleep(0.001)
        OS.fdatasync(fd)
        with lock:
            synced[0] = max(synced[0], reached)

    acknowledged: list[tuple[int, int]] = []
    with Database.open(
        path, durability="strict", snapshots=NO_SNAPSHOTS, files=Watched(fdatasync=fdatasync)
    ) as db:
        run = db.run(name="r")

        def write(number: int) -> None:
            for step in range(12):
                cv = run.kv.put(f"k{number}", step)
                with lock:
                    acknowledged.append((cv, synced[0]))
                assert run.kv.get(f"k{number}") == step, "a thread does not see its own acknowledged write"
                with run.transaction() as tx:
                    assert tx.kv.get(f"k{number}") == step
                    tx.kv.put(f"t{number}", step)
                assert tx.commit_info is not None
                with lock:
                    acknowledged.append((tx.commit_info.cv, synced[0]))
                assert run.kv.get(f"t{number}") == step

        together(*(lambda number=number: write(number) for number in range(count)))
        reading = read_log(path)
    assert sorted(cv for cv, _ in acknowledged) == list(range(2, 2 + len(acknowledged)))
    places = {one["cv"]: one["lsn"] for one in reading.transactions}
    for cv, durable in acknowledged:
        after = places.get(cv + 1, reading.end)
        assert after <= durable, f"commit {cv} was acknowledged before it was durable"


def test_strict_readers_see_only_what_is_on_the_device(tmp_path: Path) -> None:
    held, go_on = threading.Event(), threading.Event()
    slow = [False]

    def fdatasync(fd: int) -> None:
        if slow[0]:
            held.set()
            assert go_on.wait(20)
        OS.fdatasync(fd)

    with Database.open(
        tmp_path / "db", durability="strict", snapshots=NO_SNAPSHOTS, files=Watched(fdatasync=fdatasync)
    ) as db:
        run = db.run(name="r")
        run.kv.put("k", "old")
        run.state.set("s", "old")
        run.json.set("d", "$", "old")
        run.events.append("t", "old")
        slow[0] = True

        def write() -> None:
            with run.transaction() as tx:
                tx.kv.put("k", "new")
                tx.kv.put("another", 1)
                tx.state.set("s", "new")
                tx.json.set("d", "$", "new")
                tx.events.append("t", "new")

        def read() -> None:
            assert held.wait(20)
            try:
                assert run.kv.get("k") == "old"
                assert run.kv.keys() == ["k"]
                assert run.kv.get_many(["k", "another"]) == {"k": "old"}
                assert run.state.get("s") == "old"
                assert run.json.get("d") == "old"
                assert run.events.len() == 1
                with run.transaction() as tx:
                    assert tx.kv.get("k") == "old"
                    assert [event.payload for event in tx.events.range()] == ["old"]
                assert db.last_cv == 5
            finally:
                slow[0] = False
                go_on.set()

        together(write, read)
        assert run.kv.get("k") == "new"
        assert run.events.len() == 2


def test_closing_while_others_write_keeps_every_acknowledged_commit(tmp_path: Path) -> None:
    for attempt in range(6):
        path = tmp_path / f"db{attempt}"
        db = Database.open(path, snapshots=NO_SNAPSHOTS)
        run = db.run(name="r")
        acknowledged: list[int] = []

        def write(
            number: int, db: Database = db, run: Any = run, acknowledged: list[int] = acknowledged
        ) -> None:
            for step in range(10_000):
                try:
                    acknowledged.append(run.kv.put(f"k{number}/{step}", step))
                except DatabaseClosed:
                    return

        def close(
            db: Database = db, acknowledged: list[int] = acknowledged, enough: int = 50 * (attempt + 1)
        ) -> None:
            while len(acknowledged) < enough:
                time.sleep(0.0005)
            db.close()

        together(*(lambda number=number: write(number) for number in range(4)), close)
        state, reading = state_of(path)
        assert reading.verdict == "clean"
        assert sorted(acknowledged) == list(range(2, state["cv"] + 1))
        with Database.open(path) as again:
            assert again.last_cv == state["cv"]
            assert not again.recovery.tail_bytes_discarded


def test_nothing_is_written_to_a_descriptor_after_it_was_closed(tmp_path: Path) -> None:
    """The number of a closed descriptor may belong to somebody else's file by then."""
    closed: set[int] = set()
    late: list[int] = []
    writing, go_on = threading.Event(), threading.Event()
    slow = [False]

    def pwrite(fd: int, data: Any, offset: int) -> int:
        if slow[0]:
            writing.set()
            go_on.wait(1)
        if fd in closed:
            late.append(fd)
        return OS.pwrite(fd, data, offset)

    def close_fd(fd: int) -> None:
        closed.add(fd)
        OS.close(fd)

    def open_fd(*args: Any, **kwargs: Any) -> int:
        fd = OS.open(*args, **kwargs)
        closed.discard(fd)
        return fd

    files = Watched(pwrite=pwrite, close=close_fd, open=open_fd)
    db = Database.open(tmp_path / "db", snapshots=NO_SNAPSHOTS, files=files)
    run = db.run(name="r")
    slow[0] = True

    def write() -> None:
        run.kv.put("k", 1)

    def close() -> None:
        writing.wait(20)
        threading.Timer(0.1, go_on.set).start()
        db.close()

    together(write, close)
    assert not late
    with Database.open(tmp_path / "db") as again:
        assert again.kv.get(run.id, "k") == 1


@pytest.mark.parametrize("durability", ["buffered", "strict"])
def test_snapshots_while_writers_run(tmp_path: Path, durability: str) -> None:
    """Each snapshot is the state at its commit, whatever was written, deleted or transferred meanwhile."""
    path = tmp_path / "db"
    policy = SnapshotPolicy(keep=50, close_bytes=-1)
    with Database.open(path, durability=durability, snapshots=policy, segment_bytes=20_000) as db:
        runs = [db.run(name=f"r{number}") for number in range(2)]
        done = threading.Event()

        def write(number: int) -> None:
            run = runs[number % 2]
            for step in range(25 if durability == "strict" else 150):
                with run.transaction() as tx:
                    tx.kv.put(f"k{number}/{step % 7}", step)
                    tx.kv.delete(f"k{number}/{(step + 3) % 7}")
                    tx.json.set(f"d{number}", "$.n", step)
                    tx.state.set(f"s{number}", step)
                    tx.events.append("e", step)
                    tx.traces.record("query", "q", span_id=f"span{number}", start=step)
                other = db.run(name="short")
                other.kv.put("x", step)
                other.events.append("e", step)
                db.delete_run(other.id, force=True)

        def write_all() -> None:
            try:
                together(*(lambda number=number: write(number) for number in range(3)))
            finally:
                done.set()

        def snap() -> None:
            while not done.is_set():
                db.snapshot()

        together(write_all, snap)
        db.snapshot()
        expected = db.digest()
    snapshots = sorted((path / "snapshots").iterdir())
    assert len(snapshots) > 2
    with Database.open(path) as again:
        assert again.digest() == expected
        _same_as_the_log(path, snapshots)


def _same_as_the_log(path: Path, snapshots: list[Path]) -> None:
    from engine_oracle.interpret import apply, digest

    whole = read_log(path)
    state = apply(())
    at = 0
    for file in snapshots:
        found = from_snapshot(read_snapshot(file))
        state = apply(whole.transactions[at : found["cv"]], state)
        at = found["cv"]
        for run in found["runs"].values():
            run["run"].pop("owner", None)
        assert digest(found) == digest(state), file


def test_a_run_deleted_during_a_snapshot_is_in_it(tmp_path: Path) -> None:
    """The snapshot is of a commit before the deletion; should the log behind it be lost, it is all there is."""
    path = tmp_path / "db"
    deleting = [False]
    run_id: list[Any] = []

    def open_fd(name: str, *args: Any, **kwargs: Any) -> int:
        if deleting[0] and ".tmp" in os.path.basename(name):
            deleting[0] = False
            db.delete_run(run_id[0], force=True)
        return OS.open(name, *args, **kwargs)

    with Database.open(path, snapshots=NO_SNAPSHOTS, files=Watched(open=open_fd)) as db:
        run = db.run(name="r")
        run_id.append(run.id)
        run.kv.put("k", 1)
        run.json.create("d", {"x": 1})
        run.events.append("e", 1)
        run.state.set("s", 1)
        run.traces.record("query", "q", span_id="span", start=1)
        deleting[0] = True
        info = db.snapshot()
        assert not deleting[0], "the run was not deleted meanwhile: the test tests nothing"
        found = from_snapshot(read_snapshot(info.path))
        held = found["runs"][run.id.bytes]
        assert held["kv"]["k"][2] == 1
        assert held["json"]["d"] == (1, {"x": 1})
        assert held["state"]["s"] == (1, 1)
        assert len(held["events"]) == held["run"]["event_count"] == 1
        assert "span" in held["traces"]


def test_a_counter_of_many_threads_is_exact(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", snapshots=NO_SNAPSHOTS) as db:
        run = db.run(name="r")
        run.kv.put("n", 0)
        run.state.init("n", 0)

        def add() -> None:
            for _ in range(25):
                db.transact(run.id, lambda tx: tx.kv.put("n", tx.kv.get("n") + 1), retries=1000)
                run.state.transition("n", lambda value: value + 1, retries=1000)

        together(*[add] * 4)
        assert run.kv.get("n") == 100
        assert run.state.read("n").value == 100
        assert run.state.read("n").ver == 101


def test_events_of_many_threads_are_one_chain(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db", snapshots=NO_SNAPSHOTS) as db:
        run = db.run(name="r")

        def append(number: int) -> None:
            for step in range(40):
                with run.transaction() as tx:
                    tx.events.append(f"t{number}", step)
                    tx.events.append(f"t{number}", step)
                run.events.append(f"u{number}", step)

        together(*(lambda number=number: append(number) for number in range(4)))
        assert run.events.len() == 4 * 120
        assert run.events.verify_chain() is None
        for number in range(4):
            assert [event.payload for event in run.events.by_type(f"u{number}")] == list(range(40))


# -- whose transaction it is


def test_a_write_beside_the_open_transaction_is_refused() -> None:
    with Database.open() as db:
        run = db.run(name="r")
        with run.transaction() as tx:
            for write in (
                lambda: run.kv.put("k", 1),
                lambda: run.json.set("d", "$", 1),
                lambda: run.events.append("e"),
                lambda: run.state.set("s", 1),
                lambda: run.traces.record("query", "q"),
            ):
                with pytest.raises(ImplicitWriteInTransaction):
                    write()
            tx.kv.put("k", 2)
            together(lambda: run.kv.put("other", 1))
        assert run.kv.items() == [("k", 2), ("other", 1)]
        run.kv.put("k", 3)


def test_a_thread_has_one_transaction() -> None:
    with Database.open() as db:
        run = db.run(name="r")
        with run.transaction() as tx:
            with pytest.raises(NestedTransactionError):
                run.transaction()
            with pytest.raises(NestedTransactionError):
                db.transact(run.id, lambda inner: None)
            with pytest.raises(NestedTransactionError):
                db.begin_run(name="another")
            tx.kv.put("k", 1)
            together(lambda: db.transact(run.id, lambda inner: inner.kv.put("other", 1)))
        assert run.kv.count() == 2
        with run.transaction():
            pass


def test_a_transaction_belongs_to_its_thread() -> None:
    with Database.open() as db:
        run = db.run(name="r")
        with run.transaction() as tx:
            tx.kv.put("k", 1)

            def use() -> None:
                for call in (
                    lambda: tx.kv.put("k", 2),
                    lambda: tx.kv.get("k"),
                    tx.commit,
                    lambda: tx.kv.keys(),
                ):
                    with pytest.raises(EngineError, match="belongs to the thread"):
                        call()

            together(use)
        assert run.kv.get("k") == 1


def test_a_transaction_that_ended_does_nothing_more() -> None:
    with Database.open() as db:
        run = db.run(name="r")
        with run.transaction() as tx:
            tx.kv.put("k", 1)
        for call in (lambda: tx.kv.put("k", 2), lambda: tx.kv.get("k"), tx.commit):
            with pytest.raises(DatabaseClosed):
                call()
        tx.rollback()
        with pytest.raises(ZeroDivisionError), run.transaction() as tx:
            tx.kv.put("k", 2)
            raise ZeroDivisionError
        assert run.kv.get("k") == 1


def test_a_flushed_commit_needs_no_more_sync(tmp_path: Path) -> None:
    counted: list[int] = []

    def fdatasync(fd: int) -> None:
        counted.append(fd)
        OS.fdatasync(fd)

    durability = Durability.buffered(interval_ms=3_600_000)
    with Database.open(
        tmp_path / "db", durability=durability, snapshots=NO_SNAPSHOTS, files=Watched(fdatasync=fdatasync)
    ) as db:
        run = db.run(name="r")
        run.kv.put("k", 1)
        assert not counted
        db.flush()
        assert len(counted) == 1
        with db.transaction(run.id, durability="strict") as tx:
            tx.kv.put("k", 2)
        assert len(counted) == 2
