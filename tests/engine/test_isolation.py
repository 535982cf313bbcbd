"""Snapshot isolation: every order in which small transactions can meet, and histories of many threads, checked."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import pytest

from devstate.engine.database import Database
from devstate.engine.errors import ConflictError
from devstate.engine.snapshotting import SnapshotPolicy
from engine_oracle.interpret import digest
from engine_oracle.isolation import Txn, by_commits, check_snapshot_isolation
from engine_oracle.model import Model, Operation, op
from engine_pair import (
    START,
    Clock,
    InterleavedModel,
    OtherThread,
    live_state,
    outcome,
    perform,
    provisional,
    rid,
    same_state,
)

RUN = bytes([7]) * 16
NO_SNAPSHOTS = SnapshotPolicy(close_bytes=-1)


# -- every order of the calls


def plus(value: Any) -> Any:
    return value + 1


def double(value: Any) -> Any:
    return value * 2


BEFORE = (
    op("kv.put", "a", 0),
    op("kv.put", "b", 0),
    op("state.init", "s", 1),
    op("json.create", "d", {"x": {"y": 1, "z": 2}, "list": [1, 2]}),
)
SCRIPTS: dict[str, tuple[Operation, ...]] = {
    "blind writes": (op("kv.put", "a", 1), op("kv.put", "b", 1)),
    "read one, write the other": (op("kv.get", "a"), op("kv.put", "b", 2)),
    "the same the other way round": (op("kv.get", "b"), op("kv.put", "a", 3)),
    "read what is absent": (op("kv.get", "new"), op("kv.put", "new", 4)),
    "delete and read": (op("kv.delete", "a"), op("kv.get", "b")),
    "delete what is absent": (op("kv.delete", "new"), op("kv.put", "b", 5)),
    "only read": (op("kv.get_many", ["a", "b"]), op("kv.items")),
    "transition": (op("state.transition", "s", plus), op("state.read", "s")),
    "another transition": (op("state.transition", "s", double),),
    "compare and set": (op("state.cas", "s", 1, 10), op("events.append", "e", 1)),
    "set and delete a cell": (op("state.set", "s", 7), op("state.delete", "s")),
    "make a cell": (op("state.init", "t", 1), op("events.append", "e", 2)),
    "set a path": (op("json.set", "d", ["x", "y"], 10), op("json.get", "d", ["x", "y"])),
    "set the path beside it": (op("json.set", "d", ["x", "z"], 20),),
    "set above both": (op("json.set", "d", ["x"], {}),),
    "read a path, write another": (op("json.get", "d", ["x", "y"]), op("json.set", "d", ["w"], 30)),
    "delete a path": (op("json.delete", "d", ["x", "y"]), op("kv.put", "a", 8)),
    "delete an element": (op("json.delete", "d", ["list", 0]),),
    "set an element": (op("json.set", "d", ["list", 1], 9),),
    "replace the document": (op("json.set", "d", [], {"x": {"y": 5, "z": 6}, "list": [3, 4]}),),
    "compare and set a document": (op("json.cas", "d", ["v"], 1, 1),),
    "read below what is absent": (op("json.get", "new", ["x"]), op("kv.put", "b", 6)),
    "make a document below its root": (op("json.set", "new", ["list"], [1]),),
    "record a span": (op("traces.record", "span", "query", "q", parent=None, attrs={}, tags=[], start=1),),
}  # fmt: skip


def orders(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All ways to take these many steps of each, each one's in their order."""
    if not any(lengths):
        yield ()
    for which, left in enumerate(lengths):
        if left:
            for rest in orders([*lengths[:which], left - 1, *lengths[which + 1 :]]):
                yield (which, *rest)


