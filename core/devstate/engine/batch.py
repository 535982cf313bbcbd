"""What one transaction is going to write, as its operations are staged one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec

from .versions import Record, visible_at

if TYPE_CHECKING:
    from .primitive import Key, StoragePrimitive

__all__ = ["Batch", "Draft", "Entry", "Install", "Operation", "PutValue"]

_pack = msgspec.msgpack.Encoder().encode
_raw = msgspec.Raw

Entry: TypeAlias = tuple[int, bytes]
Install: TypeAlias = "tuple[StoragePrimitive, Key, Record]"


class Operation:
    """One change that a caller asked for, with its values already encoded.

    It is staged under the commit lock against the newest committed state, and, within a transaction, before
    that against what the transaction sees; so it must not keep anything of the first time.
    """

    __slots__ = ()

    # Whether it changes the status of the run itself, which decides for itself when it may.
    lifecycle: ClassVar[bool] = False
    # Whether it writes one entry that does not depend on the state: then `entry` makes that without a batch.
    blind: ClassVar[bool] = False

    def stage(self, batch: Batch) -> Any:
        """Add the entries and records that it comes to; return what its caller gets. Raises EngineError."""
        raise NotImplementedError

    def entry(self, run: bytes, cv: int, ts: int) -> tuple[Entry, Install, Any]:
        """The entry, the record that it makes, and the result. Only where `blind`."""
        raise NotImplementedError

    def check(self, run: bytes, start: int) -> None:
        """Raise ConflictError where a commit after `start` wrote what this writes and must not both stand.

        Most operations are blind in that sense: the last one wins.
        """


class PutValue(Operation):
    """Write a record of one value: `[run, key, cv, ts, value]`. It depends on nothing; the last one wins."""

    __slots__ = ("_entry_type", "_key", "_primitive", "_value")
    blind = True

    def __init__(self, primitive: StoragePrimitive, entry_type: int, key: Key, value: bytes) -> None:
        self._primitive = primitive
        self._entry_type = entry_type
        self._key = key
        self._value = value

    def entry(self, run: bytes, cv: int, ts: int) -> tuple[Entry, Install, int]:
        payload = _pack((run, self._key, cv, ts, _raw(self._value)))
        return (
            (self._entry_type, payload),
            (self._primitive, self._key, (cv, self._value, ts, None, None)),
            cv,
        )

    def stage(self, batch: Batch) -> int:
        if batch.draft:  # nothing is written yet, so nothing is encoded
            record = (batch.cv, self._value, batch.ts, None, None)
            batch.pending[self._primitive.type_id, self._key] = record
            return batch.cv
        entry, install, cv = self.entry(batch.run, batch.cv, batch.ts)
        batch.add(*entry, *install)
        return cv


class Batch:
    """The entries and records of one transaction at commit version `cv`, in order.

    `notes` is for primitives that count within a transaction. All stages run under the commit lock.
    """

    # Whether this is what an open transaction sees: its entries are never written.
    draft: ClassVar[bool] = False

    __slots__ = ("cv", "entries", "installs", "many", "notes", "pending", "run", "size", "ts")

    def __init__(self, run: bytes, cv: int, ts: int, *, many: bool) -> None:
        self.run = run
        self.cv = cv
        self.ts = ts
        self.entries: list[tuple[int, bytes]] = []
        self.installs: list[tuple[StoragePrimitive, Key, Record]] = []
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
        """One more log entry, and the record that it makes."""
        self.entries.append((entry_type, payload))
        self.installs.append((primitive, key, record))
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
