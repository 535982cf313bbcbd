"""Moments and their RFC 3339 texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.clock import SYSTEM, FixedClock, parse_rfc3339, rfc3339


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-11-16T14:06:39Z", at(2025, 11, 16, 14, 6, 39)),
        ("2025-11-16t14:06:39z", at(2025, 11, 16, 14, 6, 39)),
        ("2025-11-16T14:06:39.5Z", at(2025, 11, 16, 14, 6, 39, 500_000)),
        ("2025-11-16T14:06:39.123456789Z", at(2025, 11, 16, 14, 6, 39, 123_456)),
        ("2025-11-16T14:06:39+02:00", at(2025, 11, 16, 12, 6, 39)),
        ("2025-11-16T14:06:39-00:00", at(2025, 11, 16, 14, 6, 39)),
        ("2025-01-01T00:30:00+01:00", at(2024, 12, 31, 23, 30)),
        ("2024-02-29T00:00:00Z", at(2024, 2, 29)),
        ("2016-12-31T23:59:60Z", at(2017, 1, 1)),
        ("2016-12-31T23:59:60.9Z", at(2017, 1, 1)),
        ("2017-01-01T00:59:60+01:00", at(2017, 1, 1)),
    ],
)
def test_valid_texts(text: str, moment: datetime) -> None:
    parsed = parse_rfc3339(text)
    assert parsed == moment
    assert parsed is not None and parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-11-16",
        "2025-11-16T14:06:39",
        "2025-11-16 14:06:39Z",
        "2025-11-16T14:06Z",
        "2025-11-16T14:06:39.Z",
        "2025-11-16T14:06:39,5Z",
        "2025-11-16T14:06:39+0200",
        "2025-11-16T14:06:39+24:00",
        "2025-11-16T14:06:39+02:60",
        "2025-11-16T24:00:00Z",
        "2025-11-16T14:60:00Z",
        "2025-11-16T14:06:61Z",
        "2025-11-16T14:06:60Z",
        "2025-11-16T23:59:60Z",
        "2016-12-31T23:59:60+01:00",
        "2025-02-29T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:60Z",
        "٢٠٢٥-11-16T14:06:39Z",
        "2025-11-16T14:06:39Z\n",
        " 2025-11-16T14:06:39Z",
    ],
)
def test_invalid_texts(text: str) -> None:
    assert parse_rfc3339(text) is None


@given(st.text(max_size=40))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    parse_rfc3339(text)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_texts_read_back(moment: datetime) -> None:
    assert parse_rfc3339(rfc3339(moment)) == moment.replace(microsecond=0)


def test_text_is_utc_and_whole_seconds() -> None:
    moment = datetime(2026, 1, 1, 1, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(moment) == "2025-12-31T23:00:00Z"
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 1, 1))


def test_system_clock_is_aware_and_goes_on() -> None:
    first, second = SYSTEM.now(), SYSTEM.now()
    assert first.tzinfo is UTC
    assert first <= second


def test_fixed_clock() -> None:
    stands = FixedClock("2026-01-31T12:00:00Z")
    assert stands.now() == stands.now() == at(2026, 1, 31, 12)
    moves = FixedClock(at(2026, 1, 31, 12), step=1.5)
    assert (moves.now(), moves.now()) == (at(2026, 1, 31, 12), at(2026, 1, 31, 12, 0, 1, 500_000))
    for wrong in ("yesterday", datetime(2026, 1, 1)):
        with pytest.raises(ValueError, match="time zone"):
            FixedClock(wrong)
