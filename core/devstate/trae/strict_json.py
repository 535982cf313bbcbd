"""JSON that every reader understands alike, or the places where readers would differ.

The standard parser decides in the common case. Whatever it cannot vouch for (an escape, a doubled member, a
large number, a depth, a fault) goes to a walk over the tokens, which knows the place of each of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple, cast

from .pointer import join_pointer

__all__ = ["Fault", "Parsed", "lines_of", "offsets_of", "parse_strict"]

# The largest integer up to which every reader agrees (RFC 8785, RFC 7493): 2^53 - 1.
_EXACT = (1 << 53) - 1
_MOST_FAULTS = 1000


class Fault(NamedTuple):
    """One place where the text is not strict JSON; `offset` in bytes from 0, `pointer` of the value there."""

    code: str
    message: str
    pointer: str
    offset: int
    expected: str | None = None
    actual: str | None = None


class Parsed(NamedTuple):
    """The value, and the faults in file order. `usable` is False where no value can be vouched for."""

    value: Any
    faults: tuple[Fault, ...]
    usable: bool


_BOM = b"\xef\xbb\xbf"
_TOKEN = re.compile(
    rb"[ \t\n\r]*(?:"
    rb"(?P<punct>[{}\[\],:])"
    rb'|(?P<string>"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")'
    rb"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    rb"|(?P<word>true|false|null|NaN|-?Infinity))"
)
_SPACE = re.compile(rb"[ \t\n\r]*")
_WORDS = {b"true": True, b"false": False, b"null": None}

# Steers a terminal or turns the reading order. Tabs and line feeds are ordinary in a note.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# The same raw, or an escape that may stand for one of them or for half of a surrogate pair.
_DOUBTFUL = re.compile(_CONTROL.pattern + r"|\\u(?:00[0189]|007[fF]|061|20[026]|[dD][89a-fA-F])|\\[bfr]")
_TEXT_SO_FAR = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')


def parse_strict(data: bytes, *, depth: int) -> Parsed:
    """Parse one JSON text with at most `depth` nested containers. Never raises for what the bytes hold.

    The faults: ENCODING (byte order mark, invalid UTF-8, lone surrogate), DUPLICATE_KEY, TORN_FILE,
    CANON_UNREPRESENTABLE (an integer beyond 2^53, NaN, an infinite number), LIMIT_EXCEEDED, CONTROL_CHARS.
    Of a doubled member the last one counts, as for most readers.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return Parsed(None, (_not_utf8(data, error),), usable=False)
    if not text.startswith("\ufeff") and _DOUBTFUL.search(text) is None:
        try:
            return Parsed(_vouched(text, depth), (), usable=True)
        except (_Doubt, ValueError, RecursionError):
            pass
    walk = _Walk(data, depth)
    value = walk.run()
    return Parsed(value, tuple(walk.faults[:_MOST_FAULTS]), walk.usable)


def offsets_of(data: bytes, pointers: Collection[str], *, depth: int = 1000) -> dict[str, int]:
    """The byte offset of each value that is in the text, as far as the text can be read."""
    walk = _Walk(data, depth, frozenset(pointers))
    walk.run()
    return walk.places


