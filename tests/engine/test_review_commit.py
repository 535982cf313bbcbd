"""What is left when a commit stands in the log and could not be brought into memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.durable.files import OS
from devstate.engine.errors import DurabilityError
from devstate.engine.primitive import Key
from devstate.engine.primitives.cells import StateStore
from devstate.engine.primitives.events import EventStore
from devstate.engine.primitives.json_documents import JsonStore
from devstate.engine.primitives.kv import KvStore
from devstate.engine.primitives.runs import RunStore
from devstate.engine.primitives.traces import TraceStore
from devstate.engine.registry import Registry
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.engine.versions import Record
from engine_crash.driving import RUNS, opened

A = RUNS[0]


class Exhausted(KvStore):
    """Has no memory for the key `too much`."""

    def install(self, run: bytes, key: Key, record: Record) -> None:
        if key == "too much":
            raise MemoryError
        super().install(run, key, record)


def registry(kv: type[KvStore]) -> Registry:
    made = Registry()
    for kind in (
        kv,
        JsonStore,
        EventStore,
        StateStore,
        TraceStore,
        RunStore,
    ):
        made.register(kind)
    return made


@pytest.mark.parametrize("shared", [False, True])
def test_a_failed_database_takes_no_snapshot_in_the_place_of_the_commit_it_does_not_hold(
    tmp_path: Path, shared: bool
) -> None:
    eager = SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=0)
    db = opened(OS, str(tmp_path), registry=registry(Exhausted), snapshots=eager, shared=shared)
    db.begin_run(A, owned=False)
    db.kv.put(A, "a", 1)
    with pytest.raises(MemoryError), db.transaction(A) as transaction:
        transaction.kv.put("a", 2)
        transaction.kv.put("too much", 2)
    with pytest.raises(DurabilityError, match="has failed"):
        db.snapshot()
    db.close()
    assert not list((tmp_path / "snapshots").iterdir())
    assert not (tmp_path / "CLEAN").exists()
    with opened(OS, str(tmp_path), registry=registry(KvStore)) as again:
        assert again.last_cv == 3
        assert again.kv.items(A) == [("a", 2), ("too much", 2)]
        again.kv.put(A, "b", 3)
        assert again.verify() == ()


def test_a_healthy_database_still_takes_one_when_it_closes(tmp_path: Path) -> None:
    eager = SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=0)
    with opened(OS, str(tmp_path), snapshots=eager) as db:
        db.begin_run(A, owned=False)
    assert list((tmp_path / "snapshots").iterdir())
    assert (tmp_path / "CLEAN").exists()
