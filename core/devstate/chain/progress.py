"""How far a verification has come; what is indexed so far can be used at once."""

from __future__ import annotations

import msgspec

from devstate.errors import DevStateError

from .index import HistoryIndex

__all__ = ["REPORT_EVERY", "Progress", "VerificationCancelled"]

# Bytes between two reports.
REPORT_EVERY = 1 << 18


class Progress(msgspec.Struct, frozen=True):
    """What is known so far. `index` and `letters` are of the first entries, as many as `len(index)`.

    Entries are judged one by one, so that a wrong key shows as B until the end. With several processes the
    index stays empty until the end.
    """

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
