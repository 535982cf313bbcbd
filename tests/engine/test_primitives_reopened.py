"""Documents, events, cells and spans through a database on disk: reopened, from snapshots, and by a second reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from devstate.engine import Database
from devstate.engine.errors import ConflictError, RunNotActive, RunNotFound
from devstate.engine.handles import RunHandle
from devstate.engine.ids import RunId
from engine_oracle.interpret import chain_faults, state_of

RUN = RunId("00010203-0405-0607-0809-0a0b0c0d0e0f")


def work(run: RunHandle) -> None:
    """Some of everything, in transactions and without."""
    run.json.create("plan", {"steps": [{"do": "a"}], "n": 1})
    run.json.set("plan", "$.steps[1]", {"do": "b"})
    run.json.create("gone", 1)
    run.json.delete("gone")
    run.state.init("phase", "plan")
    run.state.set("old", 1)
    run.state.delete("old")
    with run.traces.span("tool_call", "search", tags=["io"]) as span:
        run.events.append_many([("begin", None), ("step", {"n": 1})])
        with run.transaction() as tx:
            tx.ext("json").patch("plan", [("delete", "$.steps[0]"), ("set", "$.n", 2.5)])
            tx.ext("events").append("step", {"n": 2})
            tx.ext("state").transition("phase", lambda phase: phase + "-act", label="go")
            tx.ext("traces").record("decision", "choose", span.id, {"why": b"\0"}, start=1, end=2)
        span.attrs["hits"] = 3
    run.state.transition_or_init("count", 0, lambda n: n + 1)


def told(run: RunHandle) -> Any:
    """Everything that the four kinds say."""
    names = run.state.names()
    return {
        "json": {key: msgspec.to_builtins(run.json.get_doc(key)) for key in run.json.keys()},  # noqa: SIM118
        "versions": [run.json.version("gone"), run.json.version("plan")],
        "state": {name: msgspec.to_builtins(run.state.read(name)) for name in names},
        "events": run.events.range(),
        "spans": run.traces.items(),
    }


def test_they_are_the_same_after_reopening(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db") as database:
        database.begin_run(RUN, name="solve")
        work(database.handle(RUN))
        before, digest = told(database.handle(RUN)), database.digest()
    with Database.open(tmp_path / "db") as database:
        run = database.handle(RUN)
        assert told(run) == before and database.digest() == digest
        assert run.events.verify_chain() is None
        database.resume_run(RUN)
        assert run.json.create("gone", 2) == 3 and run.state.init("old", 1) == 3
        run.json.delete("gone")
        run.events.append("resumed")
        before, digest = told(run), database.digest()
        assert before["versions"] == [4, 3]
    with Database.open(tmp_path / "db") as database:
        assert told(database.handle(RUN)) == before and database.digest() == digest


def test_they_are_the_same_from_a_snapshot_and_the_log_behind_it(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db") as database:
        database.begin_run(RUN)
        work(database.handle(RUN))
        database.snapshot()
        run = database.handle(RUN)
        run.events.append("later", [1])
        run.json.delete("plan", "$.steps[0]")
        run.state.transition("phase", str.upper)
        run.traces.record("error", "late", attrs={"n": 1})
        before, digest = told(run), database.digest()
    with Database.open(tmp_path / "db") as database:
        assert told(database.handle(RUN)) == before and database.digest() == digest
        assert [event.seq for event in before["events"]] == [0, 1, 2, 3]


def test_a_second_reader_finds_the_same(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db") as database:
        database.begin_run(RUN)
        run = database.handle(RUN)
        work(run)
        before = told(run)
        database.end_run(RUN)
    state, _ = state_of(tmp_path / "db")
    held = state["runs"][RUN.bytes]
    assert {key: tuple(held["json"][key]) for key in held["json"]} == {
        key: (doc["ver"], doc["value"]) for key, doc in before["json"].items()
    }
    assert held["gone"] == {"json": {"gone": 2}, "state": {"old": 2}}
    assert {name: tuple(held["state"][name]) for name in held["state"]} == {
        name: (cell["ver"], cell["value"]) for name, cell in before["state"].items()
    }
    assert [(event[0], event[2], event[3], event[5]) for event in held["events"]] == [
        (event.seq, event.type, event.payload, event.hash) for event in before["events"]
    ]
    assert list(held["traces"]) == [span.id for span in before["spans"]]
    assert not chain_faults(state)


@pytest.mark.parametrize("durability", ["memory", "strict"])
def test_the_other_modes(tmp_path: Path, durability: str) -> None:
    with Database.open(
        None if durability == "memory" else tmp_path / "db", durability=durability
    ) as database:
        database.begin_run(RUN)
        run = database.handle(RUN)
        work(run)
        assert run.events.len() == 3 and run.json.get("plan", "$.n") == 2.5
        assert run.state.get("phase") == "plan-act" and run.traces.count() == 2
        with pytest.raises(ConflictError), run.transaction() as tx:
            tx.ext("json").set("plan", "$.n", 1)
            other = database.handle(RUN)
            open_here = database.committer.transactions.copy()
            database.committer.transactions.clear()
            other.json.set("plan", "$.n", 7)
            database.committer.transactions.update(open_here)
        assert run.json.get("plan", "$.n") == 7


def test_a_run_that_ended_or_never_was(tmp_path: Path) -> None:
    with Database.open(tmp_path / "db") as database:
        database.begin_run(RUN)
        run = database.handle(RUN)
        database.end_run(RUN)
        for write in (
            lambda: run.json.create("d", 1),
            lambda: run.events.append("t"),
            lambda: run.state.set("a", 1),
            lambda: run.traces.record("query", "q"),
        ):
            with pytest.raises(RunNotActive):
                write()
        assert run.events.len() == 0 and run.traces.items() == []
        with pytest.raises(RunNotFound):
            database.handle(RunId.new())
