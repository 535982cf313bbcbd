"""Edits of documents: against a model that builds a new document each time, and case by case."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.engine.errors import EngineLimitExceeded, JsonTypeError, PathError, ValueTypeError
from devstate.engine.json_diff import same_value
from devstate.engine.json_edit import (
    DELETE,
    SET,
    apply_ops,
    check_document_limits,
    delete_at,
    get_at,
    get_in,
    set_at,
    written_path,
)
from devstate.engine.json_path import overlaps, parse_path
from devstate.engine.values import encode_json

# Few names and small numbers, so that random paths meet what is there.
DOCS: Any = st.recursive(
    st.sampled_from([None, True, 0, 1.5, "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
STEPS = st.sampled_from("abc") | st.integers(0, 3)
PATHS = st.lists(STEPS, max_size=4).map(tuple)
OPS: Any = st.one_of(
    st.tuples(st.just(SET), PATHS, DOCS).map(list),
    st.tuples(st.just(DELETE), PATHS.filter(bool)).map(list),
)


def modelled_set(doc: Any, path: tuple[Any, ...], value: Any, missing: bool = False) -> Any:
    """A new document by the rules of the format; None of the old one is touched. Raises LookupError."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if missing:
        doc = {} if isinstance(step, str) else []
    if isinstance(step, str):
        if not isinstance(doc, dict):
            raise LookupError
        return {**doc, step: modelled_set(doc.get(step), rest, value, step not in doc)}
    if not isinstance(doc, list) or step > len(doc):
        raise LookupError
    inner = modelled_set(doc[step] if step < len(doc) else None, rest, value, step == len(doc))
    return [*doc[:step], inner, *doc[step + 1 :]]


def modelled_delete(doc: Any, path: tuple[Any, ...]) -> Any:
    step, rest = path[0], path[1:]
    if isinstance(step, str) and isinstance(doc, dict) and step in doc:
        if not rest:
            return {key: item for key, item in doc.items() if key != step}
        return {**doc, step: modelled_delete(doc[step], rest)}
    if isinstance(step, int) and isinstance(doc, list) and step < len(doc):
        inner = [modelled_delete(doc[step], rest)] if rest else []
        return [*doc[:step], *inner, *doc[step + 1 :]]
    raise LookupError


def modelled(doc: Any, op: list[Any]) -> Any:
    return modelled_set(doc, op[1], op[2]) if op[0] == SET else modelled_delete(doc, op[1])


@given(DOCS, OPS)
@settings(max_examples=400)
def test_an_edit_gives_what_the_model_gives_or_changes_nothing(doc: Any, op: list[Any]) -> None:
    before = copy.deepcopy(doc)
    edit = (lambda: set_at(doc, op[1], op[2])) if op[0] == SET else (lambda: delete_at(doc, op[1]))
    try:
        expected = modelled(before, op)
    except LookupError:
        with pytest.raises(PathError):
            edit()
        assert same_value(doc, before)
        return
    result = edit()
    assert same_value(result, expected)
    if op[1]:
        assert result is doc
    if op[0] == SET:
        assert get_at(result, op[1]) is op[2]


@given(DOCS, st.lists(OPS, max_size=5))
@settings(max_examples=300)
def test_operations_are_made_in_order_and_their_values_are_not_touched(doc: Any, ops: list[Any]) -> None:
    expected: Any = copy.deepcopy(doc)
    given_ops = copy.deepcopy(ops)
    failing = None
    for number, op in enumerate(ops):
        try:
            expected = modelled(expected, op)
        except LookupError:
            failing = number
            break
    if failing is None:
        assert same_value(apply_ops(doc, ops), expected)
    else:
        with pytest.raises(PathError) as caught:
            apply_ops(doc, ops)
        assert (caught.value.position or "").startswith(f"operation {failing}, $")
    assert ops == given_ops


@given(DOCS, OPS, OPS)
@settings(max_examples=600)
def test_edits_whose_written_paths_do_not_overlap_commute(doc: Any, one: list[Any], other: list[Any]) -> None:
    """What conflict detection needs: two such edits may both be made, in either order."""
    try:
        modelled(doc, one)
        modelled(doc, other)
    except LookupError:
        return
    if overlaps(written_path(doc, one), written_path(doc, other)):
        return
    first = apply_ops(copy.deepcopy(doc), [one, other])
    second = apply_ops(copy.deepcopy(doc), [other, one])
    assert same_value(first, second)


