"""What one transaction is going to write, as its operations are staged one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec

from .versions import Record, visible_at

if TYPE_CHECKING:
    from .primitive import Key, StoragePrimitive

__all__ = ["Batch", "Change", "Draft", "Operation", "PutValue"]

_pack = msgspec.msgpack.Encoder().encode
_raw = msgspec.Raw

Change: TypeAlias = "tuple[int, bytes, StoragePrimitive, Key, Record]"
"""An entry of the log, its type and payload, and the record that it makes."""


class Operation:
    """One change that a caller asked for, with its values already encoded.

    It is staged under the commit lock against the newest committed state, and, within a transaction, before
    that against what the transaction sees; so it must not keep anything of the first time.
    """

    __slots__ = ()

    # Whether it changes the status of the run itself, which decides for itself when it may.
    lifecycle: ClassVar[bool] = False

    def stage(self, batch: Batch) -> Any:
        """Add the entries and records that it comes to; return what its caller gets. Raises EngineError."""
        raise NotImplementedError

    def check(self, run: bytes, start: int) -> None:
        """Raise ConflictError where a commit after `start` wrote what this writes and must not both stand.

        Most operations are blind in that sense: the last one wins.
        """


class PutValue(Operation):
    """Write a record of one value: `[run, key, cv, ts, value]`. It depends on nothing; the last one wins."""

    __slots__ = ("_entry_type", "_key", "_primitive", "_value")

    def __init__(self, primitive: StoragePrimitive, entry_type: int, key: Key, value: bytes) -> None:
        self._primitive = primitive
        self._entry_type = entry_type
        self._key = key
        self._value = value

    def stage(self, batch: Batch) -> int:
        key, value, cv, ts = self._key, self._value, batch.cv, batch.ts
        record = (cv, value, ts, None, None)
        if batch.draft:  # nothing is written yet, so nothing is encoded
            batch.pending[self._primitive.type_id, key] = record
        else:
            payload = _pack((batch.run, key, cv, ts, _raw(value)))
            batch.add(self._entry_type, payload, self._primitive, key, record)
        return cv


class Batch:
    """The changes of one transaction at commit version `cv`, in order.

    `notes` is for primitives that count within a transaction. All stages run under the commit lock.
    """

    # Whether this is what an open transaction sees: its entries are never written.
    draft: ClassVar[bool] = False

    __slots__ = ("changes", "cv", "many", "notes", "pending", "run", "size", "ts")

    def __init__(self, run: bytes, cv: int, ts: int, *, many: bool) -> None:
        self.run = run
        self.cv = cv
        self.ts = ts
        self.changes: list[Change] = []
        self.pending: dict[tuple[int, Key], Record] = {}
        self.many = many
        self.notes: dict[Any, Any] | None = None
        self.size = 0

    def latest(self, primitive: StoragePrimitive, key: Key) -> Record | None:
        """The record as the operations before this one leave it."""
        if self.pending:
            found = self.pending.get((primitive.type_id, key))
            if found is not None:
                return found
        return primitive.latest(self.run, key)

    def length(self, primitive: StoragePrimitive) -> int:
        """How many records of the run the primitive has, those of this transaction not counted."""
        return primitive.length(self.run)

    def add(
        self, entry_type: int, payload: bytes, primitive: StoragePrimitive, key: Key, record: Record
    ) -> None:
        """One more log entry, whose payload begins with `[run, key, cv, ts`, and the record that it makes."""
        self.changes.append((entry_type, payload, primitive, key, record))
        self.size += len(payload)
        if self.many:
            self.pending[primitive.type_id, key] = record

    def note(self, primitive: object, value: Any = None) -> Any:
        """The primitive's note in this batch; set where `value` is given."""
        if self.notes is None:
            self.notes = {}
        if value is not None:
            self.notes[primitive] = value
        return self.notes.get(primitive)


class Draft(Batch):
    """The same within an open transaction: what it has queued so far, over the state it began with.

    Its commit version is one that no reader has; it is only ever compared with itself.
    """

    draft = True

    __slots__ = ("start",)

    def __init__(self, run: bytes, start: int, ts: int) -> None:
        super().__init__(run, 1 << 63, ts, many=True)
        self.start = start

    def latest(self, primitive: StoragePrimitive, key: Key) -> Record | None:
        found = self.pending.get((primitive.type_id, key))
        if found is not None:
            return found
        return visible_at(primitive.latest(self.run, key), self.start)

    def length(self, primitive: StoragePrimitive) -> int:
        return primitive.length_at(self.run, self.start)
