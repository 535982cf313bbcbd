"""JSON: documents changed by path, their versions, and which transactions on one document may both commit."""

# ruff: noqa: B023 - each of the functions made in a loop is called in the round that made it

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.engine.envelope import WalEntry
from devstate.engine.errors import (
    AlreadyExists,
    CasMismatch,
    ConflictError,
    EngineError,
    EngineLimitExceeded,
    JsonTypeError,
    NotFound,
    PathError,
    ValueRangeError,
    ValueTypeError,
)
from devstate.engine.primitives.json_documents import Json, JsonStore
from devstate.engine.primitives.json_entries import MOST_NOTED
from devstate.engine.primitives.written_paths import WrittenPaths
from mini_engine import OTHER_RUN, RUN, MiniEngine


@pytest.fixture
def engine() -> MiniEngine:
    return MiniEngine(JsonStore)


@pytest.fixture
def docs(engine: MiniEngine) -> Json:
    return engine.handle("json")


PLAN: dict[str, Any] = {"goal": "x", "steps": [{"do": "a"}, {"do": "b"}, {"do": "c"}], "n": 1}


@pytest.fixture
def plan(docs: Json) -> Json:
    docs.create("plan", copy.deepcopy(PLAN))
    return docs


def test_a_document_and_its_parts(engine: MiniEngine, plan: Json) -> None:
    assert plan.get("plan") == plan.get("plan", "$") == plan.get("plan", []) == PLAN
    assert plan.get("plan", "$.steps[1].do") == plan.get("plan", ["steps", 1, "do"]) == "b"
    assert plan.set("plan", "$.steps[1].do", [1.5, None]) == 2
    assert plan.get("plan", "$.steps[1]") == {"do": [1.5, None]}
    assert plan.set("plan", "$.new.deep[0].x", True) == 3
    assert plan.get("plan", "$.new") == {"deep": [{"x": True}]}
    assert plan.set("plan", "$.steps[3]", "last") == 4
    assert plan.delete("plan", "$.steps[0]") == 5
    assert plan.get("plan", "$.steps") == [{"do": [1.5, None]}, {"do": "c"}, "last"]
    doc = plan.get_doc("plan")
    assert doc.ver == plan.version("plan") == 5 and doc.created < doc.updated
    assert list(doc.value) == ["goal", "steps", "n", "new"]  # type: ignore[arg-type]
    engine.agree()


def test_what_a_getter_gave_is_not_the_document(plan: Json) -> None:
    plan.get("plan")["goal"] = plan.get("plan", "$.steps")[0]["do"] = "spoilt"
    assert plan.get("plan") == PLAN


def test_what_is_not_there(docs: Json, plan: Json) -> None:
    for act in (docs.get, docs.get_doc):
        with pytest.raises(NotFound):
            act("absent")
    with pytest.raises(PathError):
        docs.set("absent", "$[1]", 1)
    with pytest.raises(NotFound):
        docs.patch("absent", [("set", "", {})])
    with pytest.raises(NotFound):
        docs.delete("absent", "$.a")
    with pytest.raises(PathError):
        docs.get("plan", "$.absent")
    with pytest.raises(JsonTypeError):
        docs.get("plan", "$.goal.x")
    with pytest.raises(PathError):
        docs.delete("plan", "$.absent")
    with pytest.raises(PathError):
        docs.delete("plan", "$")
    with pytest.raises(PathError):
        docs.set("plan", "$.steps[4]", 1)
    assert docs.get("absent", default=None) is None
    assert docs.get("plan", "$.absent", 7) == docs.get("plan", "$.goal.x", default=7) == 7
    assert docs.delete("absent") is False and not docs.exists("absent") and docs.version("absent") == 0
    assert docs.version("plan") == 1


def test_a_path_that_cannot_be_read_is_an_error_also_with_a_default(plan: Json) -> None:
    with pytest.raises(PathError):
        plan.get("plan", "$.steps[*]", None)