@given(DOCS, OPS, PATHS)
@settings(max_examples=600)
def test_a_path_that_a_written_path_does_not_overlap_reads_the_same(
    doc: Any, op: list[Any], path: Any
) -> None:
    try:
        after = modelled(doc, op)
    except LookupError:
        return
    if overlaps(written_path(doc, op), path):
        return

    def read(document: Any) -> Any:
        try:
            return ("there", get_at(document, path))
        except PathError:
            return ("absent", None)

    (found, value), (found_after, value_after) = read(doc), read(after)
    assert found == found_after
    assert same_value(value, value_after)


DOC = {"a": {"b": [10, {"c": None}]}, "": "empty", "n": None, "s": "text"}


@pytest.mark.parametrize(
    ("path", "value"),
    [("$", DOC), ("$.a.b[0]", 10), ("$.a.b[1].c", None), ('[""]', "empty"), ("n", None)],
)
def test_reading_at_a_path(path: str, value: Any) -> None:
    assert get_at(DOC, parse_path(path)) == value


@pytest.mark.parametrize(
    ("path", "error", "position"),
    [
        ("x", PathError, "$.x"),
        ("x.y", PathError, "$.x"),
        ("a.b[2]", PathError, "$.a.b[2]"),
        ("a.b[2].c", PathError, "$.a.b[2]"),
        ("a[0]", JsonTypeError, "$.a[0]"),
        ("a.b.c", JsonTypeError, "$.a.b.c"),
        ("n.x", JsonTypeError, "$.n.x"),
        ("s[0]", JsonTypeError, "$.s[0]"),
        ("a.b[0][0]", JsonTypeError, "$.a.b[0][0]"),
        ("[0]", JsonTypeError, "$[0]"),
    ],
)
def test_reading_or_removing_where_nothing_is(path: str, error: type[PathError], position: str) -> None:
    for call in (get_at, delete_at):
        doc = copy.deepcopy(DOC)
        with pytest.raises(PathError) as caught:
            call(doc, parse_path(path))
        assert type(caught.value) is error
        assert caught.value.position == position
        assert doc == DOC


def test_an_index_before_the_first_is_not_the_last() -> None:
    for call in (get_at, delete_at, lambda doc, path: set_at(doc, path, 0)):
        with pytest.raises(PathError):
            call([1, 2], (-1,))


@pytest.mark.parametrize(
    ("doc", "path", "result"),
    [
        ({}, "a.b", {"a": {"b": 1}}),
        ({}, "a[0].b[0]", {"a": [{"b": [1]}]}),
        ([], "[0][0]", [[1]]),
        ({"a": [5]}, "a[1]", {"a": [5, 1]}),
        ({"a": [5]}, "a[1].x", {"a": [5, {"x": 1}]}),
        ({"a": [5]}, "a[0]", {"a": [1]}),
        ({"a": {"b": 2}}, "a", {"a": 1}),
        (None, "", 1),
    ],
)
def test_setting_makes_what_is_missing(doc: Any, path: str, result: Any) -> None:
    assert set_at(doc, parse_path(path), 1) == result


@pytest.mark.parametrize(
    ("doc", "path", "error"),
    [
        ({}, "a[1]", PathError),
        ({}, "a.b[2].c", PathError),
        ({"a": []}, "a[1]", PathError),
        ({"a": []}, "a[0][1]", PathError),
        ({"a": None}, "a.b", JsonTypeError),
        ({"a": {}}, "a[0]", JsonTypeError),
        ({"a": []}, "a.b", JsonTypeError),
        (None, "a", JsonTypeError),
        ("text", "[0]", JsonTypeError),
    ],
)
def test_setting_where_it_cannot_stand_changes_nothing(doc: Any, path: str, error: type[PathError]) -> None:
    before = copy.deepcopy(doc)
    with pytest.raises(PathError) as caught:
        set_at(doc, parse_path(path), 1)
    assert type(caught.value) is error
    assert doc == before


def test_removing_moves_the_elements_behind_and_spares_the_root() -> None:
    assert delete_at({"a": [1, 2, 3]}, ("a", 1)) == {"a": [1, 3]}
    assert delete_at({"a": 1, "b": 2}, ("a",)) == {"b": 2}
    with pytest.raises(PathError):
        delete_at({"a": 1}, ())
    with pytest.raises(PathError, match="root"):
        apply_ops({"a": 1}, [[DELETE, []]])


