"""Everything that can be wrong with the files of a database is found, and nothing that is right."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from devstate.durable.files import OS, Files
from devstate.engine.checking import check
from devstate.engine.framing import frame_transaction, make_tx_id
from devstate.engine.primitives.events import EventStore
from devstate.engine.primitives.runs import RunStore
from devstate.engine.recovery_result import RecoveryOptions
from devstate.engine.registry import Registry
from devstate.engine.salvage import salvage
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.findings import CODES, Finding, exit_code
from log_forgery import flip, rewrite
from run_samples import REGISTRY, begin, open_db, raw, run_id, work

NO_SNAPSHOT = SnapshotPolicy(close_bytes=-1, wal_bytes=0, seconds=0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two ended runs, two snapshots, sealed and live segments, closed cleanly."""
    path = tmp_path / "db"
    with open_db(path, segment_bytes=2048, snapshots=NO_SNAPSHOT) as db:
        for number in (1, 2):
            begin(db, number)
            work(db, run_id(number))
            db.snapshot()
        work(db, run_id(1), rounds=1, first=3)
        for number in (1, 2):
            db.end_run(run_id(number))
    assert len(os.listdir(path / "history")) > 4 and len(os.listdir(path / "snapshots")) == 2
    return path


def contents(root: Path) -> dict[str, tuple[bytes, int]]:
    files = [file for file in root.rglob("*") if file.is_file()]
    return {str(file.relative_to(root)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def findings(root: Path, **options: object) -> tuple[Finding, ...]:
    before = contents(root)
    found = check(str(root), registry=REGISTRY, **options)  # type: ignore[arg-type]
    assert contents(root) == before, "a check must not change anything"
    assert check(str(root), registry=REGISTRY, **options) == found  # type: ignore[arg-type]
    for one in found:
        assert one.code in CODES and one.remedy and str(root) not in (one.where.file or "")
    return found


def codes(root: Path, **options: object) -> list[str]:
    return [one.code for one in findings(root, **options)]


def test_a_sound_database_has_no_findings(root: Path) -> None:
    assert findings(root) == ()


def test_an_empty_one_neither(tmp_path: Path) -> None:
    with open_db(tmp_path / "db"):
        pass
    assert findings(tmp_path / "db") == ()


def cut_snapshot(root: Path) -> None:
    path = sorted((root / "snapshots").iterdir())[-1]
    path.write_bytes(path.read_bytes()[:-5])


def all_snapshots(root: Path) -> list[Path]:
    return sorted((root / "snapshots").iterdir())


def history(root: Path, suffix: str) -> list[Path]:
    return sorted((root / "history").glob(f"*.{suffix}"))


def swap_index(root: Path) -> None:
    first, second, *_ = history(root, "idx")
    first.write_bytes(second.read_bytes())


def later_log(root: Path) -> Path:
    return max((file for file in (root / "wal").iterdir() if file.stat().st_size), key=lambda file: file.name)


def torn(root: Path) -> None:
    (root / "CLEAN").unlink()
    with later_log(root).open("ab") as file:
        file.write(b"\x40\x00\x00\x00\x10\x01 unfinished")


@pytest.mark.parametrize(
    ("expected", "spoil"),
    [
        (["SNAPSHOT_CORRUPT"], cut_snapshot),
        (["HISTORY_INDEX_BAD"], swap_index),
        (["HISTORY_INDEX_BAD"], lambda root: history(root, "idx")[1].unlink()),
        (["STORE_FILE_DAMAGED"], lambda root: (root / "CLEAN").write_bytes(b"no mark")),
        (["STORE_FILE_DAMAGED"], lambda root: (root / "META").unlink()),
        (["STORE_UNREADABLE"], lambda root: (root / "META").write_bytes(b"no meta")),
        (["STORE_LEFTOVER"], lambda root: (root / "wal/.tmp-1-1").write_bytes(b"x")),
        (["STORE_LEFTOVER"], lambda root: (root / "wal/notes.txt").write_bytes(b"x")),
        (["STORE_LEFTOVER"], lambda root: (root / "history/00000000000099999999.idx").write_bytes(b"x")),
        (["STORE_LEFTOVER"], lambda root: (root / "snapshots/snapshot_1.dat.bad").write_bytes(b"x")),
        (["WAL_TORN_TAIL"], torn),
    ],
)
def test_each_damage_has_its_finding(
    root: Path, expected: list[str], spoil: Callable[[Path], object]
) -> None:
    spoil(root)
    assert codes(root) == expected


def test_damage_in_old_history_is_found_though_the_database_opens(root: Path) -> None:
    flip(root, 5)
    found = findings(root)
    # The index of the segment was made when it was whole.
    assert [one.code for one in found] == ["WAL_CORRUPT", "HISTORY_INDEX_BAD"]
    assert found[0].where.file == f"history/{history(root, 'wal')[0].name}" and found[0].where.offset
    assert "commit 4" in found[0].message
    assert exit_code(found) == 1
    with open_db(root, read_only=True) as db:
        assert db.last_cv > 5


def test_two_damages_on_both_sides_of_a_snapshot_are_both_found(root: Path) -> None:
    with open_db(root, read_only=True) as db:
        used = db.recovery.snapshot_used
        assert used is not None
        last = db.last_cv
    flip(root, 5)
    flip(root, used.cv + 2)
    assert used.cv + 2 < last
    assert codes(root).count("WAL_CORRUPT") == 2


def test_a_lost_segment_is_damage(root: Path) -> None:
    history(root, "wal")[1].unlink()
    assert codes(root) == ["WAL_CORRUPT", "STORE_LEFTOVER"]


def test_a_cut_below_a_clean_close_is_damage(root: Path) -> None:
    path = later_log(root)
    path.write_bytes(path.read_bytes()[:-7])
    assert "WAL_CORRUPT" in codes(root)


def test_history_that_was_pruned_is_said_and_the_rest_still_compared(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, segment_bytes=2048, snapshots=NO_SNAPSHOT, history="off") as db:
        begin(db, 1)
        for turn in range(3):
            work(db, run_id(1), rounds=1, first=turn)
            db.snapshot()
        work(db, run_id(1), rounds=1, first=3)
        db.end_run(run_id(1))
    found = findings(path)
    assert [one.code for one in found] == ["HISTORY_PRUNED"] and exit_code(found) == 0
    with open_db(path, read_only=True) as db:
        last = db.last_cv
    rewrite(
        path, last - 11, lambda kind, data: data.replace(b"\x00\xff", b"\x00\xfe") if kind == 0x10 else data
    )
    assert codes(path) == ["HISTORY_PRUNED"], "behind the last snapshot there is nothing to compare with"


def test_a_snapshot_that_is_not_what_the_log_leads_to(root: Path) -> None:
    """A value in the log is made another one of the same length, with right checksums."""

    def forged(kind: int, payload: bytes) -> bytes:
        return payload.replace(b"\x81\xa1n\x02", b"\x81\xa1n\x05") if kind == 0x20 else payload

    with open_db(root, read_only=True) as db:
        step = db.timeline(run_id(1)).find(key="document 2")
        cv = db.replay_run(run_id(1), step=step).cv
    rewrite(root, cv, forged)
    found = findings(root)
    assert {one.code for one in found} == {"STATE_MISMATCH"}
    assert [one.where.file for one in found] == [f"snapshots/{path.name}" for path in all_snapshots(root)] + [
        None
    ]


def test_an_event_with_another_payload_breaks_its_chain(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        for word in ("one", "two", "six"):
            db.handle(run_id(1)).events.append("e", word)
        db.end_run(run_id(1))
    assert findings(path) == ()
    rewrite(path, 3, lambda kind, data: data.replace(b"two", b"ten"))
    (found,) = findings(path)
    assert found.code == "EVENT_CHAIN_BROKEN" and "event 1 " in found.message


def test_a_commit_that_does_not_fit_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        for _ in range(3):
            db.handle(run_id(1)).events.append("e", 1)
        db.end_run(run_id(1))
    rewrite(path, 3, lambda kind, data: data.replace(b"\x01\x03", b"\x05\x03", 1))
    found = findings(path)
    assert [one.code for one in found if one.code == "WAL_CORRUPT"] == ["WAL_CORRUPT"]
    assert "commit 3" in found[0].message


def test_orphans_and_unfinished_ends_are_nothing_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_db(path, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        db.flush()
        assert codes(path, live=True) == []
        assert codes(path) == ["RUN_ORPHANED"]
    torn(path)
    assert codes(path, live=True) == []
    assert codes(path) == ["WAL_TORN_TAIL", "RUN_ORPHANED"]


def test_kinds_that_are_not_registered_are_said(root: Path) -> None:
    few = Registry().register(EventStore).register(RunStore)
    found = {one.code for one in check(str(root), registry=few)}
    assert found == {"STORE_DEGRADED"}


def test_a_later_snapshot_format_cannot_be_judged(root: Path) -> None:
    path = all_snapshots(root)[-1]
    data = path.read_bytes()
    path.write_bytes(data[:10] + b"\x09" + data[11:])
    assert "STORE_UNREADABLE" in codes(root)
    assert exit_code(findings(root)) == 3


def test_no_base_at_all(root: Path) -> None:
    for path in all_snapshots(root):
        path.write_bytes(b"")
    history(root, "wal")[0].unlink()
    found = codes(root)
    assert found.count("SNAPSHOT_CORRUPT") == 2 and "STORE_UNREADABLE" in found


def test_a_gap_that_no_commit_can_have_been_in(tmp_path: Path) -> None:
    """What a write leaves that failed, could not be undone, and was followed by the next commit."""
    path = tmp_path / "db"
    with open_db(path, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        db.end_run(run_id(1))
        salt, cv, ts = db.committer.salt, db.last_cv, db.committer.ts
    (path / "CLEAN").unlink()
    log = later_log(path)
    junk = b"\x40\x00\x00\x00\x10\x01 unfinished"
    payload = msgspec.msgpack.encode((raw(1), "k", cv + 1, ts, "v"))
    end = log.stat().st_size + len(junk)
    data = frame_transaction([(0x10, payload)], make_tx_id(99, salt), raw(1), cv + 1, ts, end)
    with log.open("ab") as file:
        file.write(junk + data)
    (found,) = findings(path)
    assert found.code == "WAL_GAP" and f"{len(junk)} bytes" in found.message
    assert exit_code([found]) == 0 and exit_code([found], strict=True) == 4


def test_a_snapshot_of_more_than_the_log_has(root: Path) -> None:
    for path in (root / "wal").iterdir():
        path.unlink()
    (root / "CLEAN").unlink()
    assert codes(root)[:3] == ["STATE_MISMATCH", "STATE_MISMATCH", "WAL_CORRUPT"]


def test_what_cannot_be_read_is_said(root: Path) -> None:
    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(OS, name)

        def pread(self, fd: int, size: int, offset: int) -> bytes:
            if size > 1000:
                raise OSError(5, "Input/output error")
            return OS.pread(fd, size, offset)

    found = check(str(root), registry=REGISTRY, files=cast("Files", Failing()))
    assert "INPUT_UNREADABLE" in {one.code for one in found}
    assert exit_code(found) in (1, 3)


def test_damage_below_a_snapshot_is_not_to_be_salvaged(root: Path, tmp_path: Path) -> None:
    flip(root, 5)
    (found,) = [one for one in findings(root) if one.code == "WAL_CORRUPT"]
    assert "salvage" not in found.remedy and "present state is whole" in found.remedy
    told = salvage(str(root), str(tmp_path / "out"), registry=REGISTRY)
    assert told.path is None and "sound" not in told.detail


def test_a_snapshot_alone_is_sound_once_it_was_agreed_to(root: Path) -> None:
    for folder in ("wal", "history"):
        shutil.rmtree(root / folder)
    with open_db(root, recovery=RecoveryOptions(on_corruption="prefix"), snapshots=NO_SNAPSHOT):
        pass
    for path in sorted((root / "snapshots").iterdir())[:-1]:
        path.unlink()
    found = [one for one in findings(root) if one.code != "RUN_ORPHANED"]
    assert [one.code for one in found] == ["HISTORY_PRUNED"]
    assert "commit 0" not in found[0].message


@pytest.mark.parametrize("archived", [False, True], ids=["live", "sealed"])
@pytest.mark.parametrize("how", ["same", "flipped", "shorter", "longer", "empty"])
def test_two_copies_of_a_segment_must_be_the_same(how: str, archived: bool, root: Path) -> None:
    wal, history = root / "wal", root / "history"
    source = (
        min(history.glob("*.wal")) if archived else max(one for one in wal.iterdir() if one.stat().st_size)
    )
    copy = (wal if archived else history) / source.name
    data = bytearray(source.read_bytes())
    if how == "flipped":
        data[-1] ^= 1
    copied = {"shorter": data[:-1], "longer": data + b"\0", "empty": b""}.get(how, data)
    copy.write_bytes(copied)
    found = [one for one in findings(root) if one.where.file == f"history/{source.name}"]
    if how == "same":
        assert found == []
        return
    (one,) = found
    first = {"flipped": len(data) - 1, "shorter": len(data) - 1, "longer": len(data), "empty": 0}[how]
    assert (one.code, one.where.offset) == ("WAL_CORRUPT", first) and "wal/" in one.message


def test_a_folder_in_history_is_no_second_copy(root: Path) -> None:
    (root / "history" / max((root / "wal").iterdir()).name).mkdir()
    assert [one.code for one in findings(root)] == ["STORE_LEFTOVER"]
