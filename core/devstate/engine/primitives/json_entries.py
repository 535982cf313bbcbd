"""The entries of JSON documents, and what a change makes of a document.

`changed` makes a change for a commit and for recovery alike, so both come to the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from devstate.engine.envelope import WalEntry
from devstate.engine.errors import EngineError, PathError
from devstate.engine.json_edit import check_document_limits, delete_at, set_at, written_path
from devstate.engine.json_path import Path
from devstate.engine.values import decode_value, encode_checked

from .payloads import MakingPayload, VersionedPayload

__all__ = [
    "CREATE",
    "DELETE",
    "DELETE_OP",
    "MOST_NOTED",
    "PATCH",
    "SET",
    "SET_OP",
    "WHOLE",
    "Change",
    "Entry",
    "changed",
    "made_by",
    "read_entry",
]

CREATE = 0x20
SET = 0x21
DELETE = 0x22
PATCH = 0x23

# One change as the log has it: `[0, path, value]` or `[1, path]`, the value as its bytes.
Change: TypeAlias = tuple[int, Path, bytes | None]
SET_OP = 0
DELETE_OP = 1

WHOLE: tuple[Path, ...] = ((),)
"""What a change of the whole document writes."""

MOST_NOTED = 1000
"""The paths of one commit, and the commits to one document, that are told apart."""

_pack = msgspec.msgpack.Encoder().encode


class _SetPayload(VersionedPayload, frozen=True):
    path: tuple[str | int, ...]
    value: msgspec.Raw


class _DeletePayload(VersionedPayload, frozen=True):
    path: tuple[str | int, ...]


class _Op(msgspec.Struct, array_like=True, frozen=True, gc=False):
    kind: int
    path: tuple[str | int, ...]
    value: msgspec.Raw = msgspec.Raw()


class _PatchPayload(VersionedPayload, frozen=True):
    ops: tuple[_Op, ...]


_create_payload = msgspec.msgpack.Decoder(MakingPayload).decode
_set_payload = msgspec.msgpack.Decoder(_SetPayload).decode
_delete_payload = msgspec.msgpack.Decoder(_DeletePayload).decode
_patch_payload = msgspec.msgpack.Decoder(_PatchPayload).decode


class Entry(msgspec.Struct, frozen=True):
    """An entry read: `changes` is None where it destroys the document."""

    run: bytes
    key: str
    cv: int
    ts: int
    ver: int
    op: str
    changes: tuple[Change, ...] | None


def changed(
    old: bytes, changes: Sequence[Change], *, limits: bool, noting: bool
) -> tuple[bytes, tuple[Path, ...]]:
    """The bytes of a document after changes, and (if `noting`) the paths that they write.

    Raises PathError and JsonTypeError where a change does not fit, EngineLimitExceeded with `limits`.
    """
    if len(changes) == 1 and not changes[0][1] and changes[0][2] is not None:
        return changes[0][2], WHOLE
    doc = decode_value(old)
    written: list[Path] = []
    for number, (kind, path, value) in enumerate(changes):
        try:
            if noting:
                written.append(written_path(doc, (kind, path) if value is None else (kind, path, None)))
            if value is None:
                doc = delete_at(doc, path)
            else:
                doc = set_at(doc, path, decode_value(value))
                if limits:
                    check_document_limits(doc, path)
        except PathError as error:
            if len(changes) > 1:
                error.position = f"operation {number}" + (f", {error.position}" if error.position else "")
            raise
    return encode_checked(doc) if limits else _pack(doc), tuple(written) if len(
        written
    ) <= MOST_NOTED else WHOLE


def made_by(change: Change, *, limits: bool) -> bytes:
    """The bytes of the document that a set makes where there was none: what the path leads through is made too.

    Raises PathError where the path begins with an index other than 0, EngineLimitExceeded with `limits`.
    """
    _, path, value = change
    if not path:
        return value or b""
    empty = b"\x80" if isinstance(path[0], str) else b"\x90"
    return changed(empty, (change,), limits=limits, noting=False)[0]


def read_entry(entry: WalEntry) -> Entry:
    kind, payload = entry.entry_type, entry.payload
    if kind == SET:
        put = _set_payload(payload)
        change = (SET_OP, put.path, bytes(put.value))
        return Entry(put.run, put.key, put.cv, put.ts, put.ver, "set", (change,))
    if kind == CREATE:
        new = _create_payload(payload)
        change = (SET_OP, (), bytes(new.value))
        return Entry(new.run, new.key, new.cv, new.ts, new.ver, "create", (change,))
    if kind == PATCH:
        patch = _patch_payload(payload)
        changes = tuple(_read_op(op, entry) for op in patch.ops)
        if not changes:
            raise EngineError("a patch without operations", position=f"lsn {entry.lsn}")
        return Entry(patch.run, patch.key, patch.cv, patch.ts, patch.ver, "patch", changes)
    gone = _delete_payload(payload)
    changes = ((DELETE_OP, gone.path, None),) if gone.path else None
    return Entry(gone.run, gone.key, gone.cv, gone.ts, gone.ver, "delete", changes)


def _read_op(op: _Op, entry: WalEntry) -> Change:
    value = bytes(op.value)
    if op.kind == SET_OP and value:
        return SET_OP, op.path, value
    if op.kind == DELETE_OP and not value:
        return DELETE_OP, op.path, None
    raise EngineError(f"a patch holds an operation of kind {op.kind}", position=f"lsn {entry.lsn}")
