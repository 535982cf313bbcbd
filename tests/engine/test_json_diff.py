"""Equality, differences and patches: checked by applying each patch with an applier of the tests' own."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.engine.errors import EngineLimitExceeded
from devstate.engine.json_diff import PathChange, diff_paths, json_patch, same_value
from devstate.engine.values import decode_value, encode_value

SCALARS = st.sampled_from([None, True, False, 0, 1, 2, 0.0, -0.0, 1.0, math.nan, math.inf, "", "x", "y"])
NAMES = st.sampled_from(["a", "b", "c", "", "~", "/", "~1", "0", "é"])
DOCS: Any = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=25,
)


def exact(value: Any) -> Any:
    """Another statement of the equality wanted: a form whose == tells types and signs of zero apart."""
    if isinstance(value, dict):
        return frozenset((key, exact(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(exact(item) for item in value)
    return (type(value), repr(value))


def applied(document: Any, patch: list[dict[str, Any]]) -> Any:
    """RFC 6902, strictly: what is replaced or removed is there, what is added to an object is new."""
    document = {"": copy.deepcopy(document)}
    for operation in patch:
        path = operation["path"]
        assert path == "" or path.startswith("/")
        tokens = ["", *(part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:])]
        node: Any = document
        for token in tokens[:-1]:
            node = node[int(token)] if isinstance(node, list) else node[token]
        if isinstance(node, list):
            last: Any = int(tokens[-1])
            assert str(last) == tokens[-1]
            assert last < len(node) + (operation["op"] == "add")
        else:
            last = tokens[-1]
            assert (last in node) == (operation["op"] != "add")
        if operation["op"] == "remove":
            assert set(operation) == {"op", "path"}
            del node[last]
        elif operation["op"] == "add" and isinstance(node, list):
            node.insert(last, copy.deepcopy(operation["value"]))
        else:
            assert operation["op"] in ("add", "replace")
            node[last] = copy.deepcopy(operation["value"])
    return document[""]


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


@given(DOCS, DOCS)
@settings(max_examples=400)
@example([1, 2, 3], [3])
@example([1, 1, 1], [1, 1])
@example({"a": [1, [2, 3], 4, 5]}, {"a": [0, [3], 5, 6, 7]})
def test_the_patch_of_a_diff_turns_one_into_the_other(a: Any, b: Any) -> None:
    kept = (encode_value(a), encode_value(b))
    diff = diff_paths(a, b)
    assert not diff.truncated
    assert exact(applied(a, json_patch(diff))) == exact(b)
    assert (diff.changes == ()) == same_value(a, b)
    assert (encode_value(a), encode_value(b)) == kept


@given(DOCS, DOCS)
@settings(max_examples=300)
def test_each_change_says_what_stands_on_both_sides(a: Any, b: Any) -> None:
    changes = diff_paths(a, b).changes
    assert len({change.path for change in changes}) == len(changes)
    for change in changes:
        if change.kind != "add":
            assert at(a, change.path) is change.a
        else:
            assert change.a is None
        if change.kind != "remove":
            assert at(b, change.path) is change.b
        else:
            assert change.b is None
        if change.kind in ("replace", "type"):
            assert exact(change.a) != exact(change.b)


@given(DOCS, DOCS)
@settings(max_examples=400)
def test_values_are_the_same_where_all_of_them_is(a: Any, b: Any) -> None:
    assert same_value(a, b) == (exact(a) == exact(b))
    assert same_value(a, b) == same_value(b, a)
    assert same_value(a, decode_value(encode_value(a)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (0, None),
        (1.0, True),
        (0.0, -0.0),
        ("1", 1),
        ("x", b"x"),
        ("", None),
        ([], {}),
        ([], None),
        ([1], [1, 1]),
        ([1], [1.0]),
        ([[0.0]], [[-0.0]]),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"b": 1}),
        ({"a": None}, {"b": None}),
        ({"a": [{"b": 0}]}, {"a": [{"b": False}]}),
        (math.nan, 0.0),
        (math.nan, math.inf),
        ([1, 2], [2, 1]),
    ],
)
def test_values_that_differ(a: Any, b: Any) -> None:
    for one, other in ((a, b), (b, a), ([a], [b]), ({"k": a}, {"k": b})):
        assert not same_value(one, other)
        assert diff_paths(one, other).changes


def test_values_that_are_the_same() -> None:
    assert same_value({"a": 1, "b": [2]}, {"b": [2], "a": 1})
    assert same_value(float("nan"), float("nan"))
    assert same_value([math.nan, {"x": -math.nan}], [float("nan"), {"x": float("nan")}])
    assert same_value(b"x", b"x")
    assert diff_paths({"a": 1, "b": [math.nan]}, {"b": [float("nan")], "a": 1}).changes == ()


def test_the_kinds_of_change() -> None:
    a = {"same": 1, "gone": [1], "number": 1, "type": {"x": 1}, "flag": True, "text": "a", "none": None}
    b = {"same": 1, "come": {}, "number": 1.0, "type": [1], "flag": 1, "text": "b", "none": 0}
    assert diff_paths(a, b).changes == (
        PathChange(("come",), "add", None, {}),
        PathChange(("flag",), "type", True, 1),
        PathChange(("gone",), "remove", [1], None),
        PathChange(("none",), "type", None, 0),
        PathChange(("number",), "replace", 1, 1.0),
        PathChange(("text",), "replace", "a", "b"),
        PathChange(("type",), "type", {"x": 1}, [1]),
    )
    assert diff_paths(1, 2).changes == (PathChange((), "replace", 1, 2),)
    assert diff_paths("a", b"a").changes == (PathChange((), "type", "a", b"a"),)


@pytest.mark.parametrize(
    ("a", "b", "changes"),
    [
        ([1, 2, 3, 4], [1, 3, 4], [((1,), "remove")]),
        ([1, 3, 4], [1, 2, 3, 4], [((1,), "add")]),
        ([1, 2, 3], [1, 9, 3], [((1,), "replace")]),
        ([1, 2], [1, 2, 3, 4], [((2,), "add"), ((3,), "add")]),
        ([1, 2, 3], [], [((0,), "remove"), ((1,), "remove"), ((2,), "remove")]),
        ([1, 1], [1, 1, 1], [((2,), "add")]),
        ([0, {"x": 1}, 2, 9], [0, {"x": 2}, 9], [((1, "x"), "replace"), ((2,), "remove")]),
        ([1], [1.0], [((0,), "replace")]),
    ],
)
def test_arrays_without_their_common_beginning_and_end(a: Any, b: Any, changes: Any) -> None:
    assert [(change.path, change.kind) for change in diff_paths(a, b).changes] == changes


def test_patches_name_places_by_pointer_and_remove_from_the_end() -> None:
    a = {"a/b": 1, "m~n": 2, "": 3, "list": [1, 2, 3, 4, 5]}
    b = {"a/b": 9, "": [], "list": [1, 5], "0": {}}
    assert json_patch(diff_paths(a, b)) == [
        {"op": "replace", "path": "/", "value": []},
        {"op": "add", "path": "/0", "value": {}},
        {"op": "replace", "path": "/a~1b", "value": 9},
        {"op": "remove", "path": "/list/3"},
        {"op": "remove", "path": "/list/2"},
        {"op": "remove", "path": "/list/1"},
        {"op": "remove", "path": "/m~0n"},
    ]
    assert json_patch(diff_paths([1], {})) == [{"op": "replace", "path": "", "value": {}}]
    assert json_patch(diff_paths(1, 1)) == []


def test_arrays_inside_one_another_lose_elements_each_by_itself() -> None:
    a = [[1, 2, 3], [4, 5, 6], 7, 8, 9]
    b = [[1], [4], 9.5]
    assert applied(a, json_patch(diff_paths(a, b))) == b


def test_a_diff_stops_at_its_limit() -> None:
    a, b = list(range(20_001)), [-1 - item for item in range(20_001)]
    diff = diff_paths(a, b)
    assert len(diff.changes) == 10_000
    assert diff.truncated
    assert diff.changes == diff_paths(a, b, limit=30_000).changes[:10_000]
    with pytest.raises(EngineLimitExceeded, match="no patch"):
        json_patch(diff)
    exactly = diff_paths(a[:10_000], b[:10_000])
    assert len(exactly.changes) == 10_000
    assert not exactly.truncated
    assert diff_paths([1], [2], limit=0).truncated
    assert not diff_paths([1], [1], limit=0).truncated


def test_the_deepest_values_are_compared() -> None:
    a: Any = 1
    b: Any = 2
    for level in range(1_000):
        a, b = ([a], [b]) if level % 2 else ({"k": a}, {"k": b})
    assert not same_value(a, b)
    assert same_value(a, a)
    (change,) = diff_paths(a, b).changes
    assert (len(change.path), change.kind, change.a, change.b) == (1_000, "replace", 1, 2)


def test_larger_documents() -> None:
    chance = random.Random(7)

    def document(levels: int) -> Any:
        if not levels:
            return chance.randrange(5)
        if chance.random() < 0.5:
            return [document(levels - 1) for _ in range(chance.randrange(6))]
        return {f"k{number}": document(levels - 1) for number in range(chance.randrange(6))}

    for _ in range(60):
        a, b = document(5), document(5)
        assert exact(applied(a, json_patch(diff_paths(a, b)))) == exact(b)
