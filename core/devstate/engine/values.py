"""The values that the engine stores, and their bytes.

A value is None, bool, int (i64), float, str, bytes, or a list or dict (with text keys) of values: exactly these
types, no subclass, so that what is read back is what was put. It is stored as its msgpack bytes. msgspec would
also encode tuples, sets, dates and more, and integers up to u64; so every value is looked through first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias, cast

import msgspec

from .errors import EngineLimitExceeded, ValueRangeError, ValueTypeError
from .json_path import ARRAY_LIMIT, short_place

__all__ = [
    "EVENT_TYPE_LIMIT",
    "JSON_DEPTH",
    "KEY_LIMIT",
    "VALUE_DEPTH",
    "VALUE_LIMIT",
    "Value",
    "check_event_type",
    "check_extent",
    "check_key",
    "decode_value",
    "encode_checked",
    "encode_json",
    "encode_value",
]

Value: TypeAlias = "bool | int | float | str | bytes | list[Value] | dict[str, Value] | None"

VALUE_LIMIT = 16 * 1024 * 1024
"""Encoded bytes of one value or document."""

VALUE_DEPTH = 128
"""Containers inside one another in a value; a scalar has depth 0, `[]` has 1."""

JSON_DEPTH = 100
"""The same in a JSON document."""

KEY_LIMIT = 1024
"""UTF-8 bytes of a key or name."""

EVENT_TYPE_LIMIT = 256
"""UTF-8 bytes of an event's type."""

_INT_MIN = -(2**63)
_INT_MAX = 2**63 - 1
_INFINITY = float("inf")

# What needs no look before it is encoded.
_PLAIN = frozenset((type(None), bool, float, bytes))
# The same in a JSON document; the walk lets finite floats through by itself.
_JSON_LEAVES = frozenset((type(None), bool))

# The builtin itself, under a type that lets `kind is int` stand before arithmetic on an Any.
_type_of: Callable[[Any], type[object]] = type

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode

_STORED = "None, bool, int, float, str, bytes, list, and dict with text keys"
_STORED_JSON = "None, bool, int, float, str, list, and dict with text keys"


def encode_value(value: Any, *, limit: int = VALUE_LIMIT, depth: int = VALUE_DEPTH) -> bytes:
    """The msgpack bytes of a value; NaN and infinities are legal.

    `limit` is in encoded bytes, `depth` in containers. Raises ValueTypeError, ValueRangeError and
    EngineLimitExceeded, each with the place in the value as position.
    """
    kind = _type_of(value)
    if kind is not str and kind not in _PLAIN:
        if kind is dict or kind is list:
            if not _storable(value, _PLAIN, depth, limit, limit):
                _explain(value, _PLAIN, depth, limit, limit)
        elif kind is not int or not _INT_MIN <= value <= _INT_MAX:
            _check_scalar(value, _PLAIN, [], limit)
    try:
        raw = _pack(value)
    except ValueError:  # a lone surrogate, or a text beyond what msgpack can count
        _explain(value, _PLAIN, depth, limit, limit)
    if len(raw) > limit:
        raise _too_large(len(raw), limit)
    return raw


def encode_json(value: Any) -> bytes:
    """The msgpack bytes of a JSON document, or of a value to be put into one.

    Raises ValueTypeError (also for bytes), ValueRangeError (also for NaN and infinities) and EngineLimitExceeded
    (16 MiB, depth 100, arrays of 1,000,000), each with the place in the value as position.
    """
    kind = _type_of(value)
    if kind is dict or kind is list:
        if not _storable(value, _JSON_LEAVES, JSON_DEPTH, ARRAY_LIMIT, VALUE_LIMIT):
            _explain(value, _JSON_LEAVES, JSON_DEPTH, ARRAY_LIMIT, VALUE_LIMIT)
    elif kind is not str:
        _check_scalar(value, _JSON_LEAVES, [], VALUE_LIMIT)
    try:
        raw = _pack(value)
    except ValueError:
        _explain(value, _JSON_LEAVES, JSON_DEPTH, ARRAY_LIMIT, VALUE_LIMIT)
    if len(raw) > VALUE_LIMIT:
        raise _too_large(len(raw), VALUE_LIMIT)
    return raw


