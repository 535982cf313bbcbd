"""The one set of control characters, and those who use it: the state, the chain, and what is shown."""

from __future__ import annotations

import unicodedata

import pytest

from devstate.chain.strict import find_control
from devstate.control_chars import CONTROL, CONTROL_IN_PROSE
from devstate.findings import visible, visible_json
from devstate.strict_json import parse_strict

EVERY = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
STEERING = [char for char in EVERY if CONTROL.search(char)]


def test_the_set_is_what_unicode_calls_control_separator_of_lines_or_bidirectional() -> None:
    # The shortest way to say it by properties; LRM, RLM and ALM have the property Bidi_Control alone.
    by_property = [
        char
        for char in EVERY
        if unicodedata.category(char) in ("Cc", "Zl", "Zp")
        or unicodedata.bidirectional(char) in ("LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        or char in "\u061c\u200e\u200f"
    ]
    assert by_property == STEERING


def test_prose_keeps_its_lines_and_tabs() -> None:
    assert [char for char in EVERY if CONTROL_IN_PROSE.search(char)] == [
        c for c in STEERING if c not in "\n\t"
    ]


@pytest.mark.parametrize("char", STEERING)
def test_all_agree(char: str) -> None:
    prose = char in "\n\t"
    escaped = f"\\u{ord(char):04X}"
    texts = [escaped] if char < " " else [escaped, char]
    for text in texts:
        data = f'["{text}"]'.encode()
        assert [f.code for f in parse_strict(data, depth=1).faults] == ([] if prose else ["CONTROL_CHARS"])
    assert find_control({"actor": char}) == ("/actor", char)
    assert find_control({"metadata": {"note": char}}) == (None if prose else ("/metadata/note", char))
    assert char not in visible(char)
    assert char < " " or char not in visible_json(char)
