"""How far a verification has come; what is indexed so far can be used at once."""

from __future__ import annotations

import msgspec

from devstate.errors import DevStateError

from .index import HistoryIndex
from .source import Source

__all__ = ["Progress", "VerificationCancelled", "report_step"]

_SMALLEST_STEP = 1 << 18
_MOST_REPORTS = 200


def report_step(size: int) -> int:
    """Bytes between two reports on a file of `size` bytes: a report costs time in proportion to the entries so far."""
    return max(_SMALLEST_STEP, size // _MOST_REPORTS)


class Progress(msgspec.Struct, frozen=True):
    """What is known so far. `index` and `letters` are of the first entries, as many as `len(index)`.

    `source` is what is being verified: `index` decodes from it. It belongs to the one who opened it; entries of
    a closed source raise DevStateError.

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
    source: Source


class VerificationCancelled(DevStateError):
    """The caller asked to stop; there is no verdict."""

    code = "CANCELLED"
    exit_code = 8
