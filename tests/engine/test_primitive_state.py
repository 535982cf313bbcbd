"""State: cells with versions, compare-and-set, transitions."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine.envelope import WalEntry
from devstate.engine.errors import (
    AlreadyExists,
    CasMismatch,
    ConflictError,
    EngineError,
    EngineLimitExceeded,
    NotFound,
    ValueRangeError,
    ValueTypeError,
)
from devstate.engine.primitives.cells import State, StateStore
from mini_engine import OTHER_RUN, RUN, MiniEngine

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["a", "b", "é"])
STEPS = st.one_of(
    st.tuples(st.just("init"), NAMES, VALUES),
    st.tuples(st.just("set"), NAMES, VALUES),
    st.tuples(st.just("cas"), NAMES, VALUES, st.integers(0, 4)),
    st.tuples(st.just("transition"), NAMES, VALUES),
    st.tuples(st.just("transition_or_init"), NAMES, VALUES),
    st.tuples(st.just("delete"), NAMES),
)


@pytest.fixture
def engine() -> MiniEngine:
    return MiniEngine(StateStore)


@pytest.fixture
def cells(engine: MiniEngine) -> State:
    return engine.handle("state")


def entry(kind: int, *fields: Any) -> WalEntry:
    return WalEntry(kind, 1, bytes(16), msgspec.msgpack.encode([RUN, *fields]), 0)


def test_a_cell_counts_its_changes(engine: MiniEngine, cells: State) -> None:
    assert cells.init("phase", "plan") == 1
    assert cells.set("phase", ["act"]) == 2
    cell = cells.read("phase")
    assert (cell.value, cell.ver) == (["act"], 2)
    assert cell.ts > 1_700_000_000_000_000
    assert cells.exists("phase") and not cells.exists("other")
    assert cells.get("phase") == ["act"] and cells.get("other", 7) == 7
    assert cells.names() == ["phase"] and cells.names("x") == []
    engine.agree()


def test_the_version_goes_on_after_a_deletion(engine: MiniEngine, cells: State) -> None:
    cells.set("a", 1)
    assert cells.delete("a") is True
    assert cells.delete("a") is False
    assert not cells.exists("a") and cells.get("a") is None and cells.names() == []
    with pytest.raises(NotFound):
        cells.read("a")
    assert cells.init("a", 2) == 3
    engine.agree()


def test_init_of_what_is_there(cells: State) -> None:
    cells.init("a", None)
    with pytest.raises(AlreadyExists):
        cells.init("a", 1)
    assert cells.read("a").value is None


def test_cas(engine: MiniEngine, cells: State) -> None:
    with pytest.raises(CasMismatch) as caught:
        cells.cas("a", 3, "x")
    assert (caught.value.expected, caught.value.found, caught.value.kind) == (3, 0, "cas")
    assert cells.cas("a", 0, "x") == 1
    with pytest.raises(CasMismatch):
        cells.cas("a", 0, "y")
    assert cells.cas("a", 1, "y") == 2
    cells.delete("a")
    with pytest.raises(CasMismatch):
        cells.cas("a", 3, "z")
    assert cells.cas("a", 0, "z") == 4
    engine.agree()
    assert [told["op"] for told in engine.described()] == ["cas", "cas", "delete", "cas"]


def test_a_transition_is_told_with_what_it_came_from(engine: MiniEngine, cells: State) -> None:
    cells.init("n", 1)
    assert cells.transition("n", lambda n: n + 1, label="count") == (2, 2)
    assert engine.described()[-1] == {
        "op": "transition",
        "key": "n",
        "ver": 2,
        "value": 2,
        "from_ver": 1,
        "from_value": 1,
        "label": "count",
    }
    with pytest.raises(NotFound):
        cells.transition("absent", lambda n: n)
    engine.agree()


def test_transition_or_init_makes_the_cell_in_the_same_commit(engine: MiniEngine, cells: State) -> None:
    assert cells.transition_or_init("n", 10, lambda n: n + 1) == (11, 2)
    assert engine.log.end == 1
    assert cells.transition_or_init("n", 10, lambda n: n + 1) == (12, 3)
    cells.delete("n")
    assert cells.transition_or_init("n", 10, lambda n: n + 1) == (11, 6)
    engine.agree()


def test_the_value_given_to_the_function_is_not_the_stored_one(cells: State) -> None:
    cells.set("list", [1])

    def spoil(value: list[int]) -> list[int]:
        value.append(2)
        raise KeyError("no")

    with pytest.raises(KeyError):
        cells.transition("list", spoil)
    assert cells.get("list") == [1]


def test_a_transition_is_tried_again_when_another_commit_comes_between(
    engine: MiniEngine, cells: State
) -> None:
    cells.init("n", 0)
    seen: list[int] = []

    def disturbed(n: int) -> int:
        seen.append(n)
        if len(seen) < 4:
            cells.set("n", n + 100)
        return n + 1

    assert cells.transition("n", disturbed) == (301, 5)
    assert seen == [0, 100, 200, 300]
    engine.agree()


def test_the_tries_of_a_transition_end(cells: State) -> None:
    cells.init("n", 0)
    calls: list[int] = []

    def always(n: int) -> int:
        calls.append(n)
        cells.set("n", n + 1)
        return n

    with pytest.raises(ConflictError) as caught:
        cells.transition("n", always, retries=2)
    assert caught.value.kind == "cas" and len(calls) == 3
    assert caught.value.found == caught.value.expected + 1


def test_a_transaction_does_not_repeat_its_transition(engine: MiniEngine, cells: State) -> None:
    cells.init("n", 0)
    with pytest.raises(ConflictError), engine.transaction() as tx:
        assert tx.ext("state").transition("n", lambda n: n + 1) == (1, 2)
        assert tx.ext("state").get("n") == 1
        engine.beside(lambda: cells.set("n", 50))
    assert cells.get("n") == 50
    engine.agree()


def test_blind_sets_of_two_transactions_both_stand(engine: MiniEngine, cells: State) -> None:
    cells.init("n", 0)
    with engine.transaction() as tx:
        assert tx.ext("state").set("n", "mine") == 2
        engine.beside(lambda: cells.set("n", "theirs"))
    assert tx.commit_info is not None and tx.commit_info.results == (3,)
    assert cells.read("n").value == "mine"
    engine.agree()


def test_cas_does_not_join_what_was_read_but_is_compared_at_the_commit(
    engine: MiniEngine, cells: State
) -> None:
    cells.init("n", 0)
    with pytest.raises(ConflictError) as caught, engine.transaction() as tx:
        assert tx.ext("state").cas("n", 1, "mine") == 2
        engine.beside(lambda: cells.set("n", "theirs"))
    assert (caught.value.kind, caught.value.expected, caught.value.found) == ("cas", 1, 2)
    with engine.transaction() as tx:
        tx.ext("state").cas("new", 0, 1)
        with pytest.raises(CasMismatch):
            tx.ext("state").cas("new", 0, 2)
        tx.ext("state").cas("new", 1, 2)
    assert cells.read("new").ver == 2
    engine.agree()


def test_two_transactions_make_the_same_cell(engine: MiniEngine, cells: State) -> None:
    with pytest.raises(ConflictError) as caught, engine.transaction() as tx:
        tx.ext("state").init("a", 1)
        engine.beside(lambda: cells.init("a", 2))
    assert caught.value.retryable
    assert cells.get("a") == 2


def test_a_transaction_sees_its_own_writes_and_none_of_later_commits(
    engine: MiniEngine, cells: State
) -> None:
    cells.init("a", 1)
    with engine.transaction() as tx:
        mine = tx.ext("state")
        engine.beside(lambda: cells.set("b", 1))
        assert mine.names() == ["a"]
        mine.delete("a")
        mine.init("c", 1)
        assert mine.names() == ["c"]
        assert mine.init("a", 5) == 3
    assert cells.names() == ["a", "b", "c"]
    engine.agree()


def test_runs_are_apart(engine: MiniEngine, cells: State) -> None:
    other: State = engine.handle("state", OTHER_RUN)
    cells.set("a", 1)
    assert other.set("a", 2) == 1
    assert (cells.get("a"), other.get("a")) == (1, 2)
    engine.agree()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("", 1, ValueRangeError),
        ("x" * 1025, 1, EngineLimitExceeded),
        (3, 1, ValueTypeError),
        ("a", 2**63, ValueRangeError),
        ("a", (1,), ValueTypeError),
    ],
)
def test_what_cannot_be_stored_writes_nothing(
    engine: MiniEngine, cells: State, name: Any, value: Any, error: type[Exception]
) -> None:
    for act in (cells.init, cells.set):
        with pytest.raises(error):
            act(name, value)
    with pytest.raises(error):
        cells.cas(name, 0, value)
    assert engine.log.end == 0


def test_what_a_function_returns_must_be_storable(engine: MiniEngine, cells: State) -> None:
    cells.init("a", 1)
    with pytest.raises(ValueTypeError):
        cells.transition("a", lambda _: object())  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueTypeError):
        cells.transition("a", lambda n: n, label=3)  # type: ignore[arg-type]
    assert engine.log.end == 1


@pytest.mark.parametrize(
    "bad",
    [
        entry(0x40, "a", 3, 9, 3, 1),  # is there
        entry(0x41, "a", 3, 9, 4, 1, 0),  # skips a version
        entry(0x41, "a", 3, 9, 3, 1, 7),  # no such operation
        entry(0x41, "gone", 3, 9, 3, None, 2),  # deletes what is absent
        entry(0x42, "a", 3, 9, 3, 1, 0, 1, None),  # from another version
        entry(0x42, "gone", 3, 9, 3, 2, 0, 1, None),  # from nothing
    ],
)
def test_an_entry_that_does_not_fit_is_refused(bad: WalEntry) -> None:
    store = StateStore()
    for good in (
        entry(0x40, "a", 1, 9, 1, 0),
        entry(0x41, "a", 1, 9, 2, 1, 1),
        entry(0x40, "gone", 2, 9, 1, 0),
        entry(0x41, "gone", 2, 9, 2, None, 2),
    ):
        store.apply_wal_entry(good)
    before = list(store.snapshot_serialize())
    with pytest.raises(EngineError):
        store.apply_wal_entry(bad)
    assert list(store.snapshot_serialize()) == before


def test_the_entries_have_the_fields_of_the_format(engine: MiniEngine, cells: State) -> None:
    cells.init("a", 1)
    cells.set("a", 2)
    cells.cas("a", 2, 3)
    cells.transition("a", lambda _: 4, label="l")
    cells.delete("a")
    found = [
        (one.entry_type, msgspec.msgpack.decode(one.payload))
        for lsn in range(engine.log.end)
        for one in engine.log.read_transaction(lsn).entries
    ]
    assert [(kind, [fields[0], fields[1], fields[2]], fields[4:]) for kind, fields in found] == [
        (0x40, [RUN, "a", 1], [1, 1]),
        (0x41, [RUN, "a", 2], [2, 2, 0]),
        (0x41, [RUN, "a", 3], [3, 3, 1]),
        (0x42, [RUN, "a", 4], [4, 3, 3, 4, "l"]),
        (0x41, [RUN, "a", 5], [5, None, 2]),
    ]


def test_the_view_and_the_texts(engine: MiniEngine, cells: State) -> None:
    cells.set("a", ["word"])
    cells.set("b", 1)
    cells.delete("b")
    store: Any = engine.primitives.named("state")
    assert dict(store.view(RUN, engine.committer.cv)) == {"a": ["word"]}
    assert store.view(RUN, 0) == {}
    assert list(store.texts(RUN)) == [("a", 'a\n["word"]')]
    assert store.diff_items(RUN) == {"a": msgspec.msgpack.encode(["word"])}


@given(st.lists(STEPS, max_size=25))
def test_the_twin_agrees_with_every_history(steps: list[Any]) -> None:
    engine = MiniEngine(StateStore)
    cells: State = engine.handle("state")
    model: dict[str, tuple[Any, int]] = {}
    versions: dict[str, int] = {}
    for op, name, *rest in steps:
        there = name in model
        if op == "delete":
            assert cells.delete(name) is there
            if there:
                versions[name] += 1
                del model[name]
            continue
        value: Any = rest[0]
        changes = 1
        try:
            if op == "init":
                cells.init(name, value)
            elif op == "set":
                cells.set(name, value)
            elif op == "cas":
                cells.cas(name, rest[1], value)
            elif op == "transition":
                cells.transition(name, lambda _, value=value: value)
            else:
                cells.transition_or_init(name, 0, lambda _, value=value: value)
                changes = 1 if there else 2
        except AlreadyExists:
            assert op == "init" and there
            continue
        except NotFound:
            assert op == "transition" and not there
            continue
        except CasMismatch:
            assert op == "cas" and rest[1] != (model[name][1] if there else 0)
            continue
        versions[name] = versions.get(name, 0) + changes
        model[name] = (value, versions[name])
    assert cells.names() == sorted(model, key=str.encode)
    for name, (value, ver) in model.items():
        cell = cells.read(name)
        assert cell.ver == ver
        assert same(cell.value, value)
    engine.agree()


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or a == b
    return msgspec.msgpack.encode(a) == msgspec.msgpack.encode(b)