def test_the_root_makes_and_replaces(engine: MiniEngine, docs: Json) -> None:
    assert docs.set("d", "$", [1]) == 1
    first = docs.get_doc("d")
    assert docs.set("d", "", {"a": 1}) == 2
    assert docs.get_doc("d").created == first.created == first.updated
    with pytest.raises(AlreadyExists):
        docs.create("d", 1)
    engine.agree()


def test_the_version_goes_on_after_a_deletion(engine: MiniEngine, docs: Json) -> None:
    docs.create("d", 1)
    created = docs.get_doc("d").created
    assert docs.delete("d") is True and docs.delete("d") is False
    assert docs.version("d") == 2 and not docs.exists("d") and docs.keys() == []
    engine.agree()
    assert docs.create("d", 2) == 3
    assert docs.get_doc("d").created > created
    docs.delete("d")
    assert docs.set("d", "$", 3) == 5
    engine.agree()


def test_a_set_below_the_root_makes_the_document(engine: MiniEngine, docs: Json) -> None:
    assert docs.set("plan", "$.steps[0]", {"do": "search"}) == 1
    assert docs.get("plan") == {"steps": [{"do": "search"}]}
    assert docs.set("list", "$[0]", 1) == 1 and docs.get("list") == [1]
    docs.delete("plan")
    assert docs.set("plan", "$.a.b", 2) == 3 and docs.get("plan") == {"a": {"b": 2}}
    engine.agree()


def test_cas(engine: MiniEngine, docs: Json) -> None:
    with pytest.raises(CasMismatch) as caught:
        docs.cas("d", "$", 4, {})
    assert (caught.value.expected, caught.value.found, caught.value.kind) == (4, 0, "cas")
    assert docs.cas("e", "$.a[0]", 0, 1) == 1 and docs.get("e") == {"a": [1]}
    assert docs.cas("d", "$", 0, {}) == 1
    assert docs.cas("d", "$.a", 1, 5) == 2
    with pytest.raises(CasMismatch):
        docs.cas("d", "$", 0, {})
    docs.delete("d")
    with pytest.raises(CasMismatch):
        docs.cas("d", "$", 3, {})
    assert docs.cas("d", "$", 0, 1) == 4
    engine.agree()


def test_a_patch_is_made_whole_or_not(engine: MiniEngine, plan: Json) -> None:
    value: dict[str, Any] = {"k": []}
    assert plan.patch("plan", [("set", "$.v", value), ("set", "$.v.k[0]", 1), ["delete", ["steps", 0]]]) == 2
    assert value == {"k": []}
    assert plan.get("plan", "$.v") == {"k": [1]} and len(plan.get("plan", "$.steps")) == 2
    before = plan.get("plan")
    with pytest.raises(PathError) as caught:
        plan.patch("plan", [("delete", "$.goal"), ("delete", "$.goal")])
    assert caught.value.position is not None and caught.value.position.startswith("operation 1")
    assert plan.get("plan") == before and plan.version("plan") == 2
    assert plan.patch("plan", [("set", "$", {}), ("set", "$.a", 1)]) == 3
    assert plan.get("plan") == {"a": 1}
    engine.agree()


