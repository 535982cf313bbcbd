"""Open transactions of the reference model: what they see and when they conflict, and that the checker agrees."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine_oracle.isolation import Txn, by_commits, check_snapshot_isolation
from engine_oracle.model import Model
from engine_oracle.model_data import ModelError
from engine_oracle.model_interleaved import OpenTransaction
from engine_oracle.writer import RUN

OTHER = bytes(range(50, 66))
Steps = list[tuple[Any, ...]]


@pytest.fixture
def model() -> Model:
    made = Model()
    made.do(RUN, "run.begin", now=1)
    made.do(RUN, "kv.put", "k", 0, now=1)
    made.do(RUN, "state.init", "s", 0, now=1)
    made.do(RUN, "json.create", "d", {"a": {"b": 1}, "list": [1, 2]}, now=1)
    return made


def plus(value: int) -> int:
    return value + 1


CONFLICTS: dict[str, tuple[str, Steps, Steps]] = {
    "a key that was read": ("read-write", [("kv.get", "k"), ("kv.put", "other", 1)], [("kv.put", "k", 1)]),
    "a key that was read and deleted": (
        "read-write",
        [("kv.exists", "k"), ("kv.put", "x", 1)],
        [("kv.delete", "k")],
    ),
    "a key that was not there": (
        "read-write",
        [("kv.get", "new"), ("kv.put", "x", 1)],
        [("kv.put", "new", 1)],
    ),
    "one of many": ("read-write", [("kv.get_many", ["z", "k"]), ("kv.put", "x", 1)], [("kv.put", "k", 1)]),
    "a transition": ("read-write", [("state.transition", "s", plus)], [("state.transition", "s", plus)]),
    "a cell created twice": ("read-write", [("state.init", "new", 1)], [("state.init", "new", 2)]),
    "a version": ("cas", [("state.cas", "s", 1, 5)], [("state.set", "s", 7)]),
    "the same path": ("json", [("json.set", "d", ["a", "b"], 2)], [("json.set", "d", ["a", "b"], 3)]),
    "a path above": ("json", [("json.set", "d", ["a"], 2)], [("json.set", "d", ["a", "b"], 3)]),
    "a path below": ("json", [("json.set", "d", ["a", "b"], 2)], [("json.set", "d", ["a"], {})]),
    "the document": ("json", [("json.set", "d", ["a", "b"], 2)], [("json.delete", "d")]),
    "a path that was read": (
        "json",
        [("json.get", "d", ["a"]), ("kv.put", "x", 1)],
        [("json.set", "d", ["a", "b"], 3)],
    ),
    "an element that moved": (
        "json",
        [("json.set", "d", ["list", 1], 9)],
        [("json.delete", "d", ["list", 0])],
    ),
    "one path of a patch": (
        "json",
        [("json.patch", "d", [[0, ["x"], 1], [1, ["a", "b"]]])],
        [("json.set", "d", ["a"], 1)],
    ),
}

TOGETHER: dict[str, tuple[Steps, Steps]] = {
    "the same key without a read": ([("kv.put", "k", 1)], [("kv.put", "k", 2)]),
    "a read of one's own write": ([("kv.put", "k", 1), ("kv.get", "k")], [("kv.put", "k", 2)]),
    "a read of many of one's own writes": (
        [("kv.put", "k", 1), ("kv.get_many", ["k"])],
        [("kv.put", "k", 2)],
    ),
    "other keys": ([("kv.get", "k"), ("kv.put", "x", 1)], [("kv.put", "y", 2)]),
    "only reads": ([("kv.get", "k"), ("json.get", "d")], [("kv.put", "k", 2), ("json.delete", "d")]),
    "events": ([("events.append", "t", 1)], [("events.append", "t", 2), ("events.append", "t", 3)]),
    "spans": ([("traces.record", "1", "query", "n")], [("traces.record", "1", "query", "m")]),
    "other paths": ([("json.set", "d", ["a", "b"], 2)], [("json.set", "d", ["a", "c"], 3)]),
    "a list of keys": ([("kv.keys",), ("kv.put", "x", 1)], [("kv.put", "y", 2)]),
    "a cell that is set": ([("state.set", "s", 1)], [("state.set", "s", 2)]),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_what_conflicts(model: Model, name: str) -> None:
    kind, mine, theirs = CONFLICTS[name]
    transaction = OpenTransaction(model, RUN)
    for step in mine:
        transaction.do(*step, now=2)
    for step in theirs:
        model.do(RUN, *step, now=2)
    before = model.cv
    with pytest.raises(ModelError) as caught:
        transaction.commit(now=3)
    assert (caught.value.name, caught.value.fields) == ("ConflictError", {"kind": kind})
    assert model.cv == before


@pytest.mark.parametrize("name", TOGETHER)
def test_what_does_not_conflict(model: Model, name: str) -> None:
    mine, theirs = TOGETHER[name]
    transaction = OpenTransaction(model, RUN)
    for step in mine:
        transaction.do(*step, now=2)
    for step in theirs:
        model.do(RUN, *step, now=2)
    before = model.cv
    assert transaction.commit(now=3) == (None if name == "only reads" else before + 1)


def test_disjoint_patches_are_both_there(model: Model) -> None:
    one, other = OpenTransaction(model, RUN), OpenTransaction(model, RUN)
    one.do("json.set", "d", ["a", "b"], 2, now=1)
    other.do("json.set", "d", ["a", "c"], 3, now=1)
    one.commit(now=2)
    other.commit(now=2)
    assert model.do(RUN, "json.get", "d", ["a"], now=3) == {"b": 2, "c": 3}
    assert model.do(RUN, "json.version", "d", now=3) == 3


def test_events_get_their_numbers_at_the_commit(model: Model) -> None:
    one, other = OpenTransaction(model, RUN), OpenTransaction(model, RUN)
    assert one.do("events.append", "t", "one", now=1)[0] == 0
    assert other.do("events.append", "t", "other", now=1)[0] == 0
    other.commit(now=2)
    one.commit(now=2)
    assert [event[3] for event in model.do(RUN, "events.range", now=3)] == ["other", "one"]


def test_a_run_that_ended_takes_no_commit(model: Model) -> None:
    transaction = OpenTransaction(model, RUN)
    transaction.do("kv.put", "x", 1, now=1)
    model.do(RUN, "run.end", now=2)
    with pytest.raises(ModelError) as caught:
        transaction.commit(now=3)
    assert caught.value.name == "RunNotActive"


def test_another_run_never_conflicts(model: Model) -> None:
    transaction = OpenTransaction(model, RUN)
    transaction.do("kv.put", "x", transaction.do("kv.get", "k", now=1), now=1)
    model.do(OTHER, "run.begin", now=1)
    model.do(OTHER, "kv.put", "k", 9, now=1)
    assert transaction.commit(now=2) == model.cv


@pytest.mark.parametrize("seed", range(10))
def test_histories_of_the_model_are_snapshot_isolation(seed: int) -> None:
    dice = random.Random(seed)
    model = Model()
    model.do(RUN, "run.begin", now=1)
    version = 0
    open_: list[tuple[OpenTransaction, list[tuple[str, int]], list[tuple[str, int]]]] = []
    history: list[Txn] = []
    refused = 0
    while len(history) < 40:
        if len(open_) < 3:
            open_.append((OpenTransaction(model, RUN), [], []))
        transaction, reads, writes = dice.choice(open_)
        key = dice.choice("xyz")
        act = dice.randrange(3)
        if act == 0:
            reads.append((key, transaction.do("kv.get", key, 0, now=1)))
        elif act == 1:
            writes.append((key, version := version + 1))
            transaction.do("kv.put", key, version, now=1)
        else:
            open_ = [item for item in open_ if item[0] is not transaction]
            commit: int | None
            try:
                commit = transaction.commit(now=1) or transaction.start
            except ModelError:
                commit, refused = None, refused + 1
            history.append(Txn(len(history), transaction.start, commit, reads, writes))
    order = sorted((txn for txn in history if txn.writes and txn.commit), key=lambda txn: txn.commit or 0)
    assert [txn.commit for txn in order] == list(range(2, model.cv + 1))
    assert check_snapshot_isolation(by_commits(history)) == []
    assert refused
