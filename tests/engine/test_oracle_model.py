"""The reference model against the second reader: what it says it did, written and read back, is what it has."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine_oracle.interpret import apply, chain_faults, digest, run_history, state_of
from engine_oracle.model import Model, diff, op
from engine_oracle.model_data import ModelError
from engine_oracle.workload import RUNS, sample_model
from engine_oracle.writer import RUN, write_log

OTHER = bytes(range(50, 66))


@pytest.fixture
def model() -> Model:
    made = Model()
    made.do(RUN, "run.begin", name="solve", tags=["eval"], now=100)
    return made


def fails(name: str, act: Callable[[], object]) -> ModelError:
    with pytest.raises(ModelError) as caught:
        act()
    assert caught.value.name == name
    return caught.value


@pytest.mark.parametrize("seed", range(8))
def test_the_log_of_the_model_is_read_back_as_its_states(seed: int, tmp_path: Path) -> None:
    made = sample_model(random.Random(seed), 60)
    write_log(tmp_path, made.log, per_segment=7, history=3)
    state, reading = state_of(tmp_path)
    assert (reading.verdict, reading.last_cv) == ("clean", made.cv)
    assert digest(state) == digest(made.states[-1])
    assert chain_faults(state) == []
    for cv in range(0, made.cv + 1, 9):
        assert digest(apply(reading.transactions[:cv])) == digest(made.states[cv])
    for run in RUNS:
        steps = run_history(reading.transactions, run)
        assert [digest(step) for step in steps] == [digest(step) for step in made.run_steps(run)]


def test_a_workload_has_entries_of_every_type() -> None:
    seen = {
        entry[0]
        for seed in range(8)
        for step in sample_model(random.Random(seed), 60).log
        for entry in step["entries"]
    }
    assert seen == {0x10, 0x11, 0x20, 0x21, 0x22, 0x23, 0x30, 0x40, 0x41, 0x42, 0x50, 0x60, 0x61, 0x62, 0x63}


def test_a_transaction_is_all_or_nothing(model: Model) -> None:
    before = digest(model.states[-1])
    operations = [op("kv.put", "a", 1), op("events.append", "t", {}), op("state.cas", "s", 7, 1)]
    error = fails("CasMismatch", lambda: model.transact(RUN, operations, now=5))
    assert error.fields == {"expected": 7, "found": 0}
    assert (model.cv, digest(model.states[-1])) == (1, before)
    assert model.transact(RUN, [op("kv.put", "a", 1), op("kv.get", "a")], now=5) == [None, 1]


def test_a_reader_takes_no_commit_number_and_time_never_goes_back(model: Model) -> None:
    model.do(RUN, "kv.get", "a", now=200)
    assert model.do(RUN, "kv.delete", "a", now=200) is False
    assert model.cv == 1
    model.do(RUN, "kv.put", "a", 1, now=50)
    assert model.do(RUN, "kv.get_entry", "a", now=1) == (2, 100, 1, None)


def test_a_record_expires_for_its_reader_and_not_in_the_state(model: Model) -> None:
    model.do(RUN, "kv.put", "a", 1, ttl=10, now=100)
    assert model.do(RUN, "kv.get", "a", now=109) == 1
    for question, answer in (("get", None), ("exists", False)):
        assert model.do(RUN, f"kv.{question}", "a", now=110) is answer
    assert model.do(RUN, "kv.keys", now=110) == []
    assert model.states[-1]["runs"][RUN]["kv"]["a"] == (2, 100, 1, 110)


def test_keys_are_in_the_order_of_their_bytes(model: Model) -> None:
    keys = ["b", "a", "é", "z", "😀", "\uffff", "ab"]
    for key in keys:
        model.do(RUN, "kv.put", key, key, now=1)
    assert model.do(RUN, "kv.keys", now=1) == ["a", "ab", "b", "z", "é", "\uffff", "😀"]
    assert model.do(RUN, "kv.items", "a", now=1) == [("a", "a"), ("ab", "ab")]
    assert model.do(RUN, "kv.count", now=1) == 7


def test_documents_at_paths(model: Model) -> None:
    def do(name: str, *arguments: Any) -> Any:
        return model.do(RUN, f"json.{name}", *arguments, now=1)

    assert do("create", "d", {"a": [1, 2]}) == 1
    fails("AlreadyExists", lambda: do("create", "d", {}))
    assert do("set", "d", ["a", 2], 3) == 2
    assert do("set", "d", ["new", "inner", 0], "x") == 3
    assert do("get", "d") == {"a": [1, 2, 3], "new": {"inner": ["x"]}}
    fails("PathError", lambda: do("set", "d", ["a", 9], 0))
    fails("PathError", lambda: do("set", "d", ["a", -1], 0))
    fails("JsonTypeError", lambda: do("set", "d", ["a", "key"], 0))
    fails("JsonTypeError", lambda: do("set", "d", ["a", 0, 0], 0))
    assert do("delete", "d", ["a", 0]) is True
    assert do("get", "d", ["a"]) == [2, 3]
    assert do("delete", "d", ["a", 7]) is False
    fails("PathError", lambda: do("patch", "d", [[0, ["b"], 1], [1, ["none"]]]))
    assert do("get", "d", ["b"]) is None
    assert do("patch", "d", [[0, ["b"], 1], [1, ["new"]]]) == 5
    fails("CasMismatch", lambda: do("cas", "d", [], 4, 0))
    assert do("cas", "d", [], 5, {}) == 6
    assert do("delete", "d") is True
    assert (do("version", "d"), do("exists", "d"), do("keys")) == (0, False, [])
    fails("NotFound", lambda: do("patch", "d", []))
    assert do("create", "d", {}) == 8
    fails("ValueTypeError", lambda: do("set", "d", ["x"], float("nan")))


@pytest.mark.parametrize("creates", [True, False])
def test_a_path_of_a_document_that_is_not_there(creates: bool) -> None:
    made = Model(set_creates_documents=creates)
    made.do(RUN, "run.begin", now=1)
    if creates:
        made.do(RUN, "json.set", "d", ["steps", 0], 1, now=1)
        assert made.do(RUN, "json.get", "d", now=1) == {"steps": [1]}
    else:
        fails("NotFound", lambda: made.do(RUN, "json.set", "d", ["steps", 0], 1, now=1))
        assert made.do(RUN, "json.set", "d", [], 1, now=1) == 1


def test_cells_and_their_versions(model: Model) -> None:
    def do(name: str, *arguments: Any) -> Any:
        return model.do(RUN, f"state.{name}", *arguments, now=1)

    assert do("init", "s", "off") == 1
    fails("AlreadyExists", lambda: do("init", "s", "off"))
    assert do("cas", "s", 1, "on") == 2
    fails("CasMismatch", lambda: do("cas", "s", 1, "x"))
    assert do("transition", "s", lambda value: value + "!") == ("on!", 3)
    fails("NotFound", lambda: do("transition", "none", lambda value: value))
    assert do("read", "s") == ("on!", 3)
    assert do("delete", "s") is True
    assert (do("delete", "s"), do("read", "s"), do("names")) == (False, None, [])
    fails("CasMismatch", lambda: do("cas", "s", 4, "x"))
    assert do("cas", "s", 0, "again") == 5
    assert do("set", "s", "more") == 6


def test_events_are_chained_and_numbered_without_holes(model: Model) -> None:
    for number in range(4):
        assert model.do(RUN, "events.append", "ab"[number % 2], {"n": number}, now=number)[0] == number
    assert [event[0] for event in model.do(RUN, "events.range", 1, 3, now=1)] == [1, 2]
    assert [event[0] for event in model.do(RUN, "events.by_type", "b", now=1)] == [1, 3]
    assert model.do(RUN, "events.len", now=1) == 4
    fails("NotFound", lambda: model.do(RUN, "events.read", 4, now=1))
    assert chain_faults(model.states[-1]) == []


def test_a_span_is_replaced_in_its_place(model: Model) -> None:
    for span, parent in (("1", None), ("2", "1"), ("3", "1")):
        model.do(RUN, "traces.record", span, "tool_call", "t", parent=parent, now=1)
    model.do(RUN, "traces.record", "2", "query", "u", parent="1", end=9, now=1)
    assert model.do(RUN, "traces.children", "1", now=1) == ["2", "3"]
    assert model.do(RUN, "traces.children", None, now=1) == ["1"]
    assert model.do(RUN, "traces.get", "2", now=1)["end"] == 9


@pytest.mark.parametrize(
    ("path", "last"),
    [
        (["run.pause", "run.resume", "run.end"], "completed"),
        (["run.abort", "run.archive"], "archived"),
        (["run.archive"], "archived"),
    ],
)
def test_a_run_goes_its_way(model: Model, path: list[str], last: str) -> None:
    for step in path:
        model.do(RUN, step, now=1)
    assert model.status(RUN) == last
    fails("RunNotActive", lambda: model.do(RUN, "kv.put", "a", 1, now=1))
    fails("RunNotActive", lambda: model.do(RUN, "run.resume", now=1))
    fails("RunExists", lambda: model.do(RUN, "run.begin", now=1))


def test_what_a_run_may_not(model: Model) -> None:
    fails("RunNotFound", lambda: model.do(OTHER, "kv.put", "a", 1, now=1))
    fails("RunActive", lambda: model.do(RUN, "run.delete", now=1))
    model.do(RUN, "run.pause", now=1)
    fails("RunNotActive", lambda: model.do(RUN, "run.end", now=1))
    model.do(RUN, "run.delete", now=1)
    assert model.status(RUN) == "not_found"
    assert model.run_steps(RUN)[-1] is None


def test_an_orphan_is_shown_and_not_written(model: Model) -> None:
    before = digest(model.states[-1])
    model.process_gone()
    assert (model.status(RUN), digest(model.states[-1]), model.cv) == ("orphaned", before, 1)
    fails("RunNotActive", lambda: model.do(RUN, "kv.put", "a", 1, now=1))
    assert model.list_runs(status="orphaned") == [RUN]
    model.do(RUN, "run.resume", now=1)
    model.do(RUN, "kv.put", "a", 1, now=1)
    assert model.list_runs(status="active", tag="eval") == [RUN]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (2**63, "ValueRangeError"),
        ((1,), "ValueTypeError"),
        ({1: 1}, "ValueTypeError"),
        ({1}, "ValueTypeError"),
    ],
)
def test_values_that_are_refused(model: Model, value: Any, name: str) -> None:
    fails(name, lambda: model.do(RUN, "kv.put", "a", value, now=1))
    for key in ("", "x" * 1025, "a\0"):
        fails("LimitExceeded", lambda key=key: model.do(RUN, "kv.put", key, 1, now=1))


def test_what_a_caller_holds_is_not_what_is_stored(model: Model) -> None:
    value = {"a": [1]}
    model.do(RUN, "kv.put", "k", value, now=1)
    value["a"].append(2)
    model.do(RUN, "kv.get", "k", now=1)["a"].append(3)
    assert model.do(RUN, "kv.get", "k", now=1) == {"a": [1]}


def test_a_cut_forgets_a_suffix() -> None:
    made = sample_model(random.Random(3), 40)
    kept = [digest(state) for state in made.states[:21]]
    made.cut(20)
    assert [digest(state) for state in made.states] == kept
    assert sum(len(made.run_steps(run)) for run in RUNS) == 20


def test_the_difference_of_two_runs(model: Model) -> None:
    model.do(OTHER, "run.begin", now=1)
    for run, value in ((RUN, 1), (OTHER, True)):
        model.do(run, "kv.put", "same", [1, {"x": 2}], now=run[0])
        model.do(run, "kv.put", "typed", value, now=1)
        model.do(run, "events.append", "a", 1, now=1)
    model.do(RUN, "json.create", "only", {}, now=1)
    model.do(OTHER, "state.init", "s", 0, now=1)
    model.do(RUN, "events.append", "b", 1, now=1)
    model.do(OTHER, "events.append", "b", 1.0, now=1)
    assert diff(model.runs[RUN], model.runs[OTHER]) == [
        ("kv", "modified", "typed", 1, True),
        ("json", "removed", "only", {}, None),
        ("events", "removed", 1, ["b", 1], None),
        ("events", "added", 1, None, ["b", 1.0]),
        ("state", "added", "s", None, 0),
    ]
    assert diff(model.runs[RUN], model.runs[RUN]) == []
