"""The quick look at the bytes of a block finds the same control characters as the look at its texts."""

from __future__ import annotations

from devstate.chain.judging import _may_hold_control
from devstate.control_chars import CONTROL


def test_a_block_is_looked_through_where_it_holds_a_control_character_and_only_there() -> None:
    for code in range(0x20, 0x110000):  # those before it are escaped in JSON
        char = chr(code)
        if 0xD800 <= code <= 0xDFFF or char == "\\":
            continue
        assert _may_hold_control(f'"ä{char}漢"'.encode()) == bool(CONTROL.search(char)), f"U+{code:04X}"


def test_any_escape_is_looked_through() -> None:
    assert _may_hold_control(b'"\\u001b"')
    assert _may_hold_control(b'"\\n"')
