"""A database in memory of chosen kinds of records, with a twin that is built from its log alone.

After every commit the twin must hold the same bytes: what is installed live is what recovery would make.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from devstate.engine.commit import Committer
from devstate.engine.commit_parts import Position
from devstate.engine.context import RunContext
from devstate.engine.memory_log import MemoryLog
from devstate.engine.registry import Primitives, Registry
from devstate.engine.transactions import Transaction

RUN = bytes(range(16))
OTHER_RUN = bytes(range(16, 32))
_SALT = bytes(range(1, 9))
_FIRST_US = 1_700_000_000_000_000


class MiniEngine:
    """`handle(name)` works outside transactions, `transaction().ext(name)` within one; `agree` holds the twin to it."""

    def __init__(self, *kinds: type) -> None:
        self._registry = Registry()
        for kind in kinds:
            self._registry.register(kind)
        self._ticks = count(_FIRST_US, 10)
        self._spans = count(1)
        self.primitives = self._registry.instances()
        self.twin = self._registry.instances()
        self.log = MemoryLog(_SALT)
        self.committer = Committer(
            self.primitives, Position(), salt=_SALT, now=lambda: next(self._ticks), memory=self.log
        )
        self._applied = 0

    def handle(self, name: str, run: bytes = RUN) -> Any:
        return self.primitives.named(name).handle(RunContext(self.committer, run, self.new_span))

    def transaction(self, run: bytes = RUN) -> Transaction:
        return Transaction(self.committer, run, span_ids=self.new_span, serializable=False, durable=False)

    def new_span(self) -> str:
        return f"span-{next(self._spans):04}"

    def beside(self, write: Callable[[], Any]) -> Any:
        """Carry out an implicit write as if from another thread, while this one has a transaction open."""
        open_here, self.committer.transactions = self.committer.transactions, {}
        try:
            return write()
        finally:
            self.committer.transactions = open_here

    def follow(self) -> None:
        """Apply to the twin what was committed since."""
        while self._applied < self.log.end:
            for entry in self.log.read_transaction(self._applied).entries:
                self.twin.apply(entry)
            self._applied += 1

    def agree(self) -> None:
        """The twin, built from the log, and one loaded from a snapshot hold what the database holds."""
        self.follow()
        live = sections(self.primitives)
        assert sections(self.twin) == live
        loaded = self._registry.instances()
        for primitive in loaded:
            records = live[primitive.name]
            primitive.snapshot_deserialize(
                memoryview(b"\xdd" + len(records).to_bytes(4, "big") + b"".join(records))
            )
        assert sections(loaded) == live

    def described(self) -> list[dict[str, Any]]:
        """Every committed entry, as its kind tells it."""
        told: list[dict[str, Any]] = []
        for lsn in range(self.log.end):
            for entry in self.log.read_transaction(lsn).entries:
                primitive = self.primitives.handler(entry.entry_type)
                assert primitive is not None
                told.append(primitive.describe(entry))
        return told


def sections(primitives: Primitives) -> dict[str, list[bytes]]:
    """The snapshot records of every kind."""
    return {primitive.name: list(primitive.snapshot_serialize()) for primitive in primitives}
