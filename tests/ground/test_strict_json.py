"""Strict JSON: it agrees with the standard parser where that is sound, and names what that lets pass."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.strict_json import offsets_of, parse_strict


def faults(data: bytes, **options: Any) -> list[tuple[str, str, int]]:
    found = parse_strict(data, **{"depth": 64, **options}).faults
    return [(fault.code, fault.pointer, fault.offset) for fault in found]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def _exact(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_exact, value.values()))
    if isinstance(value, list):
        return all(map(_exact, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) < 2**53


@settings(deadline=None)
@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_what_is_written_comes_back(value: Any, indent: int | None, ascii_only: bool) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    result = parse_strict(data, depth=64)
    assert result.usable == _exact(value)
    if result.usable:
        assert result.value == value
        assert {fault.code for fault in result.faults} <= {"CONTROL_CHARS"}


def _standard(data: bytes) -> Any:
    """What the standard parser makes of it; raises ValueError where it is not JSON."""

    def refuse(name: str) -> Any:
        raise ValueError(name)

    return json.loads(data.decode(), parse_constant=refuse)


PIECES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"a"',
    b'"b"',
    b"1",
    b"-0",
    b"2.5e3",
    b"true",
    b"null",
    b" ",
    b'"\\n"',
]


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join) | st.binary(max_size=12))
@example(b'{"a":1,"a":2}')
@example(b"-")
@example(b"1.")
@example(b"\xef\xbb\xbf1")
@example(b"2.5e311")
def test_structure_is_judged_like_the_standard_parser(data: bytes) -> None:
    result = parse_strict(data, depth=64)
    mild = ("CONTROL_CHARS", "DUPLICATE_KEY", "CANON_UNREPRESENTABLE")
    serious = [fault for fault in result.faults if fault.code not in mild]
    try:
        value = _standard(data)
    except ValueError:
        assert serious or not result.usable
    else:
        assert not serious
        if _exact(value):
            assert result.value == value


@settings(deadline=None)
@given(JSON, st.sampled_from([None, 1]))
def test_places_are_where_the_values_begin(value: Any, indent: int | None) -> None:
    data = json.dumps({"a": [value, {"b/~": value}]}, indent=indent, ensure_ascii=False).encode()
    pointers = {"", "/a", "/a/0", "/a/1", "/a/1/b~1~0"}
    offsets = offsets_of(data, pointers)
    if not _exact(value):
        assert set(offsets) == pointers
        return
    decoder = json.JSONDecoder()
    for pointer, expected in [("/a/0", value), ("/a/1", {"b/~": value}), ("/a/1/b~1~0", value)]:
        found, _ = decoder.raw_decode(data[offsets[pointer] :].decode())
        assert found == expected


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": 9007199254740992}', {"a": 2**53}),
        (b'[1, -1e400, "x"]', [1, -math.inf, "x"]),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"\\ud800": [1]}', {"\ud800": [1]}),
        (b'{"a": "\xff(", "b": 1}', {"a": "\udcff(", "b": 1}),
        (b'["\xff\\n"]', ["\udcff\n"]),
    ],
)
def test_a_doubtful_value_is_shown_but_not_vouched_for(data: bytes, value: Any) -> None:
    parsed = parse_strict(data, depth=64)
    assert parsed.value == value
    assert not parsed.usable
    assert len(parsed.faults) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": ["x", "\xc3(", "\xff"]}', [("ENCODING", "/a/1", 13), ("ENCODING", "/a/2", 19)]),
        (
            b'{"\xff": 1, "a": "\xff", "a": NaN}',
            [
                ("ENCODING", "", 2),
                ("ENCODING", "/a", 15),
                ("DUPLICATE_KEY", "/a", 19),
                ("CANON_UNREPRESENTABLE", "/a", 24),
            ],
        ),
        (b"[1, \xff]", [("ENCODING", "/0", 4)]),
        (b"[\xe2\x82", [("ENCODING", "", 1)]),
        ("[1, ü]".encode(), [("TORN_FILE", "/0", 4)]),
        (b"\xff\xfe{\x00", [("ENCODING", "", 0)]),
        (b"\xef\xbb\xbf[1", [("ENCODING", "", 0), ("TORN_FILE", "/0", 5)]),
    ],
)
def test_bytes_that_are_no_utf8_are_placed(data: bytes, expected: list[tuple[str, str, int]]) -> None:
    assert faults(data) == expected
    assert not parse_strict(data, depth=64).usable


def test_the_place_of_each_value_is_found_in_bytes_that_are_no_utf8() -> None:
    assert offsets_of(b'{"\xff": 1, "a": "\xff"}', {"/a", ""}) == {"": 0, "/a": 14}


@pytest.mark.parametrize(("outer", "inner"), [(0, 9), (1, 8), (8, 1), (9, 0)])
@pytest.mark.parametrize("doubtful", [b"1", b"1e400"])
def test_depth_counts_the_containers_around_the_text(outer: int, inner: int, doubtful: bytes) -> None:
    fits = b"[" * inner + doubtful + b"]" * inner
    assert "LIMIT_EXCEEDED" not in [fault[0] for fault in faults(fits, depth=9, outer_depth=outer)]
    parsed = parse_strict(b"[" + fits + b"]", depth=9, outer_depth=outer)
    assert parsed.value is msgspec.UNSET
    assert [(fault.code, fault.offset) for fault in parsed.faults] == [("LIMIT_EXCEEDED", inner)]


@pytest.mark.parametrize("extra", [b"", b"NaN, ", b'"\\ud800", '])
def test_a_depth_that_no_recursive_reader_survives_is_refused_whatever_the_setting(extra: bytes) -> None:
    data = b"[" + extra + b"[" * 100_000 + b"]" * 100_000 + b"]"
    assert parse_strict(data, depth=10**6).faults[-1].code == "LIMIT_EXCEEDED"


def test_containers_side_by_side_are_no_depth() -> None:
    assert faults(b"[" + b",".join([b"[{}]"] * 500) + b"]", depth=3) == []
    assert [fault[0] for fault in faults(b"[" + b",".join([b"[{}]"] * 500) + b"]", depth=2)] == [
        "LIMIT_EXCEEDED"
    ]


@pytest.mark.parametrize("sign", [b"", b"-"])
def test_long_integers(sign: bytes) -> None:
    long = sign + b"9" * 5000
    assert faults(b"[" + long + b"]") == [("CANON_UNREPRESENTABLE", "/0", 1)]
    assert faults(b"[" + long + b"]", digits=4300) == [("LIMIT_EXCEEDED", "/0", 1)]
    assert faults(b"[" + long + b"]", digits=5001) == [("CANON_UNREPRESENTABLE", "/0", 1)]
    assert len(parse_strict(long, depth=1).faults[0].message) < 120


def test_a_long_name_is_not_repeated_whole() -> None:
    name = b"n" * 5000
    (fault,) = parse_strict(b'{"%b": 1, "%b": 2}' % (name, name), depth=1).faults
    assert len(fault.message) < 120


def test_control_characters_are_left_to_who_looks_for_them_alone() -> None:
    data = b'["\x7f", "\\u001b", "a\tb"]'.replace(b"\t", b"\\t")
    assert faults(data) == [("CONTROL_CHARS", "/0", 1), ("CONTROL_CHARS", "/1", 6)]
    assert parse_strict(data, depth=64, control=False) == (["\x7f", "\x1b", "a\tb"], (), True)


def test_the_end_of_the_walk_is_told_even_after_a_thousand_faults() -> None:
    found = faults(b"[" + b"NaN," * 3000 + b"}")
    assert len(found) == 1000
    assert found[-1][0] == "TORN_FILE"
