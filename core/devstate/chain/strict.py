"""The strict parser: one JSON value, with everything that lenient parsers let pass named as a fault.

Duplicate members, numbers that programs disagree on, lone surrogates, invalid UTF-8, too deep nesting. The value
is returned with all its members even where something is wrong, so that an entry can be shown and judged further.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

import msgspec

from .lexing import depth_exceeds
from .limits import Limits

__all__ = ["CONTROL", "Flaw", "Parsed", "find_control", "parse_value"]

_SAFE_INTEGER = (1 << 53) - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
# C0, DEL, C1, and the characters that change the direction of text. Line ends and tabs are judged by the caller.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MAX_DIGITS = 4300


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


class _Collector:
    """The hooks of one parse. Python's decoder calls them inside out: the outermost object comes last."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self.outer_duplicates: list[str] = []

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        self.outer_duplicates = []
        if len(value) != len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    self.flaws.append(
                        Flaw("DUPLICATE_KEY", f"the member {name!r} stands twice in one object")
                    )
                    self.outer_duplicates.append(name)
                seen.add(name)
        return value

    def integer(self, text: str) -> int | float:
        if len(text) > _MAX_DIGITS:
            self.flaws.append(Flaw("LIMIT_EXCEEDED", f"an integer of {len(text)} digits"))
            return 0
        number = int(text)
        if not -_SAFE_INTEGER <= number <= _SAFE_INTEGER:
            shown = text if len(text) <= 40 else text[:40] + "..."
            self.flaws.append(Flaw("CANON_UNREPRESENTABLE", f"the integer {shown} is beyond 2^53 - 1"))
        return number

    def real(self, text: str) -> float:
        number = float(text)
        if number in (float("inf"), float("-inf")):
            shown = text if len(text) <= 40 else text[:40] + "..."
            self.flaws.append(Flaw("CANON_UNREPRESENTABLE", f"the number {shown} is infinite as a double"))
        return number

    def constant(self, text: str) -> float:
        self.flaws.append(Flaw("CANON_UNREPRESENTABLE", f"{text} is no JSON number"))
        return float(text)


def parse_value(raw: bytes, limits: Limits, *, outer_depth: int = 0) -> Parsed:
    """Parse the bytes of one value; `outer_depth` counts the containers around it."""
    if depth_exceeds(raw, limits.depth - outer_depth):
        detail = f"containers are nested more than {limits.depth} deep (setting limits.depth)"
        return Parsed(msgspec.UNSET, (Flaw("LIMIT_EXCEEDED", detail),))
    flaws: list[Flaw] = []
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        flaws.append(Flaw("ENCODING", f"byte 0x{byte:02x} is not valid UTF-8 here", offset=error.start))
        text = raw.decode("utf-8", "surrogateescape")
    collector = _Collector()
    decoder = json.JSONDecoder(
        object_pairs_hook=collector.pairs,
        parse_int=collector.integer,
        parse_float=collector.real,
        parse_constant=collector.constant,
    )
    try:
        value, end = decoder.raw_decode(text)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        flaws.append(Flaw("TORN_FILE", f"not JSON: {_words(error.msg)}", offset=offset))
        return Parsed(msgspec.UNSET, tuple(flaws))
    except RecursionError:
        flaws.append(Flaw("LIMIT_EXCEEDED", "containers are nested too deep"))
        return Parsed(msgspec.UNSET, tuple(flaws))
    for flaw in collector.flaws:
        name = next((name for name in collector.outer_duplicates if repr(name) in flaw.detail), None)
        flaws.append(msgspec.structs.replace(flaw, member=f"/{name}") if name is not None else flaw)
    if not flaws and rb"\u" in raw and (found := _find_surrogate(value, "")) is not None:
        flaws.append(Flaw("ENCODING", "an escape for half a surrogate pair", member=found))
    return Parsed(value, tuple(flaws))


def _words(message: str) -> str:
    message = message.removesuffix(" starting at").removesuffix(" at")  # the place follows
    return message[:1].lower() + message[1:]


def _find_surrogate(value: Any, pointer: str) -> str | None:
    if isinstance(value, str):
        return pointer if _SURROGATE.search(value) else None
    for name, item, text in _children(value):
        if isinstance(name, str) and _SURROGATE.search(name):
            return pointer
        if (found := _find_surrogate(item, pointer + text)) is not None:
            return found
    return None


def find_control(value: Any, pointer: str = "") -> tuple[str, str] | None:
    """The pointer and the character of the first control character in a text or member name, or None.

    Line ends and tabs inside metadata are ordinary text; anywhere else they are control characters too.
    """
    if isinstance(value, str):
        inside_metadata = pointer.startswith("/metadata/")
        for found in CONTROL.finditer(value):
            if not (inside_metadata and found.group() in "\n\t"):
                return pointer, found.group()
        return None
    for name, item, text in _children(value):
        if isinstance(name, str) and (found := CONTROL.search(name)):
            return pointer, found.group()
        if (inner := find_control(item, pointer + text)) is not None:
            return inner
    return None


def _children(value: Any) -> list[tuple[str | int, Any, str]]:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return [(k, v, "/" + k.replace("~", "~0").replace("/", "~1")) for k, v in members.items()]
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [(i, v, f"/{i}") for i, v in enumerate(items)]
    return []
