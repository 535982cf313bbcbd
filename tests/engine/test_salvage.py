"""What is intact behind damage goes to a file, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devstate.engine.errors import WalCorruptionError
from devstate.engine.salvage import SalvageReport, salvage
from devstate.engine.snapshotting import SnapshotPolicy
from log_forgery import flip, rewrite
from run_samples import REGISTRY, begin, open_db, run_id

NO_SNAPSHOT = SnapshotPolicy(close_bytes=-1, wal_bytes=0, seconds=0)


def contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Commits 1 and 2 begin two runs; 3 to 12 write in turn, 13 is a transaction of three entries."""
    path = tmp_path / "db"
    with open_db(path, segment_bytes=1024, snapshots=NO_SNAPSHOT) as db:
        begin(db, 1)
        begin(db, 2)
        for turn in range(10):
            db.handle(run_id(1 + turn % 2)).kv.put(f"k{turn}", {"n": turn, "raw": b"\xff"})
        with db.transaction(run_id(1)) as tx:
            tx.ext("kv").delete("k0")
            tx.ext("events").append("done", float("nan"))
            tx.ext("json").create("d", [1])
    assert len(list((path / "wal").iterdir())) > 1
    return path


def saved(root: Path, tmp_path: Path) -> tuple[SalvageReport, list[dict[str, Any]]]:
    out = tmp_path / "out.jsonl"
    before = contents(root)
    report = salvage(str(root), str(out), registry=REGISTRY)
    assert contents(root) == before, "salvage must not change the database"
    lines = [json.loads(line) for line in out.read_bytes().splitlines()] if report.path else []
    return report, lines


def test_a_sound_log_has_nothing_to_salvage(root: Path, tmp_path: Path) -> None:
    report, _ = saved(root, tmp_path)
    assert (report.path, report.transactions, report.corruption) == (None, 0, None)
    assert report.detail == "recovery cuts no commit off"
    assert not (tmp_path / "out.jsonl").exists()


def test_the_commits_behind_the_damage_are_written_whole(root: Path, tmp_path: Path) -> None:
    flip(root, 5)
    with pytest.raises(WalCorruptionError) as caught, open_db(root):
        pass
    report, lines = saved(root, tmp_path)
    assert report.corruption == caught.value.report
    assert report.transactions == report.corruption.intact_commits_cut == len(lines) == 8
    assert [line["cv"] for line in lines] == list(range(6, 14)) and report.cvs == (6, 13)
    assert set(report.runs) == {line["run"] for line in lines} == {run_id(1), run_id(2)}
    assert report.bytes == (tmp_path / "out.jsonl").stat().st_size
    (entry,) = lines[0]["entries"]
    assert (entry["type"], entry["primitive"]) == (0x10, "kv")
    assert entry["change"] == {"op": "put", "key": "k3", "value": {"n": 3, "raw": {"$bytes": "/w=="}}}
    assert entry["payload"][1:3] == ["k3", 6] and entry["payload"][3] == lines[0]["ts"]
    assert [entry["change"]["op"] for entry in lines[-1]["entries"]] == ["delete", "append", "create"]
    assert lines[-1]["entries"][1]["change"]["payload"] == {"$float": "nan"}
    json.dumps(report.to_dict())


def test_a_commit_that_does_not_fit_is_exported_too(root: Path, tmp_path: Path) -> None:
    """Commit 13 appends event 0; as event 9 it fits nothing."""
    rewrite(root, 13, lambda kind, data: data.replace(b"\x00\x0d", b"\x09\x0d", 1) if kind == 0x30 else data)
    report, lines = saved(root, tmp_path)
    assert report.corruption is not None and report.corruption.reason == "inapplicable"
    assert [line["cv"] for line in lines] == [13]


def test_damage_with_nothing_behind_it(root: Path, tmp_path: Path) -> None:
    with open_db(root, segment_bytes=1024, snapshots=NO_SNAPSHOT):
        pass
    flip(root, 13)  # the last one, of a database that was closed cleanly
    report, lines = saved(root, tmp_path)
    assert report.corruption is not None and report.corruption.reason == "vanished"
    assert (report.path, lines) == (None, [])
    assert "Nothing intact" in report.detail


def test_a_database_without_a_base_gives_all_that_is_whole(root: Path, tmp_path: Path) -> None:
    sorted((root / "wal").iterdir())[0].unlink()
    report, lines = saved(root, tmp_path)
    assert report.corruption is None and lines
    assert [line["cv"] for line in lines] == list(range(lines[0]["cv"], 14))
    assert lines[0]["cv"] > 1


def test_a_file_that_is_there_is_replaced_whole(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("old " * 10_000)
    flip(root, 12)
    _, lines = saved(root, tmp_path)
    assert [line["cv"] for line in lines] == [13]
