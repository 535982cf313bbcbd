"""Taking snapshots, and what becomes of older ones and of the log behind them: seen in the files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.durable.simulated import SimulatedFiles
from devstate.engine.builtin import builtin_registry
from devstate.engine.database import Database
from devstate.engine.envelope import SNAPSHOT_MARKER, TRANSACTION_COMMIT
from devstate.engine.errors import DurabilityError, SnapshotCorruptError, UnknownEntryType
from devstate.engine.framing import SnapshotMark, decode_snapshot_mark
from devstate.engine.layout import parse_segment_name, parse_snapshot_name, snapshot_name
from devstate.engine.map_primitive import MapPrimitive
from devstate.engine.segments import list_segments
from devstate.engine.snapshot_file import SnapshotMeta
from devstate.engine.snapshot_reading import check_snapshot, iter_records, read_snapshot
from devstate.engine.snapshot_writing import write_snapshot
from devstate.engine.snapshotting import (
    HistoryPolicy,
    SnapshotPolicy,
    archive_segments,
    commits_in,
    take_snapshot,
)
from devstate.engine.walk import ListedEntry, scan_entries
from engine_crash.driving import RUNS, opened
from log_samples import commits, joined, marker_entry

A = RUNS[0]
DAY = 86_400_000_000


class Tally(MapPrimitive):
    type_id = 9
    name = "tally"
    puts = (0x80,)
    deletes = (0x81,)


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


def policy(keep: int = 2, close_bytes: int = -1) -> SnapshotPolicy:
    return SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=close_bytes, keep=keep)


def database(path: Path, *faults: Fault, **options: Any) -> Database:
    given: dict[str, Any] = {"owner": None, **options}
    return opened(FaultyFiles(OS, faults) if faults else OS, str(path), **given)


def names(path: Path, folder: str) -> list[str]:
    return sorted(os.listdir(path / folder))


def starts(path: Path, folder: str) -> list[int]:
    return [start for start in map(parse_segment_name, names(path, folder)) if start is not None]


def offsets(path: Path) -> list[int]:
    return [at for at in map(parse_snapshot_name, names(path, "snapshots")) if at is not None]


def entries(path: Path) -> list[ListedEntry]:
    found: list[ListedEntry] = []
    for segment in list_segments(str(path), history=True):
        listed = list(scan_entries(Path(segment.path).read_bytes(), segment.start))
        assert all(isinstance(entry, ListedEntry) for entry in listed)
        found += [entry for entry in listed if isinstance(entry, ListedEntry)]
    return found


def fill(db: Database, count: int = 3, *, first: int = 0) -> None:
    if db.run_status(A) == "not_found":
        db.begin_run(A, name="a")
    for number in range(first, first + count):
        db.kv.put(A, f"key {number}", "v" * 100)


def no_readers(db: Database) -> bool:
    return not db.primitives.versions.readers


@pytest.mark.parametrize("mode", ["buffered", "strict"])
def test_a_snapshot_is_the_state_at_a_position_and_the_log_notes_it(tmp_path: Path, mode: str) -> None:
    db = database(tmp_path, mode=mode)
    fill(db)
    db.kv.delete(A, "key 1")
    end, cv, ts, digest = db.committer.log.end, db.last_cv, db.committer.ts, db.digest()  # type: ignore[union-attr]
    info = db.snapshot()
    assert no_readers(db) and not db.primitives.versions.chained
    assert names(tmp_path, "snapshots") == [os.path.basename(info.path)] == [f"snapshot_{end:020d}.dat"]
    assert (info.wal_offset, info.cv, info.timestamp) == (end, cv, ts)
    assert db.committer.log.syncing.synced >= end  # type: ignore[union-attr]
    contents = read_snapshot(info.path)
    assert contents.info == info
    assert (contents.meta.cv, contents.meta.base_ts, contents.meta.first_history_lsn) == (cv, ts, 0)
    assert contents.meta.next_tx == db.committer.sequence == cv + 1
    assert contents.meta.ext[1] == ("kv", 1) and len(contents.meta.ext) == 6
    note = entries(tmp_path)[-1]
    assert (note.entry_type, note.lsn, note.tx_id) == (SNAPSHOT_MARKER, end, bytes(16))
    assert decode_snapshot_mark(note.payload) == SnapshotMark(
        os.path.basename(info.path), end, cv, ts, info.crc32
    )
    fill(db, 1, first=9)
    after = db.digest()
    db.close()
    again = database(tmp_path)
    assert again.digest() == after != digest
    assert again.recovery.snapshot_used == info
    assert (again.recovery.wal_replay_from_offset, again.recovery.transactions_recovered) == (end, 1)
    again.close()


def test_without_a_commit_since_it_is_the_same_snapshot(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db)
    info = db.snapshot()
    log_end = db.committer.log.end  # type: ignore[union-attr]
    before = os.stat(info.path)
    assert db.snapshot() == info
    assert no_readers(db)
    assert db.committer.log.end == log_end  # type: ignore[union-attr]
    assert os.stat(info.path).st_mtime_ns == before.st_mtime_ns
    fill(db, 1, first=9)
    assert db.snapshot().cv == info.cv + 1
    assert len(offsets(tmp_path)) == 2
    db.close()


def test_a_damaged_snapshot_of_the_same_state_is_written_anew(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db)
    info = db.snapshot()
    data = bytearray(Path(info.path).read_bytes())
    data[40] ^= 1
    Path(info.path).write_bytes(data)
    fresh = db.snapshot()
    assert fresh.cv == info.cv and fresh.wal_offset > info.wal_offset
    assert read_snapshot(fresh.path).info == fresh
    db.close()


def test_a_state_read_from_a_snapshot_writes_the_same_snapshot(tmp_path: Path) -> None:
    """`first_history_lsn` and the numbers of transactions outlive a reopening."""
    db = database(tmp_path, segment_bytes=400, history="off")
    for number in range(3):
        fill(db, 3, first=3 * number)
        db.snapshot()
    first = starts(tmp_path, "wal")[0]
    assert first > 0
    db.close()
    db = database(tmp_path, segment_bytes=400, history="off")
    db.resume_run(A)
    info = db.snapshot()
    meta = read_snapshot(info.path).meta
    assert (meta.first_history_lsn, meta.next_tx) == (first, info.cv + 1)
    db.close()


@pytest.mark.parametrize("call", ["replace", "fsync_dir"])
def test_a_snapshot_that_cannot_be_put_in_place_costs_nothing(tmp_path: Path, call: str) -> None:
    db = database(tmp_path)
    fill(db)
    digest = db.digest()
    faulty = FaultyFiles(OS, [Fault(call, 1, error=errno.EIO)])
    db._files = faulty  # type: ignore[attr-defined]
    with pytest.raises(DurabilityError, match="in place"):
        db.snapshot()
    assert no_readers(db) and db.digest() == digest
    assert [entry.entry_type for entry in entries(tmp_path)].count(SNAPSHOT_MARKER) == 0
    fill(db, 1, first=9)
    assert db.snapshot().cv == db.last_cv
    db.close()


@pytest.mark.parametrize("call", ["fdatasync", "fsync", "pread"])
def test_a_snapshot_that_fails_while_it_is_written_leaves_no_file_and_no_reader(
    tmp_path: Path, call: str
) -> None:
    files = FaultyFiles(OS)
    db = opened(files, str(tmp_path))
    fill(db)
    files.counts[call] = 0
    files.faults = (Fault(call, 1, error=errno.EIO),)
    with pytest.raises(DurabilityError):
        db.snapshot()
    assert names(tmp_path, "snapshots") == [] and no_readers(db)
    db.close() if call != "fdatasync" else db.committer.log.close()  # type: ignore[union-attr]


def test_a_database_in_memory_has_no_snapshot_to_take() -> None:
    db = Database.open()
    meta: Any = db._opened.meta  # type: ignore[attr-defined]
    with pytest.raises(DurabilityError):
        take_snapshot(
            "none", db.committer, meta=meta, registry=builtin_registry(), opaque={}, first_history_lsn=0
        )
    db.close()


def test_the_newest_are_kept_and_the_log_behind_the_oldest_of_them_goes_into_history(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=400)
    for number in range(4):
        fill(db, 4, first=4 * number)
        db.snapshot()
        assert len(offsets(tmp_path)) == min(number + 1, 2)
        horizon = offsets(tmp_path)[0]
        live, archived = starts(tmp_path, "wal"), starts(tmp_path, "history")
        everything = sorted(live + archived)
        ends = dict(zip(everything, [*everything[1:], 1 << 62], strict=True))
        # All whole segments before the horizon, and nothing else.
        assert archived == [start for start in everything if ends[start] <= horizon]
        assert live == [start for start in everything if ends[start] > horizon]
        # Every sealed segment has its index, also before it moves.
        indexed = [name for name in names(tmp_path, "history") if name.endswith(".idx")]
        assert indexed == [f"{start:020d}.idx" for start in everything[:-1]]
    assert len(archived) > 3
    digest = db.digest()
    db.close()
    # What was moved is still there: without any snapshot the state is the same.
    for name in names(tmp_path, "snapshots"):
        os.unlink(tmp_path / "snapshots" / name)
    again = database(tmp_path)
    assert again.digest() == digest and again.recovery.snapshot_used is None
    again.close()


def test_a_segment_that_ends_at_the_snapshot_goes_but_not_the_one_that_is_written_to(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=1 << 20, snapshots=policy(keep=1))
    fill(db)
    log: Any = db.committer.log
    with db.committer.lock:
        log.rotate()
    assert len(starts(tmp_path, "wal")) == 2
    db.snapshot()
    assert starts(tmp_path, "history") == [0]
    sealed, written_to = starts(tmp_path, "wal")
    assert 0 < sealed < written_to == log.segment_start
    db.close()


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_without_history_the_log_goes_only_when_enough_snapshots_are_there(tmp_path: Path, keep: int) -> None:
    db = database(tmp_path, segment_bytes=400, history="off", snapshots=policy(keep=keep))
    for number in range(4):
        fill(db, 4, first=4 * number)
        db.snapshot()
        assert names(tmp_path, "history") == []
        if number + 1 < keep:
            assert starts(tmp_path, "wal")[0] == 0
        else:
            assert starts(tmp_path, "wal")[0] <= offsets(tmp_path)[0]
            assert starts(tmp_path, "wal")[0] > 0
    digest = db.digest()
    db.close()
    os.unlink(tmp_path / "snapshots" / names(tmp_path, "snapshots")[-1])
    if keep > 1:  # the older one and the log behind it are enough
        again = database(tmp_path)
        assert again.digest() == digest
        again.close()


def test_snapshots_that_are_not_valid_are_neither_counted_nor_removed(tmp_path: Path) -> None:
    db = database(tmp_path)
    taken = []
    for number in range(3):
        fill(db, 2, first=2 * number)
        if number == 2:
            data = bytearray(Path(taken[1]).read_bytes())
            data[60] ^= 1
            Path(taken[1]).write_bytes(data)
        taken.append(db.snapshot().path)
    assert [os.path.exists(path) for path in taken] == [True, True, True]
    fill(db, 2, first=90)
    taken.append(db.snapshot().path)
    # The newest two valid ones; of what is older, nothing, valid or not.
    assert [os.path.exists(path) for path in taken] == [False, False, True, True]
    db.close()


def test_a_snapshot_of_a_later_format_is_not_counted(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db)
    first = db.snapshot().path
    data = bytearray(Path(first).read_bytes())
    data[10] = 2
    Path(first).write_bytes(data)
    assert db.snapshot().path != first  # not the one that is there, though nothing was committed
    fill(db, 1, first=8)
    db.snapshot()
    fill(db, 1, first=9)
    db.snapshot()
    assert not os.path.exists(first) and len(offsets(tmp_path)) == 2
    db.close()


def archived(path: Path, db: Database, **options: Any) -> tuple[str, ...]:
    given: dict[str, Any] = {
        "keep": 2, "history": HistoryPolicy(), "degraded": False, "now": 0, **options,
        "active_start": db.committer.log.segment_start,  # type: ignore[union-attr]
        "salt": db.committer.salt,
    }  # fmt: skip
    return archive_segments(str(path), **given)


def test_what_went_is_told(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=400, snapshots=policy(keep=9))
    taken = []
    for number in range(3):
        fill(db, 4, first=4 * number)
        taken.append(db.snapshot())
    live = dict(zip(starts(tmp_path, "wal"), names(tmp_path, "wal"), strict=True))
    assert archived(tmp_path, db, keep=2, degraded=True) == ()
    assert len(offsets(tmp_path)) == 3
    gone = archived(tmp_path, db, keep=2)
    assert gone[0] == taken[0].path
    left = starts(tmp_path, "wal")
    assert list(gone[1:]) == [str(tmp_path / "wal" / live[start]) for start in live if start not in left]
    assert archived(tmp_path, db, keep=2) == ()
    assert archived(tmp_path, db, keep=0) == ()
    db.close()


def test_the_log_of_another_database_stays(tmp_path: Path) -> None:
    """No snapshot of this database, no horizon."""
    db = database(tmp_path, segment_bytes=400)
    fill(db, 9)
    db.snapshot()
    os.rename(db.snapshot().path, tmp_path / "elsewhere")
    before = starts(tmp_path, "wal")
    assert archived(tmp_path, db, keep=1) == ()
    assert starts(tmp_path, "wal") == before
    db.close()


def test_history_of_some_days_loses_whole_segments_from_the_oldest_on(tmp_path: Path) -> None:
    clock = Clock()
    db = database(tmp_path, segment_bytes=400, now=clock, snapshots=policy(keep=1), history="days=2")
    for number in range(6):
        fill(db, 4, first=4 * number)
        clock.now += DAY
        db.snapshot()
    kept = starts(tmp_path, "history")
    assert kept and kept[0] > 0
    indexed = [name for name in names(tmp_path, "history") if name.endswith(".idx")]
    assert indexed == [f"{start:020d}.idx" for start in [*kept, *starts(tmp_path, "wal")][:-1]]
    last = {
        start: max(
            commit.ts
            for commit in commits_in((tmp_path / "history" / f"{start:020d}.wal").read_bytes(), start)
        )
        for start in kept
    }
    # Exactly at the limit it stays; one later it goes, and only it.
    gone = archived(tmp_path, db, keep=1, history=HistoryPolicy(2.0), now=last[kept[0]] + 2 * DAY)
    assert gone == () and starts(tmp_path, "history") == kept
    gone = archived(tmp_path, db, keep=1, history=HistoryPolicy(2.0), now=last[kept[0]] + 2 * DAY + 1)
    expired = [start for start in kept if last[start] <= last[kept[0]]]
    assert list(gone) == [str(tmp_path / "history" / f"{start:020d}.wal") for start in expired]
    assert starts(tmp_path, "history") == kept[len(expired) :]
    # An index that is gone already is no obstacle; what is live or behind the horizon never expires.
    os.unlink(tmp_path / "history" / f"{kept[len(expired)]:020d}.idx")
    live = starts(tmp_path, "wal")
    archived(tmp_path, db, keep=1, history=HistoryPolicy(0.5), now=clock.now + 99 * DAY)
    assert starts(tmp_path, "history") == [] and starts(tmp_path, "wal") == live
    db.close()


def test_old_snapshots_that_cannot_be_removed_are_said_and_do_no_harm(tmp_path: Path) -> None:
    files = FaultyFiles(OS)
    db = opened(files, str(tmp_path), snapshots=policy(keep=1))
    fill(db)
    db.snapshot()
    fill(db, 1, first=9)
    files.counts["unlink"] = 0
    files.faults = (Fault("unlink", 1, error=errno.EACCES),)
    with pytest.raises(DurabilityError) as caught:
        db.snapshot()
    assert caught.value.committed is True
    assert len(offsets(tmp_path)) == 2
    fill(db, 1, first=10)
    db.snapshot()
    assert len(offsets(tmp_path)) == 1
    db.close()


def test_data_of_kinds_that_are_not_loaded_keeps_everything(tmp_path: Path) -> None:
    registry = builtin_registry().register(Tally)
    db = database(tmp_path, registry=registry, segment_bytes=400, snapshots=policy(keep=1))
    fill(db, 3)
    with db.transaction(A) as tx:
        tally: Any = db.primitives.named("tally")
        tx.write(tally.put(0x80, "n", 1))
    db.snapshot()
    fill(db, 3, first=3)
    before = db.digest()
    db.close()
    plain = database(tmp_path, segment_bytes=400, snapshots=policy(keep=1))
    assert plain.degraded == (9,)
    held = starts(tmp_path, "wal"), starts(tmp_path, "history"), offsets(tmp_path)
    info = plain.snapshot()  # the sections of the absent kind are in it as they were
    assert info.records[9] == 1
    assert (starts(tmp_path, "wal")[: len(held[0])], starts(tmp_path, "history")) == held[:2]
    assert offsets(tmp_path)[:-1] == held[2]
    plain.close()
    again = database(tmp_path, registry=builtin_registry().register(Tally), segment_bytes=400, seed=2)
    assert again.degraded == () and again.digest() == before
    again.resume_run(A)
    with again.transaction(A) as tx:
        tally = again.primitives.named("tally")
        tx.write(tally.put(0x80, "n", 2))
    again.close()
    plain = database(tmp_path, segment_bytes=400)
    with pytest.raises(UnknownEntryType) as caught:
        plain.snapshot()
    assert caught.value.types == plain.degraded
    plain.close()


@pytest.mark.parametrize(
    ("close_bytes", "more", "taken"), [(-1, 0, 0), (0, 0, 1), (1 << 20, 0, 0), (1, 0, 1), (0, 1, 1)]
)
def test_a_clean_close_takes_a_snapshot_where_the_policy_says(
    tmp_path: Path, close_bytes: int, more: int, taken: int
) -> None:
    db = database(tmp_path, snapshots=policy(close_bytes=close_bytes))
    fill(db)
    db.close()
    assert len(offsets(tmp_path)) == taken
    if more:  # nothing was committed since: not again
        database(tmp_path, snapshots=policy(close_bytes=close_bytes)).close()
        assert len(offsets(tmp_path)) == taken


def test_what_becomes_of_history_is_said_in_three_ways() -> None:
    assert HistoryPolicy.of("keep") == HistoryPolicy(None)
    assert HistoryPolicy.of("off") == HistoryPolicy(0)
    assert HistoryPolicy.of("days=1.5") == HistoryPolicy(1.5)
    for text in ("days=0", "days=-1", "days=x", "", "days=", "weeks=1"):
        with pytest.raises(ValueError):
            HistoryPolicy.of(text)


def test_the_commits_of_a_segment_by_their_markers(tmp_path: Path) -> None:
    made = commits(5, lsn=700)
    found = list(commits_in(joined(made), 700))
    assert [(one.run, one.lsn, one.end, one.cv, one.ts) for one in found] == [
        (one.run, one.lsn, one.end, one.cv, one.ts) for one in made
    ]
    damaged = bytearray(joined(made))
    damaged[made[2].end - 700 - 5] ^= 1  # in the marker of the third
    assert [one.cv for one in commits_in(bytes(damaged), 700)] == [1, 2, 4, 5]
    unreadable = marker_entry("no marker", entry_type=TRANSACTION_COMMIT)
    assert [one.cv for one in commits_in(unreadable + joined(made), 700 - len(unreadable))] == [1, 2, 3, 4, 5]


def test_a_snapshot_beside_writers_is_of_one_moment(tmp_path: Path) -> None:
    """What is committed while it is written is not in it, and what it replaces is."""
    db = database(tmp_path)
    fill(db, 3)
    digest = db.digest()
    original: Callable[..., Any] = db.committer.log.sync_through  # type: ignore[union-attr]
    log: Any = db.committer.log
    interposed: list[int] = []

    class Interposed:
        """The log, with commits of another just after the moment was fixed."""

        def __getattr__(self, name: str) -> Any:
            return getattr(log, name)

        def sync_through(self, lsn: int) -> None:
            db.committer.log = log
            db.kv.put(A, "key 1", "changed")
            db.kv.put(A, "new", 1)
            db.kv.delete(A, "key 2")
            interposed.append(lsn)
            original(lsn)

    db.committer.log = Interposed()  # type: ignore[assignment]
    info = db.snapshot()
    assert interposed == [info.wal_offset] and db.last_cv == info.cv + 3
    assert no_readers(db) and not db.primitives.versions.chained
    after = db.digest()
    db.close()
    reopened = database(tmp_path)
    assert reopened.digest() == after != digest
    assert reopened.recovery.transactions_recovered == 3
    reopened.close()
    for segment in list_segments(str(tmp_path), history=True):
        if segment.start > info.wal_offset:
            os.unlink(segment.path)
        else:
            os.truncate(segment.path, min(os.path.getsize(segment.path), info.wal_offset - segment.start))
    os.unlink(tmp_path / "CLEAN")
    at_that_moment = database(tmp_path)
    assert at_that_moment.digest() == digest
    at_that_moment.close()


def test_a_large_file_is_written_in_pieces_of_which_none_is_lost() -> None:
    """Around the size at which what waits is written: with nothing left for the end, a little, or all."""
    meta = SnapshotMeta(b"u" * 16, b"s" * 8, 1, 2, 3, 0, {})
    for size in range((1 << 20) - 180, (1 << 20) + 20, 2):
        files = SimulatedFiles()
        records = [b"\xc6" + (size - 5).to_bytes(4, "big") + bytes(size - 5)]
        info = write_snapshot(
            "/s",
            timestamp=3,
            wal_offset=9,
            meta=meta,
            sections=[(1, records)],
            files=files,
            section_bytes=1 << 21,
        )
        assert check_snapshot("/s", files) == info and info.records == {1: 1}
    files = SimulatedFiles()
    many = [b"\xc6" + (299_995).to_bytes(4, "big") + bytes([number]) * 299_995 for number in range(9)]
    info = write_snapshot(
        "/s", timestamp=3, wal_offset=9, meta=meta, sections=[(1, many)], files=files, section_bytes=400_000
    )
    contents = read_snapshot("/s", files=files)
    assert contents.info == info and info.records == {1: 9}
    assert [bytes(record) for _, section in contents.sections for record in iter_records(section)] == many


def test_an_index_of_another_segment_is_written_anew(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=400, snapshots=policy(keep=9))
    fill(db, 1)
    db.snapshot()
    fill(db, 9, first=1)
    db.snapshot()
    sealed = [start for start in starts(tmp_path, "wal") if start != db.committer.log.segment_start]  # type: ignore[union-attr]
    indexes = [tmp_path / "history" / f"{start:020d}.idx" for start in sealed]
    assert len(indexes) > 3
    right = [path.read_bytes() for path in indexes]
    indexes[0].write_bytes(right[1])
    indexes[1].write_bytes(right[1][:-1])
    indexes[2].unlink()
    untouched = indexes[3].stat().st_mtime_ns
    assert archived(tmp_path, db, keep=9) == ()
    assert [path.read_bytes() for path in indexes] == right
    assert indexes[3].stat().st_mtime_ns == untouched
    db.close()


def test_a_snapshot_ends_its_segment(tmp_path: Path) -> None:
    """So that what is before it can be indexed, and go, without what comes after."""
    db = database(tmp_path)
    log: Any = db.committer.log
    fill(db, 2)
    info = db.snapshot()
    sealed = log.segment_start
    assert sealed == log.end > info.wal_offset > 0
    assert starts(tmp_path, "wal")[-1] == sealed
    assert db.snapshot() == info and log.segment_start == sealed  # an empty segment is not ended
    db.committer.seal()
    assert log.segment_start == sealed
    fill(db, 1, first=7)
    db.committer.seal()
    assert log.segment_start == log.end > sealed
    fill(db, 1, first=8)
    end = log.segment_start
    db.committer.fail("test")
    db.committer.seal()
    assert log.segment_start == end
    db.close()
    with Database.open() as memory:
        memory.committer.seal()


@pytest.mark.parametrize(("type_id", "fits"), [(0, False), (1, True), (254, True), (255, False)])
def test_the_types_that_records_can_have(type_id: int, fits: bool) -> None:
    meta = SnapshotMeta(b"u" * 16, b"s" * 8, 1, 2, 3, 0, {})
    for given in ({"sections": [(type_id, [b"\xc0"])]}, {"sections": [], "opaque": {type_id: [b"\x91\xc0"]}}):
        files = SimulatedFiles()
        if fits:
            info = write_snapshot("/s", timestamp=3, wal_offset=9, meta=meta, files=files, **given)  # type: ignore[arg-type]
            assert check_snapshot("/s", files) == info and info.records == {type_id: 1}
            continue
        with pytest.raises(ValueError, match="type"):
            write_snapshot("/s", timestamp=3, wal_offset=9, meta=meta, files=files, **given)  # type: ignore[arg-type]
        assert files.listdir("/") == []


def test_a_section_of_very_many_records_is_read(tmp_path: Path) -> None:
    """From 65,536 records on, their number takes the longest form that there is."""
    path = str(tmp_path / "snapshot")
    written = write_snapshot(
        path,
        timestamp=1,
        wal_offset=2,
        meta=SnapshotMeta(b"u" * 16, b"s" * 8, 1, 2, 3, 0, {}),
        sections=[(1, [b"\x01"] * 65_536), (2, [b"\x02"])],
    )
    assert written.records == {1: 65_536, 2: 1}
    assert check_snapshot(path).records == written.records
    found = read_snapshot(path)
    assert [sum(1 for _ in iter_records(part)) for _, part in found.sections] == [65_536, 1]


def test_a_snapshot_is_not_kept_in_memory_until_its_end(tmp_path: Path) -> None:
    files = FaultyFiles(OS)
    on_disk: list[int] = []
    path = tmp_path / "snapshot"

    def records() -> Any:
        for _ in range(80):
            yield b"\xc5\xff\x00" + bytes(0xFF00)
            on_disk.append(path.stat().st_size)

    write_snapshot(
        str(path),
        timestamp=1,
        wal_offset=2,
        meta=SnapshotMeta(b"u" * 16, b"s" * 8, 1, 2, 3, 0, {}),
        sections=[(1, records())],
        section_bytes=100_000,
        files=files,
    )
    behind = [0xFF00 * (number + 1) - size for number, size in enumerate(on_disk)]
    assert max(behind) < 3 << 20 < on_disk[-1]


def test_where_a_file_stops_being_a_snapshot_is_told(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    path.write_bytes(b"x" * 100)
    for reader in (check_snapshot, read_snapshot):
        with pytest.raises(SnapshotCorruptError) as caught:
            reader(str(path))
        assert (caught.value.reason, caught.value.position) == ("magic", "byte 0")
    misnamed = tmp_path / snapshot_name(4097)
    meta = SnapshotMeta(b"u" * 16, b"s" * 8, 1, 2, 3, 0, {})
    write_snapshot(str(misnamed), timestamp=1, wal_offset=4096, meta=meta, sections=[])
    for reader in (check_snapshot, read_snapshot):
        with pytest.raises(SnapshotCorruptError) as caught:
            reader(str(misnamed))
        assert (caught.value.reason, caught.value.position) == ("name", "byte 22")
