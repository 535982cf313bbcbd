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
        return _first_in_ascii(text.lower(), terms)
    wanted = set(terms)
    for run in _RUN.finditer(text):
        if wanted.isdisjoint(tokens(run.group())):
            continue
        for word in _WORD.finditer(mark_words(run.group())):
            if not wanted.isdisjoint(tokens(word.group())):
                return run.start() + word.start()
    return 0


def _first_in_ascii(text: str, terms: Sequence[str]) -> int:
    # A pattern of all terms would be short to write, and to compile it takes longer than the whole search.
    first = len(text)
    for term in terms:
        at = text.find(term, 0, first + len(term))
        while at >= 0:
            end = at + len(term)
            if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
                first = at
                break
            at = text.find(term, at + 1, first + len(term))
    return first if first < len(text) else 0


def _after_space(text: str, start: int, until: int) -> int:
    """The beginning of the first whole word from `start` on, `start` itself where none begins by `until`."""
    if text[start - 1] in " \n":
        return start
    space, line = text.find(" ", start, until), text.find("\n", start, until)
    at = min(space, line) if space >= 0 and line >= 0 else max(space, line)
    return at + 1 if at >= 0 else start


def _before_space(text: str, since: int, end: int) -> int:
    """The end of the last whole word before `end`, `end` itself where none ends after `since`."""
    if text[end] in " \n":
        return end
    at = max(text.rfind(" ", since, end), text.rfind("\n", since, end))
    return at if at > since else end
