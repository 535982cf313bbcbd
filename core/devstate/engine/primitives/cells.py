"""State: named cells with a version of their own, for compare-and-set and transitions; entries 0x40 to 0x42.

The version of a cell is 1 at its creation and one more at every change, its deletion included, and goes on when
the cell is made anew: so a version stands for one value for as long as the run exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from devstate.engine.batch import Operation
from devstate.engine.envelope import WalEntry
from devstate.engine.errors import AlreadyExists, CasMismatch, ConflictError, EngineError, NotFound
from devstate.engine.map_primitive import DELETED, MapPrimitive, stored
from devstate.engine.primitive import Key
from devstate.engine.retrying import pause_before_retry
from devstate.engine.search.texts import text_of_state
from devstate.engine.values import Value, check_key, decode_value, encode_value
from devstate.engine.versions import Record

from .payloads import MakingPayload, VersionedPayload

if TYPE_CHECKING:
    from devstate.engine.batch import Batch
    from devstate.engine.context import Context

__all__ = ["Cell", "State", "StateStore"]

INIT = 0x40
SET = 0x41
TRANSITION = 0x42

# What made a StateSet entry.
_SET, _CAS, _DELETE = 0, 1, 2
_OPS = ("set", "cas", "delete")

_pack = msgspec.msgpack.Encoder().encode
_raw = msgspec.Raw
_uint = msgspec.msgpack.Decoder(int).decode
_NIL = _raw(_pack(None))


class _SetPayload(MakingPayload, frozen=True):
    op: int


class _TransitionPayload(VersionedPayload, frozen=True):
    from_ver: int
    from_value: msgspec.Raw
    value: msgspec.Raw
    label: str | None


_init_payload = msgspec.msgpack.Decoder(MakingPayload).decode
_set_payload = msgspec.msgpack.Decoder(_SetPayload).decode
_transition_payload = msgspec.msgpack.Decoder(_TransitionPayload).decode


class Cell(msgspec.Struct, frozen=True):
    """A cell: its value, its own version, and the time (us) of its last change."""

    value: Value
    ver: int
    ts: int


class StateStore(MapPrimitive):
    """The records of State: value bytes, with the version of the cell as `extra`."""

    type_id = 4
    name = "state"
    puts = (INIT, SET, TRANSITION)
    keeps_tombstones = True

    def apply_wal_entry(self, entry: WalEntry) -> None:
        run, key, record = self.decode_entry(entry)
        before = self.latest(run, key)
        found, absent = version_of(before), before is None or before[1] is None
        entry_type = entry.entry_type
        fits = record[3] == found + 1
        if entry_type == TRANSITION:
            fits = fits and not absent and _transition_payload(entry.payload).from_ver == found
        elif entry_type == INIT or record[1] is None:
            fits = fits and absent is (entry_type == INIT)
        if not fits:
            raise EngineError(
                f"an entry of type {entry_type:#04x} makes version {record[3]} of cell {key!r}, which "
                + (f"is absent (last version {found})" if absent else f"is at version {found}"),
                position=f"lsn {entry.lsn}",
            )
        self.install(run, key, record)

    def decode_entry(self, entry: WalEntry) -> tuple[bytes, Key, Record]:
        if entry.entry_type == SET:
            change = _set_payload(entry.payload)
            if not _SET <= change.op <= _DELETE:
                raise EngineError(
                    f"an entry of State holds the operation {change.op}", position=f"lsn {entry.lsn}"
                )
            value = None if change.op == _DELETE else bytes(change.value)
            return change.run, change.key, (change.cv, value, change.ts, change.ver, None)
        if entry.entry_type == TRANSITION:
            step = _transition_payload(entry.payload)
            return step.run, step.key, (step.cv, bytes(step.value), step.ts, step.ver, None)
        new = _init_payload(entry.payload)
        return new.run, new.key, (new.cv, bytes(new.value), new.ts, new.ver, None)

    def snapshot_fields(self, record: Record) -> tuple[Any, ...]:
        cv, value, ts, ver, _ = record
        return cv, ts, ver, DELETED if value is None else _raw(value)

    def from_fields(self, fields: Sequence[msgspec.Raw]) -> Record:
        cv, ts, ver, value = fields[:4]
        return _uint(cv), stored(value), _uint(ts), _uint(ver), None

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        if entry.entry_type == TRANSITION:
            step = _transition_payload(entry.payload)
            return {
                "op": "transition",
                "key": step.key,
                "ver": step.ver,
                "value": decode_value(bytes(step.value)),
                "from_ver": step.from_ver,
                "from_value": decode_value(bytes(step.from_value)),
                "label": step.label,
            }
        _, key, record = self.decode_entry(entry)
        op = _OPS[_set_payload(entry.payload).op] if entry.entry_type == SET else "init"
        told = {"op": op, "key": key, "ver": record[3]}
        return told if record[1] is None else {**told, "value": decode_value(record[1])}

    def text(self, run: bytes, key: Key, record: Record) -> str | None:
        return text_of_state(str(key), self.decode_value(key, record))

    def handle(self, context: Context) -> State:
        return State(context, self)


def version_of(record: Record | None) -> int:
    """The version that a cell counts on from; 0 where it never existed."""
    return record[3] if record is not None else 0


class _Init(Operation):
    __slots__ = ("_key", "_store", "_value")

    def __init__(self, store: StateStore, key: str, value: bytes) -> None:
        self._store = store
        self._key = key
        self._value = value

    def stage(self, batch: Batch) -> int:
        store, key, value, cv, ts = self._store, self._key, self._value, batch.cv, batch.ts
        record = batch.latest(store, key)
        if record is not None and record[1] is not None:
            raise AlreadyExists(f"there is a cell {key!r}", position=key)
        ver = version_of(record) + 1
        batch.add(
            INIT, _pack((batch.run, key, cv, ts, ver, _raw(value))), store, key, (cv, value, ts, ver, None)
        )
        return ver


class _Set(Operation):
    """`set`, and `cas` where a version is expected (0: the cell must not exist)."""

    __slots__ = ("_expected", "_key", "_store", "_value")

    def __init__(self, store: StateStore, key: str, value: bytes, expected: int | None) -> None:
        self._store = store
        self._key = key
        self._value = value
        self._expected = expected

    def stage(self, batch: Batch) -> int:
        store, key, value, cv, ts = self._store, self._key, self._value, batch.cv, batch.ts
        record = batch.latest(store, key)
        expected = self._expected
        if expected is not None:
            found = 0 if record is None or record[1] is None else record[3]
            if found != expected:
                raise CasMismatch(
                    f"cell {key!r} is at version {found}, not {expected}",
                    kind="cas",
                    primitive="state",
                    key=key,
                    expected=expected,
                    found=found,
                    remedy="Read it again and decide anew.",
                )
        ver = version_of(record) + 1
        payload = _pack((batch.run, key, cv, ts, ver, _raw(value), _SET if expected is None else _CAS))
        batch.add(SET, payload, store, key, (cv, value, ts, ver, None))
        return ver


class _Delete(Operation):
    __slots__ = ("_key", "_store")

    def __init__(self, store: StateStore, key: str) -> None:
        self._store = store
        self._key = key

    def stage(self, batch: Batch) -> bool:
        store, key, cv, ts = self._store, self._key, batch.cv, batch.ts
        record = batch.latest(store, key)
        if record is None or record[1] is None:
            return False
        ver = record[3] + 1
        batch.add(
            SET, _pack((batch.run, key, cv, ts, ver, _NIL, _DELETE)), store, key, (cv, None, ts, ver, None)
        )
        return True


class _Transition(Operation):
    """From one version of a cell to the next; from a cell that is made first where `initial` is given."""

    __slots__ = ("_from_value", "_from_ver", "_initial", "_key", "_label", "_store", "_value")

    def __init__(
        self,
        store: StateStore,
        key: str,
        from_ver: int,
        from_value: bytes,
        value: bytes,
        *,
        label: bytes,
        initial: bool = False,
    ) -> None:
        self._store = store
        self._key = key
        self._from_ver = from_ver
        self._from_value = from_value
        self._value = value
        self._label = label
        self._initial = initial

    def stage(self, batch: Batch) -> int:
        store, key, value, cv, ts = self._store, self._key, self._value, batch.cv, batch.ts
        record = batch.latest(store, key)
        ver = version_of(record)
        if ver != self._from_ver or (record is None or record[1] is None) is not self._initial:
            raise ConflictError(
                f"cell {key!r} is at version {ver}; the transition was made from {self._from_ver}",
                kind="cas",
                primitive="state",
                key=key,
                expected=self._from_ver,
                found=ver,
            )
        old = self._from_value
        if self._initial:
            ver += 1
            batch.add(
                INIT, _pack((batch.run, key, cv, ts, ver, _raw(old))), store, key, (cv, old, ts, ver, None)
            )
        fields = (batch.run, key, cv, ts, ver + 1, ver, _raw(old), _raw(value), _raw(self._label))
        batch.add(TRANSITION, _pack(fields), store, key, (cv, value, ts, ver + 1, None))
        return ver + 1


class State:
    """The cells of one run. Names are texts of 1 to 1024 bytes of UTF-8; values are `devstate.engine.Value`.

    Writes return the new version of the cell, provisional within a transaction. They raise ValueTypeError,
    ValueRangeError, EngineLimitExceeded, RunNotActive, DurabilityError; everything raises RunNotFound and
    DatabaseClosed.
    """

    __slots__ = ("_context", "_store")

    def __init__(self, context: Context, store: StateStore) -> None:
        self._context = context
        self._store = store

    def init(self, name: str, value: Value) -> int:
        """Make a cell. Raises AlreadyExists."""
        check_key(name)
        return self._context.write(_Init(self._store, name, encode_value(value)))

    def read(self, name: str) -> Cell:
        """The value (made anew) with version and time. Raises NotFound."""
        record = self._context.record(self._store, name)
        if record is None or record[1] is None:
            raise _absent(name)
        return Cell(decode_value(record[1]), record[3], record[2])

    def get(self, name: str, default: Any = None) -> Any:
        """The value, made anew; `default` where there is no such cell."""
        record = self._context.record(self._store, name)
        if record is None:
            check_key(name)
            return default
        return default if record[1] is None else decode_value(record[1])

    def set(self, name: str, value: Value) -> int:
        """Write a cell, made where it is absent; the last write wins."""
        check_key(name)
        return self._context.write(_Set(self._store, name, encode_value(value), None))

    def cas(self, name: str, expected_ver: int, value: Value) -> int:
        """Write a cell that is at `expected_ver`; 0 where it must be absent. Raises CasMismatch.

        It does not join what a transaction has read.
        """
        check_key(name)
        return self._context.write(_Set(self._store, name, encode_value(value), expected_ver))

    def transition(
        self, name: str, fn: Callable[[Any], Value], *, label: str | None = None, retries: int = 16
    ) -> tuple[Any, int]:
        """Replace the value by `fn(value)`; the new value as `fn` returned it, and the new version.

        `fn` must be pure: it is called again, up to `retries` times, when another commit comes between, and the
        log holds its result. Raises NotFound, and ConflictError after the last try. A transaction does not try
        again: its commit raises.
        """
        return self._transition(name, fn, None, label, retries)

    def transition_or_init(
        self,
        name: str,
        initial: Value,
        fn: Callable[[Any], Value],
        *,
        label: str | None = None,
        retries: int = 16,
    ) -> tuple[Any, int]:
        """As `transition`; an absent cell is made with `initial` first, in the same commit."""
        return self._transition(name, fn, encode_value(initial), label, retries)

    def delete(self, name: str) -> bool:
        """Remove a cell; whether it was there. Its version goes on when it is made again."""
        check_key(name)
        return self._context.write(_Delete(self._store, name))

    def exists(self, name: str) -> bool:
        """Whether there is such a cell."""
        record = self._context.record(self._store, name)
        if record is None:
            check_key(name)
        return record is not None and record[1] is not None

    def names(self, prefix: str = "") -> list[str]:
        """The names that begin with `prefix`, in the order of their UTF-8 bytes."""
        return [name for name, _ in self._context.live(self._store, prefix)]

    def _transition(
        self, name: str, fn: Callable[[Any], Value], initial: bytes | None, label: str | None, retries: int
    ) -> tuple[Any, int]:
        check_key(name)
        if label is not None:
            check_key(label)
        told = _pack(label)
        tries = 0
        while True:
            record = self._context.record(self._store, name)
            current = record[1] if record is not None else None
            absent = current is None
            if current is None:
                if initial is None:
                    raise _absent(name)
                current = initial
            result = fn(decode_value(current))
            operation = _Transition(
                self._store,
                name,
                version_of(record),
                current,
                encode_value(result),
                label=told,
                initial=absent,
            )
            try:
                return result, self._context.write(operation)
            except ConflictError:
                tries += 1
                if tries > retries:
                    raise
            pause_before_retry(tries)


def _absent(name: Any) -> NotFound:
    check_key(name)
    return NotFound(f"there is no cell {name!r}", position=name)