class Meeting:
    """Scripts that meet in one database and in one model, in a given order of their steps."""

    def __init__(self, threads: Sequence[OtherThread], scripts: Sequence[Sequence[Operation]]) -> None:
        self.threads = threads
        self.scripts = scripts

    def go(self, order: Sequence[int]) -> None:
        clock = Clock(START)
        model = Model()
        with Database.open(now=clock) as db:
            db.begin_run(rid(RUN))
            model.do(RUN, "run.begin", now=START)
            handle = db.handle(rid(RUN))
            for operation in BEFORE:
                perform(handle, operation)
                model.do(RUN, operation.name, *operation.arguments, now=START, **operation.options)
            at = [-1] * len(self.scripts)
            theirs: list[Any] = [None] * len(self.scripts)
            ours: list[Any] = [None] * len(self.scripts)
            for which in order:
                thread, script, step = self.threads[which], self.scripts[which], at[which]
                at[which] += 1
                if step < 0:
                    theirs[which] = thread.do(lambda: db.transaction(rid(RUN)))
                    ours[which] = InterleavedModel(model, RUN)
                elif step < len(script):
                    operation, tx, mine = script[step], theirs[which], ours[which]
                    found = outcome(lambda t=thread, tx=tx, one=operation: t.do(lambda: perform(tx, one)))
                    expected = outcome(
                        lambda mine=mine, one=operation: mine.do(
                            one.name, *one.arguments, now=START, **one.options
                        )
                    )
                    self.compare(operation, found, expected)
                else:
                    tx, mine = theirs[which], ours[which]
                    found = outcome(lambda t=thread, tx=tx: t.do(lambda: tx.commit().cv or None))
                    expected = outcome(lambda mine=mine: mine.commit(now=START))
                    assert found == expected or (found[0], found[1]) == ("error", "ConflictError") == (
                        expected[0],
                        "ConflictError",
                    ), (found, expected)
            assert same_state(live_state(db), model.states[-1])
            assert handle.events.verify_chain() is None

    def compare(self, operation: Operation, found: tuple[str, Any], expected: tuple[str, Any]) -> None:
        if operation.name == "kv.put" and found[0] == expected[0] == "ok":
            return  # the engine gives a commit version, the model nothing
        mine = [
            provisional(operation.name, one[1]) if one[0] == "ok" else one[1] for one in (found, expected)
        ]
        assert found[0] == expected[0], (operation, found, expected)
        assert digest([mine[0]]) == digest([mine[1]]), (operation, found, expected)


@pytest.fixture(scope="module")
def threads() -> Iterator[list[OtherThread]]:
    made = [OtherThread() for _ in range(3)]
    yield made
    for thread in made:
        thread.close()


def meet(threads: Sequence[OtherThread], names: Sequence[str], limit: int | None = None) -> int:
    scripts = [SCRIPTS[name] for name in names]
    found = list(orders([len(script) + 2 for script in scripts]))
    if limit is not None and len(found) > limit:
        found = random.Random(repr(names)).sample(found, limit)
    meeting = Meeting(threads, scripts)
    for order in found:
        try:
            meeting.go(order)
        except AssertionError as error:
            raise AssertionError(f"{names} in the order {order}: {error}") from error
    return len(found)


PAIRS = list(combinations_with_replacement(SCRIPTS, 2))


@pytest.mark.parametrize("part", range(4))
def test_two_transactions_in_some_orders(threads: list[OtherThread], part: int) -> None:
    assert sum(meet(threads, pair, limit=8) for pair in PAIRS[part::4]) > 300


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_transactions_in_every_order(threads: list[OtherThread]) -> None:
    assert sum(meet(threads, pair) for pair in PAIRS) > 8000


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "names",
    [
        ("read one, write the other", "the same the other way round", "blind writes"),
        ("transition", "another transition", "compare and set"),
        ("set a path", "set the path beside it", "set above both"),
        ("read a path, write another", "set the path beside it", "delete a path"),
        ("delete an element", "set an element", "replace the document"),
        ("make a cell", "set and delete a cell", "delete what is absent"),
    ],
)
def test_three_transactions_in_many_orders(threads: list[OtherThread], names: tuple[str, ...]) -> None:
    assert meet(threads, names, limit=1500) > 500


def test_orders_are_all_there() -> None:
    assert len(set(orders([4, 4]))) == 70
    assert len(set(orders([3, 3, 3]))) == 1680


# -- histories of many threads


KEYS = ("a", "b", "c")


@pytest.fixture
def restless() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def read_of(tx: Any, kind: str, key: str) -> int:
    if kind == "kv":
        return tx.kv.get(key, 0)
    if kind == "state":
        return tx.state.get(key, 0)
    return tx.json.get("doc", ["in", key], 0)


def write_of(tx: Any, kind: str, key: str, version: int) -> None:
    if kind == "kv":
        tx.kv.put(key, version)
    elif kind == "state":
        tx.state.set(key, version)
    else:
        tx.json.set("doc", ["in", key], version)


