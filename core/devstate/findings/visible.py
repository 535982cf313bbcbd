"""Text of the data made safe to look at: what steers a terminal or turns reading order is shown as an escape.

A field of an entry may hold anything. Printed raw, `ESC [ 2 J` would wipe the screen that reports it, and a
bidirectional override would show another name than the one that is there. Letters of every script stay.
"""

from __future__ import annotations

import re

from devstate.control_chars import STEERING_BEYOND_C0

__all__ = ["shortened", "visible", "visible_json"]

# Beside what steers: invisible characters (soft hyphen, zero-width space, word joiner and its kin, byte order
# mark, tags), and lone surrogates. Joiners (U+200C, U+200D) stay: scripts and emoji need them.
_INVISIBLE = "\u00ad\u180e\u200b\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_UNSAFE = re.compile(f"[\x00-\x1f{STEERING_BEYOND_C0}{_INVISIBLE}]")
# In JSON text the serialiser has escaped C0 already, and its own line breaks have to stay.
_UNSAFE_JSON = re.compile(f"[{STEERING_BEYOND_C0}{_INVISIBLE}]")

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    """The text with control, bidirectional, invisible and surrogate characters as `\\x1b`, `\\u202e`.

    The result is one line and can be encoded as UTF-8. A backslash stays as it is.
    """
    # By far most texts are plain: ASCII and printable needs no look at each character.
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escape, text)


def shortened(text: str, width: int) -> str:
    """The visible text, cut to at most `width` characters; a cut one ends in `…`."""
    shown = visible(text[: width * 2 + 1])
    return shown if len(shown) <= width and len(text) <= width else shown[: max(0, width - 1)] + "…"


def visible_json(text: str) -> str:
    """JSON text with the same characters as `\\uXXXX`, which means the same to every JSON parser.

    Such characters stand only inside strings, where JSON allows the escape.
    """
    return text if text.isascii() and "\x7f" not in text else _UNSAFE_JSON.sub(_escape_json, text)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_json(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"
