"""Timestamps of entries: the RFC 3339 format, and an order over them."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import le

from devstate.clock import parse_rfc3339

__all__ = ["plain_span", "sort_key"]

_PLAIN = re.compile(
    r"(?:[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)*+"
)
_PLAIN_LENGTH = 20
_OFFSET = re.compile(r"((?:9999|0001)-.*)([+-]\d\d:\d\d)")


def sort_key(ts: str) -> str | None:
    """A text that sorts like the moment; None where `ts` is not RFC 3339."""
    if len(ts) == _PLAIN_LENGTH and _PLAIN.fullmatch(ts) and _is_date(ts[:10]):
        return ts[:-1]
    moment = parse_rfc3339(ts)
    if moment is not None:
        return moment.replace(tzinfo=None).isoformat()
    # The local time may be right while its UTC form lies outside the years that a datetime holds.
    local = _OFFSET.fullmatch(ts)
    if (
        local is None
        or parse_rfc3339(local[1] + "Z") is None
        or parse_rfc3339(f"2000-01-02T00:00:00{local[2]}") is None
    ):
        return None
    return "~" if ts.startswith("9999") else ""


def plain_span(column: list[str]) -> tuple[str, str] | None:
    """The sort keys of the first and the last of many times; None unless all of them are plain and none goes back.

    Plain is the form `YYYY-MM-DDTHH:MM:SSZ`, whose texts sort like the moments.
    """
    joined = "".join(column)
    if len(joined) != _PLAIN_LENGTH * len(column) or not _PLAIN.fullmatch(joined):
        return None
    if not all(map(le, column, column[1:])):
        return None
    first, last = column[0], column[-1]
    days = {first[:10]} if first[:10] == last[:10] else {ts[:10] for ts in column}
    return (first[:-1], last[:-1]) if all(map(_is_date, days)) else None


@lru_cache(maxsize=4096)
def _is_date(day: str) -> bool:
    """Whether the calendar has this day; the months' lengths are beyond a pattern."""
    return parse_rfc3339(day + "T00:00:00Z") is not None
