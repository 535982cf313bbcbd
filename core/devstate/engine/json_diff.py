"""What differs between two values, by path, and the RFC 6902 patch that leads from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from math import copysign
from typing import Any, Literal, TypeAlias

import msgspec

from devstate.pointer import join_pointer

from .errors import EngineLimitExceeded
from .json_path import Path
from .values import Value

__all__ = ["CHANGE_LIMIT", "ChangeKind", "PathChange", "PathDiff", "diff_paths", "json_patch", "same_value"]

CHANGE_LIMIT = 10_000
"""Changes that a diff lists unless told otherwise."""

ChangeKind: TypeAlias = Literal["add", "remove", "replace", "type"]


class PathChange(msgspec.Struct, frozen=True, gc=False):
    """One difference: at `path`, `a` became `b`.

    `kind` is `add` (`a` is None, the path is one of b), `remove` (`b` is None, the path is one of a), `replace`, or
    `type` where the two are of different JSON types.
    """

    path: Path
    kind: ChangeKind
    a: Any
    b: Any


class PathDiff(msgspec.Struct, frozen=True, gc=False):
    """All differences in the order of the values: members by name, elements by index.

    `truncated` says that there are more than the limit allowed to list.
    """

    changes: tuple[PathChange, ...]
    truncated: bool


# A pair still to be compared, or a change still to be listed.
_Task: TypeAlias = tuple[Path, ChangeKind | None, Value, Value]


def same_value(a: Value, b: Value) -> bool:
    """Equality that tells types apart: 1, 1.0 and True differ, 0.0 and -0.0 differ, NaN equals NaN.

    The order of the members of a dict does not matter.
    """
    if type(a) is not type(b):
        return False
    stack: list[tuple[Value, Value]] = [(a, b)]
    while stack:
        left, right = stack.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            if len(left) != len(right):
                return False
            for key, one in left.items():
                if key not in right:
                    return False
                other = right[key]
                if type(one) is not type(other):
                    return False
                if isinstance(one, (dict, list)):
                    stack.append((one, other))
                elif not _same_scalar(one, other):
                    return False
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            for one, other in zip(left, right, strict=True):
                if type(one) is not type(other):
                    return False
                if isinstance(one, (dict, list)):
                    stack.append((one, other))
                elif not _same_scalar(one, other):
                    return False
        elif not _same_scalar(left, right):
            return False
    return True


def diff_paths(a: Value, b: Value, *, limit: int = CHANGE_LIMIT) -> PathDiff:
    """What differs between two values, in at most `limit` changes.

    Objects are compared by key. Of arrays the common beginning and end are left out, and the rest is compared
    index by index; what one has more is added or removed. Whole subtrees that are new or gone are one change.
    """
    changes: list[PathChange] = []
    tasks: list[_Task] = [((), None, a, b)]
    while tasks:
        path, kind, left, right = tasks.pop()
        if kind is None:
            if isinstance(left, dict) and isinstance(right, dict):
                tasks += reversed(_object_tasks(path, left, right))
                continue
            if isinstance(left, list) and isinstance(right, list):
                tasks += reversed(_array_tasks(path, left, right))
                continue
            if type(left) is type(right) and _same_scalar(left, right):
                continue
            kind = "replace" if _json_type(left) == _json_type(right) else "type"
        if len(changes) >= limit:
            return PathDiff(tuple(changes), True)
        changes.append(PathChange(path, kind, left, right))
    return PathDiff(tuple(changes), False)


def json_patch(diff: PathDiff) -> list[dict[str, Any]]:
    """The operations of RFC 6902 that turn `a` into `b`, to be applied in their order.

    Raises EngineLimitExceeded for a truncated diff, whose patch would lead elsewhere.
    """
    if diff.truncated:
        listed = len(diff.changes)
        raise EngineLimitExceeded(
            f"the values differ in more than the {listed} changes that the diff lists: no patch can be made of it",
            what="listed changes",
            limit=listed,
            found=listed + 1,
        )
    return [_operation(change) for change in _in_patch_order(diff.changes)]


def _same_scalar(a: Value, b: Value) -> bool:
    """Of two scalars of the same type."""
    if isinstance(a, float) and isinstance(b, float):
        return (a == b and (a != 0.0 or copysign(1.0, a) == copysign(1.0, b))) or (a != a and b != b)
    return a == b


def _object_tasks(path: Path, left: dict[str, Value], right: dict[str, Value]) -> list[_Task]:
    tasks: list[_Task] = []
    for key in sorted(left.keys() | right.keys()):
        here = (*path, key)
        if key not in right:
            tasks.append((here, "remove", left[key], None))
        elif key not in left:
            tasks.append((here, "add", None, right[key]))
        else:
            tasks.append((here, None, left[key], right[key]))
    return tasks


def _array_tasks(path: Path, left: list[Value], right: list[Value]) -> list[_Task]:
    short = min(len(left), len(right))
    begin = 0
    while begin < short and same_value(left[begin], right[begin]):
        begin += 1
    end = 0
    while end < short - begin and same_value(left[-1 - end], right[-1 - end]):
        end += 1
    shared = short - end
    tasks: list[_Task] = [((*path, at), None, left[at], right[at]) for at in range(begin, shared)]
    for at in range(shared, len(left) - end):
        tasks.append(((*path, at), "remove", left[at], None))
    for at in range(shared, len(right) - end):
        tasks.append(((*path, at), "add", None, right[at]))
    return tasks


def _json_type(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return type(value).__name__


def _in_patch_order(changes: tuple[PathChange, ...]) -> Iterator[PathChange]:
    """The elements that an array loses from the last to the first, so that each still has its index."""
    lost: list[PathChange] = []
    for change in changes:
        from_array = change.kind == "remove" and isinstance(change.path[-1], int)
        if lost and not (from_array and change.path[:-1] == lost[-1].path[:-1]):
            yield from reversed(lost)
            lost.clear()
        if from_array:
            lost.append(change)
        else:
            yield change
    yield from reversed(lost)


def _operation(change: PathChange) -> dict[str, Any]:
    pointer = join_pointer(change.path)
    if change.kind == "remove":
        return {"op": "remove", "path": pointer}
    return {"op": "add" if change.kind == "add" else "replace", "path": pointer, "value": change.b}