@pytest.mark.parametrize(
    "ops", [[], [("add", "$", 1)], [("set", "$")], [("delete", "$.a", 1)], ["delete"], [7]]
)
def test_what_is_no_patch(plan: Json, ops: list[Any]) -> None:
    with pytest.raises(ValueTypeError):
        plan.patch("plan", ops)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("", {}, ValueRangeError),
        ("x" * 1025, {}, EngineLimitExceeded),
        (3, {}, ValueTypeError),
        ("d", b"bytes", ValueTypeError),
        ("d", float("nan"), ValueRangeError),
        ("d", {1: 2}, ValueTypeError),
        ("d", (1,), ValueTypeError),
    ],
)
def test_what_cannot_be_stored_writes_nothing(
    engine: MiniEngine, docs: Json, key: Any, value: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        docs.create(key, value)
    with pytest.raises(error):
        docs.set(key, "$", value)
    with pytest.raises(error):
        docs.cas(key, "$", 0, value)
    assert engine.log.end == 0


def test_a_document_stays_within_its_limits_after_every_change(engine: MiniEngine, docs: Json) -> None:
    docs.create("deep", {})
    path: list[str | int] = ["a"] * 99
    docs.set("deep", path, 1)
    with pytest.raises(EngineLimitExceeded):
        docs.set("deep", [*path[:98], "b"], {"x": {}})
    with pytest.raises(EngineLimitExceeded):
        docs.patch("deep", [("set", ["c"] * 101, 1)])
    docs.create("large", {"a": "x" * (8 << 20)})
    with pytest.raises(EngineLimitExceeded):
        docs.set("large", "$.b", "x" * (8 << 20))
    assert docs.version("large") == docs.version("deep") - 1 == 1
    engine.agree()


def test_keys_by_prefix_and_run(engine: MiniEngine, docs: Json) -> None:
    for key in ("b/2", "b/1", "a", "é"):
        docs.create(key, None)
    engine.handle("json", OTHER_RUN).create("other", 1)
    assert docs.keys() == ["a", "b/1", "b/2", "é"] and docs.keys("b/") == ["b/1", "b/2"]
    engine.agree()


# -- transactions -------------------------------------------------------------------------------------


def both(engine: MiniEngine, mine: Any, theirs: Any) -> None:
    """A transaction does `mine`; after that, and before it commits, `theirs` is committed."""
    with engine.transaction() as tx:
        mine(tx.ext("json"))
        engine.beside(lambda: theirs(engine.handle("json")))


def test_writes_beside_each_other_both_stand(engine: MiniEngine, plan: Json) -> None:
    both(engine, lambda d: d.set("plan", "$.goal", "mine"), lambda d: d.set("plan", "$.n", "theirs"))
    assert plan.get("plan") == {**PLAN, "goal": "mine", "n": "theirs"}
    assert plan.version("plan") == 3
    engine.agree()


CONFLICTS = [
    ("$.n", "$.n"),
    ("$.steps[0].do", "$.steps[0]"),
    ("$.steps", "$.steps[2].do"),
    ("$", "$.n"),
    ("$.n", "$"),
    ("$.new.a", "$.new"),
]


@pytest.mark.parametrize(("mine", "theirs"), CONFLICTS)
def test_blind_writes_that_overlap_conflict(engine: MiniEngine, plan: Json, mine: str, theirs: str) -> None:
    with pytest.raises(ConflictError) as caught:
        both(engine, lambda d: d.set("plan", mine, {"v": 1}), lambda d: d.set("plan", theirs, {"v": 2}))
    assert caught.value.kind == "json write-write" and caught.value.key == "plan" and caught.value.retryable
    assert plan.get("plan", theirs) == {"v": 2}
    engine.agree()


@pytest.mark.parametrize(("mine", "theirs"), CONFLICTS)
def test_reads_that_overlap_a_write_conflict(engine: MiniEngine, plan: Json, mine: str, theirs: str) -> None:
    def work(mine_docs: Json) -> None:
        mine_docs.get("plan", mine, None)
        mine_docs.create("other", 1)

    with pytest.raises(ConflictError) as caught:
        both(engine, work, lambda d: d.set("plan", theirs, {"v": 2}))
    assert caught.value.kind == "json read-write"
    assert not plan.exists("other")


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("$.n", "$.goal"), ("$.steps[0]", "$.steps[1]"), ("$.new.a", "$.new.b"), ("$.steps[1].do", "$.n")],
)
def test_reads_and_writes_apart_do_not(engine: MiniEngine, plan: Json, mine: str, theirs: str) -> None:
    def work(docs: Json) -> None:
        docs.get("plan", mine, None)
        docs.set("plan", mine, "mine")

    both(engine, work, lambda d: d.set("plan", theirs, "theirs"))
    assert (plan.get("plan", mine), plan.get("plan", theirs)) == ("mine", "theirs")
    engine.agree()


