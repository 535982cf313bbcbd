"""Which kinds of records a database has: the only place where a number leads to a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .envelope import CORE_TYPES, WalEntry
from .errors import RegistrationError, RunNotFound, UnknownEntryType
from .primitive import StoragePrimitive, overrides
from .versions import Versions

if TYPE_CHECKING:
    from typing import Self

    from .batch import Batch

__all__ = ["Primitives", "Registry"]

_RESERVED_TYPE_IDS = (0, 255)


class Registry:
    """The kinds that databases are opened with. Closed by the first open: later registration is refused."""

    def __init__(self) -> None:
        self._classes: dict[int, Callable[[], StoragePrimitive]] = {}
        self._names: dict[str, int] = {}
        self._owners: dict[int, str] = {}
        self._closed = False

    def register(self, kind: Callable[[], StoragePrimitive]) -> Self:
        """Add a kind: a class of primitives, or a function that makes one.

        Raises RegistrationError where its numbers or name are taken or reserved, or after open.
        """
        if self._closed:
            raise RegistrationError(
                "a database was opened with this registry: it takes no further kinds",
                remedy="Register everything before the first open.",
            )
        sample = kind()
        types = tuple(sample.wal_entry_types())
        if sample.type_id in _RESERVED_TYPE_IDS or not 0 < sample.type_id < 255:
            raise RegistrationError(f"type id {sample.type_id} of {sample.name} is reserved or out of range")
        if sample.type_id in self._classes:
            raise RegistrationError(f"type id {sample.type_id} of {sample.name} is taken")
        if sample.name in self._names:
            raise RegistrationError(f"a kind named {sample.name} is registered already")
        if len(set(types)) != len(types):
            raise RegistrationError(f"{sample.name} names an entry type twice")
        for number in types:
            if number in CORE_TYPES or not 0 <= number <= 0xFF:
                raise RegistrationError(
                    f"entry type {number:#04x} of {sample.name} belongs to the core or to nobody"
                )
            if number in self._owners:
                raise RegistrationError(
                    f"entry type {number:#04x} of {sample.name} belongs to {self._owners[number]}"
                )
        self._classes[sample.type_id] = kind
        self._names[sample.name] = sample.type_id
        self._owners.update(dict.fromkeys(types, sample.name))
        return self

    def close(self) -> None:
        """Take no further kinds."""
        self._closed = True

    def instances(self, versions: Versions | None = None) -> Primitives:
        """Fresh, empty instances of every kind."""
        return Primitives(
            [self._classes[number]() for number in sorted(self._classes)], versions or Versions()
        )


class Primitives:
    """One instance of each kind, ascending by type id: the memory of a database or of a replay."""

    __slots__ = (
        "_by_entry",
        "_by_id",
        "_by_name",
        "_gates",
        "_keepers",
        "_listeners",
        "_ordered",
        "versions",
    )

    def __init__(self, ordered: list[StoragePrimitive], versions: Versions) -> None:
        self.versions = versions
        self._ordered = tuple(ordered)
        self._by_id = {primitive.type_id: primitive for primitive in ordered}
        self._by_name = {primitive.name: primitive for primitive in ordered}
        self._by_entry: list[StoragePrimitive | None] = [None] * 256
        for primitive in ordered:
            primitive.versions = versions
            primitive.siblings = self
            for number in primitive.wal_entry_types():
                self._by_entry[number] = primitive
        self._gates = tuple(p for p in ordered if overrides(p, "admit"))
        self._keepers = tuple(p for p in ordered if overrides(p, "require_run"))
        self._listeners = tuple(p for p in ordered if overrides(p, "transaction_applied"))

    def __iter__(self) -> Iterator[StoragePrimitive]:
        return iter(self._ordered)

    def named(self, name: str) -> StoragePrimitive:
        """The kind of that name. Raises RegistrationError."""
        try:
            return self._by_name[name]
        except KeyError:
            raise RegistrationError(f"no kind of records is named {name}") from None

    def numbered(self, type_id: int) -> StoragePrimitive | None:
        """The kind of a section type; None where it is not registered."""
        return self._by_id.get(type_id)

    def handler(self, entry_type: int) -> StoragePrimitive | None:
        """The kind that an entry belongs to; None where it is not registered."""
        return self._by_entry[entry_type]

    def apply(self, entry: WalEntry) -> None:
        """Carry out one committed entry: the one way by which a log becomes a state.

        Raises UnknownEntryType, and whatever an entry that does not fit the state makes its kind raise.
        """
        primitive = self._by_entry[entry.entry_type]
        if primitive is None:
            raise UnknownEntryType(
                f"entry type {entry.entry_type:#04x} is not registered", types=(entry.entry_type,)
            )
        primitive.apply_wal_entry(entry)

    def admit(self, run: bytes, lifecycle: bool, draft: Batch | None = None) -> None:
        """Raise where the run takes no writes; `draft` is what a transaction has queued already."""
        for primitive in self._gates:
            primitive.admit(run, lifecycle, draft)

    def admit_bound(self) -> Callable[[bytes, bool], None]:
        """`admit` without a loop where one kind has a say: it is called at every commit."""
        return self._gates[0].admit if len(self._gates) == 1 else self.admit

    def applied_bound(self) -> Callable[[bytes, int, int, int], None]:
        """`transaction_applied`, likewise."""
        return (
            self._listeners[0].transaction_applied if len(self._listeners) == 1 else self.transaction_applied
        )

    def require_run(self, run: bytes) -> None:
        """Raise RunNotFound where no kind knows the run."""
        for primitive in self._keepers:
            primitive.require_run(run)

    def run_begun(self, run: bytes) -> int:
        """The commit that created the run; 0 where there is none."""
        return max((primitive.run_begun(run) for primitive in self._keepers), default=0)

    def knows(self, run: bytes) -> bool:
        """Whether the run exists."""
        try:
            self.require_run(run)
        except RunNotFound:
            return False
        return True

    def transaction_applied(self, run: bytes, cv: int, ts: int, lsn: int) -> None:
        """Tell the kinds that want to know that a transaction is whole."""
        for primitive in self._listeners:
            primitive.transaction_applied(run, cv, ts, lsn)

    def recovered(self, *, alone: bool) -> None:
        """Tell all that recovery is complete."""
        for primitive in self._ordered:
            primitive.recovered(alone=alone)

    def orphaned(self) -> list[bytes]:
        """The runs whose process is gone, as the kinds that know of it say."""
        return [run for primitive in self._ordered for run in primitive.orphaned()]

    def delete_run(self, run: bytes) -> None:
        """Forget all records of a run, in every kind."""
        for primitive in self._ordered:
            primitive.delete_run(run)

    def adopt(self, other: Primitives) -> None:
        """Take the records of another set of the same kinds; handles on these instances stay good."""
        for mine, theirs in zip(self._ordered, other._ordered, strict=True):
            vars(mine).update(vars(theirs))
            mine.siblings, mine.versions = self, self.versions

    def copy(self) -> Primitives:
        """Twins of all, for a checkpoint of a replay."""
        return Primitives([primitive.copy() for primitive in self._ordered], Versions())
