"""Nothing of the data reaches a terminal or a report as a control character."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from devstate.findings import shortened, visible, visible_json

# Any code point, surrogates included, and more often the ones that do harm.
HARMFUL = (
    "\x00\x07\x1b\n\r\t\x7f\x85\x9b\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"
    "\ud800\udfff\U000e0041"
)
any_text = st.text(st.one_of(st.sampled_from(HARMFUL), st.characters(), st.characters(categories=["Cs"])))

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def harmless(char: str) -> bool:
    return (
        unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")
        and unicodedata.bidirectional(char) not in BIDI
    )


@given(any_text)
@example("\x1b[2J\x1b]0;owned\x07")
@example("\u202egnp.exe")
def test_visible_text_is_harmless_and_can_be_encoded(text: str) -> None:
    shown = visible(text)
    assert all(harmless(char) for char in shown)
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Mn"])))
def test_letters_of_every_script_stay(text: str) -> None:
    assert visible(text) == text


def test_escapes_name_the_character() -> None:
    assert visible("a\x1b[31m\n\u202eb\ud800\U000e0041\x9b") == r"a\x1b[31m\n\u202eb\ud800\U000e0041\x9b"


@given(any_text)
@example("\U000e0041\u202e\x7f\x85")
def test_json_text_keeps_its_meaning(text: str) -> None:
    document = {"k" + text: [text, 1]}
    shown = visible_json(json.dumps(document, ensure_ascii=False))
    assert all(harmless(char) for char in shown)
    shown.encode("utf-8")
    # Two lone surrogates side by side may read back as the one character that they spell.
    again = next(iter(json.loads(shown).values()))[0]
    assert again.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


def test_json_layout_stays() -> None:
    assert (
        visible_json(json.dumps({"a": ["ä"]}, indent=2, ensure_ascii=False)) == '{\n  "a": [\n    "ä"\n  ]\n}'
    )


@given(any_text, st.integers(1, 40))
def test_shortened_is_never_wider_and_says_that_it_was_cut(text: str, width: int) -> None:
    short = shortened(text, width)
    assert len(short) <= width
    assert short == visible(text) or short.endswith("…")
