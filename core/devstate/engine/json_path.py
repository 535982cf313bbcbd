"""Paths into JSON documents: reading, writing and comparing them.

The text form is `$.plan.steps[0]`: `$` or nothing is the whole document, `.name` a member, `[n]` an element.
A member whose name holds `.`, `[`, `]` or `"`, or is empty, is written `["..."]` with the escapes of a JSON
string. A path always names one place: there are no wildcards, slices, filters or negative indexes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias, cast

import msgspec

from .errors import PathError

__all__ = [
    "ARRAY_LIMIT",
    "PATH_LIMIT",
    "Path",
    "as_path",
    "format_path",
    "overlaps",
    "parse_path",
    "short_place",
]

Path: TypeAlias = tuple[str | int, ...]

PATH_LIMIT = 256
"""Segments of one path."""

ARRAY_LIMIT = 1_000_000
"""Elements of one array of a document; the largest index is one less."""

_BARE = re.compile(r'[^.\[\]"]+')
_STEP = re.compile(
    r"""
      \. (?P<name> [^.\[\]"]+ )
    | \[ (?P<index> 0 | [1-9][0-9]* ) \]
    | \[ (?P<quoted> "(?: [^"\\] | \\. )*" ) \]
    """,
    re.VERBOSE,
)
_INDEX_DIGITS = len(str(ARRAY_LIMIT))
# Longer texts are read anew each time, so that the cache cannot come to hold much.
_CACHED_LENGTH = 512
_PLACE_LENGTH = 200

_REMEDY = 'Write it like $.plan.steps[0] or $["odd.name"]; "" or $ is the whole document.'


def parse_path(text: str) -> Path:
    """The segments of a path: a `str` for a member, an `int` for an element. `""` and `$` give `()`.

    The leading `$` and the dot after it may be missing (`a.b[0]`). Raises PathError, with the place in the text.
    """
    return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)


def as_path(path: str | Sequence[str | int]) -> Path:
    """A path given as text, or as a list or tuple of its segments. Raises PathError."""
    if type(path) is str:
        return parse_path(path)
    return _checked_segments(path)


def format_path(path: Sequence[str | int]) -> str:
    """The text that `parse_path` reads back as this path. It holds only printable characters."""
    parts = ["$"]
    for step in path:
        if type(step) is not str:
            parts.append(f"[{step}]")
        elif _BARE.fullmatch(step) and step.isprintable():
            parts.append("." + step)
        else:
            parts.append(f"[{json.dumps(step)}]")
    return "".join(parts)


def short_place(path: Sequence[str | int]) -> str:
    """The path as a message shows it: cut where it is very long."""
    # A name can have millions of characters: cut it before it is escaped.
    text = format_path([step[:_PLACE_LENGTH] if type(step) is str else step for step in path])
    return text if len(text) <= _PLACE_LENGTH else text[: _PLACE_LENGTH - 3] + "..."


def overlaps(a: Path, b: Path) -> bool:
    """Whether a change at one can be seen at the other: equal, ancestor or descendant."""
    shared = min(len(a), len(b))
    return a[:shared] == b[:shared]


def _parse(text: str) -> Path:
    steps: list[str | int] = []
    at = 0
    if text[:1] == "$" and text[1:2] in ("", ".", "["):
        at = 1
    elif text and text[0] not in '.["]':
        bare = _BARE.match(text)
        assert bare is not None  # noqa: S101 - the first character is one of a name
        steps.append(_name(bare.group(), 0))
        at = bare.end()
    end = len(text)
    while at < end:
        step = _STEP.match(text, at)
        if step is None:
            raise _unreadable(text, at)
        if len(steps) == PATH_LIMIT:
            raise _too_long()
        name, index, quoted = step.group("name", "index", "quoted")
        if name is not None:
            steps.append(_name(name, at))
        elif index is not None:
            steps.append(_index(index, at))
        else:
            steps.append(_unquoted(quoted, at))
        at = step.end()
    return tuple(steps)


_parse_cached = lru_cache(maxsize=4096)(_parse)


def _name(name: str, at: int) -> str:
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            raise PathError(
                "a name in the path holds a lone surrogate, which no document can hold",
                position=f"character {at}",
            ) from None
    return name


def _index(digits: str, at: int) -> int:
    if len(digits) > _INDEX_DIGITS or int(digits) >= ARRAY_LIMIT:
        raise PathError(
            f"no array has an element of that index: the largest is {ARRAY_LIMIT - 1}",
            position=f"character {at}",
        )
    return int(digits)


def _unquoted(quoted: str, at: int) -> str:
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeError):
        raise PathError(
            "the quoted name in the path is no JSON string", position=f"character {at}", remedy=_REMEDY
        ) from None


def _checked_segments(path: Any) -> Path:
    if isinstance(path, str):
        return parse_path(str.__str__(path))
    if not isinstance(path, (tuple, list)):
        raise PathError(
            f"a path is text, or a list of names and indexes; this is of type {type(path).__name__}",
            remedy=_REMEDY,
        )
    steps: tuple[Any, ...] = tuple(cast("list[Any]", path))
    if len(steps) > PATH_LIMIT:
        raise _too_long()
    for number, step in enumerate(steps):
        if type(step) is str:
            if not step.isascii():
                _name(step, number)
        elif type(step) is not int:
            raise PathError(
                f"a segment of a path is a name (str) or an index (int), not of type {type(step).__name__}",
                position=f"segment {number}",
            )
        elif not 0 <= step < ARRAY_LIMIT:
            raise PathError(f"an index is from 0 to {ARRAY_LIMIT - 1}", position=f"segment {number}")
    return steps


def _unreadable(text: str, at: int) -> PathError:
    found = text[at]
    if found == "." and text[at + 1 : at + 2] in ("", ".", "["):
        why = "no name follows the dot"
    elif text[at : at + 2] == "[-":
        why = "an index is not negative"
    elif text[at : at + 2] in ("[*", "[?") or text[at : at + 3] == "[:]":
        why = "a path names one place: no wildcards, slices or filters"
    elif found == "[":
        why = "a bracket holds an index or a quoted name, and is closed"
    else:
        why = "a dot or a bracket is expected here"
    return PathError(f"the path cannot be read: {why}", position=f"character {at}", remedy=_REMEDY)


def _too_long() -> PathError:
    return PathError(f"the path has more than {PATH_LIMIT} segments")
