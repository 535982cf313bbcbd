"""What callers give: of the right kind and size, or refused with the engine's errors before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from .errors import ValueRangeError, ValueTypeError

__all__ = ["checked_clock", "require_number", "require_seconds", "require_text", "require_type"]


def require_number(name: str, given: object, *, least: int | None = None, none: bool = False) -> None:
    """A whole number, not below `least`; None too with `none`. Raises ValueTypeError, ValueRangeError."""
    if none and given is None:
        return
    if not isinstance(given, int) or isinstance(given, bool):
        raise ValueTypeError(f"{name} is a whole number, not {_kind(given)}", remedy="Give a whole number.")
    if least is not None and given < least:
        raise ValueRangeError(f"{name} cannot be {given}", remedy=f"Give a whole number from {least} on.")


def require_seconds(name: str, given: object, *, endless: bool = False) -> None:
    """A number from 0 on, whole or not, and finite unless `endless`. Raises ValueTypeError, ValueRangeError."""
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise ValueTypeError(f"{name} is a number, not {_kind(given)}", remedy="Give a number.")
    if not given >= 0 or (given == inf and not endless):
        raise ValueRangeError(f"{name} cannot be {given}", remedy="Give a finite number from 0 on.")


def require_text(name: str, given: object) -> None:
    """A text. Raises ValueTypeError."""
    if not isinstance(given, str):
        raise ValueTypeError(f"{name} is a text, not {_kind(given)}", remedy="Give a text.")


def require_type(name: str, given: object, wanted: type) -> None:
    """Of the type, or None. Raises ValueTypeError."""
    if given is not None and not isinstance(given, wanted):
        raise ValueTypeError(
            f"{name} is a {wanted.__name__}, not {_kind(given)}", remedy=f"Give a {wanted.__name__}."
        )


def checked_clock(now: Callable[[], int]) -> Callable[[], int]:
    """The clock, held to whole microseconds since 1970: it raises ValueTypeError or ValueRangeError where what it was
    made of gives anything else. Raises ValueTypeError where that cannot be called."""
    if not callable(now):
        raise ValueTypeError(
            f"`now` is a clock to call, not {_kind(now)}", remedy="Give a function without parameters."
        )
    return lambda: _checked_time(now())


def _checked_time(told: object) -> int:
    if type(told) is not int:
        raise ValueTypeError(
            f"`now` gives whole microseconds since 1970, not {_kind(told)}",
            remedy="Give a clock like `lambda: time.time_ns() // 1000`.",
        )
    if not 0 <= told < 1 << 63:
        raise ValueRangeError(
            f"`now` cannot give {told}", remedy="Give a clock that counts microseconds since 1970."
        )
    return told


def _kind(given: object) -> str:
    return (
        f"{type(given).__name__} {given!r:.40}"
        if isinstance(given, str | int | float)
        else type(given).__name__
    )
