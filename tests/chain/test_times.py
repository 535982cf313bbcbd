"""Times: sort keys that sort like the moments, and whole columns of plain ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.chain.times import plain_span, sort_key
from devstate.clock import parse_rfc3339

FORMS = [
    "2025-01-01T00:00:00Z",
    "2025-01-01t00:00:00z",
    "2025-01-01T00:00:00.5Z",
    "2025-01-01T00:00:00.000001Z",
    "2025-01-01T01:00:00+01:00",
    "2024-12-31T23:59:59Z",
    "2024-12-31T23:59:60Z",
    "2024-12-31T19:30:00-04:30",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
]


@given(st.sampled_from(FORMS), st.sampled_from(FORMS))
def test_keys_sort_like_the_moments(one: str, two: str) -> None:
    keys, moments = (sort_key(one), sort_key(two)), (parse_rfc3339(one), parse_rfc3339(two))
    assert all(key is not None for key in keys)
    assert (keys[0] < keys[1]) == (moments[0] < moments[1])  # type: ignore[operator]


@given(st.datetimes(), st.datetimes())
def test_plain_times_sort_as_they_are(one: object, two: object) -> None:
    texts = [f"{moment:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0") for moment in (one, two)]
    keys = [sort_key(text) for text in texts]
    assert None not in keys
    assert (keys[0] < keys[1]) == (texts[0] < texts[1])  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        "", "2025-01-01", "2025-01-01T00:00:00", "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z",
        "2025-01-01T24:00:00Z", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00+24:00", "２025-01-01T00:00:00Z",
        "2025-01-01T00:00:00Z\n", "2025-06-15T12:00:60Z", "x" * 20,
    ],
)  # fmt: skip
def test_no_times(text: str) -> None:
    assert sort_key(text) is None
    assert plain_span([text]) is None


def test_moments_beyond_the_calendar_still_sort() -> None:
    late, early = sort_key("9999-12-31T23:59:59-01:00"), sort_key("0001-01-01T00:00:00+01:00")
    assert late is not None
    assert early is not None
    assert early < str(sort_key("0001-01-01T00:00:00Z")) < str(sort_key("9999-12-31T23:59:59Z")) < late


DAY = "2025-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([DAY], (DAY[:-1], DAY[:-1])),
        ([DAY, DAY, "2025-03-01T00:00:00Z"], (DAY[:-1], "2025-03-01T00:00:00")),
        (["2025-03-01T00:00:00Z", DAY], None),  # goes back
        ([DAY, "2025-01-03T00:00:00Z", "2025-01-02T00:00:00Z", "2025-01-04T00:00:00Z"], None),
        ([DAY, "2025-02-30T00:00:00Z", "2025-03-01T00:00:00Z"], None),  # no such day, in the middle
        (["2025-02-30T00:00:00Z", "2025-02-30T00:00:01Z"], None),  # all on a day that does not exist
        ([DAY, "2025-01-01T00:00:00.5Z"], None),  # right, but not plain
        ([DAY, "2025-01-01T01:00:00+01:00"], None),
        ([DAY[:-1], "Z" + DAY], None),  # right only when they are joined
        ([DAY, ""], None),
    ],
)
def test_columns(column: list[str], expected: tuple[str, str] | None) -> None:
    assert plain_span(column) == expected
