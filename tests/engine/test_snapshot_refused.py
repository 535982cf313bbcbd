"""No snapshot is taken of a state that is not all of what was committed: later openings would begin behind the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstate.engine import Database
from devstate.engine.builtin import builtin_registry
from devstate.engine.errors import UnknownEntryType
from devstate.engine.ext import Context, MapPrimitive
from devstate.engine.snapshotting import SnapshotPolicy


class Marks(MapPrimitive):
    type_id = 9
    name = "marks"
    puts = (0x90,)
    deletes = (0x91,)

    def handle(self, context: Context) -> Any:
        return lambda key, *fields: context.write(self.put(0x90, key, *fields))


class LaterMarks(Marks):
    format = 2


ALWAYS = SnapshotPolicy(close_bytes=0)


def opened(path: Path, *kinds: type[MapPrimitive], **more: Any) -> Database:
    registry = builtin_registry()
    for kind in kinds:
        registry.register(kind)
    return Database.open(path, registry=registry, owner=(), **more)


def made(path: Path, kind: type[MapPrimitive]) -> tuple[str, str]:
    """A database with a mark before a snapshot and one behind it; its run and its digest."""
    with opened(path, kind) as db:
        run = db.run()
        run.ext("marks")("before", 1)
        db.snapshot()
        run.ext("marks")("behind", 2)
        db.end_run(run.id)
        return run.id, db.digest()


@pytest.mark.parametrize(
    ("kind", "known"), [(Marks, ()), (LaterMarks, (Marks,))], ids=["not registered", "of a later format"]
)
def test_what_could_not_be_applied_is_not_covered(
    tmp_path: Path, kind: type[MapPrimitive], known: tuple[type[MapPrimitive], ...]
) -> None:
    run, digest = made(tmp_path / "db", kind)
    for _ in range(2):
        with opened(tmp_path / "db", *known, snapshots=ALWAYS) as db:  # nor at its close
            assert db.degraded
            with pytest.raises(UnknownEntryType):
                db.snapshot()
            db.end_run(db.begin_run())
            db.delete_run(db.list_runs()[-1].run_id)
    with opened(tmp_path / "db", kind) as db:
        assert db.digest() == digest
        assert sorted(db.replay_run(run).primitive("marks")) == ["before", "behind"]
        assert db.verify() == ()
        db.snapshot()


def test_sections_alone_are_passed_on(tmp_path: Path) -> None:
    _, digest = made(tmp_path / "db", Marks)
    with opened(tmp_path / "db", Marks) as db:
        db.end_run(db.begin_run())
        db.delete_run(db.list_runs()[-1].run_id)
        db.snapshot()  # now no entry of it is behind a snapshot
    with opened(tmp_path / "db") as db:
        db.end_run(db.begin_run())
        db.delete_run(db.list_runs()[-1].run_id)
        assert db.degraded == (9,)
        db.snapshot()
    with opened(tmp_path / "db", Marks) as db:
        assert db.digest() == digest
        assert db.verify() == ()
