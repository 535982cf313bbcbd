"""What the Chain screen computes, without a screen."""

from __future__ import annotations

import csv
import io
import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.chain import BytesSource, EntryFilter, Keyring, Match, explain_entry, parse_filter, scan_history
from devstate.errors import UsageError
from devstate_tui.models.bookmarks import Bookmarks, parse_bookmarks
from devstate_tui.models.chain import BLOCK, ChainModel, IndexedEntries
from devstate_tui.models.changes import change_between
from devstate_tui.models.copies import csv_of, json_of, list_command, show_command
from devstate_tui.models.destination import find_destination
from devstate_tui.models.detail import detail_of
from devstate_tui.models.explained import explained
from devstate_tui.models.letters import cell_of, map_cells, occurring
from devstate_tui.models.matches import Matches
from devstate_tui.models.moments import long_time, short_time, utc_time
from devstate_tui.services.finder import Search, run_search
from tui_chain import FIRST, broken, chain, encode

RING = Keyring.public_default()


def model_of(data: bytes) -> ChainModel:
    found = scan_history(BytesSource(data), keyring=RING)
    report = found.report
    source = IndexedEntries(found.index, BytesSource(data), len(found.index))
    return ChainModel(
        source, report.letters, first_bad=report.first_bad, findings=report.findings, report=report
    )


# -- letters and the map ------------------------------------------------------------------------------


@given(
    st.binary(max_size=400).map(lambda raw: bytes(b"GBUYRE"[byte % 6] for byte in raw)), st.integers(1, 60)
)
def test_the_cells_divide_all_entries_and_hide_no_break(letters: bytes, height: int) -> None:
    cells = map_cells(letters, len(letters), height)
    assert len(cells) == height
    covered = [entry for cell in cells for entry in range(cell.first, cell.stop)]
    assert covered == list(range(len(letters)))
    for cell in cells:
        inside = letters[cell.first : cell.stop]
        assert (cell.kind == "broken") == (b"B" in inside)
        assert (cell.kind == "good") == (bool(inside) and set(inside) <= {ord("G")})
        assert (cell.kind == "empty") == (not inside)


@given(st.integers(1, 2_000_000), st.integers(1, 80), st.data())
def test_an_entry_lies_in_the_cell_that_stands_for_it(total: int, height: int, data: st.DataObject) -> None:
    entry = data.draw(st.integers(0, total - 1))
    line = cell_of(entry, total, height)
    assert 0 <= line < height
    cell = map_cells(b"G" * min(total, 1000), total, height)[line]
    assert cell.first <= entry < cell.stop


def test_what_is_not_scanned_yet_is_shown_as_unread() -> None:
    assert [cell.kind for cell in map_cells(b"GGBG", 8, 8)] == ["good", "good", "broken", "good"] + [
        "unread"
    ] * 4


def test_the_letters_of_a_legend_are_those_that_occur() -> None:
    assert occurring(b"GUGBG") == "BUG"
    assert occurring(b"") == ""


# -- rows ---------------------------------------------------------------------------------------------


def test_rows_are_those_of_the_entries_in_any_order_of_asking() -> None:
    entries = chain(BLOCK * 3 + 5)
    model = model_of(encode(entries))
    assert model.count == len(entries)
    for index in (0, len(entries) - 1, BLOCK, BLOCK - 1, 2 * BLOCK, 0):
        row = model.row(index)
        assert (row.index, row.actor, row.action) == (
            index,
            entries[index]["actor"],
            entries[index]["action"],
        )
        assert row.hmac == entries[index]["hmac"][:6]
        assert row.letter == "U"  # the public default key


def test_a_row_escapes_what_steers_a_terminal_and_is_short() -> None:
    model = model_of(encode(chain(2, actor="A\x1b[2J\u202eevil" + "x" * 5000)))
    row = model.row(0)
    assert "\x1b" not in row.actor and "\u202e" not in row.actor
    assert r"\x1b" in row.actor
    assert len(row.actor) < 1000


def test_a_row_that_a_warning_names_is_marked() -> None:
    model = model_of(encode(broken(chain(4), 2, metadata={"note": "\x9b31m"})))
    assert [model.row(index).warned for index in range(4)] == [False, False, True, False]
    assert model.has_warnings and not model_of(encode(chain(4))).has_warnings


