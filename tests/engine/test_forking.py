"""A run that goes on from a step of another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.engine import Database, RunId
from devstate.engine.errors import RunNotFound, ValueRangeError


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
