"""Reading and changing decoded JSON documents at a path.

A document is plain Python objects: what `decode_value` gives. The functions that change one do it in place and
return the document, which is another object only where its root was set; taking a copy is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from .errors import JsonTypeError, PathError, ValueTypeError
from .json_path import ARRAY_LIMIT, Path, as_path, short_place
from .values import JSON_DEPTH, Value, check_extent, decode_value, encode_checked

__all__ = [
    "DELETE",
    "SET",
    "Op",
    "apply_ops",
    "check_document_limits",
    "delete_at",
    "get_at",
    "get_in",
    "set_at",
    "written_path",
]

SET = 0
DELETE = 1

_members = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode

Op: TypeAlias = Sequence[Any]
"""`[SET, path, value]` or `[DELETE, path]`, as the log holds them; a path may also be given as text."""


def get_at(doc: Value, path: Path) -> Value:
    """The value at a path: itself, not a copy.

    Raises PathError where nothing is there, JsonTypeError where a step meets the wrong container or a scalar.
    """
    node = doc
    for depth, step in enumerate(path):
        if isinstance(step, str):
            if not isinstance(node, dict):
                raise _wrong_container(node, path, depth)
            if step not in node:
                raise _absent(path, depth)
            node = node[step]
        else:
            if not isinstance(node, list):
                raise _wrong_container(node, path, depth)
            if not 0 <= step < len(node):
                raise _absent(path, depth)
            node = node[step]
    return node


def get_in(raw: bytes, path: Path) -> Value:
    """`get_at` of an encoded document, without decoding what is not on the way. Raises as `get_at`."""
    part: bytes | msgspec.Raw = raw
    try:
        for step in path:
            part = _members(part)[step] if isinstance(step, str) else _elements(part)[step]
    except (msgspec.DecodeError, LookupError):
        return get_at(decode_value(raw), path)  # which says what is wrong, and where
    return decode_value(memoryview(part))


def set_at(doc: Value, path: Path, value: Value) -> Value:
    """Puts a value at a path and returns the document, in which the value then stands by reference.

    Missing containers on the way are made: an object where the next segment is a name, an array where it is an
    index. An index may equal the length, which appends. Raises PathError for an index beyond that, JsonTypeError
    where a step meets the wrong container or a scalar; the document is unchanged then.
    """
    node = doc
    last = len(path) - 1
    for depth, step in enumerate(path):
        if isinstance(step, str):
            if not isinstance(node, dict):
                raise _wrong_container(node, path, depth)
            if depth == last or step not in node:
                node[step] = _grown(path, depth, value)
                return doc
            node = node[step]
        else:
            if not isinstance(node, list):
                raise _wrong_container(node, path, depth)
            if not 0 <= step <= len(node):
                raise _beyond(path, depth, len(node))
            if step == len(node):
                node.append(_grown(path, depth, value))
                return doc
            if depth == last:
                node[step] = value
                return doc
            node = node[step]
    return value  # the root


def delete_at(doc: Value, path: Path) -> Value:
    """Removes what is at a path and returns the document; the elements behind a removed one move up.

    Raises PathError where nothing is there and for the root, JsonTypeError as `get_at`.
    """
    if not path:
        raise PathError(
            "the root of a document is not removed by a path", remedy="Delete the document, or set its root."
        )
    get_at(doc, path)
    parent: Any = get_at(doc, path[:-1])
    del parent[path[-1]]
    return doc


def apply_ops(doc: Value, ops: Iterable[Op]) -> Value:
    """Makes the changes in their order and returns the document. The values must be storable.

    Raises PathError and JsonTypeError as `set_at` and `delete_at`, and ValueTypeError for what is no operation,
    with the number of the operation in the position; the ones before it are in the document then.
    """
    todo = list(ops)
    for number, op in enumerate(todo):
        try:
            deletes, path = _read_op(op)
            if deletes:
                doc = delete_at(doc, path)
                continue
            value: Value = op[2]
            if number < len(todo) - 1 and isinstance(value, (dict, list)):
                # A later operation may write into it, and the value of an operation is not ours to change.
                value = decode_value(encode_checked(value))
            doc = set_at(doc, path, value)
        except (PathError, ValueTypeError) as error:
            error.position = f"operation {number}" + (f", {error.position}" if error.position else "")
            raise
    return doc


def written_path(doc: Value, op: Op) -> Path:
    """The path that a change counts as writing, seen from the document before it.

    It is the array itself where an element is removed or appended, for that moves or makes what others address
    by index; this holds too for an array that the change makes on its way. Else it is the path of the change.
    A change that will fail has its own path; what is no operation raises ValueTypeError.
    """
    deletes, path = _read_op(op)
    if deletes:
        return path[:-1] if path and isinstance(path[-1], int) else path
    node = doc
    for depth, step in enumerate(path):
        if isinstance(step, str):
            if not isinstance(node, dict):
                return path
            if step not in node:
                return _up_to_new_array(path, depth)
            node = node[step]
        else:
            if not isinstance(node, list):
                return path
            if step >= len(node):
                return path[:depth]
            node = node[step]
    return path


def check_document_limits(doc: Value, path: Path = ()) -> None:
    """Refuses a document that a set at `path` made too deep (100) or an array in it too long (1,000,000).

    Only the arrays on the way and what stands at the path are looked at: all that the set can have altered.
    The size is not: it shows when the document is encoded. Raises EngineLimitExceeded.
    """
    node = doc
    for depth in range(len(path)):
        _check_node(node, depth + 1, path[:depth])
        node = get_at(node, path[depth : depth + 1])
    stack = [(node, len(path) + 1)]
    while stack:
        node, level = stack.pop()
        if isinstance(node, (dict, list)):
            _check_node(node, level, path)
            members = node.values() if isinstance(node, dict) else node
            stack.extend((item, level + 1) for item in members if isinstance(item, (dict, list)))


def _check_node(node: Value, level: int, place: Path) -> None:
    told = "the document would be", "an array would have"
    check_extent(node, place, level, JSON_DEPTH, ARRAY_LIMIT, told)


def _read_op(op: Op) -> tuple[bool, Path]:
    """Whether an operation deletes, and its path."""
    if type(op) in (list, tuple) and op and type(op[0]) is int:
        if op[0] == SET and len(op) == 3:
            return False, as_path(op[1])
        if op[0] == DELETE and len(op) == 2:
            return True, as_path(op[1])
    raise ValueTypeError("an operation is [0, path, value] to set or [1, path] to delete")


def _grown(path: Path, depth: int, value: Value) -> Value:
    """The value inside the containers that the steps behind `depth` ask for."""
    for below in range(len(path) - 1, depth, -1):
        step = path[below]
        if isinstance(step, str):
            value = {step: value}
        elif step == 0:
            value = [value]
        else:
            raise _beyond(path, below, 0)
    return value


def _up_to_new_array(path: Path, depth: int) -> Path:
    for below in range(depth + 1, len(path)):
        if isinstance(path[below], int):
            return path[:below]
    return path


def _absent(path: Path, depth: int) -> PathError:
    return PathError("nothing is there in the document", position=short_place(path[: depth + 1]))


def _beyond(path: Path, depth: int, length: int) -> PathError:
    return PathError(
        f"the index is beyond the end of an array of {length}",
        position=short_place(path[: depth + 1]),
        remedy=f"Use {length} to append.",
    )


def _wrong_container(node: Value, path: Path, depth: int) -> JsonTypeError:
    step = "a name" if isinstance(path[depth], str) else "an index"
    return JsonTypeError(
        f"{step} cannot be looked up in {_kind_name(node)}", position=short_place(path[: depth + 1])
    )


def _kind_name(node: Value) -> str:
    if node is None:
        return "null"
    if isinstance(node, bool):
        return "a boolean"
    if isinstance(node, (int, float)):
        return "a number"
    if isinstance(node, str):
        return "a string"
    return "an object" if isinstance(node, dict) else "an array"