def test_a_damaged_entry_is_a_row_that_says_so() -> None:
    entries = encode(chain(5))
    data = entries.replace(b'"actor": "AGENT_3"', b'"actor": AGENT_3', 1)
    model = model_of(data)
    assert any(model.row(index).fault for index in range(model.count))


# -- breaks -------------------------------------------------------------------------------------------


def test_breaks_are_found_in_both_directions() -> None:
    entries = broken(broken(chain(50), 7, actor="EVE"), 31, action="other")
    model = model_of(encode(entries))
    assert model.first_break == 7
    assert model.next_break(-1) == 7
    assert model.next_break(7) == 31
    assert model.next_break(31) is None
    assert model.previous_break(50) == 31
    assert model.previous_break(31) == 7
    assert model.previous_break(7) is None
    assert [finding.code for finding in model.findings(7)] == ["HMAC_MISMATCH"]
    assert model.is_broken(31) and not model.is_broken(30)


# -- times and destinations ---------------------------------------------------------------------------


@given(st.integers(-3, 70), st.integers(0, 3599))
def test_a_time_leads_to_the_first_entry_at_or_after_it(hours: int, seconds: int) -> None:
    wanted = FIRST + timedelta(hours=hours, seconds=seconds)
    due = hours + (1 if seconds else 0)
    assert SIXTY.at_time(wanted) == min(max(due, 0), 59)


SIXTY = model_of(encode(chain(60)))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("0", 0),
        ("#59", 59),
        ("1_0", 10),
        ("-1", 59),
        ("-60", 0),
        ("0%", 0),
        ("50%", 30),
        ("100%", 59),
        ("2026-03-02", 16),
        ("2026-03-01T10:30", 3),
        ("2026-03-01T10:00:00Z", 2),
        ("2030-01-01", 59),
    ],
)
def test_destinations(text: str, entry: int) -> None:
    assert find_destination(text, SIXTY).entry == entry


@pytest.mark.parametrize("text", ["60", "-61", "-0", "101%", "later", "", "2026-13-01"])
def test_what_is_no_destination_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_destination(text, SIXTY)
    assert caught.value.remedy


def test_times_are_shown_in_utc() -> None:
    assert short_time("2026-03-11T14:06:39Z") == "03-11 14:06"
    assert long_time("2026-03-11T14:06:39+02:00") == "2026-03-11 12:06:39"
    assert short_time("yesterday") == "yesterday"
    assert utc_time("9999-12-31T23:59:59-01:00") is None


# Letter case folds in odd ways, JSON escapes, and a Kelvin sign is no K.
ODD = (
    "AGENT_1",
    "agent_1",
    "Stra\u00dfe",
    "STRASSE",
    "\u212aelvin",
    "kelvin",
    'a"b',
    "a\\b",
    "\u0130",
    "i",
    "\u2028",
)
ODD_CHAINS = {text: encode(chain(3, actor=text)) for text in ODD}


# -- filter, search, matches --------------------------------------------------------------------------


@given(st.sets(st.integers(0, 300)), st.integers(-1, 301))
def test_matches_are_walked_like_a_sorted_list(entries: set[int], here: int) -> None:
    matches = Matches("x", 300)
    matches.extend(sorted(entries), scanned=300)
    assert matches.next(here) == min((entry for entry in entries if entry > here), default=None)
    if here >= 0:
        assert matches.previous(here) == max((entry for entry in entries if entry < here), default=None)
        assert (here in matches) == (here in entries)
        assert matches.any_in(here, here + 10) == any(here <= entry < here + 10 for entry in entries)


def test_a_search_finds_what_the_filter_lets_through_and_tells_the_end() -> None:
    model = model_of(encode(chain(700)))
    search = Search(parse_filter("actor:AGENT_3 action~worker"), "", model.source)
    told: list[int] = []
    run_search(search, tell=lambda: told.append(search.scanned), cancelled=lambda: False)
    wanted = [index for index in range(700) if index % 3 == 2 and index % 5 in (2, 4)]
    assert list(search.found) == wanted
    assert search.done and told[-1] == 700