@pytest.mark.parametrize(
    "op",
    [
        [],
        [0],
        [0, ["a"]],
        [1, ["a"], 1],
        [2, ["a"]],
        [True, ["a"]],
        [0.0, ["a"], 1],
        [0, ["a"], 1, 2],
        None,
        "0a",
        {},
    ],
)
def test_what_is_no_operation_is_refused(op: Any) -> None:
    with pytest.raises(ValueTypeError) as caught:
        apply_ops({}, [[SET, ["x"], 1], op])
    assert caught.value.position == "operation 1"
    with pytest.raises(ValueTypeError):
        written_path({}, op)


def test_a_bad_path_in_an_operation_is_a_path_error() -> None:
    for path in ([-1], [1.5], "a..b", None):
        with pytest.raises(PathError) as caught:
            apply_ops({}, [[SET, path, 1]])
        assert (caught.value.position or "").startswith("operation 0")
    assert apply_ops({}, [[SET, "$.a", 1]]) == {"a": 1}


@pytest.mark.parametrize(
    ("op", "written"),
    [
        ([DELETE, ["a", 0]], ("a",)),
        ([DELETE, ["a", 0, "x"]], ("a", 0, "x")),
        ([DELETE, ["o", "k"]], ("o", "k")),
        ([DELETE, []], ()),
        ([SET, ["a", 0], 1], ("a", 0)),
        ([SET, ["a", 2], 1], ("a",)),
        ([SET, ["a", 2, "x", "y"], 1], ("a",)),
        ([SET, ["a", 9], 1], ("a",)),
        ([SET, ["a", 0, "new", "k"], 1], ("a", 0, "new", "k")),
        ([SET, ["new", "k"], 1], ("new", "k")),
        ([SET, ["new", 0], 1], ("new",)),
        ([SET, ["new", "k", 0, "x", 0], 1], ("new", "k")),
        ([SET, ["o", 0], 1], ("o", 0)),
        ([SET, ["o", "k", "x"], 1], ("o", "k", "x")),
        ([SET, ["a", "x"], 1], ("a", "x")),
        ([SET, [], 1], ()),
    ],
)
def test_the_path_that_counts_as_written(op: Any, written: Any) -> None:
    doc = {"a": [{"x": 1}, 2], "o": {"k": 1}}
    before = copy.deepcopy(doc)
    assert written_path(doc, op) == written
    assert doc == before


def test_limits_after_a_set_are_found_where_encoding_finds_them() -> None:
    """At each depth of the place and of the value: both say the same."""
    for outer, inner, kind in itertools.product((0, 1, 50, 99, 100, 101), (0, 1, 50, 99, 100, 101), "ka"):
        path = tuple("k" if kind == "k" else 0 for _ in range(outer))
        value: Any = 1
        for _ in range(inner):
            value = {"v": value}
        doc = set_at({} if kind == "k" else [], path, value)
        if outer + inner <= 100:
            encode_json(doc)
            check_document_limits(doc, path)
            check_document_limits(doc)
        else:
            for call in (lambda doc=doc: encode_json(doc), lambda doc=doc: check_document_limits(doc)):
                with pytest.raises(EngineLimitExceeded):
                    call()
            with pytest.raises(EngineLimitExceeded) as caught:
                check_document_limits(doc, path)
            assert (caught.value.what, caught.value.limit, caught.value.found) == ("depth", 100, 101)


def test_an_array_that_grew_too_long_is_found() -> None:
    doc: Any = {"a": {"list": [None] * 999_999}}
    for path in (("a", "list", 999_999), ("a", "list", 1_000_000)):
        set_at(doc, path, {"x": 1})
        if path[2] == 999_999:
            check_document_limits(doc, path)
        else:
            for at in (path, ("a", "list"), ("a",), ()):
                with pytest.raises(EngineLimitExceeded) as caught:
                    check_document_limits(doc, at)
                assert (caught.value.what, caught.value.found) == ("array length", 1_000_001)


@given(DOCS, PATHS)
def test_reading_an_encoded_document_is_reading_the_decoded_one(doc: Any, path: Any) -> None:
    raw = encode_json(doc)
    try:
        expected = get_at(doc, path)
    except PathError as error:
        with pytest.raises(type(error)) as caught:
            get_in(raw, path)
        assert str(caught.value) == str(error)
    else:
        assert same_value(get_in(raw, path), expected)
