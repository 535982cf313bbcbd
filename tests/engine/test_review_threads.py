"""Threads that meet at the one moment where it matters: each is held there until the others have done their part."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.faults import FaultyFiles
from devstate.durable.files import OS
from devstate.engine.batch import PutValue
from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.errors import DatabaseClosed, DatabaseLocked, EngineError
from devstate.engine.ids import run_bytes
from devstate.engine.layout import CLEAN
from devstate.engine.primitive import Key
from devstate.engine.primitives.cells import StateStore
from devstate.engine.primitives.events import EventStore
from devstate.engine.primitives.json_documents import JsonStore
from devstate.engine.primitives.kv import DELETE, PUT, KvStore
from devstate.engine.primitives.runs import RunStore
from devstate.engine.primitives.traces import TraceStore
from devstate.engine.registry import Registry
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.engine.versions import Record
from engine_crash.driving import RUNS, opened

A = RUNS[0]
PATIENCE = 30.0


def begun(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


class Halting(KvStore):
    """Halts a writer that has removed a record, and a reader behind its first look, once."""

    removed = threading.Event()
    looked = threading.Event()
    committed = threading.Event()
    reader = 0

    def install(self, run: bytes, key: Key, record: Record) -> None:
        super().install(run, key, record)
        if self.reader and record[1] is None:
            self.removed.set()
            assert self.looked.wait(PATIENCE)

    def latest(self, run: bytes, key: Key) -> Record | None:
        found = super().latest(run, key)
        if self.reader == threading.get_ident() and not self.looked.is_set():
            self.looked.set()
            assert self.committed.wait(PATIENCE)
        return found


class HaltingBehind(KvStore):
    """The same for a database that follows: the reader looks twice while a transaction is half applied."""

    asked = threading.Event()
    removed = threading.Event()
    looked = threading.Event()
    reader = 0
    looks = 0

    def install(self, run: bytes, key: Key, record: Record) -> None:
        super().install(run, key, record)
        if self.reader and record[1] is None:
            self.removed.set()
            assert self.looked.wait(PATIENCE)

    def latest(self, run: bytes, key: Key) -> Record | None:
        if self.reader != threading.get_ident():
            return super().latest(run, key)
        self.asked.set()
        assert self.removed.wait(PATIENCE)
        found = super().latest(run, key)
        HaltingBehind.looks += 1
        if self.looks == 2:
            self.looked.set()
        return found


def registry_with(kv: type[KvStore]) -> Registry:
    registry = Registry()
    for kind in (kv, JsonStore, EventStore, StateStore, TraceStore, RunStore):
        registry.register(kind)
    return registry


def test_a_follower_shows_no_transaction_that_it_has_taken_in_by_half(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path)) as writer:
        writer.begin_run(A)
        writer.kv.put(A, "k", 1)
        with opened(OS, str(tmp_path), read_only=True, registry=registry_with(HaltingBehind)) as db:
            HaltingBehind.reader = threading.get_ident()

            def rewrite() -> None:
                assert HaltingBehind.asked.wait(PATIENCE)
                with writer.transaction(A) as transaction:
                    transaction.kv.delete("k")
                    transaction.kv.put("k", 2)
                db.refresh()

            follower = begun(rewrite)
            assert db.kv.get(A, "k", "absent") == 2
            follower.join()


def test_a_key_that_a_commit_removes_and_writes_again_is_absent_for_nobody(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path), registry=registry_with(Halting)) as db:
        db.begin_run(A)
        db.kv.put(A, "k", 1)
        kv: Any = db.primitives.named("kv")
        Halting.reader = threading.get_ident()

        def rewrite() -> None:
            db.committer.commit(run_bytes(A), [kv.remove(DELETE, "k"), PutValue(kv, PUT, "k", b"\x02")])
            Halting.committed.set()

        writer = begun(rewrite)
        assert Halting.removed.wait(PATIENCE)
        assert db.kv.get(A, "k", "absent") == 2
        writer.join()


class Handing:
    """A queue behind whose `put` the thread rests until what it put has been dealt with."""

    def __init__(self, queue: Any, dealt: threading.Semaphore) -> None:
        self._queue = queue
        self._dealt = dealt

    def put(self, message: str) -> None:
        self._queue.put(message)
        assert self._dealt.acquire(timeout=PATIENCE)


def test_a_sync_that_is_quicker_than_who_asked_for_it_does_not_end_all_syncs(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path), durability=Durability.buffered(interval_ms=1)) as db:
        flusher: Any = db.committer.flusher
        flush, flushed = flusher._flush, threading.Semaphore(0)

        def flush_and_tell() -> None:
            flush()
            flushed.release()

        flusher._flush = flush_and_tell
        db.begin_run(A)
        assert flushed.acquire(timeout=PATIENCE)
        messages, flusher._messages = flusher._messages, Handing(flusher._messages, flushed)
        db.kv.put(A, "k", 1)
        flusher._messages = messages
        assert not flusher.armed  # so the next commit asks again
        db.kv.put(A, "k", 2)
        assert flushed.acquire(timeout=PATIENCE)


def test_an_index_that_is_made_while_a_commit_waits_for_the_device_gets_it_too(tmp_path: Path) -> None:
    syncing, released = threading.Event(), threading.Event()
    with opened(OS, str(tmp_path), mode="strict") as db:
        assert db.committer.log is not None
        db.begin_run(A)
        group = db.committer.log.syncing
        sync = group._sync  # pyright: ignore[reportPrivateUsage]

        def slow() -> int:
            syncing.set()
            assert released.wait(PATIENCE)
            return sync()

        group._sync = slow  # pyright: ignore[reportPrivateUsage]
        writer = begun(lambda: db.kv.put(A, "fruit", "banana"))
        assert syncing.wait(PATIENCE)
        indexer = begun(lambda: db.index_run(A))
        indexer.join(0.1)  # long enough for an index that does not wait; one that does is waited for below
        released.set()
        indexer.join()
        writer.join()
        assert [hit.ref.key for hit in db.search(A, "banana").hits] == ["fruit"]


class Watched(FaultyFiles):
    """Tells when a file is put in place, and waits a moment for what that sets off."""

    def __init__(self, ending: str, work: Callable[[], object]) -> None:
        super().__init__(OS, ())
        self.ending, self.work = ending, work

    def replace(self, source: str, target: str) -> None:
        if target.endswith(self.ending):
            work, self.work = self.work, lambda: None
            work()
        super().replace(source, target)


def test_a_commit_beside_a_close_is_vouched_for_or_refused(tmp_path: Path) -> None:
    refused: list[EngineError] = []
    threads: list[threading.Thread] = []

    def put() -> None:
        try:
            db.kv.put(A, "late", 1)
        except EngineError as error:
            refused.append(error)

    def set_off() -> None:
        threads.append(begun(put))
        threads[0].join(0.1)  # long enough for a commit that nothing holds back

    db = opened(Watched(CLEAN, set_off), str(tmp_path))
    db.begin_run(A, owned=False)
    db.close()
    threads[0].join()
    assert [type(error) for error in refused] == [DatabaseClosed]
    assert (tmp_path / CLEAN).exists()


def test_a_database_is_not_given_back_before_a_snapshot_is_done(tmp_path: Path) -> None:
    closers: list[threading.Thread] = []

    def set_off() -> None:
        closers.append(begun(db.close))
        closers[0].join(0.1)
        with pytest.raises(DatabaseLocked):
            opened(OS, str(tmp_path))

    db = opened(Watched(".dat", set_off), str(tmp_path))
    db.begin_run(A, owned=False)
    db.snapshot()
    closers[0].join()
    with opened(OS, str(tmp_path)) as again:
        assert again.recovery.snapshot_used is not None


def test_a_commit_stands_where_no_thread_can_be_had_for_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with opened(OS, str(tmp_path), snapshots=SnapshotPolicy(wal_bytes=1)) as db:
        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", none_left)
            db.begin_run(A)
            db.kv.put(A, "k", 1)
        assert db.kv.get(A, "k") == 1
        db.kv.put(A, "k", 2)
        assert "devstate-snapshots" in [thread.name for thread in threading.enumerate()]


class Holding(FaultyFiles):
    """Lets no sync end before it is told to."""

    def __init__(self) -> None:
        super().__init__(OS, ())
        self.go_on = threading.Event()
        self.asked = threading.Event()
        self.go_on.set()

    def fdatasync(self, fd: int) -> None:
        self.asked.set()
        assert self.go_on.wait(PATIENCE)
        super().fdatasync(fd)


def _step(timeline: Any) -> object:
    timeline.seek(2)
    return timeline.view.run


LOOKS: dict[str, Callable[[Any], object]] = {
    "its status": lambda db: db.run_status(A),
    "what is known": lambda db: db.run_metadata(A),
    "all runs": lambda db: db.list_runs(),
    "its replay": lambda db: db.replay_run(A).run,
    "its last step": lambda db: _step(db.timeline(A)),
    "the past": lambda db: db.view_at(2).run(A).run,
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_run_is_not_seen_to_have_ended_before_that_is_on_the_device(tmp_path: Path, look: str) -> None:
    files = Holding()
    with opened(files, str(tmp_path), mode="strict") as db:
        db.begin_run(A)
        files.go_on.clear()
        files.asked.clear()
        writer = begun(lambda: db.end_run(A))
        assert files.asked.wait(PATIENCE)
        seen: list[str] = []
        reader = begun(lambda: seen.append(repr(LOOKS[look](db))))
        reader.join(0.1)
        early = list(seen)
        files.go_on.set()
        writer.join(PATIENCE)
        reader.join(PATIENCE)
        assert not any("completed" in one for one in early)
        assert "completed" in seen[0]


# -- a thread that ends with its transaction open


def in_a_thread_of_the_same_number(number: int, work: Callable[[], object]) -> None:
    """The system gives the number of a thread that has ended to one that begins."""
    met: list[object] = []
    for _ in range(10_000):
        thread = begun(lambda: met.append(work()) if threading.get_ident() == number else None)
        thread.join(PATIENCE)
        if thread.ident == number:
            assert len(met) == 1, "it raised"
            return
    raise AssertionError("the number was given to nobody")


def test_a_transaction_of_a_thread_that_ended_keeps_no_other_thread_from_its_own() -> None:
    with Database.open() as db:
        run = db.run(A)
        left: list[Any] = []

        def leave() -> None:
            left.append(db.transaction(A))
            left[0].kv.put("left", 1)

        def write() -> None:
            run.kv.put("by itself", 1)
            with db.transaction(A) as tx:
                tx.kv.put("together", 1)
                left[0].rollback()  # takes nothing from the transaction of this thread
                assert len(db.committer.versions.readers) == 1

        thread = begun(leave)
        thread.join(PATIENCE)
        assert thread.ident is not None and left[0].open
        in_a_thread_of_the_same_number(thread.ident, write)
        assert run.kv.keys() == ["by itself", "together"]
        assert not left[0].open and not db.committer.transactions and not db.committer.versions.readers
        with pytest.raises(DatabaseClosed):
            left[0].kv.put("left", 2)
