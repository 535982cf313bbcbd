"""Timestamps of entries: the RFC 3339 format, and an order over them."""

from __future__ import annotations

import re
from functools import lru_cache

from devstate.clock import parse_rfc3339

__all__ = ["sort_key", "sort_keys"]

_PLAIN = re.compile(
    r"(?:[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)*+"
)
_PLAIN_LENGTH = 20


def sort_key(ts: str) -> str | None:
    """A text that sorts like the moment; None where `ts` is not RFC 3339."""
    if len(ts) == _PLAIN_LENGTH and _PLAIN.fullmatch(ts) and _is_date(ts[:10]):
        return ts[:-1]
    moment = parse_rfc3339(ts)
    return None if moment is None else moment.replace(tzinfo=None).isoformat()


def sort_keys(column: list[str]) -> list[str] | None:
    """The sort keys of many timestamps in the plain form `YYYY-MM-DDTHH:MM:SSZ`; None where one is not."""
    joined = "".join(column)
    if len(joined) != _PLAIN_LENGTH * len(column) or not _PLAIN.fullmatch(joined):
        return None
    if not all(map(_is_date, {ts[:10] for ts in column})):
        return None
    return [ts[:-1] for ts in column]


@lru_cache(maxsize=4096)
def _is_date(day: str) -> bool:
    """Whether the calendar has this day; the months' lengths are beyond a pattern."""
    return parse_rfc3339(day + "T00:00:00Z") is not None
