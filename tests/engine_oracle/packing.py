"""MessagePack, as much of it as the engine's files use, in the shortest form: parsed and written by these lines alone.

Writing takes the smallest form that holds a value (floats are always 64 bits wide, arrays and maps keep their order),
which is what the event hashes and the comparison of snapshots byte by byte rest on. Reading takes every form.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

DEEPEST = 200  # values nest to 128, documents to 100; records add a few levels


class PackingError(Exception):
    """Bytes that are not one MessagePack value, or a value that MessagePack of this engine does not hold."""


class Extension(NamedTuple):
    code: int
    data: bytes


class Packed(NamedTuple):
    """A value that is packed already: its bytes are put in as they are."""

    data: bytes


TOMBSTONE = Extension(1, b"")  # stands where the value of a deleted record would be


def pack(value: object) -> bytes:
    """The shortest bytes of a value."""
    if value is None:
        return b"\xc0"
    if value is True:
        return b"\xc3"
    if value is False:
        return b"\xc2"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode("utf-8")
        if len(text) < 32:
            return bytes([0xA0 | len(text)]) + text
        return _sized(len(text), 0xD9, 0xDA, 0xDB) + text
    if isinstance(value, Packed):
        return value.data
    if isinstance(value, Extension):
        return _extension(value)
    if isinstance(value, bytes):
        return _sized(len(value), 0xC4, 0xC5, 0xC6) + value
    if isinstance(value, list | tuple):
        return _sized(len(value), None, 0xDC, 0xDD, small=0x90) + b"".join(pack(item) for item in value)
    if isinstance(value, dict):
        head = _sized(len(value), None, 0xDE, 0xDF, small=0x80)
        return head + b"".join(pack(key) + pack(item) for key, item in value.items())
    raise PackingError(f"no MessagePack for {type(value).__name__}")


def _integer(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack("b" if value < 0 else "B", value)
    if value > 0:
        forms = ((0xCC, ">B", 1 << 8), (0xCD, ">H", 1 << 16), (0xCE, ">I", 1 << 32), (0xCF, ">Q", 1 << 64))
        for code, form, limit in forms:
            if value < limit:
                return bytes([code]) + struct.pack(form, value)
    else:
        forms = ((0xD0, ">b", 1 << 7), (0xD1, ">h", 1 << 15), (0xD2, ">i", 1 << 31), (0xD3, ">q", 1 << 63))
        for code, form, limit in forms:
            if value >= -limit:
                return bytes([code]) + struct.pack(form, value)
    raise PackingError(f"{value} needs more than 64 bits")


def _sized(size: int, one: int | None, two: int, four: int, small: int | None = None) -> bytes:
    """The head of something of that size; `small` is the code into which sizes below 16 go."""
    if small is not None and size < 16:
        return bytes([small | size])
    if one is not None and size < 1 << 8:
        return bytes([one, size])
    if size < 1 << 16:
        return bytes([two]) + struct.pack(">H", size)
    return bytes([four]) + struct.pack(">I", size)


def _extension(value: Extension) -> bytes:
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(len(value.data))
    head = bytes([fixed]) if fixed is not None else _sized(len(value.data), 0xC7, 0xC8, 0xC9)
    return head + struct.pack("b", value.code) + value.data


def unpack(data: bytes) -> Any:
    """The one value that these bytes are.

    Raises:
        PackingError: They end early, go on after the value, or are no MessagePack.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise PackingError(f"{len(data) - reader.at} bytes after the value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise PackingError(f"ends early: {count} bytes wanted at {self.at}")
        self.at += count
        return piece

    def number(self, form: str) -> Any:
        return struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))[0]

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise PackingError("nested too deeply")
        code = self.number("B")
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 256
        if code < 0x90:
            return self.map(code & 0x0F, depth)
        if code < 0xA0:
            return self.array(code & 0x0F, depth)
        if code < 0xC0:
            return self.text(code & 0x1F)
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _NUMBERS:
            return self.number(_NUMBERS[code])
        if code in _SIZES:
            kind, form = _SIZES[code]
            size = self.number(form)
            if kind == "bytes":
                return self.take(size)
            if kind == "text":
                return self.text(size)
            if kind == "extension":
                return Extension(self.number("b"), self.take(size))
            return self.array(size, depth) if kind == "array" else self.map(size, depth)
        if code in _FIXED_EXTENSIONS:
            return Extension(self.number("b"), self.take(_FIXED_EXTENSIONS[code]))
        raise PackingError(f"code {code:#04x} has no meaning")

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise PackingError(f"text is not UTF-8: {error}") from error

    def fits(self, count: int) -> None:
        """Every item takes a byte at least, so a count above what is left is a lie: nothing is allocated."""
        if count > len(self.data) - self.at:
            raise PackingError(f"{count} items cannot be in {len(self.data) - self.at} bytes")

    def array(self, count: int, depth: int) -> list[Any]:
        self.fits(count)
        return [self.value(depth + 1) for _ in range(count)]

    def map(self, count: int, depth: int) -> dict[Any, Any]:
        self.fits(2 * count)
        found: dict[Any, Any] = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if isinstance(key, list | dict):
                raise PackingError("a key of a map is an array or a map")
            if key in found:
                raise PackingError(f"key {key!r} is twice in one map")
            found[key] = self.value(depth + 1)
        return found


_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: "f", 0xCB: "d", 0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q", 0xD0: "b", 0xD1: "h", 0xD2: "i", 0xD3: "q",
}  # fmt: skip
_SIZES = {
    0xC4: ("bytes", "B"), 0xC5: ("bytes", "H"), 0xC6: ("bytes", "I"),
    0xC7: ("extension", "B"), 0xC8: ("extension", "H"), 0xC9: ("extension", "I"),
    0xD9: ("text", "B"), 0xDA: ("text", "H"), 0xDB: ("text", "I"),
    0xDC: ("array", "H"), 0xDD: ("array", "I"), 0xDE: ("map", "H"), 0xDF: ("map", "I"),
}  # fmt: skip
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


def same(one: object, other: object) -> bool:
    """Typed deep equality: `1`, `1.0` and `True` differ, so do 0.0 and -0.0; NaN is itself; key order is nothing."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and isinstance(other, float):
        return (one != one and other != other) or struct.pack(">d", one) == struct.pack(">d", other)
    return one == other
