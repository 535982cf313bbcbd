"""The text of records, and the part of it that is shown."""

from __future__ import annotations

import json
import math
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.control_chars import CONTROL
from devstate.engine.search import (
    snippet,
    text_of_document,
    text_of_event,
    text_of_run,
    text_of_state,
    text_of_trace,
    text_of_value,
    tokens,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is\n", "as it is\n"),
        (None, "null"),
        (True, "true"),
        (-12, "-12"),
        (2.5, "2.5"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (b"\x00\xffab", "00ff6162"),
        (b"\xaa" * 40, "aa" * 32),
        ([], "[]"),
        ({"plan": ["build", 1, None, b"\x01\x02"]}, '{"plan":["build",1,null,"0102"]}'),
        ({"текст": "ошибка"}, '{"текст":"ошибка"}'),
        ({"log": 'first\nsecond\t"third" C:\\new\x07'}, '{"log":"first\nsecond\t"third" C:\\new\x07"}'),
    ],
)
def test_text_of_a_value(value: object, text: str) -> None:
    assert text_of_value(value) == text


def test_a_value_of_no_known_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="no text is known for set"):
        text_of_value([{1}])


@given(st.lists(st.text()))
def test_the_words_of_texts_in_a_list_stay_whole(texts: list[str]) -> None:
    assert tokens(text_of_value(texts)) == [word for text in texts for word in tokens(text)]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(), st.lists))
def test_without_strings_the_text_is_compact_json(value: object) -> None:
    assert text_of_value(value) == json.dumps(value, separators=(",", ":"))


def test_text_of_a_document() -> None:
    document = {
        "goal": "ship\nit",
        "steps": [{"do": "search", "tries": 2}, {"do": None}],
        "none": {},
        "": True,
    }
    assert text_of_document(document).split("\n") == [
        "goal: ship",
        "it",
        "steps[0].do: search",
        "steps[0].tries: 2",
        "steps[1].do: null",
        "$: true",
    ]
    assert text_of_document("alone") == "$: alone"
    assert text_of_document([[1]]) == "[0][0]: 1"


def test_texts_of_the_other_records() -> None:
    assert text_of_event("tool_call", {"tool": "search"}) == 'tool_call\n{"tool":"search"}'
    assert text_of_state("phase", "build") == "phase\nbuild"
    assert text_of_trace("choose", "decision", {"why": 3}) == 'choose\ndecision\n{"why":3}'
    run = "0191d3a0-0000-7000-8000-000000000001"
    assert text_of_run(run, "active", "nightly", {"a": 1}) == f'{run}\nactive\nnightly\n{{"a":1}}'
    assert text_of_run(run, "failed", None, {}) == f"{run}\nfailed\n\n{{}}"


def test_a_short_text_is_shown_whole() -> None:
    assert snippet("deploy\n  failed\ttwice", ["failed"]) == "deploy failed twice"
    assert snippet("", ["failed"]) == ""


def test_a_long_text_is_shown_around_the_first_word_found() -> None:
    text = "start " * 50 + "a needle here, another needle there " + "end " * 50
    shown = snippet(text, ["needle"])
    assert shown.startswith("…start ")
    assert "a needle here, another" in shown
    assert shown.endswith(" end…")
    assert len(shown) <= 122
    assert snippet(text, ["absent"]).startswith("start start")
    assert snippet(text, ["start"]).startswith("start start")
    # A word too long to be shown whole is cut.
    assert snippet("x" * 500 + " needle", ["needle"]).endswith(" needle")


def test_a_part_of_a_word_is_not_the_word() -> None:
    text = "needles " + "x " * 100 + "NEEDLE " + "y " * 100
    assert " NEEDLE " in snippet(text, ["needle"])
    text = "иголки " + "x " * 100 + "ИГОЛКА " + "y " * 100
    assert " ИГОЛКА " in snippet(text, ["иголка"])


def test_words_of_other_scripts_are_found_where_they_stand() -> None:
    # The normal form is shorter or longer than what stands there; the place must be that of the text.
    filler = "e\u0301ß ﬁ İ " * 40
    for word in ("部署失敗", "cafe\u0301", "Straße", "हिन्दी"):
        text = f"{filler}；{word}。{filler}"
        shown = snippet(text, [*tokens(word)])
        assert f"；{word}。" in shown
        assert len(shown) <= 122
    # Only their own punctuation parts these.
    assert "；部署。" in snippet("字" * 300 + "；部署。" + "字" * 300, ["部署"])
    run = "字" * 400
    assert snippet(run, tokens(run)) == "字" * 120 + "…"


def test_what_steers_a_screen_is_shown_as_an_escape() -> None:
    long = "x " * 100 + "red \x1b[31m alert \u202e gnp " + "y " * 100
    assert r" red \x1b[31m alert \u202e gnp y " in snippet(long, ["alert"])
    assert snippet("red \x1b[31m alert \u202e gnp", ["alert"]) == r"red \x1b[31m alert \u202e gnp"


@given(
    st.text(st.sampled_from("ab A._\n"), max_size=40),
    st.sampled_from([["ab"], ["ba", "ab"], ["aa", "bb", "aba"]]),
)
def test_the_first_word_found_is_the_one_in_the_middle(text: str, terms: list[str]) -> None:
    found = [at for at, word in _words_of(text) if word in terms]
    around = "… " * 100 + text + " …" * 100
    plain = ". " * 100 + text + " ." * 100
    for long in (plain, around):
        begin = found[0] + 200 - 40 if found else 0
        shown = "".join(snippet(long, terms).strip("…").split())
        # The cut is moved by a word at most; white space is not what is compared.
        assert shown in "".join(long[begin : begin + 120].split())


def _words_of(text: str) -> list[tuple[int, str]]:
    return [(match.start(), match.group()) for match in re.finditer("[a-z]+", text.lower())]


_TEXT = st.text(st.sampled_from("abé\u0301ß字 \n\x1b\u202e_.\ud800İ"), max_size=300)


@given(_TEXT, st.sampled_from(["ab", "é字", "ss", "ba"]))
def test_a_snippet_is_one_safe_line_that_shows_what_was_found(text: str, term: str) -> None:
    shown = snippet(text, [term])
    assert not CONTROL.search(shown)
    shown.encode()
    found = term in tokens(text)
    if found:
        assert term in unicodedata.normalize("NFC", unicodedata.normalize("NFD", shown).casefold())
