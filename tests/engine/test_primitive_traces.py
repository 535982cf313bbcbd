"""Traces: spans, their order, and the trees that they make."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine.envelope import WalEntry
from devstate.engine.errors import EngineLimitExceeded, NotFound, ValueRangeError, ValueTypeError
from devstate.engine.primitives.cells import StateStore
from devstate.engine.primitives.span_trees import SpanNode
from devstate.engine.primitives.traces import KINDS, Traces, TraceStore
from mini_engine import RUN, MiniEngine


@pytest.fixture
def engine() -> MiniEngine:
    return MiniEngine(TraceStore, StateStore)


@pytest.fixture
def traces(engine: MiniEngine) -> Traces:
    return engine.handle("traces")


def ids(spans: Any) -> list[str]:
    return [span.id for span in spans]


def shape(node: SpanNode) -> Any:
    return (node.span.id, [shape(child) for child in node.children])


def test_a_span_as_it_was_recorded(engine: MiniEngine, traces: Traces) -> None:
    key = traces.record("tool_call", "grep", None, {"pattern": "x"}, ["fast", "io"], start=5, end=9)
    span = traces.get(key)
    assert (span.id, span.kind, span.name, span.parent) == (key, "tool_call", "grep", None)
    assert (span.start, span.end, span.attrs, span.tags) == (5, 9, {"pattern": "x"}, ("fast", "io"))
    assert span.cv == 1 and span.ts >= 1_700_000_000_000_000
    bare = traces.get(traces.record("thought", "hm"))
    assert bare.start > 1_700_000_000_000_000 and bare.end is None and bare.attrs == {} and bare.tags == ()
    with pytest.raises(NotFound):
        traces.get("absent")
    engine.agree()


def test_recording_again_replaces_the_span_and_keeps_its_place(engine: MiniEngine, traces: Traces) -> None:
    traces.record("query", "one", span_id="z", start=1)
    traces.record("query", "two", span_id="a", start=2)
    traces.record("decision", "done", span_id="z", start=1, end=3)
    assert ids(traces.items()) == ["z", "a"] and traces.count() == 2
    assert (traces.get("z").kind, traces.get("z").name) == ("decision", "done")
    engine.agree()


def test_the_record_of_a_snapshot_has_the_fields_of_the_format(engine: MiniEngine, traces: Traces) -> None:
    traces.record("error", "e", "p", {"k": [1]}, ["t"], start=1, end=2, span_id="b")
    traces.record("custom", "c", start=3, span_id="a")
    found = [msgspec.msgpack.decode(raw) for raw in engine.primitives.named("traces").snapshot_serialize()]
    ts = [record[3] for record in found]
    assert found == [
        [RUN, "a", 2, ts[0], 1, None, "custom", "c", 3, None, {}, []],
        [RUN, "b", 1, ts[1], 0, "p", "error", "e", 1, 2, {"k": [1]}, ["t"]],
    ]


def test_the_block_of_a_span(engine: MiniEngine, traces: Traces) -> None:
    with traces.span("tool_call", "outer", attrs={"n": 1}, tags=["x"]) as outer:
        assert traces.get(outer.id).end is None
        with traces.span("query", "inner", parent=outer.id) as inner:
            inner.attrs["rows"] = 3
            inner.tags.append("late")
    ended = traces.get(outer.id)
    assert ended.end is not None and ended.start < ended.end and ended.attrs == {"n": 1}
    assert traces.get(inner.id).attrs == {"rows": 3} and traces.get(inner.id).tags == ("late",)
    assert ids(traces.items()) == [outer.id, inner.id] and engine.log.end == 4
    engine.agree()


def test_an_error_in_the_block_is_told_and_goes_on(engine: MiniEngine, traces: Traces) -> None:
    with pytest.raises(KeyError), traces.span("tool_call", "fails", attrs={"n": 1}) as span:
        raise KeyError("x")
    ended = traces.get(span.id)
    assert ended.attrs == {"n": 1, "error": "KeyError"} and ended.end is not None
    engine.agree()


def test_the_error_of_the_block_comes_first_when_its_span_cannot_be_ended(traces: Traces) -> None:
    with pytest.raises(KeyError) as caught, traces.span("tool_call", "fails") as span:
        span.attrs["bad"] = object()  # type: ignore[assignment]
        raise KeyError("x")
    assert any(span.id in note for note in caught.value.__notes__)
    assert traces.get(span.id).end is None


def test_what_the_caller_gave_is_not_changed(traces: Traces) -> None:
    attrs: dict[str, Any] = {"n": 1}
    tags = ["a"]
    with traces.span("query", "q", attrs=attrs, tags=tags) as span:
        span.attrs["m"] = 2
        span.tags.append("b")
    assert attrs == {"n": 1} and tags == ["a"]


def test_questions(engine: MiniEngine, traces: Traces) -> None:
    for number, kind in enumerate(KINDS):
        traces.record(
            kind,
            f"s{number}",
            tags=["even"] if number % 2 == 0 else (),
            start=number * 10,
            span_id=f"k{number}",
        )
    traces.record("query", "child", "k2", start=100, span_id="c1")
    traces.record("query", "child", "k2", start=90, span_id="c0")
    assert ids(traces.by_kind("query")) == ["k2", "c1", "c0"]
    assert ids(traces.by_tag("even")) == ["k0", "k2", "k4"]
    assert ids(traces.by_time(10, 30)) == ["k1", "k2"]
    assert ids(traces.children("k2")) == ["c1", "c0"] and traces.children("k0") == []
    assert ids(traces.roots()) == [f"k{number}" for number in range(6)]
    assert traces.by_kind("none") == [] and traces.count() == 8


def test_trees(traces: Traces) -> None:
    for key, parent in (("a", None), ("b", "a"), ("c", "b"), ("d", "a"), ("e", None), ("f", "unknown")):
        traces.record("thought", key, parent, span_id=key)
    assert [shape(node) for node in traces.tree()] == [
        ("a", [("b", [("c", [])]), ("d", [])]),
        ("e", []),
        ("f", []),
    ]
    assert [shape(node) for node in traces.tree("b")] == [("b", [("c", [])])]
    with pytest.raises(NotFound):
        traces.tree("absent")


def test_a_parent_may_come_after_its_child(traces: Traces) -> None:
    traces.record("query", "child", "p", span_id="c")
    assert ids(traces.roots()) == ["c"]
    traces.record("query", "parent", span_id="p")
    assert [shape(node) for node in traces.tree()] == [("p", [("c", [])])]


def test_a_circle_of_parents_loses_no_span(traces: Traces) -> None:
    for key, parent in (("a", "c"), ("b", "a"), ("c", "b"), ("d", None)):
        traces.record("thought", key, parent, span_id=key)
    assert ids(traces.roots()) == ["d"]
    assert [shape(node) for node in traces.tree()] == [("d", []), ("a", [("b", [("c", [])])])]
    assert [shape(node) for node in traces.tree("b")] == [("b", [("c", [("a", [])])])]


def test_a_chain_of_any_length(traces: Traces, engine: MiniEngine) -> None:
    with engine.transaction() as tx:
        for number in range(3000):
            parent = f"{number - 1:05}" if number else None
            tx.ext("traces").record("thought", "t", parent, span_id=f"{number:05}", start=number)
    (node,) = traces.tree()
    depth = 1
    while node.children:
        (node,) = node.children
        depth += 1
    assert depth == 3000


def test_a_transaction_sees_its_spans_and_conflicts_with_none(engine: MiniEngine, traces: Traces) -> None:
    traces.record("query", "before", span_id="m")
    with engine.transaction() as tx:
        mine: Traces = tx.ext("traces")
        assert mine.get("m").name == "before"
        mine.record("query", "new", span_id="z")
        mine.record("query", "newer", span_id="a")
        mine.record("query", "changed", span_id="m")
        mine.record("query", "new again", span_id="z")
        engine.beside(lambda: traces.record("query", "theirs", span_id="q"))
        engine.beside(lambda: traces.record("query", "theirs", span_id="m"))
        assert ids(mine.items()) == ["m", "z", "a"] and mine.count() == 3
        assert mine.get("z").name == "new again"
        with mine.span("custom", "block") as block:
            pass
    assert ids(traces.items()) == ["m", "q", "z", "a", block.id]
    assert traces.get("m").name == "changed"
    engine.agree()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"kind": "other"}, ValueRangeError),
        ({"kind": None}, ValueRangeError),
        ({"name": ""}, ValueRangeError),
        ({"name": 3}, ValueTypeError),
        ({"parent": 3}, ValueTypeError),
        ({"parent": "me"}, ValueRangeError),
        ({"span_id": ""}, ValueRangeError),
        ({"span_id": "x" * 1025}, EngineLimitExceeded),
        ({"attrs": [1]}, ValueTypeError),
        ({"attrs": {1: 2}}, ValueTypeError),
        ({"attrs": {"x": object()}}, ValueTypeError),
        ({"tags": "one"}, ValueTypeError),
        ({"tags": [1]}, ValueTypeError),
        ({"tags": 7}, ValueTypeError),
        ({"start": 1.5}, ValueTypeError),
        ({"start": -1}, ValueRangeError),
        ({"end": True}, ValueTypeError),
        ({"end": 2**63}, ValueRangeError),
        ({"start": 9, "end": 8}, ValueRangeError),
    ],
)
def test_what_is_no_span_writes_nothing(
    engine: MiniEngine, traces: Traces, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        traces.record(**{"kind": "query", "name": "n", "span_id": "me", **change})
    assert engine.log.end == 0


@pytest.mark.parametrize(
    "fields",
    [
        [None, "query", "n", 1, None, {}],
        [None, "query", "n", "1", None, {}, []],
        [None, 1, "n", 1, None, {}, []],
    ],
)
def test_an_entry_of_another_form_is_refused(fields: list[Any]) -> None:
    store = TraceStore()
    payload = msgspec.msgpack.encode([RUN, "s", 1, 1, *fields])
    with pytest.raises(msgspec.ValidationError):
        store.apply_wal_entry(WalEntry(0x50, 1, bytes(16), payload, 0))
    assert list(store.runs()) == []


def test_later_fields_of_the_format_are_passed_over() -> None:
    store = TraceStore()
    payload = msgspec.msgpack.encode([RUN, "s", 1, 7, None, "query", "n", None, None, {}, [], "later"])
    store.apply_wal_entry(WalEntry(0x50, 1, bytes(16), payload, 0))
    (span,) = store.view(RUN, 1)
    assert span.start == 7  # none in the entry: the time of the record


def test_views_texts_and_descriptions(engine: MiniEngine, traces: Traces) -> None:
    traces.record("query", "find", attrs={"q": "word"}, start=1, span_id="z")
    traces.record("query", "later", start=2, span_id="a")
    store: Any = engine.primitives.named("traces")
    view = store.view(RUN, engine.committer.cv)
    assert len(view) == 2 and ids(view) == ["z", "a"] and view[-1].id == "a" and ids(view[:1]) == ["z"]
    assert len(store.view(RUN, 0)) == 0
    assert dict(store.texts(RUN))["z"] == 'find\nquery\n{"q":"word"}'
    assert engine.described()[0] == {
        "op": "record",
        "key": "z",
        "parent": None,
        "kind": "query",
        "name": "find",
        "start": 1,
        "end": None,
        "attrs": {"q": "word"},
        "tags": (),
    }


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.none() | st.sampled_from("vwxyz"),
        st.sampled_from(KINDS),
        st.integers(0, 3),
        st.sampled_from(["implicit", "transaction", "beside"]),
    ),
    max_size=15,
)


@given(STEPS)
def test_the_twin_agrees_with_every_history(steps: list[Any]) -> None:
    engine = MiniEngine(TraceStore, StateStore)
    traces: Traces = engine.handle("traces")
    model: dict[str, Any] = {}
    for key, parent, kind, start, how in steps:
        if how == "implicit":
            traces.record(kind, "n", parent, start=start, span_id=key)
        else:
            with engine.transaction() as tx:
                tx.ext("traces").record(kind, "first", start=start, span_id=key)
                if how == "beside":
                    engine.beside(lambda: traces.record("custom", "other", start=0, span_id="other"))
                    model["other"] = ("custom", None, 0)
                tx.ext("traces").record(kind, "n", parent, start=start, span_id=key)
        model[key] = (kind, parent, start)
    assert {span.id: (span.kind, span.parent, span.start) for span in traces.items()} == model
    assert ids(traces.items()) == list(model)
    engine.agree()
