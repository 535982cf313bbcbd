"""What a kind of record must be able to do so that the engine can log, snapshot, recover and replay it.

`PrimitiveStorageExt` are the four names that stay as they are for ever. `StoragePrimitive` adds hooks, all with
defaults, so that a further hook breaks nobody. Kinds whose records are a map from keys derive from
`devstate.engine.ext.MapPrimitive`, which implements all of this. The engine knows kinds only by their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from .envelope import WalEntry
from .versions import Record, Versions

if TYPE_CHECKING:
    from typing import Self

    from .batch import Batch
    from .context import Context
    from .registry import Primitives

__all__ = ["Key", "PrimitiveStorageExt", "Serializable", "StoragePrimitive"]

Key: TypeAlias = str | int | None
Guard: TypeAlias = AbstractContextManager[Any]


class PrimitiveStorageExt(Protocol):
    """The contract of storage, frozen: the log, snapshots, recovery and replay need no more of a kind."""

    def wal_entry_types(self) -> Sequence[int]:
        """The entry types (0x10 to 0xFF) that belong to it."""
        ...

    def snapshot_serialize(self) -> Iterable[bytes]:
        """All records, each as msgpack, ascending by (run bytes, key); one `bytes` of all is accepted too."""
        ...

    def snapshot_deserialize(self, data: memoryview) -> None:
        """Take in one section, a msgpack array of records. Called once a section; raises on anything odd."""
        ...

    def apply_wal_entry(self, entry: WalEntry) -> None:
        """Carry out a committed entry. Deterministic; raises where the entry does not fit the state."""
        ...


class Serializable(Protocol):
    """A state that stays as it was, to be written out while the primitive changes."""

    def snapshot_serialize(self) -> Iterable[bytes]: ...


class StoragePrimitive:
    """A kind of record: its memory, its entries, its records in snapshots, and hooks for the rest.

    One instance belongs to one database (or one replay); the registry makes instances by calling the class.
    """

    type_id: ClassVar[int]
    name: ClassVar[str]
    format: ClassVar[int] = 1
    # Whether reads within a transaction are checked at its commit.
    validated: ClassVar[bool] = True

    def __init__(self) -> None:
        self.versions = Versions()
        self.siblings: Primitives | None = None
        # Keys changed since a search index last looked, for the runs that have one.
        self.changed: dict[bytes, set[Key]] = {}

    # -- the four of PrimitiveStorageExt

    def wal_entry_types(self) -> Sequence[int]:
        raise NotImplementedError

    def snapshot_serialize(self) -> Iterable[bytes]:
        return self.at(1 << 63, nullcontext()).snapshot_serialize()

    def snapshot_deserialize(self, data: memoryview) -> None:
        raise NotImplementedError

    def apply_wal_entry(self, entry: WalEntry) -> None:
        raise NotImplementedError

    # -- memory

    def at(self, cv: int, guard: Guard) -> Serializable:
        """What a snapshot at `cv` holds. Called under the commit lock; reads later on take `guard` for copies."""
        raise NotImplementedError

    def latest(self, run: bytes, key: Key) -> Record | None:
        """The newest record of a key, a tombstone included; None where there is none."""
        raise NotImplementedError

    def length(self, run: bytes) -> int:
        """How many records a run has, for kinds that number them."""
        return self.length_at(run, 1 << 63)

    def length_at(self, run: bytes, cv: int) -> int:
        """The same as a reader at `cv` sees it."""
        raise NotImplementedError

    def install(self, run: bytes, key: Key, record: Record) -> None:
        """Make a committed record the newest one of its key. Must not fail."""
        raise NotImplementedError

    def trim(self, run: bytes, key: Key, horizon: int) -> bool:
        """Let go the versions of a key that no reader at `horizon` or later sees; whether a tombstone is left
        that nothing but readers needs."""
        return False

    def drop(self, run: bytes, key: Key, visible: int) -> None:
        """Let go such a tombstone."""

    def delete_run(self, run: bytes) -> None:
        """Forget all records of a run."""
        raise NotImplementedError

    def copy(self) -> Self:
        """A twin with the same records, for checkpoints of a replay; changes of one do not show in the other."""
        raise NotImplementedError

    def rebuild_indexes(self) -> None:
        """Derive anew what is derived from the records."""

    # -- transactions

    def check_read(
        self, run: bytes, key: Key, seen: int, scopes: Sequence[Any] | None, start: int
    ) -> int | None:
        """None where a transaction that began at `start` and read version `seen` may commit, else what is there.

        `scopes` are the parts of the record that it read, None for the whole.
        """
        newest = self.latest(run, key)
        found = newest[0] if newest is not None else 0
        return None if found == seen else found

    def admit(self, run: bytes, lifecycle: bool, draft: Batch | None = None) -> None:
        """Raise where this run takes no writes (`lifecycle`: of its own status). `draft` is what a transaction
        has queued already. Most kinds have no say."""

    def require_run(self, run: bytes) -> None:
        """Raise RunNotFound where there is no such run. Most kinds have no say."""

    def run_begun(self, run: bytes) -> int:
        """The commit that created the run of this identifier, which may have been deleted and begun again; 0 where
        this kind does not know. Most kinds do not."""
        return 0

    def transaction_applied(self, run: bytes, cv: int, ts: int, lsn: int) -> None:
        """A transaction of the run, whole and installed, stands in the log at `lsn`."""

    def recovered(self, *, alone: bool) -> None:
        """Recovery is complete; `alone`: no other process has the database open."""

    def orphaned(self) -> Iterable[bytes]:
        """The runs that were begun by a process that is gone. Most kinds know of none."""
        return ()

    # -- readers

    def runs(self) -> Iterable[bytes]:
        """The runs that it holds records of."""
        return ()

    def view(self, run: bytes, cv: int) -> Any:
        """The run's records as an immutable Mapping (or tuple) that decodes on access."""
        raise NotImplementedError

    def diff_items(self, run: bytes) -> Mapping[Any, bytes]:
        """Key to value bytes, for comparing runs; empty where the kind is not compared."""
        return {}

    def decode_value(self, key: Key, record: Record) -> Any:
        """The value of a record as a reader gets it, made anew at each call."""
        raise NotImplementedError

    def current(self, record: Record, now: int) -> bool:
        """Whether a reader at that time (us) sees an existing record: not where it has expired."""
        return True

    def text(self, run: bytes, key: Key, record: Record) -> str | None:
        """The text of a record for search; None where it has none."""
        return None

    def texts(self, run: bytes, cv: int = 1 << 63) -> Iterable[tuple[Key, str]]:
        """The texts of all records of a run as a reader at `cv` sees them."""
        return ()

    def handle(self, context: Context) -> Any:
        """The object through which callers use the kind in one run, or in one transaction."""
        raise NotImplementedError

    def fresh(self) -> Self:
        """An empty twin."""
        return type(self)()

    def describe(self, entry: WalEntry) -> dict[str, Any]:
        """A committed entry decoded for people: at least `op` and `key`."""
        raise NotImplementedError


def overrides(primitive: StoragePrimitive, hook: str) -> bool:
    """Whether a primitive does anything of its own in a hook."""
    return getattr(type(primitive), hook) is not getattr(StoragePrimitive, hook)