def encode_checked(value: Value, *, limit: int = VALUE_LIMIT) -> bytes:
    """The bytes of a value that is known to be storable: decoded from stored bytes, or checked before.

    Only the size is looked at (EngineLimitExceeded).
    """
    raw = _pack(value)
    if len(raw) > limit:
        raise _too_large(len(raw), limit)
    return raw


def decode_value(raw: bytes | bytearray | memoryview) -> Value:
    """The value of stored bytes, made of fresh objects. Raises ValueTypeError where they are not msgpack.

    It does not look through the value again: bytes that something else wrote may hold msgpack's other types.
    """
    try:
        return _unpack(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        # The texts of msgspec name a place and a kind, those of Unicode would show the bytes.
        detail = f": {error}" if isinstance(error, msgspec.MsgspecError) else ""
        raise ValueTypeError(f"these bytes are not the stored form of a value{detail}") from None


def check_key(key: Any) -> None:
    """Refuses what cannot be a key or name: 1 to 1024 bytes of UTF-8 without NUL.

    Raises ValueTypeError (no text, or a lone surrogate), ValueRangeError (empty, or a NUL), EngineLimitExceeded.
    """
    if type(key) is str and key.isascii() and 0 < len(key) <= KEY_LIMIT and "\0" not in key:
        return
    _check_text(key, "key", KEY_LIMIT)


def check_event_type(text: Any) -> None:
    """Refuses what cannot be the type of an event: 1 to 256 bytes of UTF-8 without NUL. Raises as `check_key`."""
    if type(text) is str and text.isascii() and 0 < len(text) <= EVENT_TYPE_LIMIT and "\0" not in text:
        return
    _check_text(text, "event type", EVENT_TYPE_LIMIT)


def _check_text(text: Any, what: str, limit: int) -> None:
    if type(text) is not str:
        raise ValueTypeError(
            f"the {what} is of type {type(text).__name__}", remedy=f"Give the {what} as str."
        )
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueTypeError(
            f"the {what} holds a lone surrogate, which has no UTF-8 form",
            remedy="Decode the text with errors='replace', or store the bytes as a value.",
        ) from None
    if not size:
        raise ValueRangeError(f"the {what} is empty", remedy="Give it at least one character.")
    if size > limit:
        raise EngineLimitExceeded(
            f"the {what} has {size} bytes, more than {limit}", what=what, limit=limit, found=size
        )
    if "\0" in text:
        raise ValueRangeError(f"the {what} holds a NUL character", remedy="Leave it out.")


def _storable(root: Any, leaves: frozenset[type], depth: int, longest: int, size: int) -> bool:
    """Whether everything in a container may be stored, text apart: surrogates show when it is encoded.

    Depth first, so that a list which holds itself is found by its depth; and each element takes a byte at
    least, so that `size` also ends the walk through containers that share others many times over.
    """
    stack: list[tuple[Any, int]] = [(root, 1)]
    seen = 0
    while stack:
        node, level = stack.pop()
        seen += len(node)
        if level > depth or seen > size:
            return False
        # The two loops are the same: calling one function for both would double the time.
        kind = _type_of(node)
        if kind is dict:
            for key, item in node.items():
                kind = _type_of(item)
                if type(key) is not str:
                    return False
                if kind is str:
                    continue
                if kind is int:
                    if not _INT_MIN <= item <= _INT_MAX:
                        return False
                elif kind is dict or kind is list:
                    stack.append((item, level + 1))
                elif kind not in leaves and not (kind is float and -_INFINITY < item < _INFINITY):
                    return False
        else:
            if len(node) > longest:
                return False
            for item in node:
                kind = _type_of(item)
                if kind is str:
                    continue
                if kind is int:
                    if not _INT_MIN <= item <= _INT_MAX:
                        return False
                elif kind is dict or kind is list:
                    stack.append((item, level + 1))
                elif kind not in leaves and not (kind is float and -_INFINITY < item < _INFINITY):
                    return False
    return True


def _explain(root: Any, leaves: frozenset[type], depth: int, longest: int, size: int) -> NoReturn:
    """Walks in the order of the value and raises for the first thing that cannot be stored, with its place."""
    steps: list[str | int] = []
    open_nodes: list[Iterator[tuple[Any, Any]]] = [iter(((None, root),))]
    seen = 0
    while open_nodes:
        for step, item in open_nodes[-1]:
            seen += 1
            if seen > size + 1:  # the root is counted too
                raise _too_large(seen - 1, size)
            place = [*steps, step] if len(open_nodes) > 1 else []
            kind = _type_of(item)
            if kind is dict or kind is list:
                _check_container(item, place, len(open_nodes), depth, longest)
                open_nodes.append(_members(item, kind))
                steps = place
                break
            _check_scalar(item, leaves, place, size)
        else:
            open_nodes.pop()
            steps = steps[:-1]
    raise ValueTypeError("the value changed while it was stored", remedy="Store a copy of it.")


def _members(node: Any, kind: type[object]) -> Iterator[tuple[Any, Any]]:
    return iter(node.items()) if kind is dict else enumerate(cast("list[Any]", node))


def check_extent(
    node: Any,
    place: Sequence[str | int],
    level: int,
    depth: int,
    longest: int,
    told: tuple[str, str] = ("the value is", "an array has"),
) -> None:
    """Raise EngineLimitExceeded where a container at that level, counted from 1, is too deep or an array too long.

    `told` is how the two sentences of the error begin.
    """
    if level > depth:
        raise EngineLimitExceeded(
            f"{told[0]} nested deeper than {depth}",
            what="depth",
            limit=depth,
            found=level,
            position=short_place(place),
        )
    if _type_of(node) is list and len(node) > longest:
        raise EngineLimitExceeded(
            f"{told[1]} {len(node)} elements, more than {longest}",
            what="array length",
            limit=longest,
            found=len(node),
            position=short_place(place),
        )


def _check_container(node: Any, place: list[str | int], level: int, depth: int, longest: int) -> None:
    check_extent(node, place, level, depth, longest)
    if _type_of(node) is list:
        return
    for key in node:
        if type(key) is not str:
            raise ValueTypeError(
                f"a key of a dict is of type {type(key).__name__}",
                position=short_place(place),
                remedy="Use text as keys.",
            )
        _check_encodable(key, "a key of a dict", place)


def _check_scalar(item: Any, leaves: frozenset[type], place: list[str | int], size: int) -> None:
    kind = _type_of(item)
    if kind is str or (kind is bytes and bytes in leaves):
        if len(item) > size:
            raise _too_large(len(item), size, place)
        if kind is str:
            _check_encodable(item, "a text", place)
    elif kind is int:
        if not _INT_MIN <= item <= _INT_MAX:
            raise _integer_too_large(place)
    elif kind is float and leaves is _JSON_LEAVES:
        if not -_INFINITY < item < _INFINITY:
            raise ValueRangeError(
                "a JSON document cannot hold NaN or an infinity",
                position=short_place(place),
                remedy="Use None or a text for it, or store the value under a key of KV or State.",
            )
    elif kind not in leaves:
        stored, where = (_STORED_JSON, " in a JSON document") if leaves is _JSON_LEAVES else (_STORED, "")
        raise ValueTypeError(
            f"a value of type {kind.__name__} cannot be stored{where}",
            position=short_place(place),
            remedy=f"Turn it into one of {stored} (exactly: no subclass).",
        )


def _check_encodable(text: str, what: str, place: list[str | int]) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueTypeError(
            f"{what} holds a lone surrogate, which has no UTF-8 form",
            position=short_place(place),
            remedy="Decode the text with errors='replace', or store it as bytes.",
        ) from None


def _integer_too_large(place: list[str | int] | tuple[()]) -> ValueRangeError:
    return ValueRangeError(
        "an integer is outside -2**63..2**63-1",
        position=short_place(place),
        remedy="Store it as text.",
    )


def _too_large(found: int, limit: int, place: list[str | int] | tuple[()] = ()) -> EngineLimitExceeded:
    return EngineLimitExceeded(
        f"the value takes {found} bytes or more, over the limit of {limit}",
        what="value size",
        limit=limit,
        found=found,
        position=short_place(place),
    )
