"""Finding where a JSON value ends, without parsing it.

This decides nothing about validity: it finds the bytes that the strict parser then judges.
"""

from __future__ import annotations

import re

__all__ = ["INCOMPLETE", "UNBALANCED", "depth_exceeds", "end_of_value", "skip_blank"]

# A string never holds a raw line end, so a lost quote cannot swallow the entries after it.
_STRING = rb'"(?:[^"\\\n\r]++|\\[^\n\r])*+"'
_PLAIN = rb'[^"{}\[\]]++'


def _nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inside = b"(?:" + _PLAIN + b"|" + _STRING + (b"|" + inner if inner else b"") + b")*+"
        inner = rb"(?:\{" + inside + rb"\}|\[" + inside + rb"\])"
    return inner


# Each level doubles the pattern: 4 compile in 2 ms, 8 in 100. Deeper values take the slow way.
_CONTAINER = re.compile(_nested(4))
_TOKEN = re.compile(_STRING + rb'|[{}\[\]"]')
_STRING_VALUE = re.compile(_STRING)
_SCALAR = re.compile(rb'[^\s"{}\[\],:]++')
_BLANK = re.compile(rb"[ \t\n\r]*+")

INCOMPLETE = -1  # the value may go on after these bytes
UNBALANCED = -2  # brackets or quotes do not match

_OPENS = {b"{": b"}", b"[": b"]"}


def skip_blank(data: bytes, start: int) -> int:
    """The position of the first byte from `start` that is no JSON white space."""
    found = _BLANK.match(data, start)
    return found.end() if found else start


def end_of_value(data: bytes, start: int) -> int:
    """The position after the value that begins at `start`, INCOMPLETE or UNBALANCED."""
    opener = data[start : start + 1]
    if opener == b'"':
        found = _STRING_VALUE.match(data, start)
        if found:
            return found.end()
        line_end = data.find(b"\n", start)
        return UNBALANCED if line_end >= 0 else INCOMPLETE
    if opener not in _OPENS:
        found = _SCALAR.match(data, start)
        if not found:
            return UNBALANCED
        return INCOMPLETE if found.end() == len(data) else found.end()
    found = _CONTAINER.match(data, start)
    return found.end() if found else _end_by_tokens(data, start)


def _end_by_tokens(data: bytes, start: int) -> int:
    """The slow way, for deep nesting and for telling damage from a value that is not all there."""
    awaited: list[bytes] = []
    for found in _TOKEN.finditer(data, start):
        token = found.group()
        if token in _OPENS:
            awaited.append(_OPENS[token])
        elif token == b'"':  # a quote that no string matched: it ends in this line, or in bytes to come
            return UNBALANCED if data.find(b"\n", found.start()) >= 0 else INCOMPLETE
        elif token in (b"}", b"]"):
            if awaited.pop() != token:
                return UNBALANCED
            if not awaited:
                return found.end()
    return INCOMPLETE


def depth_exceeds(data: bytes, allowed: int) -> bool:
    """True where more than `allowed` containers stand inside one another."""
    if data.count(b"{") + data.count(b"[") <= allowed:
        return False
    depth = 0
    for found in _TOKEN.finditer(data):
        token = found.group()
        if token in _OPENS:
            depth += 1
            if depth > allowed:
                return True
        elif token in (b"}", b"]"):
            depth -= 1
    return False
