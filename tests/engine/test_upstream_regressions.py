"""Defects of an earlier implementation of these formats, by their numbers in the notes: none of them may be here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.files import OS
from devstate.durable.simulated import SimulatedFiles
from devstate.engine.database import Database
from devstate.engine.errors import RunNotFound, WalCorruptionError
from devstate.engine.recovery_result import RecoveryOptions
from devstate.engine.snapshotting import SnapshotPolicy
from engine_oracle.interpret import state_of
from engine_oracle.log import read_log

NEVER = SnapshotPolicy(close_bytes=-1)


def opened(path: Path | str, **options: Any) -> Database:
    return Database.open(path, **{"snapshots": NEVER, "segment_bytes": 1 << 20, **options})


def filled(path: Path, commits: int = 12, **options: Any) -> str:
    with opened(path, **options) as db:
        run = db.begin_run(name="r", owned=False)
        for number in range(commits):
            with db.transaction(run) as tx:
                tx.kv.put(f"k{number}", "x" * 40)
                tx.json.set("d", f"$.n{number}", number)
                tx.events.append("e", number)
                tx.state.set("s", number)
                tx.traces.record("query", "q", span_id=f"span{number}", start=number)
    return run


def log_of(path: Path) -> Path:
    (found,) = (path / "wal").iterdir()
    return found


class Noted:
    """The operating system's files, and what was called in what order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._paths: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        real: Callable[..., Any] = getattr(OS, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            if name == "open":
                self._paths[result] = args[0]
            told = (
                self._paths.get(args[0], "")
                if args and isinstance(args[0], int)
                else str(args[-1] if args else "")
            )
            self.calls.append((name, os.path.basename(told)))
            return result

        return call


def test_upstream_defect_0_the_database_itself_uses_log_snapshots_and_recovery(tmp_path: Path) -> None:
    """There, they were a library that no database called."""
    path = tmp_path / "db"
    run = filled(path)
    assert read_log(path).last_cv == 13, "the commits of a database are in the log of this format"
    with opened(path) as db:
        assert db.recovery.transactions_recovered == 13
        info = db.snapshot()
        assert Path(info.path).exists()
        digest = db.digest()
    with opened(path) as db:
        assert db.recovery.snapshot_used is not None
        assert db.recovery.transactions_recovered == 0
        assert db.digest() == digest
        assert db.kv.get(run, "k3") == "x" * 40


def test_upstream_defect_1_nothing_is_applied_over_a_hole(tmp_path: Path) -> None:
    """There, reading guessed a length behind a bad checksum and went on."""
    path = tmp_path / "db"
    run = filled(path)
    log = log_of(path)
    whole = log.read_bytes()
    places = {one["cv"]: one["lsn"] for one in read_log(path).transactions}
    for cv in (3, 7, 12):
        for offset in (0, 4, 30, 60):
            broken = bytearray(whole)
            broken[places[cv] + offset] ^= 0x40
            log.write_bytes(broken)
            with pytest.raises(WalCorruptionError) as caught:
                opened(path)
            assert caught.value.report is not None
            assert log.read_bytes() == broken, "nothing is touched before somebody decides"
            copy = tmp_path / f"copy{cv}-{offset}"
            shutil.copytree(path, copy)
            with opened(copy, recovery=RecoveryOptions(on_corruption="prefix")) as db:
                assert db.last_cv == cv - 1
                assert sorted(db.kv.keys(run)) == sorted(f"k{number}" for number in range(cv - 2))
                assert db.recovery.committed_lost
    log.write_bytes(whole)
    opened(path).close()


def test_upstream_defect_2_segments_are_moved_whole_and_positions_stay(tmp_path: Path) -> None:
    """There, truncation copied from an arbitrary byte, and the base offset lived in memory alone."""
    path = tmp_path / "db"
    with opened(path, segment_bytes=600) as db:
        run = db.begin_run(owned=False)
        for number in range(60):
            db.kv.put(run, f"k{number % 7}", f"{number}" * 10)
            if number % 15 == 14:
                db.snapshot()
        digest = db.digest()
    moved = sorted((path / "history").glob("*.wal"))
    live = sorted((path / "wal").iterdir())
    assert len(moved) > 3
    at = 0
    for segment in (*moved, *live):
        assert int(segment.stem) == at, "a name is the position of the first byte, for ever"
        at += segment.stat().st_size
    assert [one["cv"] for one in read_log(path).transactions] == list(range(1, 62))
    for _ in range(2):
        with opened(path, segment_bytes=600) as db:
            assert db.digest() == digest
            assert db.recovery.wal_replay_from_offset <= at


def test_upstream_defect_3_the_log_is_kept_back_to_the_oldest_retained_snapshot(tmp_path: Path) -> None:
    """There, it was cut at the newest, so falling back to the older one lost the commits between."""
    path = tmp_path / "db"
    with opened(path, segment_bytes=600, history="off") as db:
        run = db.begin_run(owned=False)
        for number in range(60):
            db.kv.put(run, f"k{number}", number)
            if number % 15 == 14:
                db.snapshot()
        digest = db.digest()
    older, newest = sorted((path / "snapshots").iterdir())
    assert int(sorted((path / "wal").iterdir())[0].stem) <= int(older.stem.partition("_")[2])
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    with opened(path, segment_bytes=600, history="off") as db:
        assert db.recovery.snapshot_used is not None
        assert Path(db.recovery.snapshot_used.path).name == older.name
        assert len(db.recovery.snapshots_rejected) == 1
        assert db.digest() == digest
        assert db.kv.count(run) == 60