@pytest.mark.parametrize("read", ["get", "get_doc", "version", "exists"])
def test_a_read_of_the_whole_conflicts_with_any_change(engine: MiniEngine, plan: Json, read: str) -> None:
    def work(docs: Json) -> None:
        getattr(docs, read)("plan")
        docs.create("other", 1)

    with pytest.raises(ConflictError):
        both(engine, work, lambda d: d.set("plan", "$.n", 2))


def test_a_read_of_the_whole_behind_an_own_change_is_a_read_too(engine: MiniEngine, plan: Json) -> None:
    def work(docs: Json) -> None:
        docs.set("plan", "$.goal", "mine")
        docs.create("copy", docs.get_doc("plan").value)

    with pytest.raises(ConflictError):
        both(engine, work, lambda d: d.set("plan", "$.n", 2))


def test_to_remove_or_append_an_element_is_to_write_the_array(engine: MiniEngine, plan: Json) -> None:
    for theirs in (
        lambda d: d.delete("plan", "$.steps[2]"),
        lambda d: d.set("plan", "$.steps[3]", {"do": "d"}),
    ):
        with pytest.raises(ConflictError):
            both(engine, lambda d: d.set("plan", "$.steps[0].do", "mine"), theirs)
        plan.set("plan", "$.steps", copy.deepcopy(PLAN["steps"]))
        with pytest.raises(ConflictError):
            both(engine, theirs, lambda d: d.set("plan", "$.steps[0].do", "theirs"))
        plan.set("plan", "$.steps", copy.deepcopy(PLAN["steps"]))
    engine.agree()


@pytest.mark.parametrize(
    "theirs",
    [
        lambda d: d.delete("plan"),
        lambda d: (d.delete("plan"), d.create("plan", {"n": 1, "goal": 2})),
        lambda d: d.set("plan", "$", {"n": 1}),
    ],
)
def test_the_whole_overlaps_with_everything(engine: MiniEngine, plan: Json, theirs: Any) -> None:
    with pytest.raises(ConflictError):
        both(engine, lambda d: d.set("plan", "$.n", 5), theirs)
    with pytest.raises(ConflictError):
        both(engine, theirs, lambda d: d.set("plan", "$.n", 5) if d.exists("plan") else d.create("plan", {}))
    engine.agree()


def test_two_transactions_make_the_same_document(engine: MiniEngine, docs: Json) -> None:
    with pytest.raises(ConflictError):
        both(engine, lambda d: d.create("d", 1), lambda d: d.create("d", 2))
    assert docs.get("d") == 2


def test_a_read_of_what_is_absent_conflicts_with_its_creation(engine: MiniEngine, docs: Json) -> None:
    def work(mine: Json) -> None:
        assert mine.get("d", "$.a", None) is None
        mine.create("other", 1)

    with pytest.raises(ConflictError):
        both(engine, work, lambda d: d.create("d", {}))


def test_cas_is_compared_with_the_newest_version(engine: MiniEngine, plan: Json) -> None:
    with pytest.raises(ConflictError) as caught:
        both(engine, lambda d: d.cas("plan", "$.n", 1, 5), lambda d: d.set("plan", "$.goal", "theirs"))
    assert (caught.value.kind, caught.value.expected, caught.value.found) == ("cas", 1, 2)


