"""One value of a history, read strictly: what lenient parsers let pass is named, with its place in the value.

The value is returned with all its members even where something is wrong, so that an entry can be shown and judged
further. Control characters are looked for apart, because regular entries never come to this parser.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from devstate.control_chars import CONTROL
from devstate.pointer import join_pointer
from devstate.strict_json import Fault, parse_strict

from .limits import Limits

__all__ = ["CONTROL", "Flaw", "Parsed", "find_control", "parse_value"]

_MOST_DIGITS = 4300


class Flaw(msgspec.Struct, frozen=True):
    """`member` is a JSON pointer inside the value, `offset` counts bytes from its beginning."""

    code: str
    detail: str
    member: str = ""
    offset: int = 0


class Parsed(msgspec.Struct, frozen=True):
    """`value` is UNSET where the bytes are no JSON at all."""

    value: Any
    flaws: tuple[Flaw, ...]


def parse_value(raw: bytes, limits: Limits, *, outer_depth: int = 0) -> Parsed:
    """Parse the bytes of one value; `outer_depth` counts the containers around it."""
    value, faults, _ = parse_strict(
        raw, depth=limits.depth, outer_depth=outer_depth, digits=_MOST_DIGITS, control=False
    )
    return Parsed(value, tuple(map(_flaw, faults)) if faults else ())


def _flaw(fault: Fault) -> Flaw:
    detail = fault.message
    if fault.code == "TORN_FILE" and fault.expected is not None:
        detail += f": {fault.expected} is expected, not {fault.actual}"
    return Flaw(fault.code, detail, fault.pointer, fault.offset)


def find_control(value: Any, pointer: str = "") -> tuple[str, str] | None:
    """The pointer and the character of the first control character in a text or member name, or None.

    Line feeds and tabs inside metadata are ordinary text; anywhere else they are control characters too.
    """
    if isinstance(value, str):
        inside_metadata = pointer.startswith("/metadata/")
        for found in CONTROL.finditer(value):
            if not (inside_metadata and found.group() in "\n\t"):
                return pointer, found.group()
        return None
    for name, item in _children(value):
        if isinstance(name, str) and (found := CONTROL.search(name)):
            return pointer, found.group()
        if isinstance(item, str) and item.isascii() and item.isprintable():
            continue
        if (inner := find_control(item, pointer + join_pointer((name,)))) is not None:
            return inner
    return None


def _children(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(cast("dict[str | int, Any]", value).items())
    if isinstance(value, list):
        return list(enumerate(cast("list[Any]", value)))
    return []
