"""Set and delete at a path of a JSON document, where a path is a list of keys (str) and indices (int)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

Path = Sequence[str | int]
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()


class PathFault(Exception):
    """`name` is "PathError" (there is no such place) or "JsonTypeError" (another kind of container is there)."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


def get_at(document: Any, path: Path) -> Any:
    """What is at the path, or ABSENT."""
    at = document
    for segment in path:
        key = isinstance(segment, str) and isinstance(at, dict) and segment in at
        index = isinstance(segment, int) and isinstance(at, list) and 0 <= segment < len(at)
        if not key and not index:
            return ABSENT
        at = at[segment]
    return at


def set_at(document: Any, path: Path, value: Any) -> Any:
    """A new document with the value there; ABSENT as the document, or on the way, becomes the container the path needs.

    Raises:
        PathFault: An index is beyond the end of its array (its length appends), or a container is of another kind.
    """
    if not path:
        return copy.deepcopy(value)
    segment, rest = path[0], path[1:]
    if document is ABSENT:
        document = {} if isinstance(segment, str) else []
    _right_kind(document, segment)
    if isinstance(segment, str):
        return {**document, segment: set_at(document.get(segment, ABSENT), rest, value)}
    if not 0 <= segment <= len(document):
        raise PathFault("PathError", f"index {segment} of an array of {len(document)}")
    inner = document[segment] if segment < len(document) else ABSENT
    return [*document[:segment], set_at(inner, rest, value), *document[segment + 1 :]]


def delete_at(document: Any, path: Path) -> Any:
    """A new document without what is at the (not empty) path; later elements of an array move up.

    Raises:
        PathFault: Nothing is there.
    """
    segment, rest = path[0], path[1:]
    _right_kind(document, segment)
    there = segment in document if isinstance(segment, str) else 0 <= segment < len(document)
    if not there:
        raise PathFault("PathError", f"nothing at {segment!r}")
    changed = document.copy()
    if rest:
        changed[segment] = delete_at(document[segment], rest)
    else:
        del changed[segment]
    return changed


def patched(document: Any, operations: Sequence[Sequence[Any]]) -> Any:
    """The document after `[0, path, value]` (set) and `[1, path]` (delete) operations, in order."""
    for operation in operations:
        if operation[0] == 0:
            document = set_at(document, operation[1], operation[2])
        elif operation[0] == 1 and operation[1]:
            document = delete_at(document, operation[1])
        else:
            raise PathFault("PathError", f"no such operation: {operation!r}")
    return document


def _right_kind(container: Any, segment: str | int) -> None:
    wanted = dict if isinstance(segment, str) else list
    if not isinstance(container, wanted) or isinstance(segment, bool):
        raise PathFault("JsonTypeError", f"{segment!r} of a {type(container).__name__}")
