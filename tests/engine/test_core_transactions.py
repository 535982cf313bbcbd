"""Transactions and the commit path: what is checked, numbered and told, and what is left behind by each way out."""

from __future__ import annotations

import errno
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import devstate.engine.commit as commit_module
from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.engine.builtin import builtin_registry
from devstate.engine.database import Database
from devstate.engine.errors import (
    ConflictError,
    DatabaseClosed,
    DurabilityError,
    EngineError,
    EngineLimitExceeded,
    ImplicitWriteInTransaction,
    NestedTransactionError,
    ReadOnlyError,
    RunNotActive,
    RunNotFound,
)
from devstate.engine.framing import split_tx_id
from devstate.engine.ids import run_bytes
from devstate.engine.map_primitive import MapPrimitive
from devstate.engine.segments import SegmentReader, list_segments
from devstate.engine.snapshotting import commits_in
from devstate.engine.transactions import CommitInfo
from engine_crash.driving import RUNS, opened

A, B = RUNS[:2]


class Tally(MapPrimitive):
    type_id = 9
    name = "tally"
    puts = (0x80,)
    deletes = (0x81,)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(clock: Clock) -> Any:
    with Database.open(now=clock) as database:
        database.begin_run(A)
        yield database


def beside(db: Database, write: Callable[[], Any]) -> Any:
    """From another thread, as transactions belong to theirs."""
    came: list[Any] = []
    thread = threading.Thread(target=lambda: came.append(write()))
    thread.start()
    thread.join()
    return came[0]


def idle(db: Database) -> bool:
    """Nothing of a transaction is left: no reader, no chain, no thread that has one open."""
    versions = db.primitives.versions
    return not versions.readers and not versions.chained and not db.committer.transactions


# -- what a commit comes to


def test_what_was_committed_is_told(db: Database, clock: Clock) -> None:
    cv = db.last_cv
    clock.now = 5_000
    with db.transaction(A) as tx:
        assert tx.commit_info is None
        assert tx.kv.put("a", 1) == 0  # its commit version is not known yet
        tx.kv.put("b", 2)
        ref = tx.events.append("e", None)
        ver = tx.state.set("s", 1)
    assert tx.commit_info == CommitInfo(cv + 1, 5_000, 4, tx.commit_info.results)
    assert [tx.commit_info.results[0], tx.commit_info.results[3]] == [cv + 1, ver]
    assert tx.commit_info.results[2].seq == ref.seq == 0
    assert (db.last_cv, db.committer.ts, db.committer.sequence) == (cv + 1, 5_000, cv + 2)
    assert idle(db)


def test_nothing_written_is_no_commit(db: Database) -> None:
    cv = db.last_cv
    with db.transaction(A) as tx:
        tx.kv.get("a")
    assert tx.commit_info == CommitInfo(0, 0, 0, ())
    tx = db.transaction(A)
    tx.kv.delete("absent")  # an operation, but no entry comes of it
    info = tx.commit()
    assert (info.cv, info.ts, info.entries) == (0, 0, 0) and len(info.results) == 1
    assert db.kv.delete(A, "absent") is False
    assert db.last_cv == cv and idle(db)


def test_times_never_go_back(db: Database, clock: Clock) -> None:
    clock.now = 9_000
    db.kv.put(A, "k", 1)
    clock.now = 3
    db.kv.put(A, "k", 2)
    with db.transaction(A) as tx:
        tx.kv.put("k", 3)
        tx.kv.put("l", 3)
    assert tx.commit_info is not None and tx.commit_info.ts == 9_000
    assert db.kv.get_entry(A, "k").ts == 9_000
    clock.now = 9_001
    db.kv.put(A, "k", 4)
    assert db.kv.get_entry(A, "k").ts == 9_001 == db.committer.ts
    with db.transaction(A) as tx:
        clock.now = 9_002
        tx.kv.put("k", 5)
    assert tx.commit_info is not None and tx.commit_info.ts == 9_002


