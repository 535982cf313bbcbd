"""Paths: what each text means, what is refused and where, and that every path has a text."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devstate.engine.errors import PathError
from devstate.engine.json_path import as_path, format_path, overlaps, parse_path, short_place

NAMES = st.text(st.characters(exclude_categories=["Cs"])) | st.text('.[]"\\$ \n0a', max_size=4)
PATHS = st.lists(NAMES | st.integers(0, 999_999), max_size=12).map(tuple)


class Word(enum.StrEnum):
    A = "a"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ()),
        ("$", ()),
        ("$.a", ("a",)),
        ("$.a.b[0]", ("a", "b", 0)),
        (".a[0]", ("a", 0)),
        ("a.b", ("a", "b")),
        ("a", ("a",)),
        ("[0]", (0,)),
        ("$[0][1]", (0, 1)),
        ("$[999999]", (999_999,)),
        ("a.0", ("a", "0")),
        ('["0"]', ("0",)),
        ('$["a.b"].c', ("a.b", "c")),
        ('a[""]', ("a", "")),
        ('["]"][1]', ("]", 1)),
        (r'["\"\\\/\n\u00e9\ud83d\ude00"]', ('"\\/\né\U0001f600',)),
        ("$.$", ("$",)),
        ("$ref.$id", ("$ref", "$id")),
        ("$.a b.é-c", ("a b", "é-c")),
        ("a\n.b", ("a\n", "b")),
    ],
)
def test_texts_and_their_meaning(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path
    assert [type(step) for step in parse_path(text)] == [type(step) for step in path]
    assert as_path(text) == as_path(path) == as_path(list(path)) == path


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (".", 0),
        ("$.", 1),
        ("a.", 1),
        ("a..b", 1),
        ("..a", 0),
        ("$..a", 1),
        ("a.[0]", 1),
        ("a[", 1),
        ("a[]", 1),
        ("a[0", 1),
        ("a[0]b", 4),
        ("a]", 1),
        ("]", 0),
        ('"', 0),
        ('a"b', 1),
        ("a[-1]", 1),
        ("a[*]", 1),
        ("a[:]", 1),
        ("a[0:2]", 1),
        ("a[?(@.x)]", 1),
        ("a[01]", 1),
        ("a[+1]", 1),
        ("a[1.0]", 1),
        ("a[ 1 ]", 1),
        ("a[١]", 1),
        ("a[1000000]", 1),
        ("a[" + "9" * 5_000 + "]", 1),
        ("a['b']", 1),
        ("a[b]", 1),
        ('a["b]', 1),
        ('a["b"', 1),
        ('a["b"]c', 6),
        (r'["\x"]', 0),
        ('["\n"]', 0),
        (r'["\ud800"]', 0),
        ("$.a.\udfff", 3),
        ("\ud800", 0),
    ],
)
def test_what_is_no_path_is_refused_with_its_place(text: str, at: int) -> None:
    for _ in range(2):  # also when asked for again
        with pytest.raises(PathError) as caught:
            parse_path(text)
        assert caught.value.position == f"character {at}"
        assert len(str(caught.value)) < 200


def test_a_path_has_at_most_256_segments() -> None:
    longest = (0,) * 256
    assert parse_path("[0]" * 256) == as_path(longest) == longest
    for call in (
        lambda: parse_path("[0]" * 257),
        lambda: parse_path("a" + ".a" * 256),
        lambda: as_path([0] * 257),
    ):
        with pytest.raises(PathError, match="256"):
            call()


@pytest.mark.parametrize(
    "bad",
    [
        [-1],
        [1_000_000],
        [True],
        [1.0],
        [None],
        [b"a"],
        ["a", ["b"]],
        ["\ud800"],
        [Word.A],
        b"ab",
        None,
        3,
        {"a": 1},
    ],
)
def test_segments_are_text_and_indexes_only(bad: Any) -> None:
    with pytest.raises(PathError):
        as_path(bad)


def test_text_of_a_subclass_is_read_as_text() -> None:
    assert as_path(Word.A) == ("a",)
    assert type(as_path(Word.A)[0]) is str


@given(PATHS)
@example(("$",))
@example(("$", "a"))
@example(("0", 0, ""))
@example(("\u202e", "\x1b[2J", "\x7f"))
def test_every_path_has_a_text_that_reads_back(path: tuple[str | int, ...]) -> None:
    text = format_path(path)
    assert parse_path(text) == path
    assert text.isprintable()
    assert short_place(path) == text or (len(short_place(path)) <= 200 and len(text) > 200)


def test_texts_are_as_a_person_would_write_them() -> None:
    assert format_path(()) == "$"
    assert format_path(("plan", "steps", 0, "a b", "x.y", "")) == '$.plan.steps[0].a b["x.y"][""]'


def test_long_texts_are_read_too() -> None:
    name = "x" * 100_000
    assert parse_path(f"$.{name}[3]") == (name, 3)
    assert len(short_place((name, 3))) == 200


@given(st.text('$.[]"\\0a-*\n', max_size=12) | st.text(max_size=12))
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except PathError as error:
        assert error.position is not None
    else:
        assert parse_path(format_path(path)) == path


@given(PATHS, PATHS)
def test_paths_overlap_where_one_begins_with_the_other(
    a: tuple[str | int, ...], b: tuple[str | int, ...]
) -> None:
    assert overlaps(a, a + b)
    assert overlaps(a + b, a)
    assert overlaps((), a)
    assert not overlaps((*a, "x", *b), (*a, "y"))
    assert not overlaps((*a, 0), (*a, "0", *b))
    assert overlaps(a, b) == (a == b[: len(a)] or b == a[: len(b)])
