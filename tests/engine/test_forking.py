"""A run that goes on from a step of another one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.simulated import DiskImage, SimulatedCrash, SimulatedFiles
from devstate.engine import Database, RunId
from devstate.engine.errors import ConflictError, RunNotActive, RunNotFound, ValueRangeError
from devstate.engine.primitives.runs import RunStore
from engine_crash.driving import ROOT, RUNS, Driver, opened
from engine_crash.power import abandon, exhaust
from engine_crash.workloads import Workload
from engine_oracle.interpret import state_of


@pytest.fixture
def database(tmp_path: Path):
    with Database.open(tmp_path / "db") as database:
        yield database


@pytest.fixture
def original(database: Database) -> RunId:
    with database.run(name="solve", tags=["eval"], metadata={"agent": "a"}) as run:
        run.kv.put("model", "m1")  # step 2
        run.kv.put("soon", 1, ttl=3600.0)
        with run.transaction() as tx:  # step 4
            tx.json.set("plan", "$.steps[0]", {"do": "search"})
            tx.state.set("phase", "act")
            tx.events.append("tick", {"n": 1})
            tx.traces.record("tool_call", "search", start=5, end=9, tags=["t"], attrs={"k": 1})
        run.kv.put("model", "m2")
        run.events.append("tick", {"n": 2})
    return run.id


def test_the_fork_holds_what_the_run_held_at_the_step(database: Database, original: RunId) -> None:
    fork = database.fork_run(original, step=4, name="again")
    assert database.diff_runs(original, fork, step_a=4, traces=True).is_empty
    told = database.run_metadata(fork)
    assert (told.name, told.parent, told.tags, told.status) == ("again", original, ("eval",), "active")
    assert told.metadata == {"agent": "a", "forked_from_step": 4}
    entry = database.kv.get_entry(fork, "soon")
    assert entry.expires_at is not None and abs(entry.expires_at - entry.ts - 3_600_000_000) < 60_000_000


def test_it_goes_its_own_way_and_the_other_does_not_change(database: Database, original: RunId) -> None:
    before = database.replay_run(original).digest()
    fork = database.fork_run(original)
    assert database.run_metadata(fork).name == "solve"
    database.kv.put(fork, "model", "m3")
    database.events.append(fork, "tick", {"n": 3})
    difference = database.diff_runs(fork, against="parent")
    assert [(entry.key, entry.value_a, entry.value_b) for entry in difference.modified] == [
        ("model", "m2", "m3")
    ]
    assert [entry.value_b["payload"] for entry in difference.added] == [{"n": 3}]
    assert database.replay_run(original).digest() == before
    assert database.events.verify_chain(fork) is None and database.verify() == ()


def test_there_is_nothing_to_fork_before_the_beginning(database: Database, original: RunId) -> None:
    runs = len(database.list_runs())
    with pytest.raises(RunNotFound):
        database.fork_run(original, step=0)
    with pytest.raises(ValueRangeError):
        database.fork_run(original, step=99)
    assert len(database.list_runs()) == runs


def test_what_has_expired_is_left_out(tmp_path: Path) -> None:
    times = iter(range(1_000_000, 10**9, 1_000_000))
    with Database.open(tmp_path / "clocked", now=lambda: next(times)) as database:
        with database.run() as run:
            run.kv.put("gone", 1, ttl=2.0)
            for _ in range(5):
                run.kv.put("kept", 2)
        fork = database.fork_run(run.id)
        assert database.kv.items(fork) == [("kept", 2)]


def test_an_export_is_json(database: Database, original: RunId) -> None:
    told = database.export_run(original, step=4)
    assert told["json"] == {"plan": {"steps": [{"do": "search"}]}} and told["step"] == 4


# -- the whole fork or none


def forked(driver: Driver) -> None:
    """A run with a record of each kind, and a fork of it."""
    db = driver.open()
    driver.do(db.begin_run, RUNS[0], name="first")
    with driver.transaction(RUNS[0]) as tx:
        tx.kv.put("key", "value")
        tx.json.create("doc", {"a": [1]})
        tx.state.init("phase", "plan")
        tx.events.append("tick", 1)
        tx.traces.record("query", "q", attrs={"a": 1}, tags=("t",))
    driver.flush()
    driver.do(db.fork_run, RUNS[0])
    driver.close()


@pytest.mark.parametrize("mode", ["buffered", "strict"])
def test_power_lost_in_a_fork_leaves_all_of_it_or_nothing(mode: str) -> None:
    """At each call; a state that is not the one before nor the one behind the fork is no prefix."""
    exhaust(Workload("fork", forked, {}, mode), sample=20)


def test_a_process_killed_in_a_fork_leaves_all_of_it_or_nothing() -> None:
    whole = SimulatedFiles()
    forked(Driver(whole))
    left = set[int]()
    for calls in range(len(whole.calls) + 1):
        files = SimulatedFiles(crash_after=calls)
        with suppress(SimulatedCrash):
            forked(Driver(files))
        db = opened(SimulatedFiles(files.image(), pid=5001), seed=50)
        runs = [told for told in db.list_runs() if told.parent is not None]
        left.add(len(runs))
        for told in runs:
            assert db.kv.items(told.run_id) == [("key", "value")] and db.events.len(told.run_id) == 1
            assert told.tx_count == 1
        abandon(db)
    assert left == {0, 1}


def folder_of(image: DiskImage, target: Path) -> Path:
    for node in image.nodes:
        place = target / node.path.strip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if node.kind == "file":
            place.write_bytes(node.data)
    return target / ROOT.strip("/")


def test_the_second_reader_takes_a_fork(tmp_path: Path) -> None:
    files = SimulatedFiles()
    forked(Driver(files))
    state, reading = state_of(folder_of(files.image(), tmp_path))
    assert reading.verdict == "clean" and len(state["runs"]) == 2
    first, fork = state["runs"].values()
    assert fork["run"]["tx_count"] == 1 and fork["run"]["parent"] is not None
    assert {key: told[2] for key, told in fork["kv"].items()} == {
        key: told[2] for key, told in first["kv"].items()
    }


def test_a_fork_that_cannot_be_written_leaves_no_run(database: Database, original: RunId) -> None:
    runs = len(database.list_runs())

    def full(*arguments: Any) -> Any:
        raise OverflowError("no room for this")

    events = database.primitives.named("events")
    events.handle = full  # type: ignore[method-assign]
    with pytest.raises(OverflowError):
        database.fork_run(original)
    del events.handle
    assert len(database.list_runs()) == runs
    assert database.kv.items(database.fork_run(original))


# -- a transaction that changes the run itself, and writes to it


def store_of(database: Database) -> RunStore:
    found = database.primitives.named("runs")
    assert isinstance(found, RunStore)
    return found


def test_a_paused_run_is_resumed_and_written_to_at_once(database: Database) -> None:
    run = database.begin_run()
    database.pause_run(run)
    with database.transaction(run) as tx:
        tx.write(store_of(database).update({}, "active"))
        tx.kv.put("a", 1)
    assert (database.run_status(run), database.kv.get(run, "a")) == ("active", 1)


def test_what_follows_a_change_of_the_run_is_refused_where_the_run_was_ended_meanwhile(
    tmp_path: Path,
) -> None:
    with (
        Database.open(tmp_path / "db", shared=True) as database,
        Database.open(tmp_path / "db", shared=True) as other,
    ):
        run = database.begin_run()
        tx = database.transaction(run)
        tx.write(store_of(database).update({"tags": ["late"]}))
        tx.kv.put("a", 1)
        other.end_run(run)
        with pytest.raises(ConflictError, match="completed"):
            tx.commit()
        assert database.run_metadata(run).tags == () and database.kv.get(run, "a") is None
        with pytest.raises(RunNotActive):
            database.kv.put(run, "a", 1)