def test_every_transaction_of_the_log_has_the_next_number(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path), segment_bytes=300) as db:
        db.begin_run(A)
        for number in range(6):
            db.kv.put(A, f"k{number}", "v" * 60)
            with db.transaction(A) as tx:
                tx.kv.put("x", number)
                tx.kv.put("y", number)
    with SegmentReader(str(tmp_path)) as reader:
        found = [
            reader.read_transaction(commit.lsn)
            for segment in reader.refresh()
            for commit in commits_in(reader.load(segment), segment.start)
        ]
    assert [one.cv for one in found] == [one.sequence for one in found] == list(range(1, 14))
    assert all(split_tx_id(one.entries[0].tx_id)[0] == one.sequence for one in found)
    assert [one.lsn for one in found[1:]] == [one.end for one in found[:-1]]
    # A segment is left before it grows over its size by more than what frames the last transaction.
    segments = list_segments(str(tmp_path), history=False)
    assert len(segments) > 4 and all(200 < segment.size < 420 for segment in segments[:-1])


# -- ways out


def test_a_rollback_leaves_nothing(db: Database) -> None:
    cv = db.last_cv
    with pytest.raises(ZeroDivisionError), db.transaction(A) as tx:
        tx.kv.put("a", 1)
        raise ZeroDivisionError
    tx.rollback()
    tx = db.transaction(A)
    tx.kv.put("a", 1)
    tx.rollback()
    assert db.last_cv == cv and not db.kv.exists(A, "a") and idle(db)
    assert tx.commit_info is None


def test_a_transaction_that_was_committed_in_its_block_is_not_committed_again(db: Database) -> None:
    cv = db.last_cv
    with db.transaction(A) as tx:
        tx.kv.put("a", 1)
        tx.commit()
    assert db.last_cv == cv + 1
    for use in (
        lambda: tx.commit(),
        lambda: tx.kv.get("a"),
        lambda: tx.kv.put("a", 1),
        lambda: tx.kv.keys(),
        lambda: tx.events.len(),
    ):
        with pytest.raises(DatabaseClosed):
            use()
    assert idle(db)


def test_a_transaction_that_is_forgotten_frees_its_thread(db: Database) -> None:
    db.transaction(A)
    gc.collect()
    db.kv.put(A, "a", 1)
    assert idle(db)
    db.transaction(A)
    gc.collect()
    with db.transaction(A) as tx:
        assert tx.kv.get("a") == 1
    assert idle(db)


def test_nothing_can_be_done_with_a_closed_database(db: Database) -> None:
    db.kv.put(A, "a", 1)
    span = db.traces.record(A, "query", "q")
    handle = db.handle(A)
    db.close()
    uses: tuple[Callable[[], Any], ...] = (
        lambda: handle.kv.get("a"),
        lambda: handle.kv.get_many(["a"]),
        lambda: handle.kv.keys(),
        lambda: handle.kv.count(),
        lambda: handle.kv.exists("a"),
        lambda: handle.kv.put("a", 2),
        lambda: handle.json.keys(),
        lambda: handle.json.get("d"),
        lambda: handle.state.names(),
        lambda: handle.state.get("s"),
        lambda: handle.events.len(),
        lambda: list(handle.events.range()),
        lambda: handle.traces.count(),
        lambda: handle.traces.get(span),
        lambda: handle.transaction(),
        lambda: db.list_runs(),
        lambda: db.refresh(),
        lambda: db.flush(),
        lambda: db.snapshot(),
    )
    for use in uses:
        with pytest.raises(DatabaseClosed):
            use()


def test_a_failed_beginning_leaves_nothing(db: Database) -> None:
    with pytest.raises(RunNotFound):
        db.transaction(B)
    with db.transaction(A), pytest.raises(NestedTransactionError):
        db.transaction(A)
    assert idle(db)
    with db.transaction(A) as tx:
        with pytest.raises(ImplicitWriteInTransaction):
            db.kv.put(A, "a", 1)
        tx.kv.put("a", 2)
    assert db.kv.get(A, "a") == 2


def test_the_block_that_closes_the_database(db: Database) -> None:
    tx = db.transaction(A)
    tx.kv.put("a", 1)
    db.close()
    with pytest.raises(DatabaseClosed):
        tx.kv.get("a")
    with pytest.raises(DatabaseClosed):
        tx.commit()
    tx.rollback()
    for use in (lambda: db.kv.get(A, "a"), lambda: db.kv.put(A, "a", 1)):
        with pytest.raises(DatabaseClosed):
            use()


