"""JSON pointers: the vectors of RFC 6901, and that a miss names the nearest place that exists."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.errors import UsageError
from devstate.trae import join_pointer, resolve_pointer, split_pointer

RFC = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_vectors(pointer: str, value: Any) -> None:
    assert resolve_pointer(RFC, pointer) == value


@pytest.mark.parametrize(
    ("pointer", "nearest"),
    [
        ("/foo/2", "/foo"),
        ("/foo/-", "/foo"),
        ("/foo/01", "/foo"),
        ("/foo/-1", "/foo"),
        ("/foo/0/x", "/foo/0"),
        ("/foo/99999999999999999999999", "/foo"),
        ("/none/at/all", "/"),
    ],
)
def test_a_miss_names_the_nearest_place(pointer: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_pointer(RFC, pointer)
    assert caught.value.position == nearest
    assert "nearest place" in caught.value.remedy


@pytest.mark.parametrize("pointer", ["foo", "~", "/a~b", "/~2", "#/foo"])
def test_what_is_no_pointer(pointer: str) -> None:
    with pytest.raises(UsageError, match="not a JSON pointer"):
        resolve_pointer(RFC, pointer)


@given(st.lists(st.text()))
def test_tokens_come_back(tokens: list[str]) -> None:
    assert split_pointer(join_pointer(tokens)) == tokens


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    here = [(path, value)]
    if isinstance(value, dict):
        return here + [p for name, inner in value.items() for p in _places(inner, (*path, name))]
    if isinstance(value, list):
        return here + [p for index, inner in enumerate(value) for p in _places(inner, (*path, index))]
    return here


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_every_place_is_reached(document: Any) -> None:
    for path, value in _places(document):
        assert resolve_pointer(document, join_pointer(path)) is value
