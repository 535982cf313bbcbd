"""Where values end, without parsing them: for whole values, for beginnings of values, and for damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.chain.lexing import INCOMPLETE, UNBALANCED, depth_exceeds, end_of_value, skip_blank

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
_containers = st.lists(_values, max_size=3) | st.dictionaries(st.text(), _values, max_size=3)


@given(_values, st.sampled_from([None, 1, 4]), st.booleans(), st.sampled_from([",", "\n", "]", "}", " x"]))
def test_a_value_ends_where_its_text_ends(
    value: Any, indent: int | None, ascii_only: bool, after: str
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert end_of_value(b"  " + text + after.encode(), 2) == 2 + len(text)


@given(_containers, st.integers(min_value=1))
def test_the_beginning_of_a_container_is_incomplete(value: Any, cut: int) -> None:
    text = json.dumps(value).encode()
    cut = cut % len(text) or 1
    assert end_of_value(text[:cut], 0) == INCOMPLETE


@pytest.mark.parametrize("levels", [1, 3, 4, 5, 8, 9, 64, 500])
def test_nesting_of_any_depth(levels: int) -> None:
    text = b'{"a":[' * levels + b'"]}"' + b"]}" * levels
    assert end_of_value(text + b"]", 0) == len(text)
    assert end_of_value(text[:-1], 0) == INCOMPLETE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": 1]', UNBALANCED),
        (b'[{"a": 1]}', UNBALANCED),
        (b'{"a": "lost\n}', UNBALANCED),  # a string never goes on in the next line
        (b'"lost\n"', UNBALANCED),
        (b'"not through', INCOMPLETE),
        (b'{"a": "not through', INCOMPLETE),
        (b'"a\\"b" ', 6),
        (b'"a\\\\" "', 5),
        (b"12345", INCOMPLETE),  # more digits may follow
        (b"12345,", 5),
        (b"true]", 4),
        (b":", UNBALANCED),
        (b",1", UNBALANCED),
        (b"", UNBALANCED),
    ],
)
def test_ends(text: bytes, expected: int) -> None:
    assert end_of_value(text, 0) == expected


@pytest.mark.parametrize("space", [b"", b" ", b"\t\r\n \n"])
def test_white_space_is_passed(space: bytes) -> None:
    assert skip_blank(b"x" + space + b"y", 1) == 1 + len(space)
    assert skip_blank(space, 0) == len(space)


def test_no_other_space_is_white_space() -> None:
    assert skip_blank("\u00a0".encode(), 0) == 0
    assert skip_blank(b"\x0b", 0) == 0


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


@given(_values)
def test_depth_is_counted_outside_of_strings(value: Any) -> None:
    depth = _depth(value)
    text = json.dumps([value, "[[[[{{{{", '\\"[[[']).encode()
    assert not depth_exceeds(text, depth + 1)
    assert depth_exceeds(text, depth)
