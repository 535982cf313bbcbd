"""A run made again from its entries in the log, and from nothing else.

Fresh, empty instances of every kind are built up by the one code that recovery uses, so the state after the last
step is the live state of the run, byte for byte. The result depends on the entries of the run alone: no clock is
read, nothing is written, no database is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from .arguments import require_number
from .envelope import WalEntry
from .errors import EngineError, ValueRangeError
from .framing import Transaction
from .ids import run_text
from .journal import HistorySource, damaged_history
from .recovery import apply_transaction
from .versions import Record
from .view import ReadOnlyView, Recorded

if TYPE_CHECKING:
    from .primitive import StoragePrimitive
    from .registry import Primitives, Registry

__all__ = ["Stepper", "replay"]

_head = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_key = msgspec.msgpack.Decoder(str | int | None).decode


def replay(
    source: HistorySource,
    registry: Registry,
    run: bytes,
    *,
    step: int | None = None,
    cv: int | None = None,
) -> ReadOnlyView:
    """The run after `step` of its transactions (0: empty), or as of commit `cv`; without either, all of it.

    Costs what the transactions of the run cost, up to the step. Raises RunNotFound, HistoryPruned, ValueRangeError
    for a step that the run does not have, WalCorruptionError where its history is damaged.
    """
    positions = source.positions(run)
    total = len(positions)
    if step is not None and cv is not None:
        raise ValueRangeError("a replay ends at a step or at a commit", remedy="Give one of the two.")
    if cv is not None:
        require_number("a commit", cv, least=0)
    last = total if step is None else checked_step(step, total, run)
    stepper = Stepper(registry.instances(), run)
    pending: Transaction | None = None
    for transaction in source.transactions(positions[:last]):
        if cv is not None and transaction.cv > cv:
            break
        if pending is not None:
            stepper.apply(pending, noted=False)
        pending = transaction
    if pending is not None:
        stepper.apply(pending)  # the step whose changes the view tells
    return stepper.view(total)


def checked_step(step: int, total: int, run: bytes) -> int:
    """The step, where the run has it. Raises ValueRangeError."""
    require_number("a step", step)
    if not 0 <= step <= total:
        raise ValueRangeError(
            f"run {run_text(run)} has no step {step}", remedy=f"Give a step from 0 (empty) to {total}."
        )
    return step


class Stepper:
    """The state of one run between two of its transactions. `step` counts those applied."""

    __slots__ = ("_recorded", "cv", "primitives", "run", "step", "ts")

    def __init__(self, primitives: Primitives, run: bytes) -> None:
        self.primitives = primitives
        self.run = run
        self.step = 0
        self.cv = 0
        self.ts = 0
        self._recorded: Sequence[Recorded] = ()

    def apply(self, transaction: Transaction, *, noted: bool = True) -> None:
        """Go one step on; `noted`: so that a view tells its changes. Raises WalCorruptionError where the transaction
        is not the run's next one, or does not fit its state."""
        if transaction.run != self.run:
            detail = (
                f"LSN {transaction.lsn} belongs to run {run_text(transaction.run)}, not {run_text(self.run)}"
            )
            raise damaged_history(detail, "", transaction.lsn)
        if transaction.cv <= self.cv or transaction.ts < self.ts:
            detail = f"commit {transaction.cv} follows on commit {self.cv} of run {run_text(self.run)}"
            raise damaged_history(detail, "", transaction.lsn)
        watch = _Watch(self.primitives) if noted else None
        try:
            target = self.primitives if watch is None else cast("Primitives", watch)
            apply_transaction(target, transaction, set())
        except Exception as error:  # as in recovery: whatever a kind raises, the entry does not fit
            told = error.message if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"
            detail = f"commit {transaction.cv} does not fit the state before it: {told}"
            raise damaged_history(detail, "", transaction.lsn) from None
        self._recorded = watch.all_of(transaction.entries) if watch is not None else ()
        self.step += 1
        self.cv, self.ts = transaction.cv, transaction.ts

    def view(self, total: int, *, copied: bool = False) -> ReadOnlyView:
        """What is there now; `copied` where this goes on stepping."""
        return ReadOnlyView(
            self.primitives.copy() if copied else self.primitives,
            self.run,
            cv=self.cv,
            ts=self.ts,
            step=self.step,
            n_steps=total,
            recorded=self._recorded,
        )

    def copy(self) -> Stepper:
        """A twin; changes of one do not show in the other."""
        twin = Stepper(self.primitives.copy(), self.run)
        twin.step, twin.cv, twin.ts, twin._recorded = self.step, self.cv, self.ts, self._recorded
        return twin


class _Watch:
    """The kinds of a replay, seen by `apply_transaction`: notes what each entry does on its way to its kind."""

    __slots__ = ("_primitives", "_seen")

    def __init__(self, primitives: Primitives) -> None:
        self._primitives = primitives
        self._seen: list[Recorded] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._primitives, name)

    def apply(self, entry: WalEntry) -> None:
        primitive = self._primitives.handler(entry.entry_type)
        run, key = _run_and_key(entry)
        before = _latest(primitive, run, key)
        self._primitives.apply(entry)
        self._seen.append(Recorded(entry, primitive, key, before, _latest(primitive, run, key)))

    def all_of(self, entries: Sequence[WalEntry]) -> tuple[Recorded, ...]:
        """All entries of the transaction, those of unknown kinds too."""
        seen = iter(self._seen)
        following = next(seen, None)
        found: list[Recorded] = []
        for entry in entries:
            if following is not None and following.entry is entry:
                found.append(following)
                following = next(seen, None)
            else:
                found.append(Recorded(entry, None, _run_and_key(entry)[1], None, None))
        return tuple(found)


def _run_and_key(entry: WalEntry) -> tuple[bytes, str | int | None]:
    """The two that every data entry begins with; nothing of a payload of another shape."""
    try:
        parts = _head(entry.payload)
        return bytes(parts[0])[2:], _key(parts[1])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, IndexError):
        return b"", None


def _latest(primitive: StoragePrimitive | None, run: bytes, key: str | int | None) -> Record | None:
    try:
        return primitive.latest(run, key) if primitive is not None else None
    except NotImplementedError:
        return None  # a kind without single records
