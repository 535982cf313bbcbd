"""Words of texts in many scripts, against a reading of the rule character by character."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine.search import tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("a b c", []),
        ("Deploy failed: retry in 30s", ["deploy", "failed", "retry", "in", "30s"]),
        ("snake_case-and.dots/x", ["snake", "case", "and", "dots"]),
        ("tab\tnew\nline\x00nul\x1fus", ["tab", "new", "line", "nul", "us"]),
        ("twice twice", ["twice", "twice"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("ОШИБКА Сборки ёлка", ["ошибка", "сборки", "ёлка"]),
        ("ΣΊΣΥΦΟΣ σίσυφος", ["σίσυφοσ", "σίσυφοσ"]),
        # No space, no parting: the whole run is one word. Punctuation parts it.
        ("部署失敗。再試行 します", ["部署失敗", "再試行", "します"]),
        # Vowel signs are marks and belong to the word.
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("خطأ في النشر", ["خطأ", "في", "النشر"]),
        ("café cafe\u0301 CAFE\u0301", ["café", "café", "café"]),
        # The sign below the letter becomes a letter of its own, which the accent must not move to.
        ("α\u0345\u0301δω ᾴδω", ["άιδω", "άιδω"]),
        ("e\u0301 é", []),
        ("ab \u0301cd \u0301\u0302 ef", ["ab", "cd", "ef"]),
        ("٣٤ x² ½", ["٣٤", "x²"]),
        ("go\U0001f680up ❤\ufe0f", ["go", "up"]),
        ("\ud800ab\udfffcd", ["ab", "cd"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert tokens(text) == [unicodedata.normalize("NFC", word) for word in words]


def _by_hand(text: str) -> list[str]:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    found: list[str] = []
    word = ""
    for char in folded + " ":
        mark = unicodedata.category(char) in ("Mn", "Mc", "Me")
        if char.isalnum() or (mark and word):
            word += char
        elif not mark:
            found.append(word)
            word = ""
    return [one for one in found if len(one) >= 2]


_TEXT = st.text(
    st.one_of(
        st.characters(max_codepoint=0x7F),
        st.characters(),
        st.sampled_from(" _-e\u0301\u0302\u0345ßİıſKЙиक\u093fक्漢字かな=\u0338"),
    )
)


@given(_TEXT)
def test_words_are_those_of_the_rule(text: str) -> None:
    assert tokens(text) == _by_hand(text)


@given(_TEXT)
def test_the_way_an_accent_is_written_does_not_matter(text: str) -> None:
    assert tokens(unicodedata.normalize("NFC", text)) == tokens(unicodedata.normalize("NFD", text))


@given(st.lists(_TEXT, max_size=5))
def test_a_line_break_parts_words_and_changes_nothing_else(texts: list[str]) -> None:
    assert tokens("\n".join(texts)) == [word for text in texts for word in tokens(text)]