def test_a_transaction_of_another_thread(db: Database) -> None:
    tx = db.transaction(A)
    errors: list[type[BaseException]] = []

    def use() -> None:
        for call in (lambda: tx.kv.get("a"), tx.commit):
            try:
                call()
            except EngineError as error:
                errors.append(type(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert errors == [EngineError, EngineError]
    tx.kv.put("a", 1)
    tx.commit()


def test_the_run_of_a_transaction_may_end_in_it_or_beside_it(db: Database) -> None:
    with db.transaction(A) as tx:
        tx.kv.put("a", 1)
        tx.end_run("failed", "because")
        with pytest.raises(RunNotActive):
            tx.kv.put("b", 1)
    assert (db.run_status(A), db.run_metadata(A).reason) == ("failed", "because")
    db.begin_run(B)
    with pytest.raises(ConflictError) as caught, db.transaction(B) as tx:
        tx.kv.put("a", 1)
        beside(db, lambda: db.end_run(B))
    assert (caught.value.kind, caught.value.retryable) == ("run state", False)
    assert not db.kv.exists(B, "a") and idle(db)


def test_a_run_that_is_deleted_beside_its_transaction(db: Database) -> None:
    db.kv.put(A, "a", 1)
    tx = db.transaction(A)
    beside(db, lambda: db.delete_run(A, force=True))
    for look in (lambda: tx.kv.get("a"), lambda: tx.kv.keys(), lambda: tx.events.len()):
        with pytest.raises(RunNotFound):
            look()
    tx.rollback()
    assert idle(db)


# -- conflicts


def conflict(
    db: Database, mine: Callable[[Any], Any], theirs: Callable[[], Any], **how: Any
) -> ConflictError | None:
    cv = db.last_cv
    tx = db.transaction(A, **how)
    try:
        mine(tx)
        beside(db, theirs)
        between = db.last_cv
        tx.kv.put("mine", 1)
        tx.commit()
    except ConflictError as error:
        assert db.last_cv == between > cv
        assert not db.kv.exists(A, "mine") and idle(db)
        return error
    assert db.kv.get(A, "mine") == 1 and idle(db)
    assert tx.start == cv
    return None


def test_what_was_read_and_changed_since_conflicts(db: Database) -> None:
    db.kv.put(A, "k", 1)
    seen = db.kv.get_entry(A, "k").cv
    found = conflict(db, lambda tx: tx.kv.get("k"), lambda: db.kv.put(A, "k", 2))
    assert found is not None
    assert (found.kind, found.primitive, found.key, found.retryable) == ("read-write", "kv", "k", True)
    assert (found.expected, found.found) == (seen, seen + 1)
    found = conflict(db, lambda tx: tx.kv.get("absent"), lambda: db.kv.put(A, "absent", 2))
    assert found is not None and (found.expected, found.found) == (0, db.last_cv)
    found = conflict(db, lambda tx: tx.kv.get("k"), lambda: db.kv.delete(A, "k"))
    assert found is not None and found.kind == "read-write"


def test_what_was_not_read_does_not_conflict(db: Database) -> None:
    db.kv.put(A, "k", 1)
    assert conflict(db, lambda tx: tx.kv.get("k"), lambda: db.kv.put(A, "other", 2)) is None
    db.kv.delete(A, "mine")
    assert conflict(db, lambda tx: tx.kv.put("k", 3), lambda: db.kv.put(A, "k", 2)) is None
    db.kv.delete(A, "mine")
    assert conflict(db, lambda tx: tx.kv.keys(), lambda: db.kv.put(A, "phantom", 2)) is None
    # What it wrote itself is no reading of the record.
    db.kv.delete(A, "mine")
    assert conflict(db, lambda tx: (tx.kv.put("k", 3), tx.kv.get("k")), lambda: db.kv.put(A, "k", 2)) is None


def test_a_whole_document_and_parts_of_it(db: Database) -> None:
    db.json.create(A, "d", {"x": 1, "y": 2})
    part = lambda tx: tx.json.get("d", "$.x")  # noqa: E731
    whole = lambda tx: tx.json.get("d")  # noqa: E731
    assert conflict(db, part, lambda: db.json.set(A, "d", "$.y", 3)) is None
    db.kv.delete(A, "mine")
    found = conflict(db, part, lambda: db.json.set(A, "d", "$.x", 3))
    assert found is not None and found.kind == "json read-write"
    found = conflict(db, whole, lambda: db.json.set(A, "d", "$.y", 4))
    assert found is not None
    for both in (lambda tx: (part(tx), whole(tx)), lambda tx: (whole(tx), part(tx))):
        assert conflict(db, both, lambda: db.json.set(A, "d", "$.y", 5)) is not None
    other = lambda tx: tx.json.get("d", "$.y")  # noqa: E731
    assert conflict(db, lambda tx: (part(tx), other(tx)), lambda: db.json.set(A, "d", "$.y", 6)) is not None
    assert conflict(db, lambda tx: (part(tx), other(tx)), lambda: db.json.set(A, "d", "$.z", 6)) is None


def test_a_cell_that_another_commit_made_or_moved(db: Database) -> None:
    found = conflict(db, lambda tx: tx.state.cas("s", 0, 1), lambda: db.state.init(A, "s", 9))
    assert found is not None
    assert (found.kind, found.primitive, found.key, found.expected, found.found) == (
        "cas",
        "state",
        "s",
        0,
        1,
    )
    found = conflict(db, lambda tx: tx.state.init("t", 1), lambda: db.state.init(A, "t", 9))
    assert found is not None and found.kind == "read-write"


def test_a_document_that_no_longer_fits_a_patch(db: Database) -> None:
    db.json.create(A, "d", {"x": {"y": 1}})
    found = conflict(db, lambda tx: tx.json.set("d", "$.x.y", 2), lambda: db.json.set(A, "d", "$.x", 7))
    assert found is not None and found.kind.startswith("json")


def test_listings_of_a_serializable_transaction_are_compared(db: Database) -> None:
    db.kv.put(A, "p/1", 1)
    listing = lambda tx: tx.kv.keys("p/")  # noqa: E731
    found = conflict(db, listing, lambda: db.kv.put(A, "p/2", 1), serializable=True)
    assert found is not None and (found.kind, found.primitive, found.key) == ("scan", "kv", "p/")
    assert conflict(db, listing, lambda: db.kv.put(A, "p/1", 2), serializable=True) is not None
    assert conflict(db, listing, lambda: db.kv.put(A, "q/1", 2), serializable=True) is None
    counting = lambda tx: tx.events.len()  # noqa: E731
    db.kv.delete(A, "mine")
    found = conflict(db, counting, lambda: db.events.append(A, "e", 1), serializable=True)
    assert found is not None and (found.kind, found.primitive, found.expected, found.found) == (
        "scan",
        "events",
        0,
        1,
    )
    assert conflict(db, counting, lambda: db.kv.put(A, "q/1", 3), serializable=True) is None


# -- what a transaction sees


def test_a_transaction_sees_its_beginning_and_its_own_writes(db: Database) -> None:
    for key in ("a", "b", "c"):
        db.kv.put(A, key, 0)
    db.events.append(A, "e", 0)
    tx = db.transaction(A)
    beside(
        db,
        lambda: [
            db.kv.put(A, "a", 9),
            db.kv.delete(A, "b"),
            db.kv.put(A, "z", 9),
            db.events.append(A, "e", 9),
        ],
    )
    assert tx.kv.keys() == ["a", "b", "c"] and tx.kv.get("a") == 0 and tx.events.len() == 1
    tx.kv.put("aa", 1)
    tx.kv.put("d", 1)
    tx.kv.delete("c")
    tx.kv.put("b", 2)
    tx.state.set("aaa", 1)
    assert tx.kv.keys() == ["a", "aa", "b", "d"]
    assert tx.kv.keys("a") == ["a", "aa"]
    assert dict(tx.kv.items()) == {"a": 0, "aa": 1, "b": 2, "d": 1}
    assert tx.kv.get("c") is None and tx.kv.get("b") == 2
    assert tx.kv.get_many(["a", "c", "d", "nothing"]) == {"a": 0, "d": 1}
    assert tx.events.append("e", 1).seq == 1 and tx.events.len() == 2
    assert tx.kv.count() == 4
    tx.rollback()
    assert db.kv.keys(A) == ["a", "c", "z"] and idle(db)


# -- limits and obstacles


def test_too_much_for_one_transaction(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_module, "MAX_TRANSACTION_ENTRIES", 3)
    monkeypatch.setattr(commit_module, "MAX_TRANSACTION_BYTES", 400)
    for count in (3, 4):
        tx = db.transaction(A)
        for number in range(count):
            tx.kv.put(f"k{number}", number)
        if count == 3:
            tx.commit()
            continue
        with pytest.raises(EngineLimitExceeded) as caught:
            tx.commit()
        assert (caught.value.what, caught.value.limit, caught.value.found) == ("transaction entries", 3, 4)
    with opened(OS, str(tmp_path / "db")) as files:
        files.begin_run(A)
        cv = files.last_cv
        with pytest.raises(EngineLimitExceeded) as caught:
            files.kv.put(A, "k", "v" * 500)
        assert (caught.value.what, caught.value.limit) == ("transaction bytes", 400)
        assert files.last_cv == cv
        files.kv.put(A, "k", "v")
    assert idle(db)


def test_a_read_only_database_takes_no_write(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path / "db")) as db:
        db.begin_run(A, name="a")
    with Database.open(tmp_path / "db", read_only=True) as looking:
        with pytest.raises(ReadOnlyError):
            looking.kv.put(A, "k", 1)
        with looking.transaction(A) as tx, pytest.raises(ReadOnlyError):
            tx.kv.put("k", 1)
        assert looking.kv.get(A, "k") is None


@pytest.mark.parametrize("mode", ["buffered", "strict"])
def test_after_a_write_that_failed_memory_is_what_the_log_is(tmp_path: Path, mode: str) -> None:
    files = FaultyFiles(OS)
    db = opened(files, str(tmp_path / "db"), mode=mode, owner=None)
    db.begin_run(A)
    db.kv.put(A, "k", 1)
    cv, digest = db.last_cv, db.digest()
    files.counts["pwrite"] = 0
    files.faults = (Fault("pwrite", 1, error=errno.ENOSPC),)
    with pytest.raises(DurabilityError):
        db.kv.put(A, "k", 2)
    assert (db.last_cv, db.digest(), db.kv.get(A, "k")) == (cv, digest, 1)
    db.kv.put(A, "k", 3)
    assert db.last_cv == cv + 1
    files.counts.update(pwrite=0, ftruncate=0)
    files.faults = (Fault("pwrite", 1, error=errno.EIO), Fault("ftruncate", 1, error=errno.EIO))
    with pytest.raises(DurabilityError), db.transaction(A) as tx:
        tx.kv.put("k", 4)
        tx.kv.put("l", 4)
    files.faults = ()
    assert (db.last_cv, db.kv.get(A, "k"), db.kv.get(A, "l")) == (cv + 1, 3, None)
    for write in (
        lambda: db.kv.put(A, "k", 5),
        lambda: db.begin_run(B),
        lambda: db.transaction(A).kv.put("k", 5),
    ):
        with pytest.raises(DurabilityError, match="takes no more writes"):
            write()
    digest = db.digest()
    db.close()
    assert not os.path.exists(tmp_path / "db" / "CLEAN")
    with opened(OS, str(tmp_path / "db"), seed=2) as again:
        assert again.digest() == digest


def test_a_sync_that_fails_in_the_background_ends_all_writing(tmp_path: Path) -> None:
    files = FaultyFiles(OS)
    db = opened(files, str(tmp_path / "db"), mode="strict", owner=None)
    db.begin_run(A)
    db.kv.put(A, "k", 1)
    files.counts["fdatasync"] = 0
    files.faults = (Fault("fdatasync", 1, error=errno.EIO),)
    with pytest.raises(DurabilityError) as caught:
        db.kv.put(A, "k", 2)
    assert caught.value.committed is None
    assert db.kv.get(A, "k") == 1  # what is not on the device is not seen
    with pytest.raises(DurabilityError):
        db.kv.put(A, "k", 3)
    with pytest.raises(DurabilityError):
        db.flush()
    db.close()


def test_strict_readers_see_what_is_on_the_device(tmp_path: Path) -> None:
    """Commits of a transaction that waits for no device are seen when another one's sync has reached them."""
    db = opened(OS, str(tmp_path / "db"), mode="strict", owner=None)
    db.begin_run(A)
    db.kv.put(A, "k", 1)
    committer = db.committer
    log: Any = committer.log
    with committer.lock:
        operation: Any = db.primitives.named("kv")
        assert operation is not None
    cv = db.last_cv
    tx = db.transaction(A)
    tx.kv.put("k", 2)
    original = log.syncing._sync
    seen: list[Any] = []

    def sync() -> int:
        seen.append((committer.cv, committer.visible, db.kv.get(A, "k")))
        return original()

    log.syncing._sync = sync
    tx.commit()
    assert seen == [(cv + 1, cv, 1)]
    assert (db.last_cv, committer.visible, db.kv.get(A, "k")) == (cv + 1, cv + 1, 2)
    assert not committer._unsynced and not db.primitives.versions.chained  # type: ignore[attr-defined]
    db.close()


def test_what_becomes_visible_ends_where_the_device_is(tmp_path: Path) -> None:
    registry = builtin_registry().register(Tally)
    db = opened(OS, str(tmp_path / "db"), mode="strict", owner=None, registry=registry)
    db.begin_run(A)
    committer: Any = db.committer
    tally: Any = db.primitives.named("tally")
    before = committer.visible
    # Commits that nobody waits for.
    ends = [committer.commit(run_bytes(A), [tally.put(0x80, "k", number)])[2] for number in range(3)]
    seen = db.context(run_bytes(A))

    def value() -> Any:
        record = seen.record(tally, "k")
        return None if record is None else tally.decode_value("k", record)[0]

    assert value() is None
    assert committer.cv == before + 3 and committer.visible == before
    told = committer.log.on_durable
    told(ends[0] - 1)
    assert committer.visible == before
    told(ends[0])
    assert (committer.visible, value()) == (before + 1, 0)
    told(ends[2] - 1)
    assert (committer.visible, value()) == (before + 2, 1)
    told(ends[0])
    assert committer.visible == before + 2
    told(ends[2] + 99)
    assert (committer.visible, value()) == (before + 3, 2)
    db.close()


def test_one_transaction_may_wait_for_the_device(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path / "db"), owner=None) as db:
        log: Any = db.committer.log
        db.begin_run(A)
        db.kv.put(A, "j", 1)
        db.kv.delete(A, "j")
        assert log.syncing.synced < log.end
        with db.transaction(A) as tx:
            tx.kv.put("k", 1)
        assert log.syncing.synced < log.end
        with db.transaction(A, durability="strict") as tx:
            tx.kv.put("k", 2)
        assert log.syncing.synced == log.end
        end = log.end
        with db.transaction(A, durability="strict") as tx:
            tx.kv.get("k")
        assert log.end == end


