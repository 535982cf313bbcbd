"""JSON that every reader understands alike, or the places where readers would differ.

The standard parser decides in the common case. Whatever it cannot vouch for (a doubled member, a large number,
half a surrogate pair, a depth, a fault) goes to a walk over the tokens, which knows the place of each of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, NamedTuple, cast

import msgspec

from .control_chars import CONTROL_IN_PROSE
from .pointer import join_pointer

__all__ = ["Fault", "Parsed", "offsets_of", "parse_strict"]

# The largest integer up to which every reader agrees (RFC 8785, RFC 7493): 2^53 - 1.
_EXACT = (1 << 53) - 1
# The time to convert an integer grows with the square of its digits; Python refuses beyond this.
_CONVERTED = 4300
_MOST_FAULTS = 1000
# What a recursive reader of the value gets through. No setting asks for more in earnest.
_DEEPEST = 500
_SHOWN = 40


class Fault(NamedTuple):
    """One place where the text is not strict JSON; `offset` in bytes from 0, `pointer` of the value there."""

    code: str
    message: str
    pointer: str
    offset: int
    expected: str | None = None
    actual: str | None = None


class Parsed(NamedTuple):
    """The value, and the faults in file order.

    `value` is msgspec.UNSET where the bytes are no JSON. `usable` is False where the value cannot be vouched
    for, because programs read it differently or not at all; it then shows what one reader would make of it.
    """

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

# A control character raw, or an escape that may stand for one.
_MAYBE_CONTROL = re.compile(CONTROL_IN_PROSE.pattern + r"|\\u(?:00[0189]|007[fF]|061|20[026])|\\[bfr]")
_TEXT_SO_FAR = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')


def parse_strict(
    data: bytes, *, depth: int, outer_depth: int = 0, digits: int | None = None, control: bool = True
) -> Parsed:
    """Parse one JSON text. Never raises for what the bytes hold.

    At most `depth` containers may stand inside one another; `outer_depth` counts those around the text, where
    it is a part of a larger one. The faults: ENCODING (byte order mark, invalid UTF-8, half a surrogate pair),
    DUPLICATE_KEY, TORN_FILE, CANON_UNREPRESENTABLE (an integer beyond 2^53, NaN, an infinite number),
    LIMIT_EXCEEDED (the depth, or an integer of more than `digits` digits), and with `control` CONTROL_CHARS.
    Of a doubled member the last one counts, as for most readers.
    """
    allowed = min(depth, _DEEPEST) - outer_depth
    try:
        return Parsed(_vouched(data, allowed, control=control), (), usable=True)
    except (_Doubt, ValueError, RecursionError):
        pass
    walk = _Walk(data, allowed, outer_depth=outer_depth, digits=digits, control=control)
    value = walk.run()
    return Parsed(value, tuple(walk.faults), walk.usable)


def offsets_of(data: bytes, pointers: Collection[str], *, depth: int = 1000) -> dict[str, int]:
    """The byte offset of each value that is in the text, as far as the text can be read."""
    walk = _Walk(data, depth, wanted=frozenset(pointers))
    walk.run()
    return walk.places


class _Doubt(Exception):
    pass


def _vouched(data: bytes, depth: int, *, control: bool) -> Any:
    """The value, where it has no fault. Raises _Doubt, ValueError or RecursionError where it may have one."""
    text = data.decode()
    if control and _MAYBE_CONTROL.search(text) is not None:
        raise _Doubt
    value = _decode(text)
    if text.count("[") + text.count("{") > depth and not _within(value, depth):
        raise _Doubt
    if "\\u" in text:
        _encode(value)  # refuses half a surrogate pair, with a ValueError
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Doubt
    return members


def _exact_integer(digits: str) -> int:
    if len(digits) > 17 or not -_EXACT <= (number := int(digits)) <= _EXACT:
        raise _Doubt
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _Doubt
    return number


def _no_constant(_name: str) -> Any:
    raise _Doubt


_decode = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_exact_integer, parse_float=_finite, parse_constant=_no_constant
).decode
_encode = msgspec.json.Encoder().encode


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

    def __init__(
        self,
        data: bytes,
        depth: int,
        *,
        outer_depth: int = 0,
        digits: int | None = None,
        control: bool = False,
        wanted: frozenset[str] = frozenset(),
    ) -> None:
        self.faults: list[Fault] = []
        self.usable = True
        self.places: dict[str, int] = {}
        self._data = data
        self._depth = depth
        self._outer_depth = outer_depth
        self._digits = digits
        self._control = control
        self._wanted = wanted
        self._levels: list[_Level] = []
        self._at = 0

    def run(self) -> Any:
        try:
            self._marks()
            value = self._value(*self._next("a JSON value"))
            while self._levels:
                self._step()
            self._at = cast("re.Match[bytes]", _SPACE.match(self._data, self._at)).end()
            if self._at < len(self._data):
                raise self._torn("the JSON goes on after its end", self._at, "the end of the file")
        except _Stop:
            self.usable = False
            return msgspec.UNSET
        return value

    def _marks(self) -> None:
        """Go past a byte order mark."""
        if self._data.startswith((b"\xff\xfe", b"\xfe\xff")):
            self._fault("ENCODING", "the file is UTF-16, not UTF-8", 0, "UTF-8", "a UTF-16 byte order mark")
            raise _Stop
        if self._data.startswith(_BOM):
            self._at = len(_BOM)
            self._fault(
                "ENCODING", "the file begins with a byte order mark", 0, "plain UTF-8", "a byte order mark"
            )

    def _step(self) -> None:
        """Read one member or item of the innermost container, or its end."""
        level = self._levels[-1]
        container = level.container
        close = b"}" if isinstance(container, dict) else b"]"
        what = "a member name" if isinstance(container, dict) else "a value"
        kind, token, start = self._next(
            f"{what} or {close.decode()}" if level.fresh else f"a comma or {close.decode()}"
        )
        if token == close and kind == "punct":
            self._levels.pop()
            return
        if not level.fresh:
            if token != b"," or kind != "punct":
                raise self._unexpected(start, f"a comma or {close.decode()}")
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
            message = f"the member {_cut(name)!r} stands twice in one object"
            self._fault("DUPLICATE_KEY", message, start, "each member once")
        _, colon, at = self._next("a colon")
        if colon != b":":
            raise self._unexpected(at, "a colon")
        return name

    def _value(self, kind: str, token: bytes, start: int) -> Any:
        if self._wanted:
            pointer = self._pointer()
            if pointer in self._wanted:
                self.places[pointer] = start
        if kind == "string":
            return self._string(token, start, "a text")
        if kind == "number":
            return self._number(token.decode(), start)
        if kind == "word":
            if token in _WORDS:
                return _WORDS[token]
            self._unrepresentable(f"{token.decode()} is no JSON number", start)
            return float(token)
        if token not in (b"{", b"["):
            raise self._unexpected(start, "a value")
        if len(self._levels) >= self._depth:
            most = self._depth + self._outer_depth
            setting = "" if most == _DEEPEST else " (setting limits.depth)"
            message = f"containers are nested more than {most} deep{setting}"
            self._fault("LIMIT_EXCEEDED", message, start, f"at most {most} levels")
            raise _Stop
        container: dict[str, Any] | list[Any] = {} if token == b"{" else []
        self._levels.append(_Level(container))
        return container

    def _string(self, token: bytes, start: int, what: str) -> str:
        try:
            text = token.decode()
        except UnicodeDecodeError as error:
            self._not_utf8(start + error.start)
            quoted = token.decode("utf-8", "surrogateescape")
            return json.loads(quoted)
        text = json.loads(text) if "\\" in text else text[1:-1]
        if text.isascii() and text.isprintable():
            return text
        try:
            text.encode()
        except UnicodeEncodeError:
            self.usable = False
            message = f"{what} holds half of a surrogate pair, which no UTF-8 can hold"
            self._fault("ENCODING", message, start, "whole characters")
            return text
        found = CONTROL_IN_PROSE.search(text) if self._control else None
        if found is not None:
            char = f"U+{ord(found.group()):04X}"
            self._fault("CONTROL_CHARS", f"{what} holds the control character {char}", start, None, char)
        return text

    def _number(self, digits: str, start: int) -> int | float:
        if any(mark in digits for mark in ".eE"):
            number = float(digits)
            if number in (float("inf"), float("-inf")):
                self._unrepresentable(f"the number {_cut(digits)} is infinite for most readers", start)
            return number
        if self._digits is not None and len(digits) > self._digits:
            self.usable = False
            message = f"an integer of {len(digits)} digits"
            self._fault("LIMIT_EXCEEDED", message, start, f"at most {self._digits} digits")
            return 0
        integer = int(digits[:_CONVERTED])
        if not -_EXACT <= integer <= _EXACT:
            self._unrepresentable(f"the integer {_cut(digits)} is beyond 2^53 - 1", start)
        return integer

    def _unrepresentable(self, message: str, start: int) -> None:
        self.usable = False
        self._fault("CANON_UNREPRESENTABLE", message, start, "a number that every reader takes alike")

    def _not_utf8(self, offset: int) -> None:
        self.usable = False
        byte = f"byte 0x{self._data[offset]:02x}"
        self._fault("ENCODING", f"{byte} is not valid UTF-8 here", offset, "UTF-8", byte)

    def _next(self, expected: str) -> tuple[str, bytes, int]:
        match = _TOKEN.match(self._data, self._at)
        if match is None:
            start = cast("re.Match[bytes]", _SPACE.match(self._data, self._at)).end()
            raise self._unexpected(start, expected)
        kind = cast(str, match.lastgroup)
        self._at = match.end()
        return kind, match.group(kind), match.start(kind)

    def _unexpected(self, offset: int, expected: str) -> _Stop:
        data = self._data
        if offset >= len(data):
            empty = not data.removeprefix(_BOM).strip()
            return self._torn("the file is empty" if empty else "the JSON ends early", offset, expected)
        text = _TEXT_SO_FAR.match(data, offset)
        if text is not None and data[text.end() : text.end() + 1] != b'"':
            half_escape = len(data) - text.end() <= 6 and b'"' not in data[text.end() :]
            if half_escape:
                return self._torn("the JSON ends early, inside a text", len(data), 'a closing "')
            message = "a text holds a raw control character or an escape that JSON does not know"
            return self._torn(message, text.end())
        if _no_character(data[offset : offset + 4]):
            self._not_utf8(offset)
            return _Stop()
        return self._torn("this is not JSON", offset, expected)

    def _torn(self, message: str, offset: int, expected: str | None = None) -> _Stop:
        byte = self._data[offset : offset + 1]
        actual = "the end of the file"
        if byte:
            readable = byte.isascii() and byte.decode().isprintable()
            actual = repr(byte.decode()) if readable else f"byte 0x{byte[0]:02x}"
        self._fault("TORN_FILE", message, offset, expected, actual)
        return _Stop()

    def _fault(
        self, code: str, message: str, offset: int, expected: str | None = None, actual: str | None = None
    ) -> None:
        # What ends the walk comes last and is worth more than one of the many before it.
        if len(self.faults) == _MOST_FAULTS and code in ("TORN_FILE", "LIMIT_EXCEEDED"):
            self.faults.pop()
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault(code, message, self._pointer(), offset, expected, actual))

    def _pointer(self) -> str:
        return join_pointer(level.step for level in self._levels if level.step is not None)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _no_character(data: bytes) -> bool:
    """Whether no UTF-8 character begins here."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start == 0
    return False