def history_of(db: Database, *, threads: int, each: int, seed: int) -> tuple[list[Txn], int]:
    """Random transactions in threads; what each read and wrote, and how many there were conflicts."""
    run = db.run(name="r")
    run.json.create("doc", {"in": {}})
    recorded: list[Txn] = []
    numbers = iter(range(1, 1_000_000))
    lock = threading.Lock()
    failures: list[BaseException] = []
    conflicts = [0]
    gate = threading.Barrier(threads)

    def work(number: int) -> None:
        dice = random.Random(seed * 100 + number)
        gate.wait(20)
        try:
            for step in range(each):
                tx = run.transaction()
                reads: list[tuple[Any, int]] = []
                writes: list[tuple[Any, int]] = []
                commit: int | None = None
                try:
                    for _ in range(dice.randint(1, 4)):
                        kind, key = dice.choice(("kv", "kv", "state", "json")), dice.choice(KEYS)
                        if dice.random() < 0.2:
                            time.sleep(0.0002)  # let the others in
                        if dice.random() < 0.55:
                            reads.append(((kind, key), read_of(tx, kind, key)))
                        elif all(place != (kind, key) for place, _ in writes):
                            with lock:
                                version = next(numbers)
                            write_of(tx, kind, key, version)
                            writes.append(((kind, key), version))
                    if dice.random() < 0.1:
                        tx.rollback()
                    else:
                        # What wrote nothing has no number: it is where it began.
                        commit = tx.commit().cv or tx.start
                except ConflictError:
                    with lock:
                        conflicts[0] += 1
                with lock:
                    if writes or commit is not None:
                        recorded.append(Txn((number, step), tx.start, commit, reads, writes))
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
        assert not worker.is_alive()
    if failures:
        raise failures[0]
    return recorded, conflicts[0]


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("mode", ["memory", "buffered", "strict"])
def test_histories_of_threads_are_snapshot_isolated(tmp_path: Path, mode: str) -> None:
    path = None if mode == "memory" else tmp_path / "db"
    with Database.open(path, durability=mode, snapshots=NO_SNAPSHOTS, segment_bytes=10_000) as db:
        history, conflicts = history_of(db, threads=6, each=30 if mode == "strict" else 120, seed=1)
    assert conflicts, "nobody met anybody: the test tests nothing"
    assert check_snapshot_isolation(by_commits([txn for txn in history if txn.writes or txn.reads])) == []


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("mode", ["memory", "buffered", "strict"])
def test_longer_histories_are_snapshot_isolated(tmp_path: Path, mode: str) -> None:
    for seed in range(5):
        path = None if mode == "memory" else tmp_path / f"db{seed}"
        with Database.open(path, durability=mode, snapshots=NO_SNAPSHOTS, segment_bytes=10_000) as db:
            history, conflicts = history_of(db, threads=8, each=200, seed=seed)
        assert conflicts
        assert check_snapshot_isolation(by_commits([txn for txn in history if txn.writes or txn.reads])) == []


# -- what conflicts in a document, and what does not


