"""A cursor over the steps of a run: forward by one transaction, backward over checkpoints.

Going forward leaves a copy of the state behind at every so many steps (the square root of their number), as far as
an estimate of their memory allows; with less memory they are farther apart. A seek starts at the nearest of them.
"""

from __future__ import annotations

from bisect import bisect_right
from math import isqrt
from typing import TYPE_CHECKING, Any

from .errors import ValueRangeError
from .framing import Transaction
from .replay import Stepper, checked_step
from .view import ReadOnlyView

if TYPE_CHECKING:
    from .journal import HistorySource
    from .registry import Primitives, Registry

__all__ = ["CHECKPOINT_BYTES", "Timeline"]

CHECKPOINT_BYTES = 64 << 20
"""Memory for checkpoints, unless told otherwise."""

# About what one record costs in one more copy of the map that holds it.
_RECORD_BYTES = 120


class Timeline:
    """The steps of one run from 0 (empty) to `len(cursor)`, with a position. For one thread.

    It has the transactions that the run had when it was made. `applied` counts the transactions that were applied
    so far, for measuring.
    """

    def __init__(
        self,
        source: HistorySource,
        registry: Registry,
        run: bytes,
        *,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
    ) -> None:
        """At step 0. Raises RunNotFound, HistoryPruned, WalCorruptionError."""
        self._source = source
        self._registry = registry
        self._run = run
        self._positions = source.positions(run)
        total = len(self._positions)
        self._interval = isqrt(max(total - 1, 0)) + 1
        self._limit = checkpoint_bytes
        self._checkpoints: dict[int, tuple[Stepper, int]] = {}
        self._held = 0
        self._entries = 0  # applied to get to the position: an upper bound for its records
        self._stepper = Stepper(registry.instances(), run)
        self.applied = 0

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def step(self) -> int:
        """Where the cursor is."""
        return self._stepper.step

    @property
    def view(self) -> ReadOnlyView:
        """The state at the cursor. It stays as it is when the cursor moves on."""
        return self._stepper.view(len(self._positions), copied=True)

    def seek(self, step: int) -> None:
        """Go to a step. Raises ValueRangeError, and what reading the history raises; the cursor then is where
        it got to."""
        checked_step(step, len(self._positions), self._run)
        here = self._stepper.step
        known = sorted(self._checkpoints)
        place = bisect_right(known, step)
        nearest = known[place - 1] if place else 0
        if step < here or nearest > here:
            if nearest:
                self._stepper, self._entries = (
                    self._checkpoints[nearest][0].copy(),
                    self._checkpoints[nearest][1],
                )
            else:
                self._stepper, self._entries = Stepper(self._registry.instances(), self._run), 0
        with self._source.opened() as source:
            while self._stepper.step < step:
                self._forward(source, noted=self._stepper.step + 1 == step)

    def next(self) -> bool:
        """One step forward; False at the last one."""
        if self._stepper.step == len(self._positions):
            return False
        self._forward(self._source, noted=True)
        return True

    def prev(self) -> bool:
        """One step back; False at step 0."""
        if not self._stepper.step:
            return False
        self.seek(self._stepper.step - 1)
        return True

    def find(
        self,
        event_type: str | None = None,
        key: str | int | None = None,
        start: int | None = None,
        *,
        backwards: bool = False,
    ) -> int | None:
        """The first step from `start` on that appends an event of a type, or writes a key; None where none does.

        Where both are given, a step that does both. Without a start it begins behind (`backwards`: before) the
        cursor, which does not move. Transactions are read, not applied. Raises ValueRangeError.
        """
        if event_type is None and key is None:
            raise ValueRangeError("nothing to look for", remedy="Give an event type, a key, or both.")
        total = len(self._positions)
        if start is None:
            start = self._stepper.step + (-1 if backwards else 1)
        else:
            checked_step(start, total, self._run)
        steps = range(min(start, total), 0, -1) if backwards else range(max(start, 1), total + 1)
        kinds = self._registry.instances()
        with self._source.opened() as source:
            for step in steps:
                if self._matches(source.transaction(self._positions[step - 1]), kinds, event_type, key):
                    return step
        return None

    # -- how

    def _matches(
        self, transaction: Transaction, kinds: Primitives, event_type: str | None, key: str | int | None
    ) -> bool:
        found_type, found_key = event_type is None, key is None
        for entry in transaction.entries:
            primitive = kinds.handler(entry.entry_type)
            if primitive is None:
                continue
            told: dict[str, Any] = primitive.describe(entry)
            found_type = found_type or (primitive.name == "events" and told["type"] == event_type)
            found_key = found_key or (type(told["key"]) is type(key) and told["key"] == key)
        return found_type and found_key

    def _forward(self, source: HistorySource, *, noted: bool) -> None:
        step = self._stepper.step + 1
        transaction = source.transaction(self._positions[step - 1])
        checkpoint = step % self._interval == 0 and step not in self._checkpoints
        self._stepper.apply(transaction, noted=noted or checkpoint)
        self.applied += 1
        self._entries += len(transaction.entries)
        if checkpoint:
            self._keep(step)

    def _keep(self, step: int) -> None:
        """Leave a checkpoint; where memory is short, every second one goes and the next are farther apart."""
        size = _RECORD_BYTES * self._entries
        while self._held + size > self._limit and self._checkpoints:
            self._interval *= 2
            for other in [other for other in self._checkpoints if other % self._interval]:
                self._held -= _RECORD_BYTES * self._checkpoints.pop(other)[1]
            if step % self._interval:
                return
        if self._held + size <= self._limit:
            self._checkpoints[step] = (self._stepper.copy(), self._entries)
            self._held += size