def test_where_nothing_was_written_nothing_is_waited_for(tmp_path: Path) -> None:
    files = FaultyFiles(OS)
    with opened(files, str(tmp_path / "db"), owner=None) as db:
        db.begin_run(A)
        syncs = files.counts.get("fdatasync", 0)
        with db.transaction(A, durability="strict") as tx:
            tx.kv.delete("absent")
        assert files.counts.get("fdatasync", 0) == syncs
    with opened(files, str(tmp_path / "db"), mode="strict", owner=None, seed=2) as db:
        db.resume_run(A)
        syncs = files.counts["fdatasync"]
        db.kv.delete(A, "absent")
        assert files.counts["fdatasync"] == syncs
        db.kv.put(A, "k", 1)
        assert files.counts["fdatasync"] == syncs + 1


class Interrupt(BaseException):
    pass


@pytest.mark.parametrize("kind", ["memory", "buffered", "strict"])
@pytest.mark.parametrize("times", [1, 2, 99])
@pytest.mark.parametrize("many", [False, True])
def test_an_interrupt_while_a_commit_is_installed_changes_nothing_of_it(
    tmp_path: Path, kind: str, times: int, many: bool
) -> None:
    db = Database.open() if kind == "memory" else opened(OS, str(tmp_path / "db"), mode=kind, owner=None)
    db.begin_run(A)
    db.kv.put(A, "k", 0)
    committer: Any = db.committer
    install, left = committer._install, [times]

    def interrupted(*given: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise Interrupt
        install(*given)

    committer._install = interrupted
    cv = db.last_cv
    with pytest.raises(Interrupt):
        if many:
            with db.transaction(A) as tx:
                tx.kv.put("k", 1)
                tx.kv.put("l", 1)
        else:
            db.kv.put(A, "k", 1)
    committer._install = install
    assert committer.cv == cv + 1 and not committer.installing
    assert committer.write_obstacle is None
    if kind != "memory":
        db.flush()
    assert db.kv.get(A, "k") == 1
    db.kv.put(A, "m", 1)
    assert (db.kv.get(A, "k"), db.last_cv) == (1, cv + 2)
    assert idle(db)
    digest = db.digest()
    db.close()
    if kind != "memory":
        with opened(OS, str(tmp_path / "db"), seed=2) as again:
            assert again.digest() == digest and again.last_cv == cv + 2


def test_readers_are_told_of_what_is_installed_in_part_or_leaves_no_trace() -> None:
    """Neither of which they could tell from the version of a record that they find."""
    with Database.open(owner=None) as db:
        run = db.begin_run()
        committer: Any = db.committer
        kv = next(primitive for primitive in committer.primitives if primitive.name == "kv")
        install, told = kv.install, list[bool]()

        def watched(*given: Any) -> None:
            told.append(committer.installing)
            install(*given)

        kv.install = watched
        db.kv.put(run, "k", 1)
        db.kv.delete(run, "k")
        with db.transaction(run) as tx:
            tx.kv.put("k", 1)
            tx.kv.put("l", 1)
        db.kv.put(run, "k", 2)
        assert told == [False, True, True, True, False]
        assert not committer.installing


def test_interrupts_without_end_and_faults_of_installing_end_all_writing(tmp_path: Path) -> None:
    for number, fault in enumerate((Interrupt, RuntimeError)):
        db = opened(OS, str(tmp_path / str(number)), owner=None)
        db.begin_run(A)
        committer: Any = db.committer
        install = committer._install

        def interrupted(*given: Any, fault: type[BaseException] = fault) -> None:
            raise fault("again")

        committer._install = interrupted
        with pytest.raises(fault):
            db.kv.put(A, "k", 1)
        committer._install = install
        with pytest.raises(DurabilityError, match="takes no more writes"):
            db.kv.put(A, "k", 2)
        db.close()
        with opened(OS, str(tmp_path / str(number)), seed=2) as again:
            assert again.kv.get(A, "k") == 1


def test_an_interrupted_write_is_taken_back_or_completed(tmp_path: Path) -> None:
    """By what stands in the file: a whole transaction counts, a part is cut off."""
    for part in (0, 1, 40, 10_000):
        db = opened(OS, str(tmp_path / str(part)), mode="strict", owner=None)
        db.begin_run(A)
        log: Any = db.committer.log
        original, path = log._pwrite, log._path

        def half(fd: int, data: bytes, offset: int, part: int = part, original: Any = original) -> int:
            original(fd, bytes(data)[:part], offset)
            raise Interrupt

        log._pwrite = half
        size = os.path.getsize(path)
        cv = db.last_cv
        with pytest.raises(Interrupt):
            db.kv.put(A, "k", 1)
        log._pwrite = original
        whole = part == 10_000
        assert db.committer.cv == cv + whole
        assert (os.path.getsize(path) > size) is whole
        db.kv.put(A, "other", 2)
        assert db.kv.get(A, "k") == (1 if whole else None)
        assert db.last_cv == cv + whole + 1
        db.close()
        with opened(OS, str(tmp_path / str(part)), seed=2) as again:
            assert again.last_cv == cv + whole + 1 and not again.recovery.has_issues


def test_commits_arm_the_flusher_and_many_hurry_it(tmp_path: Path) -> None:
    from devstate.engine.durability import Durability

    durability = Durability.buffered(interval_ms=3_600_000, max_pending=3)
    with opened(OS, str(tmp_path / "db"), owner=None, durability=durability) as db:
        log: Any = db.committer.log
        flushed = threading.Semaphore(0)
        flusher: Any = db.committer.flusher
        flush = flusher._flush

        def told() -> None:
            flush()
            flushed.release()

        flusher._flush = told
        db.begin_run(A)
        assert flusher.armed
        db.kv.put(A, "k", 1)
        assert not flushed.acquire(timeout=0.05)
        db.kv.put(A, "k", 2)  # the third
        assert flushed.acquire(timeout=30)
        assert log.syncing.synced == log.end
        db.kv.put(A, "k", 3)
        db.kv.put(A, "k", 4)
        assert not flushed.acquire(timeout=0.05)
        db.kv.put(A, "k", 5)
        assert flushed.acquire(timeout=30)


def test_a_snapshot_is_asked_for_when_the_log_has_grown(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path / "db"), owner=None) as db:
        db.begin_run(A)
        committer: Any = db.committer
        asked: list[int] = []
        committer.snapshot_due = lambda: asked.append(committer.log.end)
        committer.snapshot_at = committer.log.end + 1
        db.kv.put(A, "k", 1)
        assert asked == [committer.log.end]
        committer.snapshot_at = committer.log.end + 100_000
        db.kv.put(A, "k", 1)
        assert len(asked) == 1