LISTS = {"list": [1, 2, 3], "o": {"a": 1, "b": 2}}
TOGETHER: dict[str, tuple[Any, Any, Any]] = {
    "two names": (
        lambda tx: tx.json.set("d", "$.o.a", 10),
        lambda tx: tx.json.set("d", "$.o.b", 20),
        {"list": [1, 2, 3], "o": {"a": 10, "b": 20}},
    ),
    "two new names under a new one": (
        lambda tx: tx.json.set("d", "$.n.a", 1),
        lambda tx: tx.json.set("d", "$.n.b", 2),
        {**LISTS, "n": {"a": 1, "b": 2}},
    ),
    "a set and a delete": (
        lambda tx: tx.json.delete("d", "$.o.a"),
        lambda tx: tx.json.set("d", "$.o.c", 3),
        {"list": [1, 2, 3], "o": {"b": 2, "c": 3}},
    ),
    "two elements": (
        lambda tx: tx.json.set("d", "$.list[0]", 10),
        lambda tx: tx.json.set("d", "$.list[2]", 30),
        {"list": [10, 2, 30], "o": {"a": 1, "b": 2}},
    ),
    "a patch and a set beside it": (
        lambda tx: tx.json.patch("d", [("set", "$.o.a", 5), ("delete", "$.o.b")]),
        lambda tx: tx.json.set("d", "$.x", 1),
        {"list": [1, 2, 3], "o": {"a": 5}, "x": 1},
    ),
    "a read beside the write": (
        lambda tx: tx.json.set("d", "$.sum", tx.json.get("d", "$.o.a") + 1),
        lambda tx: tx.json.set("d", "$.o.b", 9),
        {"list": [1, 2, 3], "o": {"a": 1, "b": 9}, "sum": 2},
    ),
}
APART: dict[str, tuple[Any, Any]] = {
    "the same path": (lambda tx: tx.json.set("d", "$.o.a", 1), lambda tx: tx.json.set("d", "$.o.a", 2)),
    "a path above": (lambda tx: tx.json.set("d", "$.o", {}), lambda tx: tx.json.set("d", "$.o.a", 2)),
    "a path below": (lambda tx: tx.json.set("d", "$.o.a", 1), lambda tx: tx.json.set("d", "$.o", {})),
    "the root": (lambda tx: tx.json.set("d", "$", {}), lambda tx: tx.json.set("d", "$.z", 1)),
    "a read below the write": (
        lambda tx: tx.json.set("d", "$.sum", tx.json.get("d", "$.o.a")),
        lambda tx: tx.json.set("d", "$.o", {"a": 5}),
    ),
    "a read of what is absent": (
        lambda tx: tx.json.set("d", "$.sum", tx.json.get("d", "$.no", 0)),
        lambda tx: tx.json.set("d", "$.no", 1),
    ),
    "an element that goes": (
        lambda tx: tx.json.set("d", "$.list[2]", 0),
        lambda tx: tx.json.delete("d", "$.list[0]"),
    ),
    "an element that comes": (
        lambda tx: tx.json.set("d", "$.list[3]", 4),
        lambda tx: tx.json.set("d", "$.list[3]", 5),
    ),
    "an element that comes, and another that is set": (
        lambda tx: tx.json.set("d", "$.list[0]", 4),
        lambda tx: tx.json.set("d", "$.list[3]", 5),
    ),
    "a read of an array that grows": (
        lambda tx: tx.json.set("d", "$.n", len(tx.json.get("d", "$.list"))),
        lambda tx: tx.json.set("d", "$.list[3]", 5),
    ),
    "the document goes": (lambda tx: tx.json.set("d", "$.o.a", 1), lambda tx: tx.json.delete("d")),
    "the document comes": (lambda tx: tx.json.create("e", 1), lambda tx: tx.json.create("e", 2)),
    "its existence": (
        lambda tx: tx.kv.put("k", tx.json.exists("d")),
        lambda tx: tx.json.delete("d"),
    ),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_changes_of_a_document_that_go_together(threads: list[OtherThread], name: str) -> None:
    one, other, expected = TOGETHER[name]
    with Database.open() as db:
        run = db.run(name="r")
        run.json.create("d", LISTS)
        first = threads[0].do(run.transaction)
        second = threads[1].do(run.transaction)
        threads[0].do(lambda: one(first))
        threads[1].do(lambda: other(second))
        threads[1].do(second.commit)
        threads[0].do(first.commit)
        assert run.json.get("d") == expected
        assert run.json.version("d") >= 3
        assert db.replay_run(run.id).json["d"] == expected


@pytest.mark.parametrize("name", APART)
def test_changes_of_a_document_that_conflict(threads: list[OtherThread], name: str) -> None:
    one, other = APART[name]
    with Database.open() as db:
        run = db.run(name="r")
        run.json.create("d", LISTS)
        first = threads[0].do(run.transaction)
        second = threads[1].do(run.transaction)
        threads[0].do(lambda: one(first))
        threads[1].do(lambda: other(second))
        threads[1].do(second.commit)
        before = db.digest()
        with pytest.raises(ConflictError) as caught:
            threads[0].do(first.commit)
        assert caught.value.retryable
        assert db.digest() == before


# -- what the isolation allows, and what `serializable` adds


def side_by_side(
    db: Database, threads: list[OtherThread], one: Any, other: Any, **options: Any
) -> tuple[Any, Any]:
    run = db.list_runs()[0].run_id
    first = threads[0].do(lambda: db.transaction(run, **options))
    second = threads[1].do(lambda: db.transaction(run, **options))
    threads[0].do(lambda: one(first))
    threads[1].do(lambda: other(second))
    return outcome(lambda: threads[0].do(first.commit)), outcome(lambda: threads[1].do(second.commit))


def count_and_add(key: str) -> Any:
    return lambda tx: tx.kv.put(key, len(tx.kv.keys("p/")))


def test_a_phantom_in_a_listing_is_allowed(threads: list[OtherThread]) -> None:
    with Database.open() as db:
        run = db.run(name="r")
        done = side_by_side(db, threads, count_and_add("p/1"), count_and_add("p/2"))
        assert [one[0] for one in done] == ["ok", "ok"]
        assert run.kv.items() == [("p/1", 0), ("p/2", 0)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (count_and_add("p/1"), count_and_add("p/2")),
        (
            lambda tx: tx.state.set("s1", len(tx.state.names())),
            lambda tx: tx.state.set("s2", len(tx.state.names())),
        ),
        (
            lambda tx: tx.json.create("d1", len(tx.json.keys())),
            lambda tx: tx.json.create("d2", len(tx.json.keys())),
        ),
        (lambda tx: tx.kv.put("n", tx.events.len()), lambda tx: tx.kv.put("n", tx.events.len())),
    ],
    ids=["kv", "state", "json", "nothing"],
)
def test_a_serializable_transaction_knows_phantoms(threads: list[OtherThread], one: Any, other: Any) -> None:
    with Database.open() as db:
        db.run(name="r")
        done = side_by_side(db, threads, one, other, serializable=True)
        if done[1][0] == "ok":  # neither changed what the other looked at
            assert db.list_runs()[0].event_count == 0
        else:
            assert [done[0][0], done[1]] == ["ok", ("error", "ConflictError")]