def test_a_transaction_reads_its_own_changes_over_the_state_it_began_with(
    engine: MiniEngine, plan: Json
) -> None:
    with engine.transaction() as tx:
        mine: Json = tx.ext("json")
        engine.beside(lambda: plan.set("plan", "$.n", "theirs"))
        assert mine.get("plan", "$.n") == 1
        assert mine.set("plan", "$.goal", "mine") == 2
        assert mine.patch("plan", [("set", "$.goal2", 1), ("set", "$.goal2", 2)]) == 3
        assert mine.get("plan", "$.goal2") == 2
        with pytest.raises(PathError):
            mine.set("plan", "$.steps[9]", 1)
        assert mine.keys() == ["plan"]
        tx.rollback()
    assert plan.get("plan") == {**PLAN, "n": "theirs"}
    with engine.transaction() as tx:
        mine = tx.ext("json")
        mine.set("plan", "$.goal", "mine")
        mine.delete("plan", "$.goal")
        mine.create("d", 1)
        mine.delete("d")
        assert mine.keys() == ["plan"] and mine.create("d", 5) == 3
        engine.beside(lambda: plan.set("plan", "$.n", "again"))
    assert tx.commit_info is not None and tx.commit_info.results == (4, 5, 1, True, 3)
    assert plan.get("plan") == {"steps": PLAN["steps"], "n": "again"}
    engine.agree()


def test_the_notes_of_written_paths_end_with_the_readers(engine: MiniEngine, plan: Json) -> None:
    store: Any = engine.primitives.named("json")
    both(engine, lambda d: d.set("plan", "$.goal", 1), lambda d: d.set("plan", "$.n", 2))
    assert store._written
    plan.set("plan", "$.n", 3)
    assert not store._written


def test_beyond_the_cap_of_notes_the_document_is_the_unit(engine: MiniEngine, plan: Json) -> None:
    def many(count: int) -> Any:
        return lambda d: [d.set("plan", "$.n", number) for number in range(count)]

    both(engine, lambda d: d.set("plan", "$.goal", "mine"), many(MOST_NOTED - 1))
    with pytest.raises(ConflictError):
        both(engine, lambda d: d.set("plan", "$.goal", "again"), many(MOST_NOTED + 3))
    both(engine, lambda d: d.set("plan", "$.goal", "last"), many(1))
    assert plan.get("plan", "$.goal") == "last"
    engine.agree()


def test_a_patch_of_very_many_paths_counts_as_the_whole(engine: MiniEngine, plan: Json) -> None:
    ops = [("set", f"$.m{number}", number) for number in range(MOST_NOTED + 1)]
    with pytest.raises(ConflictError):
        both(engine, lambda d: d.set("plan", "$.goal", "mine"), lambda d: d.patch("plan", ops))
    engine.agree()


def test_what_another_process_committed_is_noted_too(engine: MiniEngine, plan: Json) -> None:
    """A follower takes commits in by applying their entries, while its transactions are open."""
    engine.follow()
    store: Any = engine.twin.named("json")
    start = engine.committer.cv
    engine.twin.versions.enter("reader", start)
    plan.set("plan", "$.n", 2)
    engine.follow()
    assert store.check_read(RUN, "plan", start, [("goal",)], start) is None
    assert store.check_read(RUN, "plan", start, [("goal",), ("n", "x")], start) == start + 1
    assert store.check_read(RUN, "plan", start, None, start) == start + 1
    store.check_write(RUN, "plan", [("goal",)], start)
    with pytest.raises(ConflictError):
        store.check_write(RUN, "plan", [("n",)], start)
    engine.twin.versions.leave("reader", start + 1)


def test_changes_that_were_not_noted_conflict_as_a_whole(engine: MiniEngine, plan: Json) -> None:
    plan.set("plan", "$.n", 2)
    store: Any = engine.primitives.named("json")
    assert store.check_read(RUN, "plan", 1, [("goal",)], 1) == 2
    with pytest.raises(ConflictError):
        store.check_write(RUN, "plan", [("goal",)], 1)


