"""The strict parser: what lenient parsers let pass is named, and everything else is read as it stands."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.chain import Limits
from devstate.chain.strict import find_control, parse_value

LIMITS = Limits()


def flaws(raw: bytes, limits: Limits = LIMITS, outer_depth: int = 0) -> list[tuple[str, str, int]]:
    found = parse_value(raw, limits, outer_depth=outer_depth).flaws
    return [(flaw.code, flaw.member, flaw.offset) for flaw in found]


_text = st.text(st.characters(exclude_categories=["Cs"]))
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=20,
)


@given(_values, st.booleans(), st.sampled_from([None, 4]))
def test_what_a_writer_writes_is_read_back_without_a_flaw(
    value: Any, ascii_only: bool, indent: int | None
) -> None:
    parsed = parse_value(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(), LIMITS)
    assert parsed.flaws == ()
    assert parsed.value == value
    assert json.dumps(parsed.value) == json.dumps(value)  # 1 and 1.0 stay apart, and so does the order


@pytest.mark.parametrize(
    ("raw", "members"),
    [
        (b'{"a": 1, "a": 1}', ["/a"]),
        (b'{"a": 1, "\\u0061": 2}', ["/a"]),
        (b'{"a": 1, "a": 2, "a": 3}', ["/a", "/a"]),
        (b'{"m": {"a": 1, "a": 2}}', ["/m/a"]),
        (b'[{"a": 1}, {"a": 2}]', []),
        (b'{"a": {"a": 1}}', []),
        (b'{"": 1, "": 2}', ["/"]),
    ],
)
def test_members_that_stand_twice(raw: bytes, members: list[str]) -> None:
    assert [flaw[:2] for flaw in flaws(raw)] == [("DUPLICATE_KEY", member) for member in members]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("9007199254740991", None),
        ("-9007199254740991", None),
        ("9007199254740992", "CANON_UNREPRESENTABLE"),
        ("-9007199254740992", "CANON_UNREPRESENTABLE"),
        ("1e308", None),
        ("1e309", "CANON_UNREPRESENTABLE"),
        ("-1E400", "CANON_UNREPRESENTABLE"),
        ("NaN", "CANON_UNREPRESENTABLE"),
        ("-Infinity", "CANON_UNREPRESENTABLE"),
        ("1.0", None),
        ("1e-400", None),
        ("9" * 4300, "CANON_UNREPRESENTABLE"),
        ("9" * 4301, "LIMIT_EXCEEDED"),
        ("01", "TORN_FILE"),
        ("+1", "TORN_FILE"),
        (".5", "TORN_FILE"),
        ("0x10", "TORN_FILE"),
    ],
)
def test_numbers(number: str, code: str | None) -> None:
    found = [flaw[0] for flaw in flaws(b'{"n": %b}' % number.encode())]
    assert found == ([] if code is None else [code])


def test_a_long_number_is_not_repeated_whole() -> None:
    (flaw,) = parse_value(b"9" * 4300, LIMITS).flaws
    assert len(flaw.detail) < 120


@pytest.mark.parametrize(
    ("raw", "member", "offset"),
    [
        (b'{"a": "\\ud800"}', "/a", 6),
        (b'{"a": "\\udc00\\ud800"}', "/a", 6),
        (b'{"a": ["x", {"b/~": "\\udfff"}]}', "/a/1/b~1~0", 20),
        (b'{"a": {"\\ud800": 1}}', "/a", 7),
        (b'["\\uD83D"]', "/0", 1),
    ],
)
def test_half_a_surrogate_pair(raw: bytes, member: str, offset: int) -> None:
    assert flaws(raw) == [("ENCODING", member, offset)]


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_value(b'"\\ud83d\\ude00"', LIMITS).value == "\U0001f600"
    assert flaws(b'"\\ud83d\\ude00"') == []
    assert flaws(b'"\\\\ud800"') == []  # an escaped backslash, and no escape of a surrogate


@pytest.mark.parametrize(
    "wrong", [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\xe2\x82"]
)
def test_bytes_that_are_no_utf8(wrong: bytes) -> None:
    raw = '{"ü": "'.encode() + wrong + b'"}'
    found = parse_value(raw, LIMITS)
    assert [(flaw.code, flaw.offset) for flaw in found.flaws] == [("ENCODING", 8)]
    assert isinstance(found.value, dict)  # still shown, and judged further


@pytest.mark.parametrize(
    ("raw", "offset"),
    [
        (b'{"a": 1', 7),
        ('{"ü": 1, x}'.encode(), 10),
        (b"{} {}", 2),
        (b'{"a" 1}', 5),
        (b"[1,]", 3),
        (b"", 0),
        (b"tru", 0),
        (b'"a\nb"', 2),
        (b'"\\x"', 2),
    ],
)
def test_what_is_no_json_is_said_with_its_byte(raw: bytes, offset: int) -> None:
    parsed = parse_value(raw, LIMITS)
    assert parsed.value is msgspec.UNSET
    (flaw,) = parsed.flaws
    assert flaw.code == "TORN_FILE"
    assert abs(flaw.offset - offset) <= 1  # versions of the decoder differ by the opening quote


@pytest.mark.parametrize("outer", [0, 1, 3])
def test_depth_counts_the_containers_around_the_value(outer: int) -> None:
    limits = Limits(depth=9)
    fits = b"[" * (9 - outer) + b"]" * (9 - outer)
    assert flaws(fits, limits, outer) == []
    assert [flaw[0] for flaw in flaws(b"[" + fits + b"]", limits, outer)] == ["LIMIT_EXCEEDED"]


def test_depth_beyond_the_interpreter_is_a_flaw() -> None:
    raw = b"[" * 200_000 + b"]" * 200_000
    assert [flaw[0] for flaw in flaws(raw, Limits(depth=10**6))] == ["LIMIT_EXCEEDED"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"actor": "a\x1bb"}, ("/actor", "\x1b")),
        ({"actor": "a\x7f"}, ("/actor", "\x7f")),
        ({"actor": "\x85"}, ("/actor", "\x85")),
        ({"actor": "\u061c"}, ("/actor", "\u061c")),
        ({"actor": "\u200f"}, ("/actor", "\u200f")),
        ({"actor": "\u202e"}, ("/actor", "\u202e")),
        ({"actor": "\u2066"}, ("/actor", "\u2066")),
        ({"actor": "\u2028"}, ("/actor", "\u2028")),
        ({"metadata": {"x": "\u2029"}}, ("/metadata/x", "\u2029")),
        ({"actor": "a\n"}, ("/actor", "\n")),
        ({"metadata": {"x": "a\n\tb"}}, None),
        ({"metadata": {"x": "a\rb"}}, ("/metadata/x", "\r")),
        ({"metadata": {"x": "a\n\x00"}}, ("/metadata/x", "\x00")),
        ({"metadata": {"x": ["a", "b\x00"]}}, ("/metadata/x/1", "\x00")),
        ({"meta\x00": 1}, ("", "\x00")),
        ({"metadata": {"a\nb": 1}}, ("/metadata", "\n")),
        ({"actor": "Ünïcode 漢字 \u200b\u2027\u202f\u2065\u206a\xa0"}, None),
        ({"n": 1, "t": True, "x": None}, None),
    ],
)
def test_control_characters(value: Any, expected: tuple[str, str] | None) -> None:
    assert find_control(value) == expected


def test_flaws_of_one_value_are_all_named() -> None:
    raw = b'{"a": NaN, "a": 9007199254740992}'
    assert {flaw.code for flaw in parse_value(raw, LIMITS).flaws} == {
        "DUPLICATE_KEY",
        "CANON_UNREPRESENTABLE",
    }