def test_a_serializable_transaction_knows_events_that_came(threads: list[OtherThread]) -> None:
    def look_and_append(tx: Any) -> None:
        tx.events.append("seen", tx.events.len())

    with Database.open() as db:
        run = db.run(name="r")
        done = side_by_side(db, threads, look_and_append, look_and_append)
        assert [one[0] for one in done] == ["ok", "ok"]
        assert [event.payload for event in run.events.range()] == [0, 0]
        done = side_by_side(db, threads, look_and_append, look_and_append, serializable=True)
        assert [done[0][0], done[1]] == ["ok", ("error", "ConflictError")]


def test_a_serializable_listing_of_something_else_does_not_conflict(threads: list[OtherThread]) -> None:
    with Database.open() as db:
        run = db.run(name="r")
        done = side_by_side(
            db,
            threads,
            count_and_add("q/1"),
            lambda tx: tx.kv.put("q/2", len(tx.kv.keys("p/"))),
            serializable=True,
        )
        assert [one[0] for one in done] == ["ok", "ok"]
        assert run.kv.count() == 2


def test_write_skew_over_listings_is_allowed_and_over_keys_is_caught(threads: list[OtherThread]) -> None:
    """Two doctors on call. Reads of single keys are checked, so only what was listed can skew."""

    def leave(key: str) -> Any:
        def work(tx: Any) -> None:
            if sum(1 for _, on_call in tx.kv.items("doctor/") if on_call) > 1:
                tx.kv.put(key, False)

        return work

    with Database.open() as db:
        run = db.run(name="r")
        run.kv.put("doctor/1", True)
        run.kv.put("doctor/2", True)
        done = side_by_side(db, threads, leave("doctor/1"), leave("doctor/2"))
        assert [one[0] for one in done] == ["ok", "ok"]
        run.kv.put("doctor/1", True)
        run.kv.put("doctor/2", True)
        done = side_by_side(db, threads, leave("doctor/1"), leave("doctor/2"), serializable=True)
        assert [done[0][0], done[1]] == ["ok", ("error", "ConflictError")]


def test_an_open_transaction_sees_the_run_as_it_was(threads: list[OtherThread]) -> None:
    with Database.open() as db:
        run = db.run(name="r")
        run.kv.put("k", "old")
        run.json.create("d", {"x": "old"})
        run.state.set("s", "old")
        run.events.append("e", "old")
        run.traces.record("query", "old", span_id="span", start=1)
        tx = threads[0].do(run.transaction)
        for number in range(3):
            run.kv.put("k", number)
            run.kv.put(f"k{number}", number)
            run.json.set("d", "$.x", number)
            run.state.set("s", number)
            run.events.append("e", number)
            run.traces.record("query", f"n{number}", span_id="span", start=1)
            run.traces.record("query", f"n{number}", span_id=f"span{number}", start=1)
        run.kv.delete("k")
        run.json.delete("d")
        run.state.delete("s")

        def look() -> None:
            assert tx.kv.items() == [("k", "old")]
            assert tx.kv.get("k") == "old"
            assert tx.json.get("d") == {"x": "old"}
            assert tx.json.keys() == ["d"]
            assert tx.state.get("s") == "old"
            assert tx.state.names() == ["s"]
            assert [event.payload for event in tx.events.range()] == ["old"]
            assert tx.events.head().payload == "old"
            assert [span.name for span in tx.traces.items()] == ["old"]

        threads[0].do(look)
        db.end_run(run.id)
        threads[0].do(look)
        threads[0].do(tx.commit)
        assert run.kv.items() == [("k0", 0), ("k1", 1), ("k2", 2)]
