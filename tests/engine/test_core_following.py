"""Keeping up with a log that others write: its growth, its unfinished end, its rotation, its way into history."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.engine.builtin import builtin_registry
from devstate.engine.commit import Committer
from devstate.engine.commit_parts import Position
from devstate.engine.database import Database
from devstate.engine.errors import (
    ConflictError,
    DatabaseClosed,
    DurabilityError,
    EngineError,
    WalCorruptionError,
)
from devstate.engine.following import Follower, Stranded
from devstate.engine.layout import history_folder, segment_name, wal_folder
from devstate.engine.segments import list_segments
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.engine.versions import Versions
from devstate.errors import DevStateError, InputUnreadable
from engine_crash.driving import RUNS, opened
from mini_engine import sections

A = RUNS[0]
NEVER = SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


@pytest.fixture
def writer(path: Path) -> Iterator[Database]:
    db = opened(OS, str(path), owner=None, segment_bytes=600, history="off")
    db.begin_run(A)
    db.kv.put(A, "first", 0)
    yield db
    db.close()


def reader(path: Path, *faults: Fault) -> Database:
    return Database.open(path, read_only=True, files=FaultyFiles(OS, faults))


def follower_of(db: Database) -> Follower:
    found = db._opened.follower  # type: ignore[attr-defined]
    assert found is not None
    return found


def put(db: Database, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        db.kv.put(A, f"key {number}", "v" * 100)


def newest(path: Path) -> Path:
    return Path(list_segments(str(path), history=False)[-1].path)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_growth_and_rotation_are_followed_to_the_last_commit(path: Path, writer: Database) -> None:
    before = descriptors()
    with reader(path) as looking:
        follower = follower_of(looking)
        for number in range(12):
            put(writer, 1, number)
            assert looking.refresh() == writer.last_cv
            assert looking.digest() == writer.digest()
            # Or what looks for a record that is not there would wait for a commit that is over.
            assert not looking.committer.installing
            assert follower.end == writer.committer.log.end  # type: ignore[union-attr]
            assert descriptors() <= before + 1
        assert len(os.listdir(path / "wal")) > 2
        assert follower.start == max(s.start for s in list_segments(str(path), history=False))
    assert descriptors() == before
    follower.close()


def test_several_segments_at_once(path: Path, writer: Database) -> None:
    with reader(path) as looking:
        put(writer, 12)
        assert looking.refresh() == writer.last_cv
        assert looking.digest() == writer.digest()


def test_every_unfinished_end_is_looked_at_again_from_the_same_place(path: Path, writer: Database) -> None:
    put(writer, 1)
    with reader(path) as looking:
        cv, end = looking.refresh(), follower_of(looking).end
        size = newest(path).stat().st_size
        writer.kv.put(A, "whole", 1)
        data = newest(path).read_bytes()
        for cut in range(size, len(data)):
            os.truncate(newest(path), cut)
            with open(newest(path), "ab"):
                pass
            assert looking.refresh() == cv and follower_of(looking).end == end
            newest(path).write_bytes(data)
        assert looking.refresh() == cv + 1
        assert looking.kv.get(A, "whole") == 1


def test_short_and_interrupted_reads_change_nothing(path: Path, writer: Database) -> None:
    with reader(path) as looking:
        files = follower_of(looking)._files  # type: ignore[attr-defined]
        files.faults = (Fault("pread", short=7, lasting=True),)
        put(writer, 8)
        assert looking.refresh() == writer.last_cv and looking.digest() == writer.digest()
        assert files.fired


@pytest.mark.parametrize("call", ["open", "fstat", "pread", "stat"])
def test_what_cannot_be_read_is_said_and_read_the_next_time(path: Path, writer: Database, call: str) -> None:
    with reader(path) as looking:
        put(writer, 8)
        files = follower_of(looking)._files  # type: ignore[attr-defined]
        files.counts[call] = 0
        files.faults = (Fault(call, 1, error=errno.EIO),)
        with pytest.raises(InputUnreadable) as caught:
            looking.refresh()
        assert caught.value.path is not None and caught.value.path.startswith(str(path))
        assert looking.refresh() == writer.last_cv and looking.digest() == writer.digest()


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_way_into_history_is_followed(path: Path, when: str) -> None:
    with opened(OS, str(path), owner=None, segment_bytes=600, snapshots=NEVER) as writer:
        writer.begin_run(A)
        put(writer, 2)
        with reader(path) as looking:
            if when == "before":
                looking.refresh()
            put(writer, 8, 2)
            for _ in range(3):
                put(writer, 4, 20)
                writer.snapshot()
            assert len(os.listdir(path / "history")) > 4
            assert looking.refresh() == writer.last_cv
            assert looking.digest() == writer.digest()
            put(writer, 3, 30)
            assert looking.refresh() == writer.last_cv and looking.digest() == writer.digest()


def test_a_reader_whose_log_is_gone_begins_again_from_a_snapshot(path: Path, writer: Database) -> None:
    with reader(path) as looking:
        assert looking.kv.get(A, "first") == 0
        for number in range(4):
            put(writer, 5, 5 * number)
            writer.kv.delete(A, "first")
            writer.snapshot()
        assert list_segments(str(path), history=True)[0].start > follower_of(looking).end
        assert looking.refresh() == writer.last_cv
        assert looking.digest() == writer.digest()
        assert looking.kv.get(A, "first") is None
        assert looking.recovery is not None and follower_of(looking).end == writer.committer.log.end  # type: ignore[union-attr]
        put(writer, 3, 50)
        assert looking.refresh() == writer.last_cv and looking.digest() == writer.digest()
        assert looking.committer.sequence == writer.committer.sequence


def empty() -> Any:
    """Something to apply to: all kinds of records, none there."""
    return Committer(
        builtin_registry().instances(Versions()), Position(), salt=bytes(range(1, 9)), now=lambda: 0
    )


def standing(root: Path, committer: Any, *faults: Fault, start: int = 0, end: int = 0) -> Follower:
    return Follower(str(root), committer, start=start, end=end, files=FaultyFiles(OS, faults))


@pytest.fixture
def log(path: Path) -> list[bytes]:
    """The bytes of three segments; the database is closed."""
    with opened(
        OS, str(path), owner=None, segment_bytes=400, entropy=lambda size: bytes(range(1, size + 1))
    ) as db:
        db.begin_run(A)
        put(db, 4)
    found = [Path(segment.path).read_bytes() for segment in list_segments(str(path), history=False)]
    assert len(found) >= 3
    return found


def places(path: Path) -> list[int]:
    return [segment.start for segment in list_segments(str(path), history=True)]


def test_nothing_new_is_nothing(path: Path, log: list[bytes]) -> None:
    committer = empty()
    follower = standing(path, committer)
    last = follower.catch_up(alone=True)
    assert last is not None and committer.cv == last.last_cv == 5
    assert follower.end == sum(map(len, log)) and follower.start == places(path)[-1]
    assert follower.catch_up(alone=True) is None
    assert follower.catch_up(alone=False) is None
    follower.close()
    follower.close()
    assert follower.catch_up(alone=True) is None  # opened again
    follower.close()


def test_a_damaged_end_is_not_yet_there_while_others_write(path: Path, log: list[bytes]) -> None:
    second = Path(list_segments(str(path), history=False)[-1].path)
    data = bytearray(second.read_bytes())
    second.write_bytes(bytes(data[:40]) + bytes((data[40] ^ 1,)) + bytes(data[41:]))
    committer = empty()
    follower = standing(path, committer)
    end = follower.catch_up(alone=False)
    assert end is not None and end.end_lsn < sum(map(len, log))
    at = follower.end
    assert follower.catch_up(alone=False) is not None and follower.end == at
    follower.close()


def test_lost_commits_are_told_to_who_writes_alone_and_waited_for_by_others(path: Path) -> None:
    with opened(OS, str(path), owner=None, entropy=lambda size: bytes(range(1, size + 1))) as db:
        db.begin_run(A)
        put(db, 4)
    segment = newest(path)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    committer = empty()
    follower = standing(path, committer)
    end = follower.catch_up(alone=False)
    assert end is not None and end.lost is not None and 0 < committer.cv < 5
    assert follower.end == end.end_lsn
    with pytest.raises(WalCorruptionError) as caught:
        follower.catch_up(alone=True)
    assert caught.value.report is not None and caught.value.path == str(segment)
    assert caught.value.report.lsn == end.lost.lsn
    follower.close()


def test_a_segment_that_is_gone_strands_its_follower(path: Path, log: list[bytes]) -> None:
    committer = empty()
    follower = standing(path, committer)
    os.unlink(Path(wal_folder(str(path))) / segment_name(0))
    with pytest.raises(Stranded, match="LSN 0"):
        follower.catch_up(alone=False)


def test_a_successor_that_is_gone_strands_its_follower(path: Path, log: list[bytes]) -> None:
    committer = empty()
    follower = standing(path, committer)
    names = sorted(os.listdir(path / "wal"))
    for name in names[1:]:
        os.rename(path / "wal" / name, path / name)
    assert follower.catch_up(alone=False) is not None
    at = follower.end
    os.unlink(path / "wal" / names[0])
    with pytest.raises(Stranded, match=f"LSN {at}"):
        follower.catch_up(alone=False)
    follower.close()


def test_segments_that_move_into_history_between_two_looks(path: Path, log: list[bytes]) -> None:
    """At each point of the way: still open, its successor gone too, and not yet opened."""
    starts = places(path)
    for held in (0, 1):
        committer = empty()
        follower = standing(path, committer)
        names = sorted(os.listdir(path / "wal"))
        if held:
            for name in names[1:]:
                os.rename(path / "wal" / name, path / name)
            follower.catch_up(alone=False)
            assert follower.end == starts[1]
            for name in names[1:]:
                os.rename(path / name, path / "wal" / name)
        for name in names[:2]:
            os.rename(path / "wal" / name, Path(history_folder(str(path))) / name)
        follower.catch_up(alone=False)
        assert follower.end == sum(map(len, log)) and follower.start == starts[-1]
        follower.close()
        for name in names[:2]:
            os.rename(Path(history_folder(str(path))) / name, path / "wal" / name)


def test_the_last_segment_moves_while_it_is_followed(path: Path, log: list[bytes]) -> None:
    committer = empty()
    follower = standing(path, committer)
    follower.catch_up(alone=False)
    name = segment_name(follower.start)
    os.rename(path / "wal" / name, path / "history" / name)
    assert follower.catch_up(alone=False) is None  # its successor is not there yet
    assert follower.catch_up(alone=False) is None
    follower.close()


def test_an_empty_segment_that_moves_is_found_again(path: Path) -> None:
    with opened(OS, str(path), entropy=lambda size: bytes(range(1, size + 1))):
        pass
    committer = empty()
    follower = standing(path, committer)
    assert follower.catch_up(alone=False) is None
    name = segment_name(0)
    os.rename(path / "wal" / name, path / "history" / name)
    assert follower.catch_up(alone=False) is None
    os.unlink(path / "history" / name)
    with pytest.raises(Stranded):
        follower.catch_up(alone=False)
    follower.close()


def test_a_segment_that_is_filled_and_moves_between_two_calls_is_read_in_the_same_look(
    path: Path, log: list[bytes]
) -> None:
    name = segment_name(0)
    (path / "wal" / name).write_bytes(b"")

    def fill_and_move() -> None:
        (path / "wal" / name).write_bytes(log[0])
        os.rename(path / "wal" / name, path / "history" / name)

    committer = empty()
    follower = standing(path, committer, Fault("stat", 1, before=fill_and_move))
    follower.catch_up(alone=False)
    assert (committer.cv, follower.end) == (5, sum(map(len, log)))
    follower.close()


def test_a_segment_that_cannot_be_caught_strands_its_follower(path: Path, log: list[bytes]) -> None:
    follower = standing(path, empty(), Fault("open", 1, error=errno.ENOENT, lasting=True))
    with pytest.raises(Stranded):
        follower.catch_up(alone=False)
    committer = empty()
    gone = Fault("open", 1, error=errno.ENOENT), Fault("open", 2, error=errno.ENOENT)
    follower = standing(path, committer, *gone)
    follower.catch_up(alone=False)
    assert committer.cv == 5
    follower.close()


def test_what_is_cut_while_it_is_read_is_not_yet_there(path: Path, log: list[bytes]) -> None:
    committer = empty()
    first = path / "wal" / segment_name(0)
    cutting = Fault("pread", 1, before=lambda: os.truncate(first, len(log[0]) - 5))
    follower = standing(path, committer, cutting)
    follower.catch_up(alone=False)
    at = follower.end
    assert at < len(log[0]) and committer.cv < 5
    first.write_bytes(log[0])
    follower.catch_up(alone=False)
    assert committer.cv == 5 and follower.end > at
    follower.close()


# -- writers that share a database


def sharing(path: Path, files: Any = OS, seed: int = 1, **options: Any) -> Database:
    given: dict[str, Any] = {"owner": None, "segment_bytes": 600, "shared": True, "seed": seed, **options}
    return opened(files, str(path), **given)


def test_the_lock_is_given_back_whatever_happens(path: Path) -> None:
    files = FaultyFiles(OS)
    with sharing(path) as one, sharing(path, files, 2) as other:
        one.begin_run(A)
        other.refresh()
        put(one, 1)
        files.counts["fstat"] = 0
        files.faults = (Fault("fstat", 1, error=errno.EIO),)
        with pytest.raises(DevStateError):
            other.kv.put(A, "x", 1)
        put(one, 2, 5)  # it does not wait for the other
        files.faults = ()
        try:
            other.kv.put(A, "x", 2)
        except EngineError:
            assert other.committer.write_obstacle is not None
        else:
            assert one.kv.get(A, "x") == 2


def test_a_closed_database_touches_no_lock_of_others(path: Path) -> None:
    files = FaultyFiles(OS)
    db = sharing(path, files)
    db.begin_run(A)
    db.close()
    calls = files.counts["*"]
    with pytest.raises(DatabaseClosed):
        db.kv.put(A, "x", 1)
    with pytest.raises(DatabaseClosed):
        db.transact(A, lambda tx: tx.kv.put("x", 1))
    assert files.counts["*"] == calls


def leave_behind(one: Database, other: Database, *, rounds: int = 4) -> None:
    """Commit with `one`, and take snapshots, until the log that `other` would read next is gone."""
    at = follower_of(other).end
    for number in range(rounds):
        put(one, 5, 5 * number)
        one.snapshot()
    assert list_segments(str(one.path), history=True)[0].start > at


@pytest.mark.parametrize("mode", ["buffered", "strict"])
def test_who_fell_too_far_behind_begins_again_from_the_newest_snapshot(path: Path, mode: str) -> None:
    with sharing(path, history="off") as one, sharing(path, seed=2, mode=mode) as other:
        one.begin_run(A)
        other.refresh()
        before = descriptors()
        for write_first in (False, True):
            leave_behind(one, other)
            one.kv.delete(A, "key 1")
            if write_first:
                assert other.kv.put(A, "x", 1) == one.last_cv + 1
            else:
                assert other.refresh() == one.last_cv
            assert other.kv.get(A, "key 19") and not other.kv.exists(A, "key 1")
            assert other.digest() == one.digest()
            assert not other.committer.installing and descriptors() == before
        put(one, 1, 70)
        put(other, 1, 80)
        assert (
            one.refresh() == other.refresh() and one.kv.exists(A, "key 80") and other.kv.exists(A, "key 70")
        )
        assert other.snapshot().cv == other.last_cv
    with sharing(path) as again:
        assert again.recovery.clean_close and again.kv.get(A, "x") == 1


def test_a_transaction_over_the_gap_is_a_conflict_and_the_next_try_succeeds(path: Path) -> None:
    with sharing(path, history="off") as one, sharing(path, seed=2) as other:
        one.begin_run(A)
        one.kv.put(A, "n", 1)
        other.refresh()
        with pytest.raises(ConflictError), other.transaction(A) as tx:
            assert tx.kv.get("n") == 1
            leave_behind(one, other)
            tx.kv.put("blind", 1)
        assert not other.kv.exists(A, "blind")
        tries: list[int] = []

        def work(tx: Any) -> None:
            tries.append(tx.kv.get("n"))
            if len(tries) == 1:
                leave_behind(one, other)
                one.kv.put(A, "n", 5)
            tx.kv.put("n", tries[-1] + 1)

        other.transact(A, work)
        assert tries == [1, 5] and one.kv.get(A, "n") == 6


@pytest.mark.parametrize("where", ["reading", "adopting"])
def test_beginning_again_is_done_anew_after_an_interrupt(path: Path, where: str) -> None:
    files = FaultyFiles(OS)
    with sharing(path, history="off") as one, sharing(path, files, 2) as other:
        one.begin_run(A)
        other.refresh()
        leave_behind(one, other)

        def interrupt() -> None:
            raise KeyboardInterrupt

        class Interrupting(set[int]):
            def clear(self) -> None:
                interrupt()

        if where == "reading":
            files.counts["pread"] = 0
            files.faults = (Fault("pread", 3, before=interrupt),)
        else:  # the records are there by then, and where the follower stands is not
            follower_of(other).unknown = Interrupting()
        with pytest.raises(KeyboardInterrupt):
            other.refresh()
        files.faults = ()
        follower_of(other).unknown = set()
        put(one, 2, 90)
        other.kv.put(A, "x", 1)
        assert other.digest() == one.digest() and not other.committer.installing
        assert one.kv.get(A, "x") == 1 and other.kv.exists(A, "key 91")


def test_a_sync_that_fails_while_it_begins_again_shows_nothing_new(path: Path) -> None:
    files = FaultyFiles(OS)
    with sharing(path, history="off") as one, sharing(path, files, 2, mode="strict") as other:
        one.begin_run(A)
        one.kv.put(A, "key 1", "old")
        other.refresh()
        leave_behind(one, other)
        files.counts["fdatasync"] = 0
        files.faults = (Fault("fdatasync", 1, error=errno.EIO),)
        with pytest.raises(DurabilityError):
            other.refresh()
        assert other.kv.get(A, "key 1") == "old" and other.kv.get(A, "key 19") is None
        with pytest.raises(DurabilityError):
            other.kv.put(A, "x", 1)
        assert not one.kv.exists(A, "x")


def test_files_that_have_less_than_this_process_committed_are_not_gone_on_with(
    path: Path, tmp_path: Path
) -> None:
    with sharing(path) as one:
        one.begin_run(A, owned=False)
        put(one, 5)
    shutil.copytree(path / "wal", tmp_path / "copy")
    with sharing(path, seed=2) as other:
        put(other, 15, 20)
        shutil.rmtree(path / "wal")
        shutil.copytree(tmp_path / "copy", path / "wal")
        before = {name: name.read_bytes() for name in path.rglob("*.wal")}
        for _ in range(2):
            with pytest.raises(DurabilityError, match="commit 6"):
                other.kv.put(A, "x", 1)
        assert other.kv.exists(A, "key 34"), "what it knows can be read"
        assert {name: name.read_bytes() for name in path.rglob("*.wal")} == before


def test_damage_in_what_others_wrote_ends_all_writing(path: Path) -> None:
    with sharing(path, segment_bytes=1 << 20) as one, sharing(path, seed=2, segment_bytes=1 << 20) as other:
        one.begin_run(A)
        other.refresh()
        end = one.committer.log.end  # type: ignore[union-attr]
        put(one, 3)
        data = bytearray(newest(path).read_bytes())
        data[end + 30] ^= 1
        newest(path).write_bytes(data)
        with pytest.raises(WalCorruptionError):
            other.kv.put(A, "x", 1)
        with pytest.raises(DurabilityError):
            other.kv.put(A, "x", 1)
        assert newest(path).read_bytes() == data
        assert other.committer.cv == 1


def test_writers_go_on_in_the_segment_of_the_other(path: Path) -> None:
    with sharing(path) as one, sharing(path, seed=2) as other:
        one.begin_run(A)
        for number in range(12):
            writer = (one, other)[number % 2]
            put(writer, 2, 2 * number)
            log = writer.committer.log
            assert log is not None
            follower = follower_of(writer)
            assert (follower.start, follower.end) == (log.segment_start, log.end)
        assert one.refresh() == other.refresh() == 25
        assert one.digest() == other.digest()
        assert len(os.listdir(path / "wal")) > 4
    with sharing(path) as again:
        assert again.recovery.clean_close and again.last_cv == 25


def test_what_was_followed_is_what_opening_finds(path: Path, log: list[bytes]) -> None:
    committer = empty()
    follower = standing(path, committer)
    follower.catch_up(alone=True)
    follower.close()
    with Database.open(path, read_only=True) as db:
        assert sections(committer.primitives) == sections(db.primitives)
        assert (committer.cv, committer.ts, committer.sequence) == (
            db.committer.cv,
            db.committer.ts,
            db.committer.sequence,
        )


def test_every_way_of_looking_sees_what_others_committed(path: Path) -> None:
    with sharing(path) as one, sharing(path, seed=2) as other:
        one.begin_run(A)
        looks = {
            "keys": lambda db: db.kv.keys(A),
            "items": lambda db: dict(db.kv.items(A)),
            "count": lambda db: db.kv.count(A),
            "get": lambda db: db.kv.get(A, "k"),
            "get_many": lambda db: db.kv.get_many(A, ["k", "l"]),
            "exists": lambda db: db.kv.exists(A, "k"),
            "entry": lambda db: db.kv.get_entry(A, "k").cv,
            "documents": lambda db: db.json.keys(A),
            "document": lambda db: db.json.get(A, "d", "$.n"),
            "cells": lambda db: db.state.names(A),
            "cell": lambda db: db.state.read(A, "s").ver,
            "events": lambda db: [event.seq for event in db.events.range(A)],
            "length": lambda db: db.events.len(A),
            "spans": lambda db: db.traces.count(A),
            "status": lambda db: db.run_metadata(A).last_cv,
            "begin": lambda db: db.transaction(A).kv.get("k"),
        }
        for number, (name, look) in enumerate(looks.items()):
            one.kv.put(A, "k", number)
            one.kv.put(A, f"k{number}", number)
            one.json.set(A, "d", "$.n", number)
            one.json.set(A, f"d{number}", "$", number)
            one.state.set(A, "s", number)
            one.state.set(A, f"s{number}", number)
            one.events.append(A, "e", number)
            one.traces.record(A, "query", "q")
            assert look(other) == look(one), name