@given(st.sampled_from(ODD), st.sampled_from(ODD), st.booleans())
def test_refusing_by_bytes_alone_refuses_no_match(actor: str, wanted: str, part: bool) -> None:
    model = model_of(ODD_CHAINS[actor])
    chosen = EntryFilter(actor=(Match(wanted, part),), text=(wanted,))
    search = Search(chosen, "", model.source)
    run_search(search, tell=lambda: None, cancelled=lambda: False)
    assert list(search.found) == [i for i in range(model.count) if chosen.matches(model.entry(i))]


def test_a_search_stops_when_it_is_cancelled() -> None:
    model = model_of(encode(chain(2000)))
    search = Search(parse_filter("AGENT"), "", model.source)
    asked: list[None] = []
    run_search(search, tell=lambda: None, cancelled=lambda: len(asked) > 0 or bool(asked.append(None)))
    assert not search.done
    assert 0 < search.scanned < 2000


# -- what changed -------------------------------------------------------------------------------------


def test_a_change_is_told_in_a_sentence_that_points_at_the_entry() -> None:
    entries = chain(20)
    sound, longer = model_of(encode(entries)), model_of(encode(chain(23)))
    bad = model_of(encode(broken(entries, 9, action="forged")))
    assert change_between(sound, sound) is None

    broke = change_between(sound, bad)
    assert broke is not None and broke.worse and broke.entry == 9
    assert "entry 9 broke" in broke.sentence and "HMAC_MISMATCH" in broke.sentence

    mended = change_between(bad, sound)
    assert mended is not None and not mended.worse and "mended" in mended.sentence

    grown = change_between(sound, longer)
    assert grown is not None and grown.sentence == "3 entries added" and grown.entry == 22

    shrunk = change_between(longer, sound)
    assert shrunk is not None and "3 entries removed" in shrunk.sentence

    same = change_between(sound, model_of(encode(entries).replace(b"    ", b"  ")))
    assert same is not None and "the same" in same.sentence


def test_a_second_break_is_told_even_in_a_broken_chain() -> None:
    once = broken(chain(30), 5, action="forged")
    change = change_between(model_of(encode(once)), model_of(encode(broken(once, 21, actor="EVE"))))
    assert change is not None and change.entry == 21


# -- the detail ---------------------------------------------------------------------------------------


def texts(model: ChainModel, index: int) -> str:
    entry = model.entry(index)
    explanation = explain_entry(entry, model.entry(index - 1) if index else None, RING)
    detail = detail_of(entry, explanation, letter=model.letter(index), findings=model.findings(index))
    return "\n".join(
        [
            detail.title,
            detail.verdict,
            *(f"{part.title}|{fact.label}|{fact.value}" for part in detail.parts for fact in part.facts),
        ]
    )


def test_the_detail_keeps_covered_and_uncovered_fields_apart() -> None:
    model = model_of(encode(chain(3, surprise=[1, 2])))
    text = texts(model, 1)
    assert "covered by the HMAC (v1)|actor|AGENT_2" in text
    assert "not covered: can be changed without a trace|cp_from|CP0-LC" in text
    assert "not covered: can be changed without a trace|metadata|" in text
    assert "not covered: can be changed without a trace|surprise|" in text
    assert "✔ follows entry 0" in text


def test_the_detail_of_a_broken_entry_masks_both_hmacs() -> None:
    entries = chain(5)
    forged = broken(entries, 3, action="forged")
    text = texts(model_of(encode(forged)), 3)
    assert "B broken" in text and "HMAC_MISMATCH" in text
    assert entries[3]["hmac"][:16] + "..." in text
    from tui_chain import mac

    computed = mac(forged[3])
    assert computed[:16] + "..." in text
    for secret in (entries[3]["hmac"], computed, entries[2]["hmac"]):
        assert secret not in text