def test_paths_are_known_of_all_later_commits_or_of_none() -> None:
    written = WrittenPaths()
    assert written.after(RUN, "d", 4, 4) is None
    written.note(RUN, "d", 5, (("a",), ("b",)), 3)
    written.note(RUN, "d", 7, (("c",),), 5)
    assert written.after(RUN, "d", 3, 7) == [("a",), ("b",), ("c",)]
    assert written.after(RUN, "d", 5, 7) == written.after(RUN, "d", 6, 7) == [("c",)]
    assert written.after(RUN, "d", 2, 7) is None  # version 3 was not noted
    assert written.after(RUN, "d", 3, 8) is None  # nor was 8
    assert written.after(RUN, "e", 3, 7) is None and written.after(OTHER_RUN, "d", 3, 7) is None
    written.note(OTHER_RUN, "d", 8, ((),), 0)
    written.forget(RUN)
    assert written.after(RUN, "d", 5, 7) is None and written.after(OTHER_RUN, "d", 0, 8) == [()]
    written.clear()
    assert not written


def test_a_deleted_run_takes_its_notes_along(engine: MiniEngine, plan: Json) -> None:
    store: Any = engine.primitives.named("json")
    both(engine, lambda d: d.set("plan", "$.goal", 1), lambda d: d.set("plan", "$.n", 2))
    engine.primitives.delete_run(RUN)
    assert not store._written


def test_a_commit_whose_paths_are_not_told_wrote_the_whole(engine: MiniEngine, plan: Json) -> None:
    store: Any = engine.primitives.named("json")
    store.versions.enter("reader", 1)
    store.install(RUN, "plan", (2, b"\xc0", 9, (2, 1), None))
    assert store.check_read(RUN, "plan", 1, [("goal",)], 1) == 2


# -- the log ------------------------------------------------------------------------------------------


def test_the_entries_have_the_fields_of_the_format(engine: MiniEngine, docs: Json) -> None:
    docs.create("d", {"a": 1})
    docs.set("d", "$.b[0]", 2)
    docs.cas("d", "$", 2, {})
    docs.patch("d", [("set", "$.x", 1), ("delete", "$.x")])
    docs.set("d", "$.y", 1)
    docs.delete("d", "$.y")
    docs.delete("d")
    found = [
        (one.entry_type, msgspec.msgpack.decode(one.payload))
        for lsn in range(engine.log.end)
        for one in engine.log.read_transaction(lsn).entries
    ]
    assert [fields[:3] for _, fields in found] == [[RUN, "d", cv] for cv in range(1, 8)]
    assert [(kind, fields[4:]) for kind, fields in found] == [
        (0x20, [1, {"a": 1}]),
        (0x21, [2, ["b", 0], 2]),
        (0x21, [3, [], {}]),
        (0x23, [4, [[0, ["x"], 1], [1, ["x"]]]]),
        (0x21, [5, ["y"], 1]),
        (0x22, [6, ["y"]]),
        (0x22, [7, []]),
    ]
    assert [(told["op"], told["ver"]) for told in engine.described()] == [
        ("create", 1),
        ("set", 2),
        ("set", 3),
        ("patch", 4),
        ("set", 5),
        ("delete", 6),
        ("delete", 7),
    ]
    assert engine.described()[3]["ops"] == [
        {"op": "set", "path": "$.x", "value": 1},
        {"op": "delete", "path": "$.x"},
    ]
    assert [engine.described()[number]["path"] for number in (1, 5, 6)] == ["$.b[0]", "$.y", "$"]


def entry(kind: int, *fields: Any) -> WalEntry:
    return WalEntry(kind, 1, bytes(16), msgspec.msgpack.encode([RUN, *fields]), 0)


