"""Where the operations of a caller read and write: the database itself, or an open transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .batch import Operation
from .versions import Record, visible_at

if TYPE_CHECKING:
    from .commit import Committer
    from .primitive import Key, StoragePrimitive

__all__ = ["Context", "RunContext"]


class Context(Protocol):
    """One run, seen at one commit: what the handles of the primitives are written against."""

    run: bytes

    def record(self, primitive: StoragePrimitive, key: Key, scope: Any = None) -> Record | None:
        """The version of a record that this context sees. Within a transaction it joins the read set, with
        `scope` (a part of the record) where only that was looked at."""
        ...

    def records(self, primitive: StoragePrimitive, keys: Sequence[Key]) -> dict[Any, Record]:
        """The records of those keys that have one, all as of one commit."""
        ...

    def live(self, primitive: StoragePrimitive, prefix: str = "") -> Iterable[tuple[Any, Record]]:
        """The existing keys with a prefix and their records, ascending by key."""
        ...

    def length(self, primitive: StoragePrimitive) -> int:
        """How many records of a numbered kind this context sees."""
        ...

    def write(self, operation: Operation) -> Any:
        """Commit the operation at once, or queue it; its result (provisional within a transaction)."""
        ...

    def put(self, primitive: StoragePrimitive, entry_type: int, key: Key, value: bytes) -> int:
        """Write a record of one value (`devstate.engine.batch.PutValue`).

        Its commit version; 0 within a transaction, where that is not known yet.
        """
        ...

    def now(self) -> int:
        """The reader's time in microseconds; for expiry, never for what is written."""
        ...

    def new_span_id(self) -> str:
        """A fresh identifier for a span (UUIDv7 text)."""
        ...


class RunContext:
    """A run of the database, outside any transaction: each read sees the newest, each write commits."""

    __slots__ = ("_committer", "_span_ids", "run")

    def __init__(self, committer: Committer, run: bytes, span_ids: Callable[[], str]) -> None:
        self._committer = committer
        self._span_ids = span_ids
        self.run = run

    def record(self, primitive: StoragePrimitive, key: Key, scope: Any = None) -> Record | None:
        committer = self._committer
        if committer.following:
            committer.follow()
        record = primitive.latest(self.run, key)
        if record is None:
            # It may have been met in the middle of a commit, which may be over by now: so once more, between two
            # looks at where the commits stand.
            cv = committer.cv
            record = primitive.latest(self.run, key)
            if committer.installing or committer.cv != cv:
                record = committer.settled(primitive, self.run, key)
            elif record is not None and record[0] > committer.visible:
                return committer.settled(primitive, self.run, key)
            if record is None:
                committer.require_run(self.run)
            return record
        if record[0] > committer.visible:
            return committer.settled(primitive, self.run, key)
        return record

    def records(self, primitive: StoragePrimitive, keys: Sequence[Key]) -> dict[Any, Record]:
        return self._committer.together(primitive, self.run, keys)

    def live(self, primitive: StoragePrimitive, prefix: str = "") -> Iterator[tuple[Any, Record]]:
        return iter(self._committer.scan(primitive, self.run, prefix))

    def length(self, primitive: StoragePrimitive) -> int:
        committer = self._committer
        if committer.following:
            committer.follow()
        committer.require_run(self.run)
        return primitive.length_at(self.run, committer.visible)

    def write(self, operation: Operation) -> Any:
        return self._committer.write(self.run, operation)

    def put(self, primitive: StoragePrimitive, entry_type: int, key: Key, value: bytes) -> int:
        return self._committer.put(self.run, primitive, entry_type, key, value)

    def now(self) -> int:
        return self._committer.now()

    def new_span_id(self) -> str:
        return self._span_ids()


def scanned(primitive: Any, run: bytes, prefix: str, cv: int) -> list[tuple[Any, Record]]:
    """The live keys of a map with a prefix at `cv`, ascending."""
    records = primitive.maps.get(run)
    if not records:
        return []
    found: list[tuple[Any, Record]] = []
    for key, newest in records.copy().items():
        if prefix and not key.startswith(prefix):
            continue
        record = newest if newest[0] <= cv else visible_at(newest, cv)
        if record is not None and record[1] is not None:
            found.append((key, record))
    found.sort(key=lambda item: item[0])
    return found
