"""What became of the documents between two looks, as a recording writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from devstate.chain import mask_hmac
from devstate.engine.errors import EngineError
from devstate.engine.json_diff import PathDiff, diff_paths
from devstate.engine.json_path import Path, as_path
from devstate.pointer import join_pointer

from .recording_masking import Masker

__all__ = ["changed_pointers", "common_entries", "document_edits", "entry_value", "head_of"]

_MOST_POINTERS = 1000
_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Edit = tuple[str, Path] | tuple[str, Path, Any]


def document_edits(before: dict[str, Any], after: dict[str, Any], diff: PathDiff) -> list[Edit]:
    """The changes that make `before` to `after`, for `Json.patch`; the whole document where they are too many.

    An array that got elements before its end is written whole: an edit of the engine replaces or appends.
    """
    if diff.truncated or any(not change.path for change in diff.changes):
        return [("set", (), after)]
    grown = {
        change.path[:-1]
        for change in diff.changes
        if change.kind == "add"
        and isinstance(change.path[-1], int)
        and not _equal_tail(diff, change.path, _at(after, change.path[:-1]))
    }
    edits: list[Edit] = []
    written: set[Path] = set()
    lost: list[Path] = []
    try:
        for change in diff.changes:
            path = as_path(change.path)
            whole = next((path[:end] for end in range(len(path)) if path[:end] in grown), None)
            shrinks = whole is None and change.kind == "remove" and isinstance(path[-1], int)
            if lost and not (shrinks and path[:-1] == lost[-1][:-1]):
                edits += [("delete", place) for place in reversed(lost)]
                lost.clear()
            if whole is not None:
                if whole not in written:
                    written.add(whole)
                    edits.append(("set", whole, _at(after, whole)))
            elif shrinks:
                lost.append(path)
            elif change.kind == "remove":
                edits.append(("delete", path))
            else:
                edits.append(("set", path, change.b))
    except EngineError:  # a name or an index that a path cannot hold
        return [("set", (), after)]
    edits += [("delete", place) for place in reversed(lost)]
    return edits


def changed_pointers(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """Where two documents differ: `paths` (JSON pointers, at most 1000), and whether there are `more`."""
    if before is None:
        return {"paths": [""], "more": False}
    diff = diff_paths(before, after, limit=_MOST_POINTERS)
    paths = [join_pointer(change.path) for change in diff.changes]
    return {"paths": paths, "more": diff.truncated}


def common_entries(before: Sequence[msgspec.Raw], after: Sequence[msgspec.Raw]) -> int:
    """How many entries at the beginning are the same; one that is only laid out otherwise counts as the same."""
    for number, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new and _decoded(old) != _decoded(new):
            return number
    return min(len(before), len(after))


def entry_value(raw: msgspec.Raw, masker: Masker) -> Any:
    """An entry as events hold it: HMACs by their first 16 digits. A text where it is no JSON."""
    try:
        return masker.value(msgspec.json.decode(raw))
    except _UNDECODABLE:
        return "not readable as JSON"


def head_of(entries: Sequence[msgspec.Raw]) -> str | None:
    """The HMAC of the last entry by its first 16 digits, None where there is none."""
    value = _decoded(entries[-1]) if entries else None
    found = cast("dict[str, Any]", value).get("hmac") if isinstance(value, dict) else None
    return mask_hmac(found) if isinstance(found, str) else None


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except _UNDECODABLE:
        return bytes(raw)


def _equal_tail(diff: PathDiff, path: Path, array: Any) -> bool:
    """Whether the elements that an array got are its last ones."""
    parent = path[:-1]
    last = max(
        cast("int", change.path[-1])
        for change in diff.changes
        if change.kind == "add" and change.path[:-1] == parent and len(change.path) == len(path)
    )
    return last == len(array) - 1


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value
