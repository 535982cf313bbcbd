"""Runs that no process has to live for: begun by a script, written by programs, ended by somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.engine import Database
from devstate.engine.errors import RunNotActive
from python_child import run_python

BEGIN = """
import sys
from devstate.engine import Database
with Database.open(sys.argv[1], shared=True) as db:
    print(db.begin_run(name="script", owned=sys.argv[2] == "owned"))
"""


def begun_elsewhere(store: Path, how: str) -> str:
    """The identifier of a run that another process began, which has ended since."""
    return run_python(BEGIN, str(store), how).strip()


@pytest.mark.parametrize("shared", [True, False])
def test_it_outlives_the_process_that_began_it(tmp_path: Path, shared: bool) -> None:
    run = begun_elsewhere(tmp_path / "db", "unowned")
    with Database.open(tmp_path / "db", shared=shared) as database:
        assert database.run_status(run) == "active"
        assert database.orphaned_runs() == []
        database.kv.put(run, "a", 1)
    with Database.open(tmp_path / "db", shared=shared) as database:
        database.end_run(run)
        with pytest.raises(RunNotActive):
            database.kv.put(run, "a", 2)
    with Database.open(tmp_path / "db", read_only=True) as database:
        assert database.run_status(run) == "completed"


@pytest.mark.parametrize("shared", [True, False])
def test_one_with_an_owner_is_orphaned(tmp_path: Path, shared: bool) -> None:
    run = begun_elsewhere(tmp_path / "db", "owned")
    with Database.open(tmp_path / "db", shared=shared) as database:
        assert [str(one.run_id) for one in database.orphaned_runs()] == [run]
        with pytest.raises(RunNotActive):
            database.kv.put(run, "a", 1)


def test_it_comes_through_a_snapshot(tmp_path: Path) -> None:
    run = begun_elsewhere(tmp_path / "db", "unowned")
    with Database.open(tmp_path / "db") as database:
        database.snapshot()
    with Database.open(tmp_path / "db") as database:
        assert database.recovery.snapshot_used is not None
        assert database.run_status(run) == "active"
        database.kv.put(run, "a", 1)


def test_resuming_makes_the_resumer_its_owner(tmp_path: Path) -> None:
    run = begun_elsewhere(tmp_path / "db", "unowned")
    with Database.open(tmp_path / "db", shared=True) as database:
        database.pause_run(run)
        database.resume_run(run)
        assert database.run_metadata(run).owner is not None
    with Database.open(tmp_path / "db", shared=True) as database:
        assert database.run_status(run) == "orphaned"


SAME = [1, "fixed", "", "", "told"]


@pytest.mark.parametrize("owner", [SAME, []], ids=["told", "nobody"])
def test_a_run_is_taken_up_again_by_the_owner_it_had_before(tmp_path: Path, owner: list[object]) -> None:
    """Opened alone, a run that was begun and not ended is orphaned; resuming it ends that, whoever the owner is."""
    with Database.open(tmp_path / "db", owner=owner) as database:
        run = database.begin_run(name="long")
    with Database.open(tmp_path / "db", owner=owner) as database:
        assert database.run_status(run) == "orphaned"
        database.add_tags(run, "seen")
        assert database.run_status(run) == "orphaned", "it takes more than another tag"
        database.resume_run(run)
        assert database.run_status(run) == "active" and database.orphaned_runs() == []
        database.kv.put(run, "a", 1)
        with pytest.raises(RunNotActive):
            database.resume_run(run)
    with Database.open(tmp_path / "db", owner=owner) as database:
        assert database.run_status(run) == "orphaned", "nothing of that outlives the process"
        database.snapshot()
    with Database.open(tmp_path / "db", owner=owner) as database:
        database.resume_run(run)
        database.kv.put(run, "a", 2)
        database.end_run(run)


@pytest.mark.parametrize("owner", [(), ["an agent"], SAME], ids=["nobody", "no process", "elsewhere"])
def test_openers_who_share_it_write_to_runs_whose_owner_is_no_process_here(
    tmp_path: Path, owner: list[object]
) -> None:
    with (
        Database.open(tmp_path / "db", shared=True, owner=owner) as database,
        Database.open(tmp_path / "db", shared=True) as other,
    ):
        run = database.begin_run()
        database.kv.put(run, "a", 1)
        with database.transaction(run) as tx:
            tx.kv.put("b", 2)
        database.pause_run(run)
        database.resume_run(run)
        other.kv.put(run, "c", 3)
        for one in (database, other):
            assert one.run_status(run) == "active" and one.orphaned_runs() == []
            assert len(one.kv.keys(run)) == 3
        fork = other.fork_run(run)
        forked_by_nobody = database.fork_run(run)
        database.kv.put(forked_by_nobody, "d", 4)
    with Database.open(tmp_path / "db", shared=True, owner=owner) as database:
        assert [str(told.run_id) for told in database.orphaned_runs()] == [str(fork)]
        database.kv.put(run, "d", 4)
        database.end_run(run)
