"""How far a verification has come; what is indexed so far can be used at once."""

from __future__ import annotations

import msgspec

from devstate.errors import DevStateError

from .index import HistoryIndex

__all__ = ["Progress", "VerificationCancelled"]


class Progress(msgspec.Struct, frozen=True):
    """`letters` are those of the first `entries` entries, judged one by one (a wrong key shows as B until the end)."""

    bytes_done: int
    bytes_total: int
    entries: int
    bad: int
    first_bad: int | None
    index: HistoryIndex
    letters: bytes


class VerificationCancelled(DevStateError):
    """The caller asked to stop; there is no verdict."""

    code = "CANCELLED"
    exit_code = 8
