"""Who may read and write the files of a database."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from devstate.engine import Database
from devstate.engine.snapshotting import SnapshotPolicy


def test_nobody_else_may_write_a_file_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        policy = SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=0)
        for shared in (False, True):
            with Database.open(tmp_path / f"db{shared}", shared=shared, snapshots=policy) as db:
                db.run(name="r").kv.put("a", 1)
                db.snapshot()
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name.split("_")[0].rpartition(".")[2] for path in files} >= {
        "META",
        "CLEAN",
        "LOCK",
        "wal",
        "snapshot",
    }
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0, path
