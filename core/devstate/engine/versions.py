"""Which readers are active, and which superseded versions they still need.

A record is the tuple `(cv, value, ts, extra, prev)`. `value` is the msgpack bytes, None for a tombstone;
`extra` belongs to the primitive; `prev` is the record that this one took the place of, kept only while a
reader that is older than `cv` exists. So a database with one thread pays nothing for versions.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .primitive import Key, StoragePrimitive

__all__ = ["Record", "Versions", "visible_at"]

Record: TypeAlias = tuple[int, bytes | None, int, Any, Any]


def visible_at(record: Record | None, cv: int) -> Record | None:
    """The version of a record that a reader at `cv` sees; None where it did not exist then."""
    while record is not None and record[0] > cv:
        record = record[4]
    return record


class Versions:
    """The active readers of one set of primitives. Used under the commit lock only.

    `linking` says that a record installed now must keep the one it supersedes. `chained` lists what was kept.
    """

    __slots__ = ("always", "chained", "linking", "readers", "tombstones")

    def __init__(self, *, always: bool = False) -> None:
        self.always = always  # strict durability: what is not synced yet must not be seen
        self.linking = always
        self.readers: dict[object, int] = {}  # who reads, and as of which commit
        self.chained: deque[tuple[int, StoragePrimitive, bytes, Key]] = deque()
        self.tombstones: list[tuple[StoragePrimitive, bytes, Key]] = []

    def enter(self, reader: object, start: int) -> None:
        """A reader, told by anything that stands for it alone, sees everything up to commit `start` from now on."""
        self.linking = True
        self.readers[reader] = start

    def leave(self, reader: object, visible: int) -> None:
        """That reader ends; what only it needed is let go. Twice is as once: an interrupt may come anywhere."""
        self.readers.pop(reader, None)
        if not self.readers:
            self.linking = self.always
        if self.chained or self.tombstones:
            self.trim(visible)

    def oldest(self, otherwise: int) -> int:
        """The commit version of the oldest reader."""
        return min(self.readers.values()) if self.readers else otherwise

    def trim(self, visible: int) -> None:
        """Drop superseded versions that neither a reader nor the visibility watermark `visible` needs."""
        horizon = min(visible, self.oldest(visible)) if self.readers else visible
        chained = self.chained
        while chained and chained[0][0] <= horizon:
            _, primitive, run, key = chained[0]
            if primitive.trim(run, key, horizon):
                self.tombstones.append((primitive, run, key))
            chained.popleft()  # last: what an interrupt comes before is done again
        # A reader may have met a tombstone and must be able to compare it at its commit.
        if self.tombstones and not self.readers:
            for primitive, run, key in self.tombstones:
                primitive.drop(run, key, visible)
            self.tombstones.clear()
