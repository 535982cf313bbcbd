"""What a commit is worth when it returns."""

from __future__ import annotations

from typing import Literal

import msgspec

from .errors import EngineError, ValueRangeError

__all__ = ["Durability"]


class Durability(msgspec.Struct, frozen=True):
    """`memory`: nothing is written. `buffered`: a returned commit survives the death of the process, and a power
    cut costs at most the last `interval_ms` or `max_pending` commits. `strict`: a returned commit is on the device.

    `interval_ms` 0 starts no thread: the log is synced by `flush`, rotation, snapshots and `close` only.
    """

    mode: Literal["memory", "buffered", "strict"] = "buffered"
    interval_ms: int = 100
    max_pending: int = 1000

    def __post_init__(self) -> None:
        for name in ("interval_ms", "max_pending"):
            given = getattr(self, name)
            if type(given) is not int or given < 0:
                raise ValueRangeError(f"{name} cannot be {given!r}", remedy="Give a whole number from 0 on.")

    @classmethod
    def memory(cls) -> Durability:
        """Nothing outlives the process."""
        return cls("memory")

    @classmethod
    def buffered(cls, *, interval_ms: int = 100, max_pending: int = 1000) -> Durability:
        """The default: one write to the operating system for each commit, a sync for many."""
        return cls("buffered", interval_ms, max_pending)

    @classmethod
    def strict(cls) -> Durability:
        """One sync for each group of commits that wait at the same time."""
        return cls("strict")

    @classmethod
    def of(cls, durability: Durability | str) -> Durability:
        """A mode by its name, or as it is. Raises EngineError."""
        if isinstance(durability, Durability):
            return durability
        if durability not in ("memory", "buffered", "strict"):
            raise EngineError(
                f"there is no durability {durability!r}", remedy="Choose `memory`, `buffered` or `strict`."
            )
        return cls(durability)