def test_the_two_hmacs_are_shown_once_in_the_words_of_the_command() -> None:
    entries = chain(5)
    forged = broken(entries, 3, action="forged")
    model = model_of(encode(forged))
    text = texts(model, 3)
    from tui_chain import mac

    for hmac in (entries[3]["hmac"], mac(forged[3])):
        assert text.count(hmac[:16]) == 1
    assert f"|expected|{mac(forged[3])[:16]}...  computed" in text
    assert f"|actual|{entries[3]['hmac'][:16]}...  ✘ stored" in text
    entry = model.entry(3)
    unlisted = detail_of(entry, explain_entry(entry, model.entry(2), RING), letter="B", findings=())
    assert [part.title for part in unlisted.parts if any("✘ stored" in f.value for f in part.facts)] == [
        "HMAC"
    ]


def test_a_broken_link_is_told_once() -> None:
    entries = chain(6)
    model = model_of(encode(entries[:2] + entries[3:]))
    text = texts(model, 2)
    assert "CHAIN_LINK_BROKEN" in text and "|link|✘ does not follow entry 1\n" in text
    assert text.count(entries[1]["hmac"][:16]) == 1


def test_large_entry_numbers_are_grouped_in_sentences() -> None:
    model = model_of(encode(broken(chain(1101), 1100, action="forged")))
    text = texts(model, 1100)
    assert text.startswith("Entry 1,100\n") and "Entry 1,100 does not verify" in text
    assert "✔ follows entry 1,099" in text


def test_the_explanation_covers_the_message_without_a_gap_and_masks_the_link() -> None:
    model = model_of(encode(chain(3)))
    entry, previous = model.entry(2), model.entry(1)
    explanation = explain_entry(entry, previous, RING)
    pieces, verdict, uncovered = explained(entry, explanation)
    assert [piece.name for piece in pieces] == ["ts", "actor", "action", "state_checksum", "hmac_prev"]
    assert pieces[0].start == 0 and pieces[-1].stop == len(explanation.message)
    assert all(one.stop == other.start for one, other in itertools.pairwise(pieces))
    shown = "\n".join([*(piece.text for piece in pieces), *(fact.value for fact in verdict), *uncovered])
    assert previous.hmac not in shown and previous.hmac[:16] in shown
    assert "metadata" in shown


# -- copying and bookmarks ----------------------------------------------------------------------------


def test_copies_are_exact() -> None:
    model = model_of(encode(chain(3, actor='=SUM(A1) "quoted", comma')))
    entries = [model.entry(index) for index in range(3)]
    assert json.loads(json_of(entries[:1])) == entries[0].members
    assert json.loads(json_of(entries)) == [entry.members for entry in entries]
    rows = list(csv.DictReader(io.StringIO(csv_of(entries))))
    assert [row["hmac"] for row in rows] == [entry.hmac for entry in entries]
    assert rows[0]["actor"] == "'" + entries[0].actor  # a spreadsheet would run it otherwise
    assert json.loads(rows[2]["metadata"]) == entries[2].metadata


def test_commands_are_quoted_for_a_shell() -> None:
    assert show_command("/a b/c", 7) == "devstate -C '/a b/c' history show 7"
    chosen = parse_filter('actor:AGENT_3 since:2026-03-01 "two words"')
    assert list_command("/w", chosen) == (
        "devstate -C /w history list --actor AGENT_3 --since 2026-03-01T00:00:00Z --text 'two words'"
    )
    assert list_command("/w", parse_filter("action~part")) is None


def test_bookmarks_survive_their_file_and_refuse_another() -> None:
    marks = Bookmarks().with_note(7, "ab" * 32, "look ünïcode").with_note(3, "cd" * 32, "")
    again = parse_bookmarks(marks.encode("/w"), path="f")
    assert list(again) == list(marks) and again.entries == (3, 7)
    assert b"ab" * 32 not in marks.encode("/w")  # no whole HMAC outside of the chain
    assert again.next(3) == 7 and again.next(7) == 3
    assert 7 not in again.without(7)
    for data in (b"", b"{", b"[]", b'{"schema": "other/1", "workspace": "", "bookmarks": []}', b"\xff"):
        with pytest.raises(UsageError):
            parse_bookmarks(data, path="f")


def test_a_moment_is_compared_across_zones() -> None:
    model = model_of(encode(chain(3, ts="2026-03-11T14:00:00+02:00")))
    assert model.at_time(datetime(2026, 3, 11, 12, 0, tzinfo=UTC)) == 0
