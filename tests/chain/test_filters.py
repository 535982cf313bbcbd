"""A filter means the same whether it is typed in the inspector or given as options."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.chain.entry import Entry
from devstate.chain.filters import (
    EVERY_ENTRY,
    EntryFilter,
    Match,
    filter_text,
    parse_filter,
    parse_moment,
    quick_no,
)
from devstate.errors import UsageError

MEMBERS: dict[str, Any] = {
    "ts": "2026-01-15T10:00:00Z",
    "actor": "AGENT_3",
    "action": "router_idempotency",
    "cp_from": "CP1-LC",
    "cp_to": "CP2-LC",
    "state_checksum": "0" * 64,
    "hmac_prev": "",
    "hmac": "ab12" * 16,
    "metadata": {"Task": "Größe prüfen", "n": [1, 2.5, True, None], "path": "a\\b"},
}


def entry(**changed: Any) -> Entry:
    members = {**MEMBERS, **changed}
    return Entry(0, 0, json.dumps(members, ensure_ascii=False).encode("utf-8", "surrogatepass"), members)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "actor:AGENT_3",
        "actor~agent",
        "actor:AGENT_1 actor:AGENT_3",
        "action~ROUTER",
        "cp:CP1-LC",
        "cp:CP2-LC",
        "since:2026-01-15",
        "until:2026-01-15",
        "since:2026-01-15T10:00:00Z until:2026-01-15T10:00:00Z",
        "since:2026-01-15T11:00:00+01:00",
        "until:2026-01-15T10:00",
        "GRÖSSE",
        "größe",
        '"größe prüfen"',
        "ab12ab",
        "task",
        "2.5",
        "true null",
        r"a\b",
        "agent_3 actor:AGENT_3 action~router cp:CP2-LC since:2026-01-01 until:2026-12-31 prüfen",
    ],
)
def test_lets_through(text: str) -> None:
    assert parse_filter(text).matches(entry())


@pytest.mark.parametrize(
    "text",
    [
        "actor:AGENT",
        "actor:agent_3",
        "action:router",
        "cp:CP2",
        "since:2026-01-16",
        "until:2026-01-14",
        "since:2026-01-15T10:00:01Z",
        "until:2026-01-15T09:59",
        "absent",
        "größe absent",
        '", "',
        '"prüfen größe"',
        "actor:AGENT_3 action:other",
    ],
)
def test_holds_back(text: str) -> None:
    assert not parse_filter(text).matches(entry())


def test_a_search_sees_through_escapes() -> None:
    members = {**MEMBERS, "action": "größe"}
    escaped = Entry(0, 0, json.dumps(members).encode(), members)
    assert b"\\u00f6" in escaped.raw
    assert parse_filter("größe").matches(escaped)


def test_an_entry_without_a_readable_time_lies_in_no_span() -> None:
    for ts in ("yesterday", "", 5):
        assert not parse_filter("since:0001-01-01").matches(entry(ts=ts))
        assert parse_filter("agent").matches(entry(ts=ts))


def test_a_damaged_entry_is_found_by_its_bytes() -> None:
    damaged = Entry(0, 0, b'{"actor": "AGENT_3", "act\xff', {}, readable=False)
    assert parse_filter("agent_3").matches(damaged)
    assert not parse_filter("actor:AGENT_3").matches(damaged)
    assert not parse_filter("other").matches(damaged)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("actor:", 0),
        ("x actor: y", 2),
        ("since:soon", 0),
        ("since~2026-01-01", 0),
        ("since:2026-01-01 since:2026-01-02", 17),
        ('a "open', 2),
        ('actor:"open', 0),
        ('"a"b', 3),
        ("until:2026-02-30", 0),
    ],
)
def test_says_what_is_wrong_and_where(text: str, position: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter(text)
    assert caught.value.position == f"character {position}"
    assert caught.value.remedy


def test_times() -> None:
    assert parse_moment("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    assert parse_moment("2026-01-31", end=True) == datetime(2026, 1, 31, 23, 59, 59, 999999, UTC)
    assert parse_moment("2026-01-31T12:30", end=True) == datetime(2026, 1, 31, 12, 30, 59, 999999, UTC)
    assert parse_moment("2026-01-31T12:30:00+02:00") == datetime(2026, 1, 31, 10, 30, tzinfo=UTC)
    assert parse_moment("2026-01-31T12:30:00.5Z", end=True) == datetime(2026, 1, 31, 12, 30, 0, 500000, UTC)


words = st.text(min_size=1).filter(lambda text: "\x00" not in text)
matches = st.lists(st.builds(Match, words, st.booleans()), max_size=2).map(tuple)
moments = st.none() | st.datetimes(timezones=st.just(UTC))
filters = st.builds(
    EntryFilter,
    actor=matches,
    action=matches,
    cp=matches,
    since=moments,
    text=st.lists(words, max_size=2).map(tuple),
)


@given(filters)
def test_the_syntax_says_all_of_a_filter(chosen: EntryFilter) -> None:
    assert parse_filter(filter_text(chosen)) == chosen


names = st.sampled_from(
    ["AGENT_3", "agent", "größe", "K", "\u212a", "ß", "SS", 'a"b', "a\\b", "\n", "ﬁ", "x"]
)
some = st.lists(st.builds(Match, names, st.booleans()), max_size=2).map(tuple)
chosen_filters = st.builds(
    EntryFilter, actor=some, action=some, cp=some, text=st.lists(names, max_size=2).map(tuple)
)
members = st.fixed_dictionaries(
    dict.fromkeys(("actor", "action", "cp_from", "cp_to"), names),
    optional={"metadata": st.dictionaries(names, names)},
)


@given(chosen_filters, members, st.booleans())
def test_the_quick_no_is_never_wrong(chosen: EntryFilter, values: dict[str, Any], ascii_only: bool) -> None:
    candidate = Entry(0, 0, json.dumps(values, ensure_ascii=ascii_only).encode(), values)
    if quick_no(chosen)(candidate.raw):
        assert not chosen.matches(candidate)


def test_the_quick_no_spares_most_entries() -> None:
    plain = entry(metadata={})
    for text in ("actor:AGENT_4", "action~nothing", "cp:CP9-LC", "absent", "actor:AGENT_4 actor:AGENT_5"):
        assert quick_no(parse_filter(text))(plain.raw)
    for text in ("actor:AGENT_3", "action~ROUTER", "cp:CP1-LC", "router", ""):
        assert not quick_no(parse_filter(text))(plain.raw)


def test_no_condition_lets_everything_through() -> None:
    assert parse_filter("") == EVERY_ENTRY
    assert EVERY_ENTRY.matches(entry())
    assert filter_text(EVERY_ENTRY) == ""