def test_upstream_defect_4_recovery_applies_what_it_counts(tmp_path: Path) -> None:
    """There, committed entries were counted, and applied by other code from another format."""
    path = tmp_path / "db"
    run = filled(path)
    expected, _ = state_of(path)
    with opened(path) as db:
        assert db.recovery.transactions_recovered == 13
        assert db.recovery.wal_entries_replayed >= 2 + 12 * 5
        held = expected["runs"][db.run_metadata(run).run_id.bytes]
        assert dict(db.kv.items(run)) == {key: record[2] for key, record in held["kv"].items()}
        assert db.json.get(run, "d") == held["json"]["d"][1]
        assert db.state.get(run, "s") == held["state"]["s"][1]
        assert db.events.len(run) == len(held["events"]) == 12
        assert db.traces.count(run) == len(held["traces"]) == 12


def test_upstream_defect_5_a_replay_has_every_kind_and_knows_its_steps(tmp_path: Path) -> None:
    """There, it listed the present state of two kinds, and an unknown run was an empty view."""
    path = tmp_path / "db"
    run = filled(path)
    with opened(path) as db:
        view = db.replay_run(run)
        assert (len(view.kv), len(view.events), len(view.traces)) == (12, 12, 12)
        assert view.json["d"] == {f"n{number}": number for number in range(12)}
        assert view.state["s"] == 11
        before = db.replay_run(run, step=4)
        assert (len(before.kv), before.state["s"], before.json["d"]) == (3, 2, {"n0": 0, "n1": 1, "n2": 2})
        # Not from the live store: what has gone since is there at its step.
        db.kv.delete(run, "k0")
        assert "k0" in db.replay_run(run, step=4).kv
        assert "k0" not in db.replay_run(run).kv
        for call in (db.replay_run, db.timeline):
            with pytest.raises(RunNotFound):
                call("00000000-0000-4000-8000-000000000000")


def test_upstream_defect_6_two_runs_are_compared_without_their_ids() -> None:
    """There, the key of a record held the run, so every key was both added and removed."""
    with Database.open() as db:
        runs = [db.run(name=name) for name in ("one", "other")]
        for run in runs:
            run.kv.put("same", 1)
            run.json.set("same", "$", {"x": [1]})
            run.state.set("same", "s")
            run.events.append("e", 1)
        one, other = (run.id for run in runs)
        assert db.diff_runs(one, other).is_empty
        runs[1].kv.put("more", 1)
        runs[1].kv.put("same", True)
        found = db.diff_runs(one, other)
        assert [(entry.primitive, entry.key) for entry in found.added] == [("kv", "more")]
        assert [(entry.primitive, entry.key) for entry in found.modified] == [("kv", "same")]
        assert found.removed in ([], ())


def test_upstream_defect_7_a_rename_is_followed_by_a_sync_of_its_folder(tmp_path: Path) -> None:
    noted = Noted()
    with opened(tmp_path / "db", files=noted, segment_bytes=600) as db:
        run = db.begin_run(owned=False)
        for number in range(40):
            db.kv.put(run, f"k{number}", number)
        db.snapshot()
        db.snapshot()
    renames = [at for at, (name, _) in enumerate(noted.calls) if name == "replace"]
    assert len(renames) > 4
    for at in renames:
        behind = [name for name, _ in noted.calls[at + 1 : at + 3]]
        assert "fsync_dir" in behind, noted.calls[at : at + 4]


def test_upstream_defect_7_no_image_of_a_lost_rename_loses_a_commit() -> None:
    files = SimulatedFiles()
    with opened("/db", files=files, durability="strict") as db:
        run = db.begin_run(owned=False)
        db.kv.put(run, "k", 1)
        db.snapshot()
        db.kv.put(run, "k", 2)
        images = list(files.crash_images())
    assert images
    for image in images:
        with opened("/db", files=SimulatedFiles(image, pid=4243)) as db:
            assert db.kv.get(run, "k") == 2


def test_upstream_defect_8_permissive_recovery_checks_all_the_same(tmp_path: Path) -> None:
    """There, the permissive preset turned the checksums off."""
    path = tmp_path / "db"
    run = filled(path)
    log = log_of(path)
    data = bytearray(log.read_bytes())
    at = data.find(b"x" * 40, len(data) // 2)
    data[at] = ord("y")
    log.write_bytes(data)
    with opened(path, recovery=RecoveryOptions.permissive()) as db:
        assert all(value == "x" * 40 for _, value in db.kv.items(run)), "a value that nobody wrote"
        assert db.recovery.committed_lost
        assert db.recovery.has_issues


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 10, 25, 26, 40, 61])
def test_upstream_defect_9_an_ordinary_crash_tail_is_cut(tmp_path: Path, cut: int) -> None:
    """There, an entry that was not there whole was a hard error."""
    path = tmp_path / "db"
    run = filled(path)
    (path / "CLEAN").unlink()
    log = log_of(path)
    whole = log.read_bytes()
    log.write_bytes(whole[:-cut])
    with opened(path) as db:
        assert db.last_cv == 12
        assert db.recovery.tail_bytes_discarded > 0
        assert db.recovery.orphaned_transactions == 1
        assert db.kv.count(run) == 11
        assert db.kv.put(run, "after", 1) == 13
    assert read_log(path).verdict == "clean"
