"""Recovery through opening: what is taken for the state, what is said of the rest, and what is put right."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.engine.builtin import builtin_registry
from devstate.engine.database import Database
from devstate.engine.envelope import encode_entry
from devstate.engine.errors import (
    DurabilityError,
    NoRecoveryBaseError,
    SnapshotCorruptError,
    UnknownEntryType,
    UnsupportedFormat,
    WalCorruptionError,
)
from devstate.engine.framing import (
    CommitMarker,
    SnapshotMark,
    encode_commit,
    frame_snapshot_mark,
    frame_transaction,
    make_tx_id,
)
from devstate.engine.identity import read_clean, read_identity, read_small
from devstate.engine.map_primitive import MapPrimitive
from devstate.engine.meta import CleanMark, decode_meta, encode_clean
from devstate.engine.recovery import recover
from devstate.engine.recovery_base import load_snapshot
from devstate.engine.recovery_result import RecoveryOptions, RecoveryResult
from devstate.engine.repair import cut_log, repair
from devstate.engine.segments import SegmentReader, list_segments
from devstate.engine.snapshot_file import SnapshotMeta, encode_end, encode_envelope, encode_meta
from devstate.engine.snapshot_reading import read_snapshot
from devstate.engine.snapshotting import SnapshotPolicy, commits_in
from devstate.engine.versions import Versions
from devstate.errors import InputUnreadable
from engine_crash.driving import RUNS, opened
from log_forgery import flip, rewrite

A, B = RUNS[:2]
PREFIX = RecoveryOptions(on_corruption="prefix")


class Tally(MapPrimitive):
    type_id = 9
    name = "tally"
    puts = (0x80,)
    deletes = (0x81,)


class LaterTally(Tally):
    format = 2


class OtherTally(Tally):
    """Of the same number, with records that the others cannot read."""

    def from_fields(self, fields: Sequence[msgspec.Raw]) -> Any:
        raise ValueError("not mine")


def tally(kind: type[MapPrimitive] = Tally) -> Any:
    return builtin_registry().register(kind)


def database(path: Path, **options: Any) -> Database:
    return opened(OS, str(path), **options)


def fill(db: Database, count: int, *, first: int = 0, run: str = A) -> None:
    if db.run_status(run) == "not_found":
        db.begin_run(run, name="a")
    for number in range(first, first + count):
        db.kv.put(run, f"key {number}", "v" * 50)


def crashed(db: Database) -> None:
    """What a process that is killed leaves."""
    locks = db._opened.locks  # type: ignore[attr-defined]
    assert locks is not None
    locks.close()
    if db.committer.flusher is not None:
        db.committer.flusher.close()
    assert db.committer.log is not None
    db.committer.log.close()


def recovered(path: Path, options: RecoveryOptions | None = None, **more: Any) -> Any:
    registry = more.pop("registry", None) or builtin_registry()
    return recover(str(path), registry, Versions, options or RecoveryOptions(), alone=True, **more)


def commits(path: Path) -> list[Any]:
    return [
        commit
        for segment in list_segments(str(path), history=True)
        for commit in commits_in(Path(segment.path).read_bytes(), segment.start)
    ]


def last_segment(path: Path) -> Path:
    return Path(list_segments(str(path), history=False)[-1].path)


def listing(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


# -- which database it is


def test_without_meta_the_newest_snapshot_says_which_database_it_is(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 3)
    db.snapshot()
    fill(db, 2, first=3)
    newest = db.snapshot()
    digest, meta = db.digest(), db._opened.meta  # type: ignore[attr-defined]
    db.close()
    os.unlink(tmp_path / "META")
    data = bytearray(Path(newest.path).read_bytes())
    data[-1] ^= 1  # the older one, then
    Path(newest.path).write_bytes(data)
    again = database(tmp_path)
    assert again.recovery.meta_rebuilt and again.recovery.has_issues
    assert again.recovery.snapshots_rejected == ((newest.path, "checksum"),)
    found = again._opened.meta  # type: ignore[attr-defined]
    assert (found.db_uuid, found.salt) == (meta.db_uuid, meta.salt)
    assert again.digest() == digest
    assert decode_meta((tmp_path / "META").read_bytes(), "META") == found
    again.close()
    assert not database(tmp_path).recovery.meta_rebuilt


def test_without_meta_and_snapshots_the_log_says_which_database_it_is(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=300)
    fill(db, 5)
    digest, salt = db.digest(), db.committer.salt
    db.close()
    os.unlink(tmp_path / "META")
    first = recovered(tmp_path)
    again = database(tmp_path)
    assert again.recovery.meta_rebuilt and again.digest() == digest
    meta = again._opened.meta  # type: ignore[attr-defined]
    assert (meta.salt, meta.created, len(meta.db_uuid)) == (salt, 0, 16)
    assert meta == first.meta
    again.close()


def test_entries_of_no_transaction_say_nothing_of_the_database(tmp_path: Path) -> None:
    os.makedirs(tmp_path / "wal")
    note = encode_entry(0x02, bytes(16), b"\x90")
    salt = bytes(range(1, 9))
    (tmp_path / "wal" / f"{0:020d}.wal").write_bytes(b"\xff" * 30 + note)
    (tmp_path / "wal" / f"{30 + len(note):020d}.wal").write_bytes(
        encode_entry(0x10, make_tx_id(1, salt), b"")
    )
    with SegmentReader(str(tmp_path)) as reader:
        meta, rebuilt = read_identity(str(tmp_path), reader, OS)
    assert (meta.salt, rebuilt) == (salt, True)


def test_nothing_says_which_database_it_is(tmp_path: Path) -> None:
    with SegmentReader(str(tmp_path)) as reader, pytest.raises(NoRecoveryBaseError):
        read_identity(str(tmp_path), reader, OS)


def test_small_files_are_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = str(tmp_path / "small")
    assert read_small(path, OS) is None
    Path(path).write_bytes(b"abcdefg")
    assert read_small(path, FaultyFiles(OS, [Fault("pread", short=2, lasting=True)])) == b"abcdefg"
    for call in ("open", "pread"):
        assert read_small(path, FaultyFiles(OS, [Fault(call, error=errno.EINTR)])) == b"abcdefg"
        with pytest.raises(InputUnreadable) as caught:
            read_small(path, FaultyFiles(OS, [Fault(call, error=errno.EIO)]))
        assert caught.value.path == path
    Path(path).write_bytes(b"x" * 100_000)
    data = read_small(path, OS)
    assert (
        data is not None and len(data) < 100_000
    )  # no such file is that large: it is refused by what reads it
    os.mkdir(tmp_path / "folder")
    with pytest.raises(InputUnreadable):
        read_small(str(tmp_path / "folder"), OS)
    os.symlink("small", tmp_path / "link")
    with pytest.raises(InputUnreadable):
        read_small(str(tmp_path / "link"), OS)
    files = FaultyFiles(OS)
    read_small(path, files)
    assert files.counts["open"] == files.counts["close"] == 1


def test_a_damaged_mark_of_a_clean_close_proves_nothing(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    db.close()
    mark = read_clean(str(tmp_path), OS)
    assert mark is not None and mark.cv == 2
    data = (tmp_path / "CLEAN").read_bytes()
    (tmp_path / "CLEAN").write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
    assert read_clean(str(tmp_path), OS) is None
    again = database(tmp_path)
    assert not again.recovery.clean_close and not again.recovery.has_issues
    again.close()
    again = database(tmp_path)
    assert again.recovery.clean_close
    again.close()


# -- what a clean close vouched for


def test_commits_that_vanished_after_a_clean_close_are_lost_data(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 4)
    db.close()
    segment = last_segment(tmp_path)
    ends = [commit.end for commit in commits(tmp_path)]
    size = segment.stat().st_size
    os.truncate(segment, ends[2] + 10)
    before = listing(tmp_path)
    with pytest.raises(WalCorruptionError) as caught:
        database(tmp_path)
    assert listing(tmp_path).keys() - {"LOCK", "WRITERS"} == before.keys() - {"LOCK", "WRITERS"}
    report = caught.value.report
    assert report is not None
    assert (report.reason, report.lsn, report.end_lsn, report.last_cv) == ("vanished", ends[2], ends[2], 3)
    assert (report.commits_destroyed, report.destroyed_cvs, report.bytes_cut) == (2, (4, 5), 10)
    assert report.intact_commits_cut == 0
    # To the last word about the data; what to do stands in the remedy.
    assert caught.value.message.endswith("Opening up to commit 3 sets 10 bytes aside.")
    assert (report.segment, report.offset) == (str(segment), ends[2])
    again = database(tmp_path, recovery=PREFIX)
    assert (again.last_cv, again.recovery.committed_lost) == (3, 2)
    assert not again.recovery.clean_close and again.recovery.tail_bytes_discarded == 0
    assert not (tmp_path / "CLEAN").exists()
    assert segment.stat().st_size == ends[2] < size
    assert len(again.set_aside) == 2 and all(os.path.exists(path) for path in again.set_aside)
    again.close()
    database(tmp_path).close()


def test_bytes_without_a_commit_that_vanished_are_told_as_such(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 2)
    note = SnapshotMark(file="", wal_offset=0, cv=0, ts=0, crc32=0)
    db.committer.append_note(frame_snapshot_mark(note))  # behind the last commit
    db.close()
    os.truncate(last_segment(tmp_path), commits(tmp_path)[-1].end)
    with pytest.raises(WalCorruptionError) as caught:
        database(tmp_path)
    report = caught.value.report
    assert report is not None
    assert (report.reason, report.commits_destroyed, report.destroyed_cvs) == ("vanished", 0, None)
    end = commits(tmp_path)[-1].end
    assert (report.segment, report.offset, report.bytes_cut) == (str(last_segment(tmp_path)), end, 0)


def test_where_something_vanished_is_told_by_the_place_in_its_own_segment(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=300)
    fill(db, 5)
    db.close()
    segment = list_segments(str(tmp_path), history=False)[-1]
    assert segment.start > 0
    end = next(commit.end for commit in commits(tmp_path) if commit.lsn == segment.start)
    os.truncate(segment.path, end - segment.start)
    if end == segment.end:  # it held one commit: then all of it is gone
        os.truncate(segment.path, 0)
        end = segment.start
    with pytest.raises(WalCorruptionError) as caught:
        database(tmp_path)
    report = caught.value.report
    assert report is not None
    assert (report.reason, report.lsn) == ("vanished", end)
    assert (report.segment, report.offset) == (segment.path, end - segment.start)


def test_a_mark_that_speaks_of_less_than_there_is_changes_nothing(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 3)
    end = db.committer.log.end  # type: ignore[union-attr]
    db.close()
    for mark, clean in ((CleanMark(end, 4), True), (CleanMark(end - 1, 3), True), (CleanMark(0, 0), True)):
        (tmp_path / "CLEAN").write_bytes(encode_clean(mark))
        found = recovered(tmp_path)
        assert (found.result.clean_close, found.end.lost, found.cut) == (clean, None, False)
    for mark in (CleanMark(end + 1, 4), CleanMark(end, 5)):
        (tmp_path / "CLEAN").write_bytes(encode_clean(mark))
        with pytest.raises(WalCorruptionError):
            recovered(tmp_path)
        # Who only looks is told too: the mark goes before anything is appended, so it holds while it stands.
        lost = recovered(tmp_path, live=True).end.lost
        assert lost is not None and lost.reason == "vanished"


def test_an_unfinished_end_is_cut_but_not_while_others_write(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 2)
    crashed(db)
    segment = last_segment(tmp_path)
    with open(segment, "ab") as file:
        file.write(b"\x3f\0\0\0\x10\x01")
    live = recovered(tmp_path, live=True)
    assert (live.result.tail_bytes_discarded, live.result.tail_reason, live.result.clean_close) == (
        0,
        None,
        False,
    )
    found = recovered(tmp_path)
    assert (found.result.tail_bytes_discarded, found.result.tail_reason, found.cut) == (6, "short", True)
    assert not found.read_only and found.result.committed_lost == 0
    again = database(tmp_path)
    assert again.recovery.comparable() == found.result.comparable()
    assert len(again.set_aside) == 1 and Path(again.set_aside[0]).read_bytes() == b"\x3f\0\0\0\x10\x01"
    assert os.stat(again.set_aside[0]).st_mode & 0o777 == 0o600
    again.close()


# -- commits that do not fit


def broken_by(path: Path, cv: int) -> None:
    """Commit `cv` puts a key of a run that is not its own."""

    def change(entry_type: int, payload: bytes) -> bytes:
        return payload.replace(UUID(A).bytes, UUID(B).bytes)

    rewrite(path, cv, change)


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_commit_that_does_not_fit_ends_the_state_before_it(tmp_path: Path, snapshot: bool) -> None:
    db = database(tmp_path, segment_bytes=400)
    fill(db, 2)
    if snapshot:
        db.snapshot()
    digests = {}
    for number in range(4):
        fill(db, 1, first=10 + number)
        digests[db.last_cv] = db.digest()
    db.close()
    os.unlink(tmp_path / "CLEAN")
    broken_by(tmp_path, 5)
    found = {commit.cv: commit for commit in commits(tmp_path)}
    segment = max(
        (s for s in list_segments(str(tmp_path), history=True) if s.start <= found[5].lsn),
        key=lambda s: s.start,
    )
    log_end = list_segments(str(tmp_path), history=False)[-1].end
    with pytest.raises(WalCorruptionError) as caught:
        database(tmp_path)
    report = caught.value.report
    assert report is not None
    assert (report.segment, report.lsn, report.offset) == (
        segment.path,
        found[5].lsn,
        found[5].lsn - segment.start,
    )
    assert (report.reason, report.last_cv, report.end_lsn) == ("inapplicable", 4, found[4].end)
    assert (report.first_cv_after, report.intact_commits_cut, report.runs_cut) == (5, 3, (A,))
    assert (report.commits_destroyed, report.bytes_cut) == (0, log_end - found[4].end)
    looked = database(tmp_path, recovery=RecoveryOptions(on_corruption="read_only"))
    assert looked.digest() == digests[4] and looked.durability == "read_only"
    assert looked.recovery.committed_lost == 3
    looked.close()
    again = database(tmp_path, recovery=PREFIX)
    assert (again.last_cv, again.digest(), again.recovery.committed_lost) == (4, digests[4], 3)
    assert again.recovery.transactions_recovered == (1 if snapshot else 4)
    assert again.recovery.wal_end_offset == found[4].end
    again.close()
    assert database(tmp_path).digest() == digests[4]


def test_a_commit_of_a_run_that_was_never_begun_does_not_fit(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    log: Any = db.committer.log
    payload = msgspec.msgpack.encode([UUID(B).bytes, "k", 3, db.committer.ts, "v"])
    data = frame_transaction(
        [(0x10, payload)], make_tx_id(9, db.committer.salt), UUID(B).bytes, 3, db.committer.ts, log.end
    )
    end = log.end
    crashed(db)
    with open(last_segment(tmp_path), "ab") as file:
        file.write(data)
    with pytest.raises(WalCorruptionError) as caught:
        database(tmp_path)
    assert caught.value.report is not None
    assert (caught.value.report.reason, caught.value.report.lsn) == ("inapplicable", end)
    assert "never begun" in caught.value.report.detail


@pytest.mark.parametrize("field", [0, 2, 3])
def test_an_entry_that_contradicts_its_marker_does_not_fit(tmp_path: Path, field: int) -> None:
    db = database(tmp_path)
    fill(db, 2)
    db.close()

    def change(entry_type: int, payload: bytes) -> bytes:
        parts = msgspec.msgpack.decode(payload)
        parts[field] = parts[field][:-1] + b"\x07" if field == 0 else parts[field] - 1
        return msgspec.msgpack.encode(parts)

    rewrite(tmp_path, 3, change)
    with pytest.raises(WalCorruptionError) as caught:
        database(tmp_path)
    assert caught.value.report is not None and caught.value.report.reason == "inapplicable"


@pytest.mark.parametrize("fault", [NameError, AttributeError, ImportError, MemoryError])
def test_a_fault_of_the_program_is_not_taken_for_damage(tmp_path: Path, fault: type[Exception]) -> None:
    class Faulty(Tally):
        def apply_wal_entry(self, entry: Any) -> None:
            raise fault("of the program")

    db = database(tmp_path, registry=tally())
    fill(db, 1)
    with db.transaction(A) as tx:
        kind: Any = db.primitives.named("tally")
        tx.write(kind.put(0x80, "n", 1))
    db.close()
    with pytest.raises(fault):
        database(tmp_path, registry=tally(Faulty), recovery=PREFIX)
    database(tmp_path, registry=tally()).close()


# -- snapshots that cannot be used


def with_tally(path: Path) -> str:
    db = database(path, registry=tally(LaterTally))
    fill(db, 1)
    kind: Any = db.primitives.named("tally")
    with db.transaction(A) as tx:
        tx.write(kind.put(0x80, "n", 1))
    db.snapshot()
    fill(db, 1, first=5)
    digest = db.digest()
    db.close()
    return digest


def test_sections_of_a_later_format_are_kept_as_they_are(tmp_path: Path) -> None:
    digest = with_tally(tmp_path)
    db = database(tmp_path, registry=tally())
    assert db.degraded == db.recovery.degraded_types == (9,)
    assert db.recovery.has_issues and db.recovery.snapshot_used is not None
    with pytest.raises(UnknownEntryType) as caught:
        db.snapshot()  # it could not hold what was committed to them since
    assert caught.value.types == (9,)
    db.close()
    again = database(tmp_path, registry=tally(LaterTally))
    assert (again.degraded, again.digest()) == ((), digest)
    again.close()


def test_a_snapshot_whose_records_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    with_tally(tmp_path)
    found = recovered(tmp_path, registry=tally(type("Kind", (OtherTally,), {"format": 2})))
    assert [reason for _, reason in found.result.snapshots_rejected] == ["records"]
    assert found.result.snapshot_used is None and found.result.wal_replay_from_offset == 0


def test_other_snapshots_are_looked_at_where_that_is_wanted(tmp_path: Path) -> None:
    db = database(tmp_path, snapshots=SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1, keep=4))
    taken = []
    for number in range(4):
        fill(db, 1, first=number)
        taken.append(db.snapshot().path)
    db.close()
    for path, at in ((taken[0], 10), (taken[1], 50), (taken[2], 60)):
        data = bytearray(Path(path).read_bytes())
        data[at] ^= 4  # the format of the first, the content of the others
        Path(path).write_bytes(data)
    found = recovered(tmp_path)
    assert found.result.snapshots_rejected == ((taken[2], "checksum"), (taken[1], "checksum"))
    assert found.result.snapshot_used.path == taken[3]
    quick = recovered(tmp_path, RecoveryOptions(verify_all_checksums=False))
    assert quick.result.snapshots_rejected == ()
    database(tmp_path).close()
    assert sorted(os.listdir(tmp_path / "snapshots")) == sorted(
        os.path.basename(path) for path in (taken[0], taken[1] + ".bad", taken[2] + ".bad", taken[3])
    )


def test_a_newer_snapshot_of_a_later_format_is_no_reason_to_fall_back(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    path = Path(db.snapshot().path)
    db.close()
    data = bytearray(path.read_bytes())
    data[10] = 2
    path.write_bytes(data)
    with pytest.raises(UnsupportedFormat):
        database(tmp_path)
    assert path.read_bytes() == data


def test_a_snapshot_under_the_name_of_another_position_is_not_believed(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    path = Path(db.snapshot().path)
    digest = db.digest()
    db.close()
    os.rename(path, path.with_name(f"snapshot_{1:020d}.dat"))
    again = database(tmp_path)
    assert [reason for _, reason in again.recovery.snapshots_rejected] == ["name"]
    assert again.digest() == digest
    again.close()


def test_without_a_base_everything_that_was_tried_is_said(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=300, history="off")
    for number in range(3):
        fill(db, 4, first=4 * number)
        db.snapshot()
    db.close()
    first = list_segments(str(tmp_path), history=False)[0].start
    for name in os.listdir(tmp_path / "snapshots"):
        (tmp_path / "snapshots" / name).write_bytes(b"INMEM_SNAP")
    with pytest.raises(NoRecoveryBaseError) as caught:
        database(tmp_path)
    assert f"LSN {first}" in caught.value.message
    assert all(name in caught.value.message for name in os.listdir(tmp_path / "snapshots"))
    for segment in list_segments(str(tmp_path), history=False):
        os.unlink(segment.path)
    with pytest.raises(NoRecoveryBaseError, match="there is none"):
        recovered(tmp_path)


def test_a_snapshot_of_another_position_than_was_asked_for_is_not_loaded(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    info = db.snapshot()
    salt = db.committer.salt
    db.close()
    copied = tmp_path / "copied"
    copied.write_bytes(Path(info.path).read_bytes())
    registry = builtin_registry()
    assert load_snapshot(str(copied), info.wal_offset, registry, Versions, salt, OS).cv == info.cv
    with pytest.raises(SnapshotCorruptError) as caught:
        load_snapshot(str(copied), info.wal_offset + 1, registry, Versions, salt, OS)
    assert caught.value.reason == "name"


# -- figures


def test_the_result_counts_what_was_done(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=400)
    fill(db, 3)
    db.begin_run(B)
    with db.transaction(A) as tx:
        tx.kv.put("x", 1)
        tx.kv.put("y", 2)
        tx.events.append("tick", 1)
    end, ts = db.committer.log.end, db.committer.ts  # type: ignore[union-attr]
    crashed(db)
    found = recovered(tmp_path)
    told = found.result
    assert (told.transactions_recovered, told.wal_entries_replayed, told.last_cv, told.last_ts) == (
        6,
        10,
        6,
        ts,
    )
    assert (told.wal_replay_from_offset, told.wal_end_offset, told.orphaned_runs) == (0, end, (A, B))
    assert (told.clean_close, told.has_issues, told.index_rebuilt, told.meta_rebuilt) == (False,) * 4
    assert set(told.phases) == {"discovering", "loading", "scanning", "rebuilding"}
    assert all(0 <= spent <= told.recovery_time_micros for spent in told.phases.values())
    assert (found.next_tx, found.first_history_lsn, found.cut, found.leftovers) == (7, 0, False, ())
    assert found.commits == ((1, found.commits[0][1], 0),)
    assert recovered(tmp_path, RecoveryOptions(rebuild_indexes=True)).result.index_rebuilt


def test_the_position_of_every_256th_commit_is_kept(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 520)
    crashed(db)
    lsns = {commit.cv: (commit.ts, commit.lsn) for commit in commits(tmp_path)}
    assert recovered(tmp_path).commits == tuple((cv, *lsns[cv]) for cv in (1, 256, 512))


def test_numbers_of_transactions_are_not_used_again(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 2)
    db.snapshot()
    crashed(db)
    log = last_segment(tmp_path)
    salt = recovered(tmp_path).meta.salt
    with open(log, "ab") as file:
        file.write(encode_entry(0x10, make_tx_id(70, salt), b"orphaned"))
    found = recovered(tmp_path)
    assert (found.next_tx, found.result.orphaned_transactions) == (71, 1)
    snapshot = read_snapshot(found.result.snapshot_used.path)
    assert snapshot.meta.next_tx == 4
    os.truncate(log, 0)  # the snapshot sealed the segment before it
    assert recovered(tmp_path).next_tx == 4


def test_what_interrupted_writes_left_is_listed_and_then_removed(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    db.close()
    left = [tmp_path / ".tmp-1-ab", tmp_path / "wal" / ".tmp-1-ab", tmp_path / "snapshots" / ".tmp-2-cd"]
    for path in left:
        path.write_bytes(b"half")
    assert recovered(tmp_path).leftovers == tuple(map(str, left))
    database(tmp_path).close()
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("folder", ["wal", "snapshots", "history"])
def test_a_folder_that_cannot_be_listed_is_said(tmp_path: Path, folder: str) -> None:
    db = database(tmp_path)
    fill(db, 1)
    db.close()
    tried = 0
    for nth in range(1, 20):
        hit: list[str] = []

        class Refusing(FaultyFiles):
            def listdir(self, path: str, nth: int = nth, hit: list[str] = hit) -> list[str]:
                if path.endswith(folder):
                    hit.append(path)
                    if len(hit) == nth:
                        raise PermissionError(errno.EACCES, "no", path)
                return super().listdir(path)

        try:
            recovered(tmp_path, files=Refusing(OS))
        except InputUnreadable as error:
            assert error.path is not None and error.path.endswith(folder)
            tried += 1
        else:
            break
    assert tried >= 1


def test_a_folder_that_is_missing_holds_nothing(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    digest = db.digest()
    db.close()
    os.rmdir(tmp_path / "snapshots")
    os.rmdir(tmp_path / "history")
    assert recovered(tmp_path).leftovers == ()
    again = database(tmp_path)
    assert again.digest() == digest
    again.close()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(tmp_path: Path, enabled: bool) -> None:
    db = database(tmp_path)
    fill(db, 1)
    db.close()
    seen: list[bool] = []
    try:
        if not enabled:
            gc.disable()
        recovered(tmp_path, prepare=lambda primitives: seen.append(gc.isenabled()))
        assert gc.isenabled() is enabled and seen == [False]
    finally:
        gc.enable()


def test_kinds_that_are_not_known_are_kept_or_refused(tmp_path: Path) -> None:
    db = database(tmp_path, registry=tally())
    fill(db, 1)
    kind: Any = db.primitives.named("tally")
    for number in range(2):
        with db.transaction(A) as tx:
            tx.write(kind.put(0x80, f"n{number}", 1))
            tx.kv.put("beside", number)
    digest = db.digest()
    db.close()
    plain = database(tmp_path)
    told = plain.recovery
    assert (told.unknown_entries_skipped, told.degraded_types, told.wal_entries_replayed) == (2, (0x80,), 5)
    assert (told.transactions_recovered, plain.kv.get(A, "beside"), told.has_issues) == (4, 1, True)
    plain.close()
    with pytest.raises(UnknownEntryType) as caught:
        database(tmp_path, recovery=RecoveryOptions.strict())
    assert caught.value.types == (0x80,)
    again = database(tmp_path, registry=tally(), recovery=RecoveryOptions.strict())
    assert again.digest() == digest and again.degraded == ()
    again.close()


def test_entries_of_a_later_version_are_kept_like_those_of_unknown_kinds(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    ts, lsn, salt = db.committer.ts, db.committer.log.end, db.committer.salt  # type: ignore[union-attr]
    crashed(db)
    from zlib import crc32

    tx_id = make_tx_id(3, salt)
    body = bytes((0x10, 2)) + tx_id + msgspec.msgpack.encode([UUID(A).bytes, "k", 3, ts, "v"])
    checksum = crc32(body).to_bytes(4, "little")
    entry = (len(body) + 4).to_bytes(4, "little") + body + checksum
    marker = encode_commit(CommitMarker(3, ts, 1, lsn, UUID(A).bytes, crc32(checksum)))
    with open(last_segment(tmp_path), "ab") as file:
        file.write(entry + encode_entry(0x00, tx_id, marker))
    again = database(tmp_path)
    assert (again.last_cv, again.degraded, again.kv.get(A, "k")) == (3, (0x10,), None)
    again.close()


def test_gaps_are_passed_over_up_to_the_limit(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    log: Any = db.committer.log
    for number in range(3):
        with db.committer.lock:
            log.append(b"\xff" * 30)
        fill(db, 1, first=7 + number)
    digest = db.digest()
    crashed(db)
    for limit in (0, 1, 2):
        with pytest.raises(WalCorruptionError) as caught:
            recovered(tmp_path, RecoveryOptions(max_corrupt_entries=limit))
        assert caught.value.report is not None
        assert (caught.value.report.reason, caught.value.report.last_cv) == ("gaps", 2 + limit)
    again = database(tmp_path, recovery=RecoveryOptions(max_corrupt_entries=3))
    assert (again.recovery.corrupt_entries_skipped, again.digest()) == (3, digest)
    again.close()


def test_a_log_that_ends_before_its_snapshot_goes_on_behind_it(tmp_path: Path) -> None:
    """The log was cut, or lost, below the newest snapshot: what is appended then stands in a segment of its own."""
    db = database(tmp_path)
    fill(db, 3)
    info = db.snapshot()
    digest = db.digest()
    db.close()
    os.unlink(tmp_path / "CLEAN")
    os.truncate(last_segment(tmp_path), commits(tmp_path)[1].end)
    found = recovered(tmp_path, RecoveryOptions(on_corruption="read_only"))
    assert found.result.last_cv == info.cv
    again = database(tmp_path, recovery=PREFIX, seed=2, owner=None)
    assert again.digest() == digest
    again.resume_run(A)
    again.kv.put(A, "more", 1)
    digest = again.digest()
    again.close()
    last = database(tmp_path, recovery=PREFIX)
    assert last.digest() == digest
    last.close()


# -- putting right


def test_a_log_of_several_segments_is_cut_from_the_last_one_backwards(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=300)
    fill(db, 9)
    db.close()
    os.unlink(tmp_path / "CLEAN")
    segments = list_segments(str(tmp_path), history=False)
    assert len(segments) > 3
    original = {segment.start: Path(segment.path).read_bytes() for segment in segments}
    end = segments[1].start + 77
    files = FaultyFiles(OS)
    aside = cut_log(str(tmp_path), segments, end, report={"why": "test"}, files=files)
    assert files.counts["open"] == files.counts["close"]
    assert [os.path.basename(path).split("-")[0] for path in aside] == ["wal"] * (len(segments) - 1) + [
        "report"
    ]
    assert Path(aside[0]).read_bytes() == original[segments[1].start][77:]
    assert [Path(path).read_bytes() for path in aside[1:-1]] == [original[s.start] for s in segments[2:]]
    assert msgspec.json.decode(Path(aside[-1]).read_bytes()) == {"why": "test"}
    assert f"{end:020d}" in aside[0] and f"{segments[2].start:020d}" in aside[1]
    left = list_segments(str(tmp_path), history=False)
    assert [segment.start for segment in left] == [segments[0].start, segments[1].start]
    assert left[-1].size == 77
    assert files.counts["fdatasync"] == 1 and files.counts["ftruncate"] == 1
    assert cut_log(str(tmp_path), left, end, report={"why": "test"}) == ()


def test_a_segment_that_begins_at_the_end_stays_empty(tmp_path: Path) -> None:
    db = database(tmp_path, segment_bytes=300)
    fill(db, 5)
    db.close()
    segments = list_segments(str(tmp_path), history=False)
    cut_log(str(tmp_path), segments, segments[-1].start)
    assert list_segments(str(tmp_path), history=False)[-1].size == 0
    assert len(list_segments(str(tmp_path), history=False)) == len(segments)


@pytest.mark.parametrize("call", ["replace", "unlink", "ftruncate", "fdatasync", "fsync_dir", "write"])
def test_a_repair_that_fails_can_begin_again(tmp_path: Path, call: str) -> None:
    db = database(tmp_path, segment_bytes=400)
    fill(db, 3)
    db.snapshot()
    fill(db, 6, first=3)
    newest = db.snapshot()
    fill(db, 3, first=20)
    db.close()
    flip(tmp_path, 7)
    flip(tmp_path, newest.cv + 1)
    data = bytearray(Path(newest.path).read_bytes())
    data[-1] ^= 1
    Path(newest.path).write_bytes(data)
    (tmp_path / ".tmp-1-ab").write_bytes(b"half")
    os.unlink(tmp_path / "META")
    expected = recovered(tmp_path, PREFIX)
    assert expected.cut and expected.result.committed_lost > 0
    refused = 0
    for nth in range(1, 60):
        files = FaultyFiles(OS, [Fault(call, nth, error=errno.EIO)])
        found = recovered(tmp_path, PREFIX)
        if not found.cut:
            break
        try:
            repair(str(tmp_path), found, files=files)
        except Exception as error:
            assert type(error).__name__ in ("DurabilityError", "StorageFault"), error
            refused += 1
        # However far it got, the same prefix comes out.
        assert recovered(tmp_path, PREFIX).result.last_cv == expected.result.last_cv
    assert refused >= 1
    again = database(tmp_path)
    assert again.last_cv == expected.result.last_cv and again.recovery.committed_lost == 0
    again.close()
    assert not (tmp_path / ".tmp-1-ab").exists()
    assert any(name.startswith("report-") for name in os.listdir(tmp_path / "quarantine"))


def test_a_repair_says_what_it_cannot_do(tmp_path: Path) -> None:
    db = database(tmp_path)
    fill(db, 1)
    crashed(db)
    with open(last_segment(tmp_path), "ab") as file:
        file.write(b"half")
    found = recovered(tmp_path)
    with pytest.raises(DurabilityError) as caught:
        repair(str(tmp_path), found, files=FaultyFiles(OS, [Fault("ftruncate", error=errno.EIO)]))
    assert caught.value.path == str(tmp_path)
    with pytest.raises(DurabilityError):
        repair(str(tmp_path), found, files=FaultyFiles(OS, [Fault("fsync", error=errno.ENOSPC)]))
    assert last_segment(tmp_path).read_bytes().endswith(b"half")
    assert len(repair(str(tmp_path), found)) == 1
    assert repair(str(tmp_path), recovered(tmp_path)) == ()


def test_what_a_meta_of_nobody_says_is_not_believed(tmp_path: Path) -> None:
    """A snapshot whose description cannot be read is passed over in the search for the identity, too."""
    db = database(tmp_path)
    fill(db, 1)
    salt = db.committer.salt
    db.snapshot()
    db.close()
    os.unlink(tmp_path / "META")
    meta = SnapshotMeta(b"u" * 16, b"s" * 8, 1, 2, 3, 0, {})
    body = encode_meta(meta)
    end = encode_end({})
    payload = b"\0" + len(body).to_bytes(8, "little") + body + b"\xff" + len(end).to_bytes(8, "little") + end
    sound = encode_envelope(payload, timestamp=3, wal_offset=1 << 40)
    (tmp_path / "snapshots" / f"snapshot_{1 << 40:020d}.dat").write_bytes(sound[:-1])
    with SegmentReader(str(tmp_path)) as reader:
        assert read_identity(str(tmp_path), reader, OS)[0].salt == salt


def test_one_of_each_is_told_as_one() -> None:
    one = RecoveryResult(
        snapshots_rejected=(("a", "short"),),
        transactions_recovered=1,
        corrupt_entries_skipped=1,
        unknown_entries_skipped=1,
        tail_bytes_discarded=1,
        committed_lost=1,
        orphaned_runs=("r",),
        last_cv=1,
    )
    assert one.summary() == (
        "empty state + 1 transaction = commit 1; 1 snapshot rejected; 1 harmless gap; 1 byte of torn tail discarded; "
        "1 committed transaction lost; 1 entry of unknown kinds kept aside; 1 orphaned run"
    )
    assert "2 entries of unknown kinds" in RecoveryResult(unknown_entries_skipped=2).summary()