def lines_of(data: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """The line (from 1) of each byte offset, in one pass over the data."""
    lines: dict[int, int] = {}
    line, at = 1, 0
    for offset in sorted(set(offsets)):
        line += data.count(b"\n", at, offset)
        at = offset
        lines[offset] = line
    return lines


class _Doubt(Exception):
    pass


def _vouched(text: str, depth: int) -> Any:
    value = json.loads(
        text, object_pairs_hook=_pairs, parse_int=_small, parse_float=_finite, parse_constant=_no_constant
    )
    if text.count("[") + text.count("{") > depth and not _within(value, depth):
        raise _Doubt
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Doubt
    return members


def _small(digits: str) -> int:
    if len(digits) > 15:  # the walk knows the exact bound
        raise _Doubt
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _Doubt
    return number


def _no_constant(_name: str) -> Any:
    raise _Doubt


def _within(value: Any, depth: int) -> bool:
    level: list[Any] = [value]
    for _ in range(depth + 1):
        level = [item for item in level if isinstance(item, (dict, list))]
        if not level:
            return True
        deeper: list[Any] = []
        for item in level:
            deeper.extend(cast("dict[str, Any]", item).values() if isinstance(item, dict) else item)
        level = deeper
    return False


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> Fault:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Fault("ENCODING", "the file is UTF-16, not UTF-8", "", 0, "UTF-8", "a UTF-16 byte order mark")
    return Fault(
        "ENCODING",
        f"the file is not UTF-8: {error.reason} at byte {error.start}",
        "",
        error.start,
        "UTF-8",
        f"byte 0x{data[error.start]:02x}",
    )


class _Level:
    """A container that is being read, and the member or item in hand."""

    __slots__ = ("container", "fresh", "step")

    def __init__(self, container: dict[str, Any] | list[Any]) -> None:
        self.container = container
        self.step: str | int | None = None
        self.fresh = True


class _Stop(Exception):
    pass


class _Walk:
    """One pass over the tokens; goes on after a fault of a value, stops at a fault of the structure."""

    def __init__(self, data: bytes, depth: int, wanted: frozenset[str] = frozenset()) -> None:
        self.faults: list[Fault] = []
        self.usable = True
        self.places: dict[str, int] = {}
        self._data = data
        self._depth = depth
        self._wanted = wanted
        self._levels: list[_Level] = []
        self._at = 0

    def run(self) -> Any:
        if self._data.startswith(_BOM):
            self._at = len(_BOM)
            self._fault(
                "ENCODING", "the file begins with a byte order mark", 0, "plain UTF-8", "a byte order mark"
            )
        try:
            value = self._value(*self._next("a JSON value"))
            while self._levels:
                self._step()
            self._at = cast("re.Match[bytes]", _SPACE.match(self._data, self._at)).end()
            if self._at < len(self._data):
                raise self._torn("the JSON goes on after its end", self._at, "the end of the file")
        except _Stop:
            self.usable = False
            return None
        return value if self.usable else None

    def _step(self) -> None:
        """Read one member or item of the innermost container, or its end."""
        level = self._levels[-1]
        container = level.container
        close = b"}" if isinstance(container, dict) else b"]"
        what = "a member name" if isinstance(container, dict) else "a value"
        kind, token, start = self._next(
            f"{what} or {close.decode()}" if level.fresh else f", or {close.decode()}"
        )
        if token == close and kind == "punct":
            self._levels.pop()
            return
        if not level.fresh:
            if token != b"," or kind != "punct":
                raise self._unexpected(start, f", or {close.decode()}")
            kind, token, start = self._next(what)
        level.fresh = False
        if isinstance(container, dict):
            name = self._member_name(level, kind, token, start)
            container[name] = self._value(*self._next("a value"))
        else:
            level.step = len(container)
            container.append(None)  # so that the next item knows its index while this one is being read
            container[-1] = self._value(kind, token, start)

    def _member_name(self, level: _Level, kind: str, token: bytes, start: int) -> str:
        if kind != "string":
            raise self._unexpected(start, 'a member name in "quotes"')
        level.step = None
        name = self._string(token, start, "a member name")
        level.step = name
        if name in level.container:
            self._fault("DUPLICATE_KEY", "the member is there twice in one object", start, "each member once")
        _, colon, at = self._next(":")
        if colon != b":":
            raise self._unexpected(at, ":")
        return name

    def _value(self, kind: str, token: bytes, start: int) -> Any:
        if self._wanted:
            pointer = self._pointer()
            if pointer in self._wanted:
                self.places[pointer] = start
        if kind == "string":
            return self._string(token, start, "a text")
        if kind == "number":
            return self._number(token, start)
        if kind == "word":
            if token in _WORDS:
                return _WORDS[token]
            return self._unrepresentable(f"{token.decode()} is no JSON number", start)
        if token not in (b"{", b"["):
            raise self._unexpected(start, "a value")
        if len(self._levels) >= self._depth:
            message = f"objects and arrays are nested more than {self._depth} deep (limits.depth)"
            self._fault("LIMIT_EXCEEDED", message, start, f"at most {self._depth} levels")
            raise _Stop
        container: dict[str, Any] | list[Any] = {} if token == b"{" else []
        self._levels.append(_Level(container))
        return container

    def _string(self, token: bytes, start: int, what: str) -> str:
        text: str = json.loads(token) if b"\\" in token else token[1:-1].decode()
        try:
            text.encode()
        except UnicodeEncodeError:
            self.usable = False
            self._fault(
                "ENCODING",
                f"{what} holds a lone surrogate, which no UTF-8 can hold",
                start,
                "whole characters",
            )
            return ""
        found = _CONTROL.search(text)
        if found is not None:
            char = f"U+{ord(found.group()):04X}"
            self._fault("CONTROL_CHARS", f"{what} holds the control character {char}", start, None, char)
        return text

    def _number(self, token: bytes, start: int) -> Any:
        digits = token.decode()
        if not any(mark in digits for mark in ".eE"):
            # A bound on the length first: int() refuses, or takes long over, thousands of digits.
            if len(digits) > 17 or abs(int(digits)) > _EXACT:
                return self._unrepresentable("an integer beyond 2^53 is not exact for every reader", start)
            return int(digits)
        number = float(digits)
        if number in (float("inf"), float("-inf")):
            return self._unrepresentable("the number is too large: readers take it as infinite", start)
        return number

    def _unrepresentable(self, message: str, start: int) -> None:
        self.usable = False
        self._fault("CANON_UNREPRESENTABLE", message, start, "a number that every reader takes alike")

    def _next(self, expected: str) -> tuple[str, bytes, int]:
        match = _TOKEN.match(self._data, self._at)
        if match is None:
            start = cast("re.Match[bytes]", _SPACE.match(self._data, self._at)).end()
            raise self._unexpected(start, expected)
        kind = cast(str, match.lastgroup)
        self._at = match.end()
        return kind, match.group(kind), match.start(kind)

    def _unexpected(self, offset: int, expected: str) -> _Stop:
        if offset >= len(self._data):
            empty = not self._data[len(_BOM) if self._data.startswith(_BOM) else 0 :].strip()
            return self._torn("the file is empty" if empty else "the JSON ends early", offset, expected)
        text = _TEXT_SO_FAR.match(self._data, offset)
        if text is not None and self._data[text.end() : text.end() + 1] != b'"':
            if (
                b'"' not in self._data[text.end() :] and len(self._data) - text.end() <= 6
            ):  # at most half an escape
                return self._torn("the JSON ends early, inside a text", len(self._data), 'a closing "')
            return self._torn(
                "a text cannot be read: a raw control character or a bad escape", text.end(), "a text"
            )
        return self._torn(f"the JSON cannot be read at byte {offset}", offset, expected)

    def _torn(self, message: str, offset: int, expected: str) -> _Stop:
        byte = self._data[offset : offset + 1]
        actual = "the end of the file"
        if byte:
            actual = (
                repr(byte.decode())
                if byte.isascii() and byte.decode().isprintable()
                else f"byte 0x{byte[0]:02x}"
            )
        self._fault("TORN_FILE", message, offset, expected, actual)
        return _Stop()

    def _fault(
        self, code: str, message: str, offset: int, expected: str | None = None, actual: str | None = None
    ) -> None:
        if len(self.faults) < _MOST_FAULTS or code in ("TORN_FILE", "LIMIT_EXCEEDED"):
            self.faults.append(Fault(code, message, self._pointer(), offset, expected, actual))

    def _pointer(self) -> str:
        return join_pointer(level.step for level in self._levels if level.step is not None)
