"""JSON: documents that are changed by path; entries 0x20 to 0x23.

The log holds the changes and the version of the document after each; memory and snapshots hold the documents.
While transactions are open the store notes which paths each commit wrote: those that read or write beside them
do not conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

import msgspec

from devstate.engine.batch import Operation
from devstate.engine.envelope import WalEntry
from devstate.engine.errors import (
    AlreadyExists,
    CasMismatch,
    ConflictError,
    EngineError,
    NotFound,
    PathError,
    ValueTypeError,
)
from devstate.engine.json_edit import get_in
from devstate.engine.json_path import Path, as_path, format_path, overlaps
from devstate.engine.map_primitive import DELETED, MapPrimitive, stored
from devstate.engine.primitive import Key
from devstate.engine.search.texts import text_of_document
from devstate.engine.values import Value, check_key, decode_value, encode_json
from devstate.engine.versions import Record

from .json_entries import (
    CREATE,
    DELETE,
    DELETE_OP,
    PATCH,
    SET,
    SET_OP,
    WHOLE,
    Change,
    Entry,
    changed,
    made_by,
    read_entry,
)
from .written_paths import WrittenPaths

if TYPE_CHECKING:
    from devstate.engine.batch import Batch
    from devstate.engine.context import Context

__all__ = ["Document", "Json", "JsonStore"]

_ROOT: Path = ()

_pack = msgspec.msgpack.Encoder().encode
_raw = msgspec.Raw
_uint = msgspec.msgpack.Decoder(int).decode
_MISSING: Any = object()


class Document(msgspec.Struct, frozen=True):
    """A document: its value, its own version, and the times (us) of its creation and last change."""

    value: Value
    ver: int
    created: int
    updated: int


class JsonStore(MapPrimitive):
    """The documents: whole, as msgpack bytes; `extra` is `(ver, time of creation)`.

    A record on its way to `install` has the written paths as a third element of `extra`, None for not known.
    """

    type_id = 2
    name = "json"
    puts = (CREATE, SET, PATCH)
    deletes = (DELETE,)
    keeps_tombstones = True

    def __init__(self) -> None:
        super().__init__()
        self._written = WrittenPaths()

    # -- the contract of storage

    def apply_wal_entry(self, entry: WalEntry) -> None:
        told = read_entry(entry)
        record = self.latest(told.run, told.key)
        found = record[3][0] if record is not None else 0
        if told.ver != found + 1:
            raise EngineError(
                f"an entry makes version {told.ver} of document {told.key!r}; the document is at {found}",
                position=f"lsn {entry.lsn}",
            )
        self.install(told.run, told.key, self._record_after(told, record, entry))

    def _record_after(self, told: Entry, record: Record | None, entry: WalEntry) -> Record:
        """What an entry makes of a document. Raises where it does not fit."""
        old = record[1] if record is not None else None
        created = record[3][1] if record is not None else told.ts
        changes = told.changes
        value, written = None, WHOLE
        if old is None:
            # An absent document is made by one set, at the root or below it.
            if changes is None or told.op == "patch" or changes[0][2] is None:
                raise _unfit(told, entry, "is absent")
            value, created = made_by(changes[0], limits=False), told.ts
        elif changes is not None:
            if told.op == "create":
                raise _unfit(told, entry, "is there")
            value, written = changed(old, changes, limits=False, noting=bool(self.versions.readers))
        return told.cv, value, told.ts, (told.ver, created, written), None

    def snapshot_fields(self, record: Record) -> tuple[Any, ...]:
        cv, value, ts, extra, _ = record
        return cv, ts, extra[1], extra[0], DELETED if value is None else _raw(value)

    def from_fields(self, fields: Sequence[msgspec.Raw]) -> Record:
        cv, ts, created, ver, value = fields[:5]
        return _uint(cv), stored(value), _uint(ts), (_uint(ver), _uint(created)), None

    # -- memory

    def install(self, run: bytes, key: Key, record: Record) -> None:
        cv, value, ts, extra, _ = record
        if self.versions.readers:
            old = self.latest(run, key)
            paths = extra[2] if len(extra) > 2 else None
            self._written.note(run, key, cv, paths or WHOLE, old[0] if old is not None else 0)
        elif self._written:
            self._written.clear()
        super().install(run, key, (cv, value, ts, (extra[0], extra[1]), None))

    def delete_run(self, run: bytes) -> None:
        super().delete_run(run)
        self._written.forget(run)

    # -- transactions

    def check_read(
        self, run: bytes, key: Key, seen: int, scopes: Sequence[Any] | None, start: int
    ) -> int | None:
        newest = self.latest(run, key)
        found = newest[0] if newest is not None else 0
        if found == seen:
            return None
        later = self._written.after(run, key, seen, found) if scopes is not None else None
        if later is None or scopes is None:
            return found
        return found if any(overlaps(scope, path) for path in later for scope in scopes) else None

    def check_write(self, run: bytes, key: Key, paths: Iterable[Path], start: int) -> None:
        """Raise ConflictError where a commit after `start` wrote to a document what overlaps these paths."""
        newest = self.latest(run, key)
        if newest is None or newest[0] <= start:
            return
        later = self._written.after(run, key, start, newest[0])
        for path in paths:
            if later is None or any(overlaps(path, other) for other in later):
                raise ConflictError(
                    f"document {key!r} was changed at {format_path(path)} by commit {newest[0]}"
                    if later is not None
                    else f"document {key!r} was changed by commit {newest[0]}",
                    kind="json write-write",
                    primitive=self.name,
                    key=key,
                    expected=start,
                    found=newest[0],
                )

    # -- readers

    def text(self, run: bytes, key: Key, record: Record) -> str | None:
        return text_of_document(self.decode_value(key, record))

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        told = read_entry(entry)
        base = {"op": told.op, "key": told.key, "ver": told.ver}
        if told.changes is None:
            return {**base, "path": "$"}
        listed = [
            {"op": "delete", "path": format_path(path)}
            if value is None
            else {"op": "set", "path": format_path(path), "value": decode_value(value)}
            for _, path, value in told.changes
        ]
        return {**base, "ops": listed} if told.op == "patch" else {**listed[0], **base}

    def handle(self, context: Context) -> Json:
        return Json(context, self)


def _unfit(told: Entry, entry: WalEntry, why: str) -> EngineError:
    return EngineError(
        f"an entry of type {entry.entry_type:#04x} does not fit: document {told.key!r} {why}",
        position=f"lsn {entry.lsn}",
    )


class _Create(Operation):
    __slots__ = ("_key", "_store", "_value")

    def __init__(self, store: JsonStore, key: str, value: bytes) -> None:
        self._store = store
        self._key = key
        self._value = value

    def stage(self, batch: Batch) -> int:
        store, key, value, cv, ts = self._store, self._key, self._value, batch.cv, batch.ts
        record = batch.latest(store, key)
        if record is not None and record[1] is not None:
            raise AlreadyExists(f"there is a document {key!r}", position=key)
        ver = (record[3][0] if record is not None else 0) + 1
        payload = _pack((batch.run, key, cv, ts, ver, _raw(value)))
        batch.add(CREATE, payload, store, key, (cv, value, ts, (ver, ts, WHOLE), None))
        return ver

    def check(self, run: bytes, start: int) -> None:
        self._store.check_write(run, self._key, WHOLE, start)


class _Alter(Operation):
    """`set`, `cas`, `delete` at a path and `patch`: changes of a document; a set may make it."""

    __slots__ = ("_changes", "_entry_type", "_expected", "_key", "_paths", "_store")

    def __init__(
        self,
        store: JsonStore,
        key: str,
        entry_type: int,
        changes: tuple[Change, ...],
        expected: int | None = None,
    ) -> None:
        self._store = store
        self._key = key
        self._entry_type = entry_type
        self._changes = changes
        self._expected = expected
        # What the transaction that queued it writes, as seen from the state it began with.
        self._paths = WHOLE

    def stage(self, batch: Batch) -> int:
        store, key, cv, ts, changes = self._store, self._key, batch.cv, batch.ts, self._changes
        record = batch.latest(store, key)
        old = record[1] if record is not None else None
        ver, created = record[3][:2] if record is not None else (0, ts)
        expected = self._expected
        if expected is not None and expected != (found := 0 if old is None else ver):
            raise CasMismatch(
                f"document {key!r} is at version {found}, not {expected}",
                kind="cas",
                primitive="json",
                key=key,
                expected=expected,
                found=found,
                remedy="Read it again and decide anew.",
            )
        if old is not None:
            value, self._paths = changed(old, changes, limits=True, noting=bool(store.versions.readers))
        elif self._entry_type == SET and changes[0][2] is not None:
            value, self._paths, created = made_by(changes[0], limits=True), WHOLE, ts
        else:
            raise _absent(key)
        ver += 1
        payload = _pack((batch.run, key, cv, ts, ver, *self._fields()))
        batch.add(self._entry_type, payload, store, key, (cv, value, ts, (ver, created, self._paths), None))
        return ver

    def _fields(self) -> tuple[Any, ...]:
        kind = self._entry_type
        _, path, value = self._changes[0]
        if kind == SET:
            return path, _raw(value or b"")
        if kind == DELETE:
            return (path,)
        ops = [(op, path) if value is None else (op, path, _raw(value)) for op, path, value in self._changes]
        return (ops,)

    def check(self, run: bytes, start: int) -> None:
        self._store.check_write(run, self._key, self._paths or WHOLE, start)


class _Destroy(Operation):
    __slots__ = ("_key", "_store")

    def __init__(self, store: JsonStore, key: str) -> None:
        self._store = store
        self._key = key

    def stage(self, batch: Batch) -> bool:
        store, key, cv, ts = self._store, self._key, batch.cv, batch.ts
        record = batch.latest(store, key)
        if record is None or record[1] is None:
            return False
        ver, created = record[3][0] + 1, record[3][1]
        payload = _pack((batch.run, key, cv, ts, ver, _ROOT))
        batch.add(DELETE, payload, store, key, (cv, None, ts, (ver, created, WHOLE), None))
        return True

    def check(self, run: bytes, start: int) -> None:
        self._store.check_write(run, self._key, WHOLE, start)


class Json:
    """The documents of one run. Keys are texts of 1 to 1024 bytes of UTF-8.

    A path is text (`$.plan.steps[0]`, `""` or `$` for the root) or a list of names and indexes. Writes return the
    new version of the document, provisional within a transaction; it is 1 at the creation, one more at every
    change, and goes on when a deleted document is made anew. They raise ValueTypeError, ValueRangeError,
    EngineLimitExceeded, RunNotActive, DurabilityError; everything raises PathError, RunNotFound, DatabaseClosed.
    """

    __slots__ = ("_context", "_store")

    def __init__(self, context: Context, store: JsonStore) -> None:
        self._context = context
        self._store = store

    def create(self, key: str, value: Value) -> int:
        """Make a document. Raises AlreadyExists."""
        check_key(key)
        return self._context.write(_Create(self._store, key, encode_json(value)))

    def set(self, key: str, path: str | Sequence[str | int], value: Value) -> int:
        """Write a value at a path: at the root it makes or replaces the document, elsewhere NotFound without one.

        Missing containers on the way are made; the index behind the last element of an array appends. Raises
        PathError for one beyond, JsonTypeError where the path meets something else than the container it needs.
        """
        check_key(key)
        change = (SET_OP, as_path(path), encode_json(value))
        return self._context.write(_Alter(self._store, key, SET, (change,)))

    def get(self, key: str, path: str | Sequence[str | int] = "", default: Any = _MISSING) -> Any:
        """The value at a path, made anew. `default`, where given, stands for what is not there.

        Raises NotFound without such a document, PathError where nothing is at the path.
        """
        steps = as_path(path)
        record = self._context.record(self._store, key, steps)
        if record is None or record[1] is None:
            if default is _MISSING:
                raise _absent(key)
            check_key(key)
            return default
        try:
            return get_in(record[1], steps) if steps else decode_value(record[1])
        except PathError:
            if default is _MISSING:
                raise
            return default

    def get_doc(self, key: str) -> Document:
        """The whole document with its version and times. Raises NotFound."""
        record = self._whole(key)
        if record is None or record[1] is None:
            raise _absent(key)
        return Document(decode_value(record[1]), record[3][0], record[3][1], record[2])

    @overload
    def delete(self, key: str, path: None = None) -> bool: ...
    @overload
    def delete(self, key: str, path: str | Sequence[str | int]) -> int: ...
    def delete(self, key: str, path: str | Sequence[str | int] | None = None) -> bool | int:
        """Remove what is at a path, and return the new version; the elements behind an element move up.

        Without a path, remove the document, and return whether it was there. Raises NotFound, PathError.
        """
        check_key(key)
        if path is None:
            return self._context.write(_Destroy(self._store, key))
        return self._context.write(_Alter(self._store, key, DELETE, ((DELETE_OP, as_path(path), None),)))

    def patch(self, key: str, ops: Iterable[Sequence[Any]]) -> int:
        """Make several changes in their order, all or none: `("set", path, value)` and `("delete", path)`.

        Raises NotFound, and PathError with the number of the change as position.
        """
        check_key(key)
        changes = tuple(_change_of(op) for op in ops)
        if not changes:
            raise ValueTypeError("a patch has at least one operation", position=key)
        return self._context.write(_Alter(self._store, key, PATCH, changes))

    def cas(self, key: str, path: str | Sequence[str | int], expected_ver: int, value: Value) -> int:
        """`set`, if the document is at `expected_ver`; 0 where it must be absent. Raises CasMismatch."""
        check_key(key)
        change = (SET_OP, as_path(path), encode_json(value))
        return self._context.write(_Alter(self._store, key, SET, (change,), expected_ver))

    def exists(self, key: str) -> bool:
        """Whether there is such a document."""
        record = self._whole(key)
        return record is not None and record[1] is not None

    def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with `prefix`, in the order of their UTF-8 bytes."""
        return [key for key, _ in self._context.live(self._store, prefix)]

    def version(self, key: str) -> int:
        """The version of the document, of a deleted one its last; 0 where it never existed."""
        record = self._whole(key)
        return record[3][0] if record is not None else 0

    def _whole(self, key: str) -> Record | None:
        # The root as scope, not None: a transaction that changed a part of a document has read the rest.
        record = self._context.record(self._store, key, _ROOT)
        if record is None:
            check_key(key)
        return record


def _change_of(op: Any) -> Change:
    if isinstance(op, (list, tuple)):
        given: tuple[Any, ...] = tuple(op)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if len(given) == 3 and given[0] == "set":
            return SET_OP, as_path(given[1]), encode_json(given[2])
        if len(given) == 2 and given[0] == "delete":
            return DELETE_OP, as_path(given[1]), None
    raise ValueTypeError('an operation of a patch is ("set", path, value) or ("delete", path)')


def _absent(key: Any) -> NotFound:
    check_key(key)
    return NotFound(f"there is no document {key!r}", position=key)
