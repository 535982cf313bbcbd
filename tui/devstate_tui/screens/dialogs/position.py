"""Go to a position of the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devstate.errors import UsageError

from .place import PlaceDialog

__all__ = ["Position", "PositionDialog", "read_position"]

_FORMS = "4096   0x1000   50%   -1 (the last byte)"


@dataclass(frozen=True)
class Position:
    """An LSN; None where the dialog was left."""

    lsn: int | None


class PositionDialog(PlaceDialog[Position]):
    """`first` and `last` are the first and the last LSN there is; `about` says what stands at one."""

    def __init__(self, first: int, last: int, about: Callable[[int], str]) -> None:
        super().__init__(
            "Go to a position of the log",
            span=f"LSNs from {first:,} to {last:,}",
            names="LSN",
            examples=_FORMS,
        )
        self._range = (first, last)
        self._about = about

    def place_of(self, text: str) -> Position:
        return Position(read_position(text, *self._range))

    def told(self, place: Position) -> str:
        return self._about(place.lsn or 0)

    def outcome_of(self, button: str) -> Position:
        return Position(None)


def read_position(text: str, first: int, last: int) -> int:
    """The LSN that a text names: `4096`, `0x1000`, `50%`, `-1` from the end. Raises UsageError."""
    text = text.strip().replace(",", "").replace("_", "")
    try:
        if text.endswith("%"):
            lsn = first + int((last - first) * min(max(float(text[:-1]), 0.0), 100.0) / 100)
        elif text.startswith("-"):
            lsn = last + 1 + int(text)
        else:
            lsn = int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        raise UsageError("a position is a number of bytes", remedy=f"Write one of:  {_FORMS}") from None
    if not first <= lsn <= last:
        raise UsageError(f"there is no LSN {lsn:,}", remedy=f"The log is from {first:,} to {last:,}.")
    return lsn
