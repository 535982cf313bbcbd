"""What the commit path is put together with: where it starts, who else has a say, and how it refuses."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from .errors import DatabaseClosed, EngineError, EngineLimitExceeded, ReadOnlyError

__all__ = ["Gate", "Position", "closed", "read_only", "too_much"]


class Position:
    """Where the sequence of commits stands: version and time (us) of the last one, next transaction number."""

    __slots__ = ("cv", "sequence", "ts")

    def __init__(self, cv: int = 0, ts: int = 0, sequence: int = 1) -> None:
        self.cv = cv
        self.ts = ts
        self.sequence = sequence


class Gate(Protocol):
    """What several processes on one database put round each commit."""

    kept: AbstractContextManager[None]
    """To be entered before the gate: it makes up for an interrupt in the gate's own `__exit__`."""

    def __enter__(self) -> object:
        """Exclude the others and take in what they committed."""
        ...

    def __exit__(self, *exc: object) -> None: ...

    def follow(self) -> None:
        """Take in what others committed, without excluding them."""
        ...


def too_much(what: str, limit: int, found: int) -> EngineLimitExceeded:
    return EngineLimitExceeded(
        f"the transaction holds {found:,} {what}", what=f"transaction {what}", limit=limit, found=found
    )


def closed() -> EngineError:
    """The answer of a database after `close`."""
    return DatabaseClosed("the database is closed", remedy="Open it again.")


def read_only() -> EngineError:
    """The answer of a database opened to be read."""
    return ReadOnlyError("the database is open read-only", remedy="Open it without read_only to write.")
