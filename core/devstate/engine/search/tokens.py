"""The words of a text, as search sees them.

A word is a run of letters and digits of any script, with the combining marks that stand on them, at least two
characters long, in the form that ignores case and the ways of writing an accent: `STRASSE` and `straße`,
`é` in one character and in two, give the same token. Everything else parts words, `_` and `-` among it. Scripts
that put no space between words (Chinese, Japanese, Thai) are not taken apart: a run of such letters is one token.
"""

from __future__ import annotations

import unicodedata

__all__ = ["mark_words", "tokens"]

_SHORTEST = 2

# ASCII by a table of fixed length, which `str.translate` reads fastest.
_ASCII = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))


class _Words(dict[int, int]):
    """Code point -> itself where it belongs to a word, else a space. Filled as characters are met."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        kept = code if char.isalnum() or unicodedata.category(char)[0] == "M" else 0x20
        self[code] = kept
        return kept


_UNICODE = _Words()


def tokens(text: str) -> list[str]:
    """The words in order, each as often as it occurs."""
    if text.isascii():
        return [word for word in text.translate(_ASCII).split() if len(word) >= _SHORTEST]
    # The order that Unicode gives for caseless comparison (its D145), brought to the composed form.
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    words = folded.translate(_UNICODE).split()
    return [
        word
        for word in (word if word[0].isalnum() else _from_first_letter(word) for word in words)
        if len(word) >= _SHORTEST
    ]


def mark_words(text: str) -> str:
    """The text with each character outside words replaced by a space: same length, same positions."""
    return text.translate(_UNICODE)


def _from_first_letter(word: str) -> str:
    """Without the marks that stand before any letter: they belong to the space or sign before them."""
    for index, char in enumerate(word):
        if char.isalnum():
            return word[index:]
    return ""