@pytest.mark.parametrize(
    "bad",
    [
        entry(0x20, "d", 5, 9, 3, 1),  # is there
        entry(0x21, "d", 5, 9, 4, [], 1),  # skips a version
        entry(0x21, "d", 5, 9, 2, [], 1),  # repeats one
        entry(0x21, "d", 5, 9, 3, ["a", "b"], 1),  # does not fit the document
        entry(0x22, "d", 5, 9, 3, ["x"]),  # deletes what is not there
        entry(0x23, "d", 5, 9, 3, []),  # no operation
        entry(0x23, "d", 5, 9, 3, [[2, ["a"]]]),  # of no kind
        entry(0x23, "d", 5, 9, 3, [[1, ["a"], 1]]),  # of two kinds
        entry(0x23, "d", 5, 9, 3, [[0, ["a"]]]),  # without value
        entry(0x23, "d", 5, 9, 3, [[0, ["b"], 1], [1, ["c"]]]),  # fits in part
        entry(0x21, "gone", 5, 9, 3, [1], 1),  # the second element of nothing
        entry(0x22, "gone", 5, 9, 3, []),
        entry(0x22, "gone", 5, 9, 3, ["a"]),
        entry(0x23, "gone", 5, 9, 3, [[0, [], 1]]),
        entry(0x20, "new", 5, 9, 2, 1),  # begins with version 2
    ],
)
def test_an_entry_that_does_not_fit_is_refused(bad: WalEntry) -> None:
    store = JsonStore()
    for good in (
        entry(0x20, "d", 1, 9, 1, {}),
        entry(0x21, "d", 2, 9, 2, ["a"], 0),
        entry(0x20, "gone", 3, 9, 1, {}),
        entry(0x22, "gone", 4, 9, 2, []),
    ):
        store.apply_wal_entry(good)
    before = list(store.snapshot_serialize())
    with pytest.raises(EngineError):
        store.apply_wal_entry(bad)
    assert list(store.snapshot_serialize()) == before


def test_the_record_of_a_snapshot_has_the_fields_of_the_format(engine: MiniEngine, docs: Json) -> None:
    docs.create("d", {"b": 1, "a": 2})
    docs.set("d", "$.c", 3)
    docs.create("gone", 1)
    docs.delete("gone")
    found = [msgspec.msgpack.decode(raw) for raw in engine.primitives.named("json").snapshot_serialize()]
    doc = docs.get_doc("d")
    assert found[0] == [RUN, "d", 2, doc.updated, doc.created, 2, {"b": 1, "a": 2, "c": 3}]
    assert found[1][:3] == [RUN, "gone", 4] and found[1][5] == 2
    assert found[1][6] == msgspec.msgpack.Ext(1, b"")


def test_the_view_the_texts_and_the_differences(engine: MiniEngine, plan: Json) -> None:
    store: Any = engine.primitives.named("json")
    plan.create("gone", 1)
    plan.delete("gone")
    view = store.view(RUN, engine.committer.cv)
    assert dict(view) == {"plan": PLAN} and store.view(RUN, 0) == {}
    (text,) = [text for _, text in store.texts(RUN)]
    assert "steps[1].do: b" in text.splitlines()
    assert {key: msgspec.msgpack.decode(value) for key, value in store.diff_items(RUN).items()} == {
        "plan": PLAN
    }
    engine.primitives.delete_run(RUN)
    assert plan.keys() == [] and plan.version("plan") == 0


# -- against a model ----------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
PATHS = st.lists(st.sampled_from(["a", "b", 0, 1]), max_size=3)
CHANGES = st.one_of(st.tuples(st.just("set"), PATHS, VALUES), st.tuples(st.just("delete"), PATHS))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "set", "set", "set", "delete", "destroy", "patch", "cas"]),
        st.sampled_from(["d", "e"]),
        st.lists(CHANGES, min_size=1, max_size=3),
        VALUES,
        st.integers(0, 3),
    ),
    max_size=20,
)


def model_changed(doc: Any, changes: list[Any]) -> Any:
    """A second, slower way to change a document: raises LookupError where a change does not fit."""
    box = {"": copy.deepcopy(doc)}
    for op, path, *value in changes:
        node: Any = box
        steps: list[Any] = ["", *path]
        for step, following in zip(steps, [*path, None], strict=True):
            fits = (
                isinstance(step, str)
                if isinstance(node, dict)
                else isinstance(node, list) and isinstance(step, int)
            )
            there = fits and (step in node if isinstance(node, dict) else step < len(node))
            if not fits or (not there and op == "delete") or (op == "delete" and not path):
                raise LookupError
            if not there and isinstance(node, list) and step > len(node):
                raise LookupError
            if following is None:
                if op == "delete":
                    del node[step]
                elif there or isinstance(node, dict):
                    node[step] = copy.deepcopy(value[0])
                else:
                    node.append(copy.deepcopy(value[0]))
            else:
                if not there:
                    fresh: Any = {} if isinstance(following, str) else []
                    if isinstance(node, list):
                        node.append(fresh)
                    else:
                        node[step] = fresh
                node = node[step]
    return box[""]


