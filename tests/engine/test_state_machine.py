"""The engine against its reference model, operation by operation, through `Database.open` alone.

After every step the live state is the model's, each run replays to each of its steps, and the second reader finds
the same in the files. Errors have the names that the model gives them. In memory, buffered and strict.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.errors import EngineError, HistoryPruned, RunNotActive, ValueRangeError
from devstate.engine.snapshotting import SnapshotPolicy
from engine_oracle.interpret import digest, state_of
from engine_oracle.model import Model, Operation, op
from engine_oracle.model_data import ModelError
from engine_pair import (
    KEYS,
    LIFE,
    RUNS,
    SPELLED,
    Clock,
    InterleavedModel,
    OtherThread,
    error_name,
    live,
    live_state,
    model_steps,
    outcome,
    perform,
    provisional,
    rid,
    same_run,
    same_state,
    view_state,
)

FOR_TTL = "expires"  # never deleted: the model does not delete what has expired, the engine does
VALUES = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        2**63 - 1,
        1.0,
        -0.0,
        float("nan"),
        "text",
        "ü" * 40,
        b"\0\xff",
        [1, [2]],
        {"b": 1, "a": {}},
    ]
)
DOCUMENTS = st.sampled_from(
    [1, "s", {}, [], {"x": [1, 2], "list": []}, {"x": {"y": None}}, {"deep": {"er": {}}}]
)
PATHS = st.sampled_from([[], ["x"], ["x", 0], ["x", 1], ["list", 0], ["deep", "er", "key"], [0]])
KEY = st.sampled_from(KEYS)
VER = st.integers(0, 4)
SPAN = st.sampled_from(["span-0", "span-1", "span-2"])


def _next(before: Any) -> Any:
    return [before] if not isinstance(before, list) else len(before)


def ops(*parts: Any) -> Any:
    """A strategy of operations: the name, then a strategy for each argument."""
    return st.builds(op, st.just(parts[0]), *parts[1:])


WRITES = st.one_of(
    ops("kv.put", KEY, VALUES),
    st.builds(lambda value, ttl: op("kv.put", FOR_TTL, value, ttl=ttl), VALUES, st.integers(1, 4000)),
    ops("kv.delete", KEY),
    ops("json.create", KEY, DOCUMENTS),
    ops("json.set", KEY, PATHS, DOCUMENTS),
    ops("json.cas", KEY, PATHS, VER, DOCUMENTS),
    ops("json.delete", KEY, PATHS),
    ops(
        "json.patch",
        KEY,
        st.lists(
            st.one_of(
                st.builds(lambda path, value: [0, path, value], PATHS, DOCUMENTS),
                st.builds(lambda path: [1, path], PATHS.filter(bool)),
            ),
            min_size=1,
            max_size=3,
        ),
    ),
    ops("events.append", st.sampled_from(["tick", "tool_call"]), VALUES),
    ops("state.init", KEY, VALUES),
    ops("state.set", KEY, VALUES),
    ops("state.cas", KEY, VER, VALUES),
    ops("state.transition", KEY, st.just(_next)),
    ops("state.delete", KEY),
    st.builds(
        lambda span, kind, value, tags, parent: op(
            "traces.record", span, kind, "n", parent=parent if parent != span else None, attrs={"v": value},
            tags=tags, start=1, end=2,
        ),
        SPAN, st.sampled_from(["query", "thought"]), VALUES, st.lists(st.sampled_from("xy"), max_size=2),
        st.one_of(st.none(), SPAN),
    ),
)  # fmt: skip
READS = st.one_of(
    ops("kv.get", KEY),
    ops("kv.get_entry", st.sampled_from([*KEYS, FOR_TTL])),
    ops("kv.get_many", st.lists(KEY, max_size=3)),
    ops("kv.exists", st.sampled_from([*KEYS, FOR_TTL])),
    ops("kv.keys", st.sampled_from(["", "a", "кл", "zz"])),
    ops("kv.items"),
    ops("kv.count"),
    ops("json.get", KEY, PATHS),
    ops("json.exists", KEY),
    ops("json.version", KEY),
    ops("json.keys"),
    ops("events.read", st.integers(0, 3)),
    ops("events.range", st.integers(0, 2), st.one_of(st.none(), st.integers(0, 4))),
    ops("events.by_type", st.just("tick")),
    ops("events.len"),
    ops("state.read", KEY),
    ops("state.exists", KEY),
    ops("state.names"),
    ops("traces.get", SPAN),
    ops("traces.children", SPAN),
    ops("traces.by_kind", st.just("query")),
    ops("traces.by_tag", st.just("x")),
    ops("traces.count"),
)
# What must be refused, each for one reason.
REFUSED = st.sampled_from(
    [
        op("kv.put", "", 1),
        op("kv.put", "a\0", 1),
        op("kv.put", "k" * 1025, 1),
        op("kv.put", "a", 2**63),
        op("kv.put", "a", (1, 2)),
        op("kv.put", "a", {1: 2}),
        op("json.create", "new", float("nan")),
        op("json.create", "new", b"bytes"),
        op("state.set", "a", {"x": object}),
        op("events.append", "", 1),
        op("events.append", "t" * 257, 1),
    ]
)
LIVES = st.one_of(
    st.builds(
        op,
        st.sampled_from(["run.pause", "run.resume", "run.archive", "run.delete"]),
    ),
    st.builds(op, st.just("run.end"), st.sampled_from(["completed", "failed", "cancelled"])),
    st.just(op("run.abort", "a reason")),
    st.just(op("run.delete", force=True)),
    st.builds(lambda number: op("run.set_metadata", {"step": number}), st.integers(0, 9)),
    st.builds(lambda tag: op("run.add_tags", [tag]), st.sampled_from("xyz")),
)
RUN = st.sampled_from(RUNS)


def alike(found: tuple[str, Any], expected: tuple[str, Any]) -> bool:
    return digest(list(found)) == digest(list(expected))


class EngineMachine(RuleBasedStateMachine):
    """`mode` and `history` are set by the subclasses."""

    mode = "buffered"
    history = "keep"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="devstate-machine-"))
        self.clock = Clock()
        self.model = Model()
        self.sessions = 0
        self.path = self.folder / "db"
        self.db = self.opened()
        self.touched: bytes | None = None
        self.tidy = False

    def opened(self) -> Database:
        durable = Durability.buffered(interval_ms=3_600_000) if self.mode == "buffered" else self.mode
        return Database.open(
            None if self.mode == "memory" else self.path,
            durability=durable,
            now=self.clock,
            history=self.history,
            segment_bytes=700,
            snapshots=SnapshotPolicy(keep=1 if self.history == "off" else 2, close_bytes=-1),
        )

    def teardown(self) -> None:
        self.db.close()
        shutil.rmtree(self.folder)

    # -- operations

    def both(self, run: bytes, operation: Operation) -> None:
        if operation.name == "state.transition" and self.model.status(run) != "active":
            return  # what is said first, that there is no such cell or that the run rests, is nobody's promise
        now = self.clock.now
        expected = outcome(
            lambda: self.model.do(run, operation.name, *operation.arguments, now=now, **operation.options)
        )
        found = outcome(lambda: live(self.db, run, operation))
        self.touched = run
        if operation.name == "kv.put" and expected[0] == "ok":
            assert found[0] == "ok"
        else:
            assert alike(found, expected), (operation, found, expected)

    @initialize()
    def first_run(self) -> None:
        self.both(RUNS[0], op("run.begin", name="first", tags=["eval"], metadata={"n": 1}))

    @rule(run=RUN, parent=st.one_of(st.none(), RUN))
    def begin(self, run: bytes, parent: bytes | None) -> None:
        if parent is not None and parent not in self.model.runs:
            parent = None
        self.both(run, op("run.begin", name="a run", parent=parent))

    @rule(run=RUN, operation=WRITES, later=st.sampled_from([-5, 0, 1, 1000]))
    def write(self, run: bytes, operation: Operation, later: int) -> None:
        self.clock.now += later
        self.both(run, operation)

    @rule(operation=WRITES)
    def write_first(self, operation: Operation) -> None:
        self.both(RUNS[0], operation)

    @rule(run=RUN, operation=READS)
    def read(self, run: bytes, operation: Operation) -> None:
        self.both(run, operation)

    @rule(operation=REFUSED)
    def refuse(self, operation: Operation) -> None:
        if self.model.status(RUNS[0]) == "active":
            self.both(RUNS[0], operation)

    @rule(run=RUN, operation=LIVES)
    def live_on(self, run: bytes, operation: Operation) -> None:
        self.both(run, operation)

    @rule(
        run=RUN,
        operations=st.lists(st.one_of(WRITES, WRITES, READS), min_size=1, max_size=5),
        ends=st.booleans(),
    )
    def transact(self, run: bytes, operations: list[Operation], ends: bool) -> None:
        now = self.clock.now
        if self.model.status(run) != "active":
            operations = [one for one in operations if one.name != "state.transition"]
        if not operations:
            return
        queued = [*operations, op("run.end")] if ends and len(operations) > 3 else operations

        def theirs() -> Any:
            with self.db.transaction(rid(run)) as tx:
                results = [tx.end_run() if one.name == "run.end" else perform(tx, one) for one in queued]
            return [provisional(one.name, result) for one, result in zip(queued, results, strict=True)]

        def ours() -> Any:
            results = self.model.transact(run, queued, now=now)
            return [provisional(one.name, result) for one, result in zip(queued, results, strict=True)]

        # What the run was when the transaction began decides for both; times and versions come at the commit.
        self.touched = run
        free = [
            one.name in ("kv.get_entry", "events.read", "events.range", "events.by_type") for one in queued
        ]
        expected, found = outcome(ours), outcome(theirs)
        if expected[0] == "ok":
            assert found[0] == "ok", (found, queued)
            for skipped, mine, yours in zip(free, expected[1], found[1], strict=True):
                assert skipped or digest([mine]) == digest([yours])
        else:
            assert found == expected, queued

    @rule(
        run=st.sampled_from(RUNS[:2]),
        steps=st.lists(st.tuples(st.booleans(), st.one_of(WRITES, READS)), min_size=2, max_size=8),
        alone=st.one_of(st.none(), WRITES),
        first=st.booleans(),
    )
    def interleave(
        self, run: bytes, steps: list[tuple[bool, Operation]], alone: Operation | None, first: bool
    ) -> None:
        """Two transactions of two threads, open side by side, and perhaps a write beside both."""
        if self.model.status(run) != "active":
            return
        now = self.clock.now
        models = [InterleavedModel(self.model, run), InterleavedModel(self.model, run)]
        threads = [OtherThread(), OtherThread()]
        try:
            transactions = [thread.do(lambda: self.db.transaction(rid(run))) for thread in threads]
            for which, operation in steps:
                if operation.options.get("ttl") or operation.name in (
                    "json.delete",
                    "json.patch",
                    "json.create",
                ):
                    continue
                side = int(which)
                expected = outcome(
                    lambda model=models[side], one=operation: model.do(
                        one.name, *one.arguments, now=now, **one.options
                    )
                )
                found = outcome(
                    lambda thread=threads[side], tx=transactions[side], one=operation: thread.do(
                        lambda: perform(tx, one)
                    )
                )
                assert found[0] == expected[0], operation
                if expected[0] == "error":
                    assert found == expected, operation
                elif operation.name not in ("kv.put", "kv.get_entry") and not operation.name.startswith(
                    "events."
                ):
                    assert digest([found[1]]) == digest([expected[1]]), operation
            if alone is not None:
                self.both(run, alone)
            for side in (0, 1) if first else (1, 0):
                expected = outcome(lambda model=models[side]: model.commit(now=now))
                found = outcome(lambda thread=threads[side], tx=transactions[side]: thread.do(tx.commit))
                self.conflicts_alike(found, expected)
        finally:
            for thread in threads:
                thread.close()
        self.touched = run

    def conflicts_alike(self, found: tuple[str, Any], expected: tuple[str, Any]) -> None:
        """The engine may be coarser than the model only in arrays, and only by a conflict."""
        assert found[0] == expected[0], (found, expected)
        if expected[0] == "error":
            # What no longer fits the newest state is a conflict for the engine, by its own name for the model.
            assert found[1] == "ConflictError"

    # -- the files

    @precondition(lambda self: self.mode != "memory")
    @rule()
    def snapshot(self) -> None:
        self.db.snapshot()
        self.tidy = True

    @precondition(lambda self: self.mode != "memory")
    @rule()
    def flush(self) -> None:
        self.db.flush()

    @precondition(lambda self: self.mode != "memory")
    @rule()
    def close_and_open(self) -> None:
        before = self.db.digest()
        self.db.close()
        self.model.process_gone()
        self.db = self.opened()
        assert self.db.digest() == before
        assert not self.db.recovery.has_issues or self.model.orphans

    @precondition(lambda self: self.mode != "memory")
    @rule()
    def crash(self) -> None:
        """The process is gone at this moment: what the files hold is what there is."""
        before = self.db.digest()
        self.sessions += 1
        left = self.folder / f"db{self.sessions}"
        shutil.copytree(self.path, left)
        self.db.close()
        self.path = left
        self.model.process_gone()
        self.db = self.opened()
        assert self.db.digest() == before

    # -- the past

    @rule(data=st.data())
    def travel(self, data: st.DataObject) -> None:
        cv = data.draw(st.integers(0, self.model.cv))
        try:
            view = self.db.view_at(cv)
        except HistoryPruned:
            assert self.history == "off"
            assert self.tidy
            return
        expected = self.model.states[cv]
        assert {run.run_id.bytes for run in view.runs()} == expected["runs"].keys()
        for run, data_then in expected["runs"].items():
            assert same_run(view_state(view.run(rid(run)), run), data_then)

    @rule(run=RUN, data=st.data())
    def replay_to_a_step(self, run: bytes, data: st.DataObject) -> None:
        if run not in self.model.runs:
            assert outcome(lambda: self.db.replay_run(rid(run))) == ("error", "RunNotFound")
            return
        steps = model_steps(self.model, run)
        step = data.draw(st.integers(0, len(steps)))
        try:
            view = self.db.replay_run(rid(run), step=step)
        except HistoryPruned:
            assert self.history == "off"
            assert self.tidy
            return
        assert view.n_steps == len(steps)
        assert same_run(view_state(view, run), steps[step - 1] if step else None)
        cursor = self.db.timeline(rid(run))
        cursor.seek(step)
        assert cursor.view.digest() == view.digest()

    # -- what always holds

    @invariant()
    def live_is_the_model(self) -> None:
        assert same_state(live_state(self.db), self.model.states[-1])
        for run in RUNS:
            assert self.db.run_status(rid(run)) == self.model.status(run)

    @invariant()
    def the_run_replays(self) -> None:
        run, self.touched = self.touched, None
        if run is None or run not in self.model.runs:
            return
        try:
            view = self.db.replay_run(rid(run))
        except HistoryPruned:
            assert self.history == "off"
            assert self.tidy
            view = self.db.replay_run(rid(run), final_only=True)
            assert not view.complete
        assert same_run(view_state(view, run), self.model.runs[run])

    @invariant()
    def the_second_reader_agrees(self) -> None:
        if self.mode != "memory":
            found, reading = state_of(self.path)
            assert reading.verdict == "clean"
            for run in found["runs"].values():
                run["run"].pop("owner", None)  # a field of the engine's own
            assert same_state(found, self.model.states[-1])


class InMemory(EngineMachine):
    mode = "memory"


class Strict(EngineMachine):
    mode = "strict"


class WithoutHistory(EngineMachine):
    history = "off"


MACHINES = {"memory": InMemory, "buffered": EngineMachine, "strict": Strict, "history off": WithoutHistory}


def run_machine(name: str, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        MACHINES[name],
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", MACHINES)
def test_engine_and_model_go_together(name: str) -> None:
    run_machine(name, examples=30 if name == "memory" else 15, steps=25)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MACHINES)
def test_engine_and_model_go_together_for_longer(name: str) -> None:
    run_machine(name, examples=150, steps=40)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", MACHINES)
def test_engine_and_model_go_together_for_a_night(name: str) -> None:
    run_machine(name, examples=2000, steps=60)


def test_every_operation_of_the_model_is_spelled() -> None:
    from engine_oracle.model import Work

    names = {name for name in vars(Work) if not name.startswith("_")}
    for base in Work.__mro__[1:2]:
        names |= {name for name in vars(base) if not name.startswith("_")}
    operations = {
        name for name in names if name.partition("_")[0] in ("kv", "json", "events", "state", "traces", "run")
    }
    spelled = {name.replace(".", "_") for name in (*SPELLED, *LIFE)}
    assert operations - spelled - {"run_id"} == set()


def test_names_of_errors() -> None:
    assert error_name(ModelError("RunActive")) == "RunNotActive"
    assert error_name(EngineError("x")) == "EngineError"


def test_a_status_that_there_is_not() -> None:
    with Database.open() as db:
        run = db.begin_run()
        for call in (lambda: db.end_run(run, "bogus"), lambda: db.list_runs(status="bogus")):
            with pytest.raises(ValueRangeError, match="bogus"):
                call()
        with pytest.raises(EngineError):
            db.end_run(run, "active")
        assert db.run_status(run) == "active"


def test_an_archived_run_changes_no_more() -> None:
    with Database.open() as db:
        run = db.begin_run(tags=["x"])
        db.end_run(run)
        db.add_tags(run, "y")
        db.set_metadata(run, {"n": 1})
        db.archive_run(run)
        before = db.digest()
        for call in (lambda: db.add_tags(run, "z"), lambda: db.set_metadata(run, {"n": 2})):
            with pytest.raises(RunNotActive) as caught:
                call()
            assert caught.value.status == "archived"
        assert db.digest() == before