def test_a_transaction_begun_before_the_log_broke_is_not_committed(tmp_path: Path) -> None:
    db = opened(OS, str(tmp_path / "db"), owner=None)
    db.begin_run(A)
    tx = db.transaction(A)
    tx.kv.put("k", 1)
    db.committer.fail("test")
    end = db.committer.log.end  # type: ignore[union-attr]
    with pytest.raises(DurabilityError, match="test"):
        tx.commit()
    with pytest.raises(DurabilityError):
        db.committer.write(run_bytes(A), db.primitives.named("kv").put(0x10, "k", 1))  # type: ignore[attr-defined]
    db.committer.append_note(b"nothing")
    assert db.committer.log.end == end and idle(db)  # type: ignore[union-attr]
    db.close()


def test_an_interrupted_write_that_cannot_be_taken_back_ends_all_writing(tmp_path: Path) -> None:
    files = FaultyFiles(OS)
    db = opened(files, str(tmp_path / "db"), owner=None)
    db.begin_run(A)
    log: Any = db.committer.log
    original = log._pwrite

    def half(fd: int, data: bytes, offset: int) -> int:
        original(fd, bytes(data)[:9], offset)
        raise Interrupt

    log._pwrite = half
    files.counts["ftruncate"] = 0
    files.faults = (Fault("ftruncate", 1, error=errno.EIO),)
    with pytest.raises(Interrupt):
        db.kv.put(A, "k", 1)
    log._pwrite = original
    with pytest.raises(DurabilityError, match="takes no more writes"):
        db.kv.put(A, "k", 1)
    assert db.kv.get(A, "k") is None
    db.close()
    with opened(OS, str(tmp_path / "db"), seed=2) as again:
        assert again.last_cv == 1


def test_every_kind_of_record_in_one_transaction(db: Database) -> None:
    with db.transaction(A) as tx:
        tx.state.init("s", 1)
        tx.json.create("d", {"x": 1})
        first = tx.traces.record("query", "one")
        second = tx.traces.record("query", "two", parent=first)
        assert first != second and tx.traces.get(second).parent == first
        assert tx.traces.count() == 2 and tx.state.read("s").value == 1
    assert [span.name for span in db.traces.children(A, first)] == ["two"]
    with db.transaction(A) as tx:
        assert tx.traces.get(first).name == "one" and tx.state.get("s") == 1 and tx.json.get("d") == {"x": 1}
        assert tx.events.len() == 0
    assert idle(db)


def test_a_shut_database_shows_nothing_more(tmp_path: Path) -> None:
    db = opened(OS, str(tmp_path / "db"), mode="strict", owner=None)
    db.begin_run(A)
    committer: Any = db.committer
    log: Any = committer.log
    db.close()
    assert committer.visible == -1
    committer._unsynced.append((1, 1))
    log.on_durable(5)  # a sync that was under way
    assert committer.visible == -1 and not committer._unsynced
    committer.sync_failed()
    with pytest.raises(DatabaseClosed):
        db.kv.put(A, "k", 1)