@settings(max_examples=150)
@given(STEPS)
def test_the_twin_and_a_model_agree_with_every_history(steps: list[Any]) -> None:
    engine = MiniEngine(JsonStore)
    docs: Json = engine.handle("json")
    model: dict[str, Any] = {}
    versions = {"d": 0, "e": 0}
    for how, key, changes, value, expected in steps:
        op, path = changes[0][0], changes[0][1]
        after: Any = None
        fails = False
        act: Any
        if how == "create":
            act, fails, after = (lambda: docs.create(key, value)), key in model, value
        elif how == "destroy":
            assert docs.delete(key) is (key in model)
            if key in model:
                del model[key]
                versions[key] += 1
            assert docs.version(key) == versions[key]
            continue
        else:
            if how == "patch":
                act = lambda: docs.patch(key, changes)  # noqa: E731
            elif how == "delete" or op == "delete":
                changes = [("delete", path)]
                act = lambda: docs.delete(key, path)  # noqa: E731
            elif how == "cas":
                act = lambda: docs.cas(key, path, expected, changes[0][2])  # noqa: E731
                fails = expected != (versions[key] if key in model else 0)
                changes = changes[:1]
            else:
                act = lambda: docs.set(key, path, changes[0][2])  # noqa: E731
                changes = changes[:1]
            if key not in model:
                makes = how != "patch" and changes[0][0] == "set"
                fails = fails or not makes
                if not fails:
                    try:  # a set makes the document, and what its path leads through
                        after = model_changed([] if path and isinstance(path[0], int) else {}, changes)
                    except LookupError:
                        fails = True
            else:
                try:
                    after = model_changed(model[key], changes)
                except LookupError:
                    fails = True
        if fails:
            with pytest.raises((AlreadyExists, NotFound, PathError, CasMismatch)):
                act()
        else:
            assert act() == versions[key] + 1
            versions[key] += 1
            model[key] = after
        assert docs.version(key) == versions[key]
    assert docs.keys() == sorted(model)
    for key, doc in model.items():
        assert msgspec.msgpack.encode(docs.get(key)) == msgspec.msgpack.encode(doc)
    engine.agree()


@settings(max_examples=150)
@given(st.lists(CHANGES, min_size=1, max_size=3), st.lists(CHANGES, min_size=1, max_size=3), PATHS)
def test_two_transactions_that_both_commit_could_have_come_one_after_the_other(
    mine: list[Any], theirs: list[Any], read: list[Any]
) -> None:
    start = {"a": {"a": 1, "b": [1, 2]}, "b": [{"a": 1}, [0, 1], 2]}
    try:
        model_changed(start, mine), model_changed(start, theirs)
    except LookupError:
        return
    engine = MiniEngine(JsonStore)
    docs: Json = engine.handle("json")
    docs.create("d", start)
    try:
        with engine.transaction() as tx:
            seen = tx.ext("json").get("d", read, "absent")
            tx.ext("json").patch("d", mine)
            engine.beside(lambda: docs.patch("d", theirs))
    except ConflictError:
        assert docs.get("d") == model_changed(start, theirs)
        engine.agree()
        return
    in_turn = model_changed(model_changed(start, theirs), mine)
    assert docs.get("d") == in_turn
    other = MiniEngine(JsonStore)
    after_theirs: Json = other.handle("json")
    after_theirs.create("d", start)
    after_theirs.patch("d", theirs)
    assert after_theirs.get("d", read, "absent") == seen
    engine.agree()
