"""The part of a text that shows why it was found, on one line and safe to print."""

from __future__ import annotations

import re
from collections.abc import Sequence

from devstate.findings import visible

from .tokens import mark_words, tokens

__all__ = ["snippet"]

_WIDTH = 120
_BEFORE = 40
# A cut is moved at most so far to the end of a word: a longer one is cut in its middle.
_WORD_SEARCH = 20

# Runs that ASCII does not part: found without reading further than the first match.
_RUN = re.compile(r"[^\x00-/:-@\[-`{-\x7f]+")
_WORD = re.compile("[^ ]+")


def snippet(text: str, terms: Sequence[str]) -> str:
    """At most 120 characters of the text around the first of these terms, its beginning where none occurs.

    White space is one space; `…` stands where text was left out; characters that steer a screen are shown as
    escapes, which can make the result longer.
    """
    if len(text) <= _WIDTH:
        return visible(" ".join(text.split()))
    found = _first_match(text, terms)
    start = max(0, min(found - _BEFORE, len(text) - _WIDTH))
    end = min(len(text), start + _WIDTH)
    if start > 0:
        start = _after_space(text, start, min(found, start + _WORD_SEARCH))
    if end < len(text):
        end = _before_space(text, max(found, end - _WORD_SEARCH), end)
    middle = visible(" ".join(text[start:end].split()))
    return f"{'…' if start > 0 else ''}{middle}{'…' if end < len(text) else ''}"


def _first_match(text: str, terms: Sequence[str]) -> int:
    """Where the first word that is one of the terms begins; 0 where there is none."""
    if text.isascii():
        words = "|".join(re.escape(term) for term in terms)
        match = re.search(f"(?<![0-9a-z])(?:{words})(?![0-9a-z])", text.lower())
        return match.start() if match else 0
    wanted = set(terms)
    for run in _RUN.finditer(text):
        if wanted.isdisjoint(tokens(run.group())):
            continue
        for word in _WORD.finditer(mark_words(run.group())):
            if not wanted.isdisjoint(tokens(word.group())):
                return run.start() + word.start()
    return 0


def _after_space(text: str, start: int, until: int) -> int:
    """The beginning of the first whole word from `start` on, `start` itself where none begins by `until`."""
    if text[start - 1].isspace():
        return start
    for index in range(start, until):
        if text[index].isspace():
            return index + 1
    return start


def _before_space(text: str, since: int, end: int) -> int:
    """The end of the last whole word before `end`, `end` itself where none ends after `since`."""
    if text[end].isspace():
        return end
    for index in range(end - 1, since, -1):
        if text[index].isspace():
            return index
    return end
