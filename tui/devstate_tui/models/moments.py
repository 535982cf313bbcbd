"""Times as entries claim them: to compare, and to show in few columns. Nothing here asks what time it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from devstate.clock import parse_rfc3339

__all__ = ["long_time", "moment", "short_time", "utc_time"]

_UTC_TS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)\Z")


def moment(ts: str) -> datetime | None:
    """The moment that an RFC 3339 time names; None where the text is none."""
    return parse_rfc3339(ts)


def utc_time(ts: str) -> str | None:
    """The time in UTC as `YYYY-MM-DDTHH:MM:SS`; None where the text is no RFC 3339 time."""
    if _UTC_TS.match(ts):
        return ts[:19]
    found = parse_rfc3339(ts)
    if found is None:
        return None
    try:
        return found.astimezone(UTC).isoformat()[:19]
    except (OverflowError, ValueError):  # the year 10000, seen from another zone
        return None


def short_time(ts: str) -> str:
    """`MM-DD HH:MM` in UTC, 11 columns; the text itself, to be cropped, where it is no time."""
    utc = utc_time(ts)
    return ts if utc is None else f"{utc[5:10]} {utc[11:16]}"


def long_time(ts: str) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC, 19 columns; the text itself, to be cropped, where it is no time."""
    utc = utc_time(ts)
    return ts if utc is None else f"{utc[:10]} {utc[11:19]}"
