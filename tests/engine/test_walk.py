"""The walk over damaged logs. What must come out is computed from how the log was made, never by a reader."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.engine.envelope import NIL_TX, encode_entry
from devstate.engine.errors import EngineError, UnknownEntryType, UnsupportedFormat
from devstate.engine.framing import (
    CommitMarker,
    SnapshotMark,
    encode_commit,
    frame_abort,
    frame_snapshot_mark,
    make_tx_id,
)
from devstate.engine.reports import REASONS, Gap, WalkEnd
from devstate.engine.segments import SegmentReader, list_segments
from devstate.engine.walk import ListedEntry, LogWalk, Region, scan_entries
from log_samples import (
    RUNS,
    SALT,
    TS,
    Commit,
    commit,
    commits,
    joined,
    marker_entry,
    matches,
    walked,
    write_segment,
)

LOG = commits(6)
DATA = joined(LOG)
OTHER_SALT = b"\xaa\xbb\xcc\xdd\xee\xff\x01\x02"


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path)


def uuids(made: Sequence[Commit]) -> set[str]:
    texts = {one.run.hex() for one in made}
    return {f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in texts}


def check_end(end: WalkEnd) -> None:
    """What holds for every end."""
    assert (end.tail_reason is None) == (end.tail_bytes == 0 or end.lost is not None)
    assert end.tail_reason is None or end.tail_reason in REASONS
    if end.lost is not None:
        assert end.lost.reason in REASONS
        assert (end.lost.last_cv, end.lost.end_lsn) == (end.last_cv, end.end_lsn)
        told = "\n".join(end.lost.sentences())
        for words in (
            f"byte {end.lost.offset}",
            "devstate db check",
            "devstate db salvage OUT",
            "prefix",
            "read_only",
        ):
            assert words in told


def expect(root: str, whole: Sequence[Commit], cut: Sequence[Commit] = (), **facts: object) -> WalkEnd:
    """`whole` must be given out; `cut` are the later commits that are still intact: with any, data is lost."""
    found, end = walked(root)
    check_end(end)
    assert len(found) == len(whole) == end.transactions
    assert all(matches(one, made) for one, made in zip(found, whole, strict=True))
    assert end.last_cv == len(whole)
    assert end.last_ts == (whole[-1].ts if whole else 0)
    lost = end.lost
    if not cut:
        assert lost is None, lost
    else:
        assert lost is not None
        gone = sorted(set(range(len(whole) + 1, cut[-1].cv)) - {one.cv for one in cut})
        assert lost.last_cv == len(whole)
        assert lost.first_cv_after == min(one.cv for one in cut)
        assert lost.commits_destroyed == len(gone)
        assert lost.destroyed_cvs == ((gone[0], gone[-1]) if gone else None)
        assert lost.intact_commits_cut == len(cut)
        assert set(lost.runs_cut) == uuids(cut)
        assert lost.bytes_cut == end.tail_bytes == end.log_end - end.end_lsn
    for name, value in facts.items():
        assert getattr(end, name) == value, name
    return end


def overwritten_as(root: str, data: bytes) -> None:
    """The verdict on a log of which bytes were changed in place, none added or taken away."""
    intact = [data[one.lsn : one.end] == one.data for one in LOG]
    good = intact.index(False) if False in intact else len(LOG)
    write_segment(root, 0, data)
    end = expect(root, LOG[:good], [one for one in LOG[good:] if intact[one.cv - 1]])
    assert end.end_lsn == (LOG[good - 1].end if good else 0)
    assert end.log_end == len(data)
    assert end.tail_bytes == len(data) - end.end_lsn


# -- an intact log -------------------------------------------------------------------------------------


def test_an_intact_log(root: str):
    write_segment(root, 0, DATA)
    found, end = walked(root)
    assert [(one.lsn, one.end, one.sequence) for one in found] == [(one.lsn, one.end, one.cv) for one in LOG]
    assert [entry.lsn for one in found for entry in one.entries] == [
        one.lsn + sum(map(len, one.pieces()[:part])) for one in LOG for part in range(len(one.content))
    ]
    assert end == WalkEnd(
        end_lsn=len(DATA),
        last_cv=6,
        last_ts=TS + 6,
        max_sequence=6,
        log_end=len(DATA),
        entries=sum(len(one.pieces()) for one in LOG),
        transactions=6,
    )


def test_nothing_at_all(root: str):
    nothing = WalkEnd(end_lsn=0, last_cv=0, last_ts=0, max_sequence=-1, log_end=0)
    assert walked(root) == ([], nothing)
    write_segment(root, 0, b"")
    assert walked(root) == ([], nothing)


@pytest.mark.parametrize("skip", range(7))
def test_it_begins_exactly_at_the_start(root: str, skip: int):
    write_segment(root, 0, joined(LOG[:2]), archived=True)
    write_segment(root, LOG[2].lsn, joined(LOG[2:4]))
    write_segment(root, LOG[4].lsn, joined(LOG[4:]))
    start = LOG[skip].lsn if skip < 6 else len(DATA)
    found, end = walked(root, start=start, last_cv=skip, last_ts=TS + skip)
    assert [one.cv for one in found] == [one.cv for one in LOG[skip:]]
    assert (end.end_lsn, end.last_cv, end.tail_bytes, end.lost) == (len(DATA), 6, 0, None)


@given(
    contents=st.lists(
        st.lists(st.tuples(st.integers(0x10, 0xFF), st.binary(max_size=50)), min_size=1, max_size=4),
        max_size=8,
    ),
    cuts=st.sets(st.integers(1, 7)),
)
@settings(deadline=None, max_examples=60)
def test_any_log_over_any_segments_comes_back(
    tmp_path_factory: pytest.TempPathFactory, contents: list[list[tuple[int, bytes]]], cuts: set[int]
):
    root = str(tmp_path_factory.mktemp("db"))
    made: list[Commit] = []
    for content in contents:
        made.append(commit(len(made) + 1, made[-1].end if made else 0, content=content))
    borders = [0, *sorted(cut for cut in cuts if cut < len(made)), len(made)]
    for since, to in pairwise(borders):
        if made:
            write_segment(root, made[since].lsn, joined(made[since:to]))
    expect(root, made, tail_bytes=0)


# -- every byte ----------------------------------------------------------------------------------------


def test_every_truncation_gives_the_commits_that_are_whole(root: str):
    for size in range(len(DATA)):
        write_segment(root, 0, DATA[:size])
        whole = [one for one in LOG if one.end <= size]
        end = expect(root, whole)
        assert end.end_lsn == (whole[-1].end if whole else 0)
        assert end.tail_bytes == size - end.end_lsn
        # A transaction without a marker is one orphan as soon as one entry of it is whole.
        torn = LOG[len(whole)]
        assert end.orphaned_transactions == (size >= torn.lsn + len(torn.pieces()[0]))


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_noticed(root: str, bit: int):
    for place in range(len(DATA)):
        data = bytearray(DATA)
        data[place] ^= 1 << bit
        overwritten_as(root, bytes(data))


@pytest.mark.parametrize("value", [0x00, 0xFF])
def test_every_byte_overwritten(root: str, value: int):
    for place in range(len(DATA)):
        overwritten_as(root, DATA[:place] + bytes((value,)) + DATA[place + 1 :])


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(DATA) - 1), st.one_of(st.binary(min_size=1, max_size=90), st.just(bytes(60)))
        ),
        max_size=4,
    )
)
@settings(deadline=None, max_examples=200)
def test_any_overwriting(tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, bytes]]):
    data = bytearray(DATA)
    for place, new in writes:
        data[place : place + len(new)] = new[: len(DATA) - place]
    root = str(tmp_path_factory.getbasetemp() / "overwritten")
    overwritten_as(root, bytes(data))


# -- whole entries -------------------------------------------------------------------------------------


def pieces_of_log() -> list[tuple[int, int, bytes, bool]]:
    """Every entry: its place in the list, its commit, its bytes, whether it is the marker."""
    found: list[tuple[int, int, bytes, bool]] = []
    for one in LOG:
        for piece in one.pieces():
            found.append((len(found), one.cv, piece, piece is one.pieces()[-1] or piece == one.pieces()[-1]))
    return found


PIECES = pieces_of_log()


@pytest.mark.parametrize(("place", "cv"), [(place, cv) for place, cv, _, _ in PIECES])
def test_an_entry_deleted(root: str, place: int, cv: int):
    write_segment(root, 0, b"".join(piece for at, _, piece, _ in PIECES if at != place))
    # All behind it are whole, but not where they belong; of the last commit the rest is like a torn tail.
    end = expect(root, LOG[: cv - 1], LOG[cv:])
    assert end.tail_bytes > 0


@pytest.mark.parametrize(("place", "cv", "marker"), [(place, cv, marker) for place, cv, _, marker in PIECES])
def test_an_entry_duplicated(root: str, place: int, cv: int, marker: bool):
    copies = [piece for at, _, piece, _ in PIECES for _ in range(2 if at == place else 1)]
    write_segment(root, 0, b"".join(copies))
    end = expect(root, LOG[: cv if marker else cv - 1], LOG[cv:])
    assert end.tail_bytes > 0


@pytest.mark.parametrize("place", range(len(PIECES) - 1))
def test_neighbours_swapped(root: str, place: int):
    order = [piece for _, _, piece, _ in PIECES]
    order[place], order[place + 1] = order[place + 1], order[place]
    (_, cv, _, marker) = PIECES[place]
    write_segment(root, 0, b"".join(order))
    # A marker behind the first entry of the next transaction still closes its own: transactions may interleave.
    # The next one then begins elsewhere than its marker says.
    end = expect(root, LOG[: cv if marker else cv - 1], LOG[cv:])
    assert end.tail_bytes > 0


def test_commits_swapped_deleted_duplicated(root: str):
    for first in range(5):
        order = [*LOG[:first], LOG[first + 1], LOG[first], *LOG[first + 2 :]]
        write_segment(root, 0, joined(order))
        expect(root, LOG[:first], LOG[first:])
        write_segment(root, 0, joined([*LOG[:first], *LOG[first + 1 :]]))
        expect(root, LOG[:first], LOG[first + 1 :])
        write_segment(root, 0, joined([*LOG[: first + 1], *LOG[first:]]))
        expect(root, LOG[: first + 1], LOG[first + 1 :])
    write_segment(root, 0, joined([*LOG, LOG[5]]))
    expect(root, LOG, tail_reason="duplicate", tail_bytes=len(LOG[5].data))
    write_segment(root, 0, joined(LOG[:5]))
    expect(root, LOG[:5], tail_bytes=0)


def test_bytes_put_in_or_taken_out(root: str):
    for one in LOG:
        write_segment(root, 0, DATA[: one.lsn] + b"?" * 7 + DATA[one.lsn :])
        expect(root, LOG[: one.cv - 1], LOG[one.cv - 1 :])
        write_segment(root, 0, DATA[: one.lsn + 5] + DATA[one.lsn + 6 :])
        expect(root, LOG[: one.cv - 1], LOG[one.cv :])


# -- what crashes and failed writes leave --------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 4, 25, 26, 100, 5000])
def test_a_tail_of_zeros(root: str, size: int):
    write_segment(root, 0, DATA + bytes(size))
    expect(root, LOG, tail_reason="zeros", tail_bytes=size, end_lsn=len(DATA), log_end=len(DATA) + size)


def test_a_block_of_another_database(root: str):
    foreign = [commit(cv, 0, salt=OTHER_SALT) for cv in (1, 7, 8)]
    write_segment(root, 0, DATA + joined(foreign))
    expect(root, LOG, tail_reason="foreign", tail_bytes=len(joined(foreign)))
    whole = [commit(cv + 1, 0, salt=OTHER_SALT) for cv in range(6)]
    write_segment(root, 0, joined(whole))
    expect(root, [], tail_reason="foreign")
    write_segment(root, 0, joined([*LOG[:2], foreign[0], *LOG[2:]]))
    expect(root, LOG[:2], LOG[2:])


def with_gap(before: Sequence[Commit], junk: bytes, count: int) -> list[Commit]:
    lsn = (before[-1].end if before else 0) + len(junk)
    return commits(count, lsn=lsn, first_cv=len(before) + 1)


def leftovers() -> Iterator[tuple[str, int, bytes]]:
    """What is wrong with it between two commits, where (a whole entry may come before), the bytes."""
    torn = commit(9, 0, content=[(0x10, b"a" * 40), (0x11, b"b" * 40)], sequence=77).data
    yield "short", 0, b"\x01"
    yield "checksum", 0, torn[:4]
    yield "checksum", 0, torn[:30]
    yield "checksum", 66, torn[:80]
    yield "zeros", 0, bytes(50)
    yield "foreign", 0, commit(1, 0, salt=OTHER_SALT).data
    yield "commit", 0, marker_entry([3, TS, 1, 0, RUNS[0], 0])
    yield "commit", 0, marker_entry("words")
    yield "checksum", 0, torn[:30] + frame_abort(make_tx_id(77, SALT), "disk full")


@pytest.mark.parametrize(("reason", "whole", "junk"), list(leftovers()))
def test_a_failed_write_between_two_commits_is_a_gap(root: str, reason: str, whole: int, junk: bytes):
    after = with_gap(LOG[:2], junk, 4)
    write_segment(root, 0, joined(LOG[:2]) + junk + joined(after))
    end = expect(root, [*LOG[:2], *after], tail_bytes=0)
    assert [(gap.lsn, gap.reason) for gap in end.gaps] == [(LOG[2].lsn + whole, reason)]
    assert 0 < end.gaps[0].bytes <= len(junk) - whole
    # The same leftover at the end is a tail.
    write_segment(root, 0, joined(LOG[:2]) + junk)
    end = expect(root, LOG[:2], end_lsn=LOG[1].end, tail_bytes=len(junk), gaps=())
    assert end.tail_defect is not None
    assert end.tail_defect.lsn == LOG[2].lsn + whole


def test_whole_entries_without_a_marker_disturb_nobody(root: str):
    junk = encode_entry(0x10, make_tx_id(77, SALT), b"left") * 2
    after = with_gap(LOG[:2], junk, 2)
    write_segment(root, 0, joined(LOG[:2]) + junk + joined(after))
    expect(root, [*LOG[:2], *after], orphaned_transactions=1, gaps=(), max_sequence=77, tail_bytes=0)
    write_segment(root, 0, joined(LOG[:2]) + junk)
    expect(root, LOG[:2], orphaned_transactions=1, tail_reason="unfinished", tail_bytes=len(junk))


def gapped(root: str, count: int) -> list[Commit]:
    """A log with `count` leftovers of one byte, one behind each commit."""
    made: list[Commit] = []
    data = b""
    for cv in range(1, count + 2):
        made.append(commit(cv, len(data)))
        data += made[-1].data + (b"\x01" if cv <= count else b"")
    write_segment(root, 0, data)
    return made


def test_gaps_are_counted_and_limited(root: str):
    made = gapped(root, 10)
    end = expect(root, made)
    assert [(gap.lsn, gap.bytes) for gap in end.gaps] == [(one.end, 1) for one in made[:10]]
    made = gapped(root, 11)
    end = expect(root, made[:11], made[11:])
    assert end.lost is not None
    assert (end.lost.reason, end.lost.lsn, len(end.gaps)) == ("gaps", made[10].end, 10)
    found, strict = walked(root, max_gaps=0)
    assert [one.cv for one in found] == [1]
    assert strict.lost is not None
    assert (strict.lost.reason, strict.lost.intact_commits_cut, strict.lost.destroyed_cvs) == (
        "gaps",
        11,
        None,
    )


def test_an_abort_drops_what_was_written(root: str):
    junk = encode_entry(0x10, make_tx_id(77, SALT), b"left") + frame_abort(make_tx_id(77, SALT), "disk full")
    after = with_gap(LOG[:2], junk, 2)
    write_segment(root, 0, joined(LOG[:2]) + junk + joined(after))
    expect(
        root, [*LOG[:2], *after], aborted_transactions=1, orphaned_transactions=0, gaps=(), max_sequence=77
    )
    write_segment(root, 0, joined(LOG[:2]) + junk)
    expect(root, LOG[:2], aborted_transactions=1, tail_bytes=0, end_lsn=LOG[1].end + len(junk))
    write_segment(root, 0, joined(LOG[:2]) + frame_abort(make_tx_id(78, SALT), ""))
    expect(root, LOG[:2], aborted_transactions=1, tail_bytes=0, max_sequence=78)


def test_a_commit_behind_the_abort_of_its_transaction_is_empty(root: str):
    one = commit(3, LOG[2].lsn, content=[(0x10, b"x")])
    *entries, marker = one.pieces()
    write_segment(root, 0, joined(LOG[:2]) + entries[0] + frame_abort(make_tx_id(3, SALT), "") + marker)
    expect(root, LOG[:2], tail_reason="commit", aborted_transactions=1)


def test_a_note_of_a_snapshot_belongs_to_nobody(root: str):
    note = frame_snapshot_mark(SnapshotMark("snapshot_1.dat", 1, 1, TS, 0))
    after = with_gap(LOG[:2], note, 2)
    write_segment(root, 0, joined(LOG[:2]) + note + joined(after) + note)
    end = expect(root, [*LOG[:2], *after], tail_bytes=0, gaps=(), unframed_entries=0)
    assert end.end_lsn == end.log_end == after[-1].end + len(note)
    orphan = encode_entry(0x10, make_tx_id(77, SALT), b"left")
    write_segment(root, 0, DATA + orphan + note)
    expect(root, LOG, end_lsn=len(DATA), tail_reason="unfinished")


def test_a_data_entry_of_no_transaction_is_counted_and_never_given_out(root: str):
    loose = encode_entry(0x10, NIL_TX, b"loose")
    after = with_gap(LOG[:2], loose, 2)
    write_segment(root, 0, joined(LOG[:2]) + loose + joined(after))
    whole = [*LOG[:2], *after]
    entries = 1 + sum(len(one.pieces()) for one in whole)
    expect(root, whole, unframed_entries=1, gaps=(), entries=entries)
    for entry_type in (0, 1):
        nil = encode_entry(entry_type, NIL_TX, b"")
        write_segment(root, 0, DATA + nil)
        expect(root, LOG, tail_reason="foreign")


def test_the_counter_of_a_transaction_ends_where_the_salt_begins(root: str):
    one = commit(1, 0, sequence=7, salt=OTHER_SALT)
    for data in (one.data, one.pieces()[0]):  # with and without its marker
        write_segment(root, 0, data)
        assert walked(root, salt=OTHER_SALT)[1].max_sequence == 7


def test_interleaved_transactions_come_in_the_order_of_their_markers(root: str):
    a, b = [(0x10, b"a1"), (0x11, b"a2")], [(0x20, b"b1"), (0x21, b"b2")]
    parts_a = commit(2, 0, content=a).pieces()
    parts_b = commit(1, len(parts_a[0]), content=b).pieces()
    write_segment(
        root, 0, parts_a[0] + parts_b[0] + parts_a[1] + parts_b[1] + parts_b[2] + parts_a[2]
    )  # fmt: skip
    found, end = walked(root)
    assert [(one.cv, [entry.payload for entry in one.entries]) for one in found] == [
        (1, [b"b1", b"b2"]),
        (2, [b"a1", b"a2"]),
    ]
    assert (end.tail_bytes, end.orphaned_transactions, end.lost) == (0, 0, None)


# -- commits that are whole and wrong ------------------------------------------------------------------


def last_as(root: str, **changes: object) -> WalkEnd:
    wrong = commit(3, LOG[2].lsn, **changes)  # type: ignore[arg-type]
    write_segment(root, 0, joined(LOG[:2]) + wrong.data)
    return expect(root, LOG[:2], [wrong])


def test_time_never_goes_back(root: str):
    same = commit(3, LOG[2].lsn, ts=TS + 2)
    write_segment(root, 0, joined(LOG[:2]) + same.data)
    expect(root, [*LOG[:2], same])
    end = last_as(root, ts=TS + 1)
    assert end.lost is not None
    assert (end.lost.reason, end.lost.lsn) == ("time", LOG[2].lsn)


def test_a_jump_in_the_commit_versions_is_lost_data_without_any_damaged_byte(root: str):
    later = commit(9, LOG[2].lsn)
    write_segment(root, 0, joined(LOG[:2]) + later.data)
    end = expect(root, LOG[:2], [later])
    assert end.lost is not None
    assert (end.lost.reason, end.lost.lsn, end.lost.destroyed_cvs) == ("sequence", LOG[2].lsn, (3, 8))


def test_a_commit_version_told_twice_is_taken_once(root: str):
    """At its own place and in its time, so that only the number says that it is no new commit."""
    again = commit(2, LOG[2].lsn, ts=TS + 9)
    write_segment(root, 0, joined(LOG[:2]) + again.data)
    expect(root, LOG[:2], end_lsn=LOG[2].lsn, tail_reason="duplicate", tail_bytes=len(again.data))


def test_a_commit_for_another_place(root: str):
    moved = commit(3, 5)
    write_segment(root, 0, joined(LOG[:2]) + moved.data)
    end = expect(root, LOG[:2], [moved])
    assert end.lost is not None
    assert (end.lost.reason, end.lost.destroyed_cvs) == ("position", None)


def test_a_marker_of_nothing(root: str):
    write_segment(root, 0, DATA + marker_entry([7, TS + 9, 0, len(DATA), RUNS[0], 0]))
    expect(root, LOG, tail_reason="commit")


def test_a_copy_of_the_log_inside_a_value_is_no_evidence(root: str):
    backup = commit(7, len(DATA), content=[(0x10, b"backup: " + DATA)])
    write_segment(root, 0, DATA + backup.data)
    expect(root, [*LOG, backup])
    for damaged in (backup.data[:-30], bytes(4) + backup.data[4:]):
        write_segment(root, 0, DATA + damaged)
        expect(root, LOG, end_lsn=len(DATA))
    after = commit(8, backup.end)
    write_segment(root, 0, DATA + bytes(4) + backup.data[4:] + after.data)
    expect(root, LOG, [after])


def test_the_count_in_the_marker_is_checked_too(root: str):
    """With a checksum that fits: only a wrong writer makes that."""
    entry = encode_entry(0x10, make_tx_id(7, SALT), b"x")
    wrong = marker_entry([7, TS + 7, 2, len(DATA), RUNS[0], crc32(entry[-4:])], sequence=7)
    write_segment(root, 0, DATA + entry + wrong)
    expect(root, LOG, tail_reason="commit", orphaned_transactions=0)


def test_what_comes_behind_lost_data_is_not_counted(root: str):
    abort = frame_abort(make_tx_id(50, SALT), "")
    later = commits(2, lsn=LOG[3].lsn + len(abort), first_cv=4)
    data = joined(LOG[:2]) + b"?" * len(LOG[2].data) + abort + joined(later) + abort
    write_segment(root, 0, data)
    end = expect(root, LOG[:2], later)
    assert end.aborted_transactions == 1, "only the abort before the first later commit"
    assert end.max_sequence == 50, "no counter is used again, whoever used it"
    before = sum(len(one.pieces()) for one in LOG[:2]) + 1
    assert end.entries == before + len(later[0].pieces())


# -- several segments ----------------------------------------------------------------------------------


def three_segments(root: str) -> list[str]:
    return [write_segment(root, LOG[at].lsn, joined(LOG[at : at + 2])) for at in (0, 2, 4)]


@pytest.mark.parametrize("place", [0, 1])
def test_a_missing_segment(root: str, place: int):
    paths = three_segments(root)
    os.unlink(paths[place])
    found, end = walked(root)
    check_end(end)
    assert [one.cv for one in found] == [1, 2][: 2 * place]
    assert end.lost is not None
    assert end.lost.reason == "missing"
    assert end.lost.lsn == LOG[2 * place].lsn
    assert end.lost.destroyed_cvs == (2 * place + 1, 2 * place + 2)
    assert end.lost.intact_commits_cut == 4 - 2 * place
    assert end.lost.bytes_cut == sum(len(one.data) for one in LOG[2 * place + 2 :])


def test_damage_in_one_of_several_segments(root: str):
    for place in range(0, len(DATA), 5):
        data = bytearray(DATA)
        data[place] ^= 0x10
        for at in (0, 2, 4):
            write_segment(root, LOG[at].lsn, bytes(data[LOG[at].lsn : LOG[at + 1].end]))
        bad = next(one.cv for one in LOG if place < one.end)
        end = expect(root, LOG[: bad - 1], LOG[bad:])
        if end.lost is not None:
            start = LOG[(bad - 1) // 2 * 2].lsn
            assert end.lost.segment.endswith(f"{start:020d}.wal")
            assert end.lost.lsn == start + end.lost.offset


@pytest.mark.parametrize("rest", [b"", bytes(9), DATA[:20]])
def test_a_defect_in_an_earlier_segment_is_no_torn_tail(root: str, rest: bytes):
    """Nothing can be read behind it, but the segment had been synced before the next was made."""
    data = joined(LOG[:3])
    write_segment(root, 0, data[:-1] + b"?")
    write_segment(root, len(data), rest)
    found, end = walked(root)
    check_end(end)
    assert [one.cv for one in found] == [1, 2]
    assert end.lost is not None
    assert (end.lost.reason, end.lost.first_cv_after, end.lost.commits_destroyed) == ("checksum", None, 0)
    assert (end.lost.intact_commits_cut, end.lost.runs_cut) == (0, ())
    assert any("nobody can say" in sentence for sentence in end.lost.sentences())
    # The same in the last segment is one.
    os.unlink(os.path.join(root, "wal", f"{len(data):020d}.wal"))
    assert walked(root)[1].lost is None


def test_an_earlier_segment_cut_short(root: str):
    for size in range(LOG[1].end):
        three_segments(root)
        write_segment(root, 0, DATA[:size])
        whole = [one for one in LOG[:2] if one.end <= size]
        found, end = walked(root)
        assert len(found) == len(whole)
        assert end.lost is not None
        assert end.lost.destroyed_cvs == (len(whole) + 1, 2)
        assert end.lost.intact_commits_cut == 4


def test_a_segment_that_is_cut_after_the_listing(root: str):
    paths = three_segments(root)
    segments = list_segments(root, history=True)
    os.truncate(paths[0], LOG[0].end)
    with SegmentReader(root) as reader:
        walk = LogWalk(segments, reader=reader, start=0, last_cv=0, last_ts=0, salt=SALT)
        assert [one.cv for one in walk] == [1]
    assert walk.end.lost is not None
    assert (walk.end.lost.reason, walk.end.lost.lsn) == ("missing", LOG[0].end)


def test_an_earlier_segment_with_a_leftover_at_its_end(root: str):
    junk = DATA[:20]
    after = with_gap(LOG[:2], junk, 2)
    write_segment(root, 0, joined(LOG[:2]) + junk)
    write_segment(root, after[0].lsn, joined(after))
    expect(root, [*LOG[:2], *after], gaps=(Gap(LOG[1].end, 20, "short"),))


def test_two_files_for_the_same_place(root: str):
    write_segment(root, 0, joined(LOG[:4]))
    write_segment(root, LOG[2].lsn, joined(LOG[2:]))
    found, end = walked(root)
    check_end(end)
    assert [one.cv for one in found] == [1, 2, 3, 4]
    assert end.lost is not None
    assert (end.lost.reason, end.lost.lsn) == ("overlap", LOG[2].lsn)
    assert (end.lost.intact_commits_cut, end.lost.destroyed_cvs) == (2, None)
    assert walked(root, start=LOG[2].lsn, last_cv=2)[1].lost is not None
    assert walked(root, start=LOG[4].lsn, last_cv=4)[1].lost is None, "the earlier file does not reach so far"


def test_a_start_that_no_segment_holds(root: str):
    write_segment(root, 0, DATA)
    found, end = walked(root, start=len(DATA) + 5, last_cv=6)
    check_end(end)
    assert found == []
    assert end.lost is not None
    assert (end.lost.reason, end.log_end, end.end_lsn) == ("missing", len(DATA), len(DATA) + 5)
    write_segment(root, len(DATA) + 50, b"")
    assert walked(root, start=len(DATA) + 5, last_cv=6)[1].lost is not None
    empty = os.path.join(root, "empty")
    assert walked(empty, start=5, last_cv=1)[1].lost is not None


def test_a_hole_that_no_commit_can_have_been_in(root: str):
    """The rules know no difference between bytes that are damaged and bytes that are not there."""
    write_segment(root, 0, joined(LOG[:2]))
    after = commits(2, lsn=LOG[1].end + 40, first_cv=3)
    write_segment(root, after[0].lsn, joined(after))
    end = expect(root, [*LOG[:2], *after])
    assert end.gaps == (Gap(LOG[1].end, 40, "missing"),)


# -- entries of other programs -------------------------------------------------------------------------


@pytest.mark.parametrize("entry_type", [0x03, 0x0F])
@pytest.mark.parametrize("behind_damage", [False, True])
def test_unknown_types_of_the_core_are_fatal(root: str, entry_type: int, behind_damage: bool):
    new = encode_entry(entry_type, make_tx_id(7, SALT), b"")
    path = write_segment(root, 0, DATA + b"?" * behind_damage + new)
    with pytest.raises(UnknownEntryType) as caught:
        walked(root)
    assert (caught.value.types, caught.value.path) == ((entry_type,), path)
    damaged = bytearray(new)
    damaged[-1] ^= 1
    write_segment(root, 0, DATA + damaged)
    expect(root, LOG, tail_reason="checksum")
    write_segment(root, 0, DATA + encode_entry(entry_type, make_tx_id(7, OTHER_SALT), b""))
    expect(root, LOG, tail_reason="foreign")
    write_segment(root, 0, DATA + encode_entry(entry_type, NIL_TX, b""))
    with pytest.raises(UnknownEntryType):
        walked(root)


def with_version(entry: bytes, version: int) -> bytes:
    body = entry[4:5] + bytes((version,)) + entry[6:-4]
    return entry[:4] + body + crc32(body).to_bytes(4, "little")


def test_a_marker_of_a_later_version_is_fatal(root: str):
    *entries, marker = commit(7, len(DATA)).pieces()
    write_segment(root, 0, DATA + b"".join(entries) + with_version(marker, 2))
    with pytest.raises(UnsupportedFormat) as caught:
        walked(root)
    assert caught.value.version == 2


def test_unknown_data_types_and_versions_are_given_out_as_they_are(root: str):
    made = [commit(1, 0, content=[(0xFF, b"plug-in"), (0x10, b"")])]
    write_segment(root, 0, joined(made))
    expect(root, made)
    newer = with_version(made[0].pieces()[1], 9)
    sums = made[0].pieces()[0][-4:] + newer[-4:]
    marker = encode_entry(
        0, make_tx_id(1, SALT), encode_commit(CommitMarker(1, TS + 1, 2, 0, RUNS[1], crc32(sums)))
    )
    write_segment(root, 0, made[0].pieces()[0] + newer + marker)
    found, _ = walked(root)
    assert [entry.version for entry in found[0].entries] == [1, 9]


# -- anything ------------------------------------------------------------------------------------------

blocks = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([piece for _, _, piece, _ in PIECES]),
    st.sampled_from([one.data for one in LOG]),
    st.sampled_from([SALT, NIL_TX, bytes(30), frame_abort(make_tx_id(4, SALT), "x")]),
    st.builds(
        lambda kind, salt, payload: encode_entry(kind, make_tx_id(3, salt), payload),
        st.integers(0, 40),
        st.sampled_from([SALT, OTHER_SALT]),
        st.binary(max_size=60),
    ),
)


@given(st.lists(st.lists(blocks, max_size=6).map(b"".join), min_size=1, max_size=3))
@settings(deadline=None, max_examples=300)
def test_any_bytes_give_real_commits_in_order_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, segments: list[bytes]
):
    root = str(tmp_path_factory.mktemp("db"))
    start = 0
    for data in segments:
        write_segment(root, start, data)
        start += len(data)
    try:
        found, end = walked(root)
    except EngineError:
        return
    check_end(end)
    assert [one.cv for one in found] == list(range(1, len(found) + 1))
    assert all(matches(one, LOG[one.cv - 1]) for one in found)
    assert end.end_lsn <= end.log_end == start


@given(st.lists(blocks, max_size=8).map(b"".join), st.sampled_from([None, SALT]))
@settings(deadline=None, max_examples=200)
def test_listing_covers_every_byte_once(data: bytes, salt: bytes | None):
    position = 0
    for item in scan_entries(data, 1000, salt=salt):
        assert (item.offset, item.lsn) == (position, position + 1000)
        assert item.size > 0
        if isinstance(item, ListedEntry):
            raw = data[position : position + item.size]
            assert raw[:4] == (item.size - 4).to_bytes(4, "little")
            assert raw[4:] == (
                bytes((item.entry_type, item.version))
                + item.tx_id
                + item.payload
                + item.checksum.to_bytes(4, "little")
            )
            if item.version == 1:
                assert item.crc_ok == (encode_entry(item.entry_type, item.tx_id, item.payload) == raw)
        else:
            assert item.reason in REASONS
        position += item.size
    assert position == len(data)


def test_listing_an_intact_log():
    items = list(scan_entries(DATA, 0))
    assert [DATA[item.offset : item.offset + item.size] for item in items] == [
        piece for _, _, piece, _ in PIECES
    ]
    assert all(isinstance(item, ListedEntry) and item.crc_ok for item in items)


def test_listing_goes_on_behind_damage():
    first = LOG[1].pieces()[0]
    in_payload = bytearray(DATA)
    in_payload[LOG[1].lsn + 24] ^= 1
    bad = [item for item in scan_entries(bytes(in_payload), 0) if isinstance(item, Region) or not item.crc_ok]
    assert [(type(item), item.lsn, item.size) for item in bad] == [(ListedEntry, LOG[1].lsn, len(first))]
    in_length = bytearray(DATA)
    in_length[LOG[1].lsn] ^= 1
    bad = [item for item in scan_entries(bytes(in_length), 0) if isinstance(item, Region) or not item.crc_ok]
    assert [(type(item), item.lsn, item.size) for item in bad] == [(Region, LOG[1].lsn, len(first))]
    # Without a salt to look for, every place is tried.
    items = list(scan_entries(b"junk in front" + DATA, 0))
    assert items[0] == Region(0, 0, 13, "length")
    assert len(items) == 1 + len(PIECES)


def test_listing_the_last_entry_damaged():
    damaged = DATA[:-1] + bytes((DATA[-1] ^ 1,))
    *_, last = scan_entries(damaged, 0)
    assert isinstance(last, ListedEntry)
    assert not last.crc_ok
    assert last.size == len(PIECES[-1][2])


def test_listing_takes_nothing_for_an_entry_that_only_looks_like_one():
    likely = bytearray(LOG[0].pieces()[0])
    likely[-1] ^= 1
    junk = b"\xff" * 9 + bytes(likely) + b"\xff" * 9
    for salt in (None, SALT):
        items = list(scan_entries(junk + DATA, 0, salt=salt))
        assert items[0] == Region(0, 0, len(junk), "length")
        assert len(items) == 1 + len(PIECES)


def test_listing_learns_no_salt_from_an_entry_without_one():
    note = frame_snapshot_mark(SnapshotMark("snapshot_1.dat", 1, 1, TS, 0))
    items = list(scan_entries(note + b"\xff" * 30 + DATA, 0))
    assert items[1] == Region(len(note), len(note), 30, "length")
    assert len(items) == 2 + len(PIECES)
