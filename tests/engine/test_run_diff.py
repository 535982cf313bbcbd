"""What differs between two runs, and where their histories part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devstate.engine.builtin import builtin_registry
from devstate.engine.database import Database
from devstate.engine.errors import EngineError, RegistrationError
from devstate.engine.json_diff import json_patch
from devstate.engine.map_primitive import MapPrimitive
from devstate.engine.replay import replay
from devstate.engine.run_diff import RunDiff, diff_views, first_divergence
from run_samples import REGISTRY, begin, open_db, raw, run_id, source_of, work


def diff(db: Database, a: int = 1, b: int = 2, **options: Any) -> RunDiff:
    with source_of(db) as source:
        return diff_views(replay(source, REGISTRY, raw(a)), replay(source, REGISTRY, raw(b)), **options)


def keys(entries: Any) -> list[tuple[str, Any]]:
    return [(entry.primitive, entry.key) for entry in entries]


@pytest.fixture
def db() -> Any:
    with open_db() as database:
        begin(database, 1)
        begin(database, 2)
        yield database


def test_two_runs_that_did_the_same_do_not_differ(db: Database) -> None:
    """The run itself, times, versions and hashes are no difference; keys are compared without the run."""
    work(db, run_id(1))
    db.handle(run_id(1)).kv.put("count", 2)
    work(db, run_id(2))
    found = diff(db)
    assert found.is_empty and found.count == 0 and found.summary() == "no difference"
    assert (found.run_a, found.run_b) == (run_id(1), run_id(2))


def test_added_removed_and_modified_in_order(db: Database) -> None:
    one, two = db.handle(run_id(1)), db.handle(run_id(2))
    for handle, word in ((one, "a"), (two, "b")):
        handle.state.set("cell", word)
        handle.json.create("d", {"same": [1, {"x": 2}], "w": word})
        handle.kv.put("k", word)
        handle.kv.put("same", b"\x00")
        handle.events.append("first", 1)
        handle.events.append("second", word)
    one.kv.put("b only a", None)
    one.kv.put("a only a", 1)
    two.kv.put("only b", None)
    two.events.append("third", word)
    found = diff(db)
    assert keys(found.added) == [("kv", "only b"), ("events", 2)]
    assert keys(found.removed) == [("kv", "a only a"), ("kv", "b only a")]
    assert keys(found.modified) == [("kv", "k"), ("json", "d"), ("events", 1), ("state", "cell")]
    assert found.count == 8 and found.summary() == "2 added, 2 removed, 4 modified"
    assert not found.is_empty
    json_entry, event = found.modified[1], found.modified[2]
    assert [(one.path, one.kind, one.a, one.b) for one in json_entry.paths().changes] == [
        (("w",), "replace", "a", "b")
    ]
    assert json_patch(json_entry.paths()) == [{"op": "replace", "path": "/w", "value": "b"}]
    assert (event.value_a, event.value_b) == (
        {"type": "second", "payload": "a"},
        {"type": "second", "payload": "b"},
    )
    assert found.added[0].value_b is None and found.removed[1].value_a is None


def test_a_diff_the_other_way_round_is_the_mirror(db: Database) -> None:
    work(db, run_id(1), word="a")
    work(db, run_id(2), rounds=2, word="b")
    there, back = diff(db, 1, 2), diff(db, 2, 1)
    assert keys(there.added) == keys(back.removed)
    assert keys(there.removed) == keys(back.added)
    assert [(e.key, e.value_a, e.value_b) for e in there.modified] == [
        (e.key, e.value_b, e.value_a) for e in back.modified
    ]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1.0, False),
        (1, True, False),
        (0.0, -0.0, False),
        (float("nan"), float("nan"), True),
        ({"x": 1, "y": 2}, {"y": 2, "x": 1}, True),
        ([1, 2], [2, 1], False),
        ("1", b"1", False),
        (None, False, False),
        ({"x": [1.0]}, {"x": [1]}, False),
    ],
)
def test_equality_tells_types_apart_and_forgives_the_order_of_members(
    db: Database, a: Any, b: Any, same: bool
) -> None:
    db.handle(run_id(1)).kv.put("k", a)
    db.handle(run_id(2)).kv.put("k", b)
    assert diff(db).is_empty is same


def test_an_event_differs_by_its_type_too(db: Database) -> None:
    db.handle(run_id(1)).events.append("x", 1)
    db.handle(run_id(2)).events.append("y", 1)
    assert keys(diff(db).modified) == [("events", 0)]


def test_spans_are_compared_on_demand(db: Database) -> None:
    for number in (1, 2):
        db.handle(run_id(number)).traces.record("query", "q", span_id="s", start=1, attrs={"n": number})
    db.handle(run_id(2)).traces.record("query", "q", span_id="t", start=1)
    assert diff(db).is_empty
    for found in (diff(db, traces=True), diff(db, primitives=["traces"])):
        assert keys(found.added) == [("traces", "t")]
        (entry,) = found.modified
        assert entry.value_b["attrs"] == {"n": 2} and entry.value_b["name"] == "q"


def test_only_the_named_kinds(db: Database) -> None:
    work(db, run_id(1))
    assert {primitive for primitive, _ in keys(diff(db).removed)} == {"kv", "json", "events", "state"}
    assert {primitive for primitive, _ in keys(diff(db, primitives=["state", "kv"]).removed)} == {
        "kv",
        "state",
    }
    assert diff(db, primitives=[]).is_empty
    with pytest.raises(RegistrationError):
        diff(db, primitives=["nothing"])


def test_the_form_for_json(db: Database) -> None:
    one, two = db.handle(run_id(1)), db.handle(run_id(2))
    one.json.create("d", {"n": 1})
    two.json.create("d", {"n": 2.5})
    one.kv.put("raw", b"\x00\xff")
    two.kv.put("odd", [float("nan"), float("-inf"), {"$bytes": "text"}])
    told = diff(db).to_dict(paths=True)
    assert (
        json.loads(json.dumps(told))
        == told
        == {
            "run_a": run_id(1),
            "run_b": run_id(2),
            "added": [
                {
                    "primitive": "kv",
                    "key": "odd",
                    "value_b": [{"$float": "nan"}, {"$float": "-inf"}, {"$object": {"$bytes": "text"}}],
                }
            ],
            "removed": [{"primitive": "kv", "key": "raw", "value_a": {"$bytes": "AP8="}}],
            "modified": [
                {
                    "primitive": "json",
                    "key": "d",
                    "value_a": {"n": 1},
                    "value_b": {"n": 2.5},
                    "paths": [{"path": "$.n", "kind": "replace", "a": 1, "b": 2.5}],
                    "truncated": False,
                }
            ],
        }
    )
    assert "paths" not in diff(db).to_dict()["modified"][0]


def test_two_steps_of_one_run(db: Database) -> None:
    db.handle(run_id(1)).kv.put("k", 1)
    db.handle(run_id(1)).kv.put("k", 2)
    found = db.diff_runs(run_id(1), run_id(1), step_a=2, step_b=3)
    assert [(entry.value_a, entry.value_b) for entry in found.modified] == [(1, 2)]


def test_against_the_parent(db: Database) -> None:
    begin(db, 3, parent=run_id(1))
    db.handle(run_id(1)).kv.put("k", "parent")
    db.handle(run_id(3)).kv.put("k", "child")
    (entry,) = db.diff_runs(run_id(3), against="parent").modified
    assert (entry.value_a, entry.value_b) == ("parent", "child")
    with pytest.raises(EngineError):
        db.diff_runs(run_id(1), against="parent")


# -- the first step that differs


def parting(db: Database, a: int = 1, b: int = 2) -> Any:
    with source_of(db) as source:
        found = first_divergence(source, raw(a), source, raw(b), REGISTRY)
    assert found == db.first_divergence(run_id(a), run_id(b))
    return found


def test_runs_that_did_the_same_never_part(tmp_path: Path) -> None:
    """Names, tags, times, hashes, versions and identifiers of spans are their own."""
    with open_db(tmp_path / "db") as db:
        begin(db, 1, tags=["one"], metadata={"seed": 1})
        begin(db, 2, tags=["two"])
        for number in (1, 2):
            work(db, run_id(number))
            db.end_run(run_id(number))
        assert parting(db) is None
        assert parting(db, 1, 1) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.kv.put("k", "other"),
        lambda run: run.kv.put("another", "value"),
        lambda run: run.kv.put("k", "value", ttl=5),
        lambda run: run.events.append("k", "value"),
        lambda run: run.json.create("k", "value"),
        lambda run: run.state.set("k", "value"),
        lambda run: run.traces.record("query", "k"),
    ],
)
def test_they_part_at_the_first_step_that_differs(db: Database, change: Any) -> None:
    for number in (1, 2):
        work(db, run_id(number), rounds=1)
    db.handle(run_id(1)).kv.put("k", "value")
    change(db.handle(run_id(2)))
    for number in (1, 2):
        work(db, run_id(number), rounds=1, first=1, word=f"{number}")
    found = parting(db)
    assert found.step_a == found.step_b == 12
    (one,) = found.changes_a
    assert (one.op, one.primitive, one.key, one.detail) == ("put", "kv", "k", {"value": "value"})
    assert len(found.changes_b) == 1 and found.changes_b != found.changes_a


def test_a_time_to_live_is_compared_not_the_time_it_ends(db: Database) -> None:
    for number in (1, 2):
        db.handle(run_id(number)).kv.put("k", 1, ttl=3)
    assert parting(db) is None


def test_one_that_goes_on_parts_from_one_that_ended(db: Database) -> None:
    for number in (1, 2):
        work(db, run_id(number), rounds=1)
    db.handle(run_id(2)).kv.put("more", 1)
    found = parting(db)
    assert (found.step_a, found.step_b, found.changes_a) == (None, 12, ())
    assert found.changes_b[0].key == "more"
    other = parting(db, 2, 1)
    assert (other.step_a, other.step_b, other.changes_b) == (12, None, ())


def test_a_transaction_with_more_entries_differs(db: Database) -> None:
    for number in (1, 2):
        with db.transaction(run_id(number)) as tx:
            tx.ext("kv").put("a", 1)
            if number == 2:
                tx.ext("kv").put("b", 1)
    found = parting(db)
    assert (found.step_a, len(found.changes_a), len(found.changes_b)) == (2, 1, 2)


def test_entries_of_unknown_kinds_are_compared_as_they_stand() -> None:
    class Tally(MapPrimitive):
        type_id = 9
        name = "tally"
        puts = (0x80,)

    with open_db(registry=builtin_registry().register(Tally)) as db:
        tally = db.primitives.named("tally")
        assert isinstance(tally, Tally)
        for number, value in ((1, "same"), (2, "same"), (3, "other")):
            begin(db, number)
            with db.transaction(run_id(number)) as tx:
                tx.write(tally.put(0x80, "a", value))
        with source_of(db) as source:
            assert first_divergence(source, raw(1), source, raw(2), REGISTRY) is None
            found = first_divergence(source, raw(1), source, raw(3), REGISTRY)
            assert found is not None and found.step_a == 2
            assert [one.op for one in found.changes_a] == ["unknown"]
        known = db.first_divergence(run_id(1), run_id(3))
        assert known is not None and known.changes_b[0].primitive == "tally"
        assert keys(db.diff_runs(run_id(1), run_id(3)).modified) == [("tally", "a")]


def test_changes_of_a_run_are_compared_but_not_who_owns_it(db: Database) -> None:
    for number in (1, 2):
        db.pause_run(run_id(number))
        db.resume_run(run_id(number))
    assert parting(db) is None
    db.add_tags(run_id(1), "x")
    db.add_tags(run_id(2), "y")
    assert parting(db).step_a == 4
