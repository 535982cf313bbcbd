"""The time of day, handed in from the edge so that the same input gives the same output."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Protocol

__all__ = ["SYSTEM", "Clock", "FixedClock", "epoch_microseconds", "parse_rfc3339", "rfc3339"]


class Clock(Protocol):
    """Where the present comes from."""

    def now(self) -> datetime:
        """The present, in UTC and aware of it."""
        ...


class _SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


SYSTEM: Final[Clock] = _SystemClock()


class FixedClock:
    """A clock that stands at one moment and, with `step` (seconds), moves on by so much at each reading.

    `moment` is an aware datetime or an RFC 3339 text; ValueError otherwise.
    """

    def __init__(self, moment: datetime | str, *, step: float = 0.0) -> None:
        parsed = parse_rfc3339(moment) if isinstance(moment, str) else moment
        if parsed is None or parsed.tzinfo is None:
            raise ValueError(f"not a moment with a time zone: {moment!r}")
        self._next = parsed.astimezone(UTC)
        self._step = timedelta(seconds=step)

    def now(self) -> datetime:
        """The moment; then the clock moves on by the step."""
        moment = self._next
        self._next = moment + self._step
        return moment


def rfc3339(moment: datetime) -> str:
    """`2026-01-31T12:00:00Z`: UTC, whole seconds (a fraction is cut off). ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone has no RFC 3339 form")
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def parse_rfc3339(text: str) -> datetime | None:
    """The moment that an RFC 3339 date-time names, in UTC; None where the text is not one.

    Digits of a fraction beyond microseconds are cut off. A leap second is accepted only where one can be
    (23:59:60 UTC on the last day of a month) and counts as the first instant of the next minute, since
    `datetime` has no other place for it. A moment outside the years 1 to 9999 in UTC is None.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[part]) for part in range(1, 7))
    fraction = (match[7] or ".0")[1:7].ljust(6, "0")
    leap = second == 60
    offset = timedelta(0)
    if match[8]:
        hours, minutes = int(match[9]), int(match[10])
        if hours > 23 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes)
        if match[8] == "-":
            offset = -offset
    try:
        moment = datetime(
            year, month, day, hour, minute, 59 if leap else second, int(fraction), timezone(offset)
        ).astimezone(UTC)
        if not leap:
            return moment
        next_second = moment + timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    first_of_month = next_second.day == 1 and next_second.hour == 0 and next_second.minute == 0
    return next_second.replace(microsecond=0) if first_of_month else None


def epoch_microseconds() -> int:
    """The present in whole microseconds since the Unix epoch; for formats that count so."""
    return time.time_ns() // 1000
