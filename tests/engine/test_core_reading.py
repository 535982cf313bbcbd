"""Reading the log: the verdicts at their edges, what is said of where, and what a device that fails leaves."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import pytest

from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.engine.batch import Batch
from devstate.engine.builtin import builtin_registry
from devstate.engine.envelope import (
    BAD_CHECKSUM,
    BAD_LENGTH,
    MAX_ENTRY_LENGTH,
    SHORT,
    ZEROS,
    WalEntry,
    decode_entry,
    encode_entry,
)
from devstate.engine.errors import WalCorruptionError
from devstate.engine.framing import decode_commit, decode_snapshot_mark, frame_abort, make_tx_id
from devstate.engine.layout import history_folder, segment_name, wal_folder
from devstate.engine.map_primitive import MapPrimitive, Put
from devstate.engine.replay import Stepper
from devstate.engine.scan import ListedEntry, Region, damaged_entry, next_entry, scan_entries
from devstate.engine.segments import SegmentReader, list_segments, stray_files
from devstate.engine.snapshot_file import array_header, encode_array_header
from devstate.engine.timeline import Timeline
from devstate.errors import InputUnreadable
from log_samples import RUNS, SALT, Commit, commit, commits, joined, walked, write_segment
from run_samples import open_db

LOG = commits(6)


@pytest.fixture
def root(tmp_path: Path) -> str:
    os.makedirs(wal_folder(str(tmp_path)))
    os.makedirs(history_folder(str(tmp_path)))
    return str(tmp_path)


def behind(before: int, *pieces: bytes | int) -> tuple[bytes, list[Commit]]:
    """`before` commits, then pieces: bytes as they are, or the number of a commit that is made to fit its place."""
    data = joined(LOG[:before])
    made = LOG[:before]
    for piece in pieces:
        if isinstance(piece, int):
            made = [*made, commit(piece, len(data))]
            data += made[-1].data
        else:
            data += piece
    return data, made


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


# -- verdicts


def test_a_commit_right_behind_a_damaged_entry_is_no_content_of_it(root: str) -> None:
    left = flipped(encode_entry(0x10, make_tx_id(3, SALT), b"of a failed write"), 30)
    data, made = behind(2, left, 3, 4)
    write_segment(root, 0, data)
    found, end = walked(root)
    assert [one.cv for one in found] == [1, 2, 3, 4]
    assert end.lost is None
    (gap,) = end.gaps
    assert (gap.lsn, gap.bytes, gap.reason) == (made[1].end, len(left), BAD_CHECKSUM)
    assert (end.end_lsn, end.tail_bytes, end.tail_reason, end.orphaned_transactions) == (
        len(data),
        0,
        None,
        0,
    )


def test_a_commit_inside_a_damaged_entry_may_be_its_content(root: str) -> None:
    inner = commit(3, LOG[1].end + 22)
    left = flipped(encode_entry(0x10, make_tx_id(3, SALT), inner.data + b"rest"), 24 + len(inner.data))
    data, _ = behind(2, left, 3)
    write_segment(root, 0, data)
    found, end = walked(root)
    assert [one.cv for one in found] == [1, 2]
    assert end.lost is not None
    assert (end.lost.reason, end.lost.lsn, end.lost.offset) == ("nested", inner.lsn, inner.lsn)
    assert end.lost.end_lsn == LOG[1].end


@pytest.mark.parametrize(
    ("pieces", "first_after", "span", "destroyed", "cut"),
    [
        ((b"\xff" * 30, 3, 5), 3, (4, 4), 1, 2),
        ((b"\xff" * 30, 3, 4, 5), 3, None, 0, 3),
        ((b"\xff" * 30, 3, 5, 7, 8), 3, (4, 6), 2, 4),
        ((b"\xff" * 30, 5), 5, (3, 4), 2, 1),
        ((b"\xff" * 30, 4, 6), 4, (3, 5), 2, 2),
    ],
)
def test_which_commits_are_gone_and_which_are_cut_off(
    root: str, pieces: tuple[bytes | int, ...], first_after: int, span: object, destroyed: int, cut: int
) -> None:
    data, made = behind(2, *pieces)
    write_segment(root, 0, data)
    found, end = walked(root, max_gaps=0)
    assert [one.cv for one in found] == [1, 2]
    lost = end.lost
    assert lost is not None
    assert (lost.first_cv_after, lost.destroyed_cvs, lost.commits_destroyed) == (first_after, span, destroyed)
    assert (lost.intact_commits_cut, lost.bytes_cut) == (cut, len(data) - LOG[1].end)
    assert (lost.lsn, lost.offset, lost.last_cv, lost.end_lsn) == (LOG[1].end, LOG[1].end, 2, LOG[1].end)
    assert len(lost.runs_cut) == len({one.run for one in made[2:]})
    entries = sum(len(one.pieces()) for one in LOG[:2])
    assert entries < end.entries <= entries + len(made[2].pieces())  # until the verdict, not behind it


def test_the_limit_of_gaps_is_exact(root: str) -> None:
    data, _ = behind(1, b"\xff" * 5, 2, b"\xff" * 6, 3, b"\xff" * 7, 4)
    write_segment(root, 0, data)
    for limit in (0, 1, 2, 3, 4):
        found, end = walked(root, max_gaps=limit)
        assert [one.cv for one in found] == list(range(1, min(limit, 3) + 2))
        assert [gap.bytes for gap in end.gaps] == [5, 6, 7][:limit]
        assert (end.lost is None) is (limit >= 3)
        if end.lost is not None:
            assert (
                end.lost.reason == "gaps" and f"{limit + 1} places, the limit is {limit}" in end.lost.detail
            )


def test_one_gap_of_several_defects_is_one(root: str) -> None:
    junk = b"\xff" * 40 + frame_abort(make_tx_id(8, SALT), "no") + b"\xee" * 9
    data, made = behind(2, junk, 3)
    write_segment(root, 0, data)
    found, end = walked(root)
    assert len(found) == 3 and end.aborted_transactions == 1
    assert [(gap.lsn, gap.bytes) for gap in end.gaps] == [(made[1].end, len(junk))]


def test_an_abort_takes_its_entries_and_belongs_to_the_log(root: str) -> None:
    """What is aborted at the end is no tail; behind damage it is."""
    started = encode_entry(0x10, make_tx_id(7, SALT), b"begun") + frame_abort(make_tx_id(7, SALT), "full")
    write_segment(root, 0, joined(LOG[:2]) + started)
    found, end = walked(root)
    assert (len(found), end.aborted_transactions, end.orphaned_transactions) == (2, 1, 0)
    assert (end.end_lsn, end.tail_bytes, end.max_sequence) == (LOG[1].end + len(started), 0, 7)
    write_segment(root, 0, joined(LOG[:2]) + b"\xff" * 30 + started)
    found, end = walked(root)
    assert (end.end_lsn, end.tail_bytes) == (LOG[1].end, 30 + len(started))
    assert end.aborted_transactions == 1 and end.tail_defect is not None


def test_an_abort_behind_lost_data_is_not_counted(root: str) -> None:
    data, _ = behind(2, 4, frame_abort(make_tx_id(9, SALT), ""))
    write_segment(root, 0, data)
    _, end = walked(root)
    assert end.lost is not None and end.aborted_transactions == 0 and end.orphaned_transactions == 0


def test_commits_that_stand_elsewhere_or_go_back_in_time(root: str) -> None:
    moved = commit(3, LOG[1].end + 1)
    early = commit(3, LOG[1].end, ts=LOG[1].ts - 1)
    same = commit(3, LOG[1].end, ts=LOG[1].ts)
    for one, reason in ((moved, "position"), (early, "time"), (same, None)):
        write_segment(root, 0, joined(LOG[:2]) + one.data)
        found, end = walked(root)
        assert len(found) == (3 if reason is None else 2)
        assert (end.lost.reason if end.lost is not None else None) == reason
        if end.lost is not None:
            assert end.lost.lsn == LOG[1].end and end.lost.intact_commits_cut == 1
            assert end.transactions == 2 and end.last_ts == LOG[1].ts


def test_a_copy_proves_nothing_but_ends_the_tail(root: str) -> None:
    data, _ = behind(3, LOG[2].data)
    write_segment(root, 0, data)
    found, end = walked(root)
    assert len(found) == 3 and end.lost is None
    assert end.tail_defect is not None
    assert (end.tail_reason, end.tail_bytes, end.tail_defect.lsn) == (
        "duplicate",
        len(LOG[2].data),
        LOG[2].end,
    )
    data, _ = behind(3, LOG[2].data, 4)
    write_segment(root, 0, data)
    found, end = walked(root)
    assert [one.cv for one in found] == [1, 2, 3, 4] and len(end.gaps) == 1


# -- files that are missing, or too many


def test_a_log_without_files_ends_where_it_begins(root: str) -> None:
    found, end = walked(root)
    assert (found, end.end_lsn, end.log_end, end.lost) == ([], 0, 0, None)
    found, end = walked(root, start=70, last_cv=4)
    assert end.lost is not None
    assert (end.lost.reason, end.lost.segment, end.lost.lsn, end.lost.offset) == (
        "missing",
        wal_folder(root),
        70,
        0,
    )
    assert (end.end_lsn, end.log_end, end.last_cv) == (70, 70, 4)
    assert "LSN 0 to 69" in end.lost.detail


def parts(root: str, *cuts: int) -> list[int]:
    """The log in files, cut behind so many commits each."""
    begins = [0, *(LOG[cut - 1].end for cut in cuts)]
    data = joined(LOG)
    for begin, end in zip(begins, [*begins[1:], len(data)], strict=True):
        write_segment(root, begin, data[begin:end])
    return begins


def test_a_file_that_is_missing_between_two(root: str) -> None:
    begins = parts(root, 2, 4)
    os.unlink(os.path.join(wal_folder(root), segment_name(begins[1])))
    found, end = walked(root)
    assert [one.cv for one in found] == [1, 2]
    lost = end.lost
    assert lost is not None
    assert (lost.reason, lost.lsn, lost.offset, lost.destroyed_cvs) == (
        "missing",
        begins[1],
        begins[1],
        (3, 4),
    )
    assert f"LSN {begins[1]} to {begins[2] - 1}" in lost.detail
    assert lost.segment.endswith(segment_name(0)) and lost.bytes_cut == len(joined(LOG)) - begins[2]


def test_a_start_that_no_file_reaches(root: str) -> None:
    write_segment(root, 0, joined(LOG))
    size = len(joined(LOG))
    found, end = walked(root, start=size, last_cv=6, last_ts=LOG[5].ts)
    assert (found, end.lost, end.end_lsn) == ([], None, size)
    found, end = walked(root, start=size + 9, last_cv=6, last_ts=LOG[5].ts)
    assert end.lost is not None
    assert (end.lost.reason, end.lost.lsn, end.lost.offset) == ("missing", size + 9, size)
    assert f"LSN {size} to {size + 8}" in end.lost.detail and end.log_end == size
    write_segment(root, size + 40, b"")
    found, end = walked(root, start=size + 9, last_cv=6, last_ts=LOG[5].ts)
    assert end.lost is not None and f"LSN {size + 9} to {size + 39}" in end.lost.detail


def test_a_log_that_begins_behind_its_start(root: str) -> None:
    write_segment(root, LOG[0].end, joined(LOG[1:]))
    found, end = walked(root)
    assert found == [] and end.lost is not None
    assert (end.lost.reason, end.lost.lsn, end.lost.offset) == ("missing", 0, 0)
    assert (end.lost.destroyed_cvs, end.lost.intact_commits_cut) == ((1, 1), 5)


def test_reading_begins_in_the_middle_of_a_file(root: str) -> None:
    parts(root, 3)
    for skipped in range(7):
        start = LOG[skipped - 1].end if skipped else 0
        found, end = walked(root, start=start, last_cv=skipped, last_ts=LOG[skipped - 1].ts if skipped else 0)
        assert [one.cv for one in found] == list(range(skipped + 1, 7))
        assert end.lost is None and end.end_lsn == end.log_end == len(joined(LOG))
        assert end.entries == sum(len(one.pieces()) for one in LOG[skipped:])


def test_two_files_that_claim_the_same_positions(root: str) -> None:
    parts(root, 3)
    write_segment(root, LOG[1].end, LOG[2].data + b"x")
    found, end = walked(root)
    assert end.lost is not None and end.lost.reason == "overlap"
    assert [one.cv for one in found] == [1, 2, 3][: len(found)]
    write_segment(root, LOG[1].end, LOG[2].data)
    found, end = walked(root, start=LOG[4].end, last_cv=5, last_ts=LOG[4].ts)
    assert (end.lost is None) == ([one.cv for one in found] == [6])


def test_a_torn_end_is_one_only_in_the_last_file(root: str) -> None:
    begins = parts(root, 3)
    write_segment(root, begins[0], joined(LOG[:3])[:-4])
    found, end = walked(root)
    assert [one.cv for one in found] == [1, 2] and end.lost is not None
    parts(root, 3)
    write_segment(root, begins[1], joined(LOG)[begins[1] : -4])
    found, end = walked(root)
    assert len(found) == 5 and end.lost is None
    assert (end.tail_bytes, end.orphaned_transactions) == (len(LOG[5].data) - 4, 1)
    write_segment(root, begins[0], joined(LOG[:3]) + b"\xff" * 7)
    os.unlink(os.path.join(wal_folder(root), segment_name(begins[1])))
    write_segment(root, begins[1] + 7, b"")
    found, end = walked(root)
    assert len(found) == 3 and end.lost is not None and end.lost.intact_commits_cut == 0
    assert end.lost.first_cv_after is None and end.lost.destroyed_cvs is None


# -- single entries


def test_entries_at_the_edges_of_what_is_there() -> None:
    one = encode_entry(0x10, make_tx_id(1, SALT), b"")
    data = b"before" + one
    found = decode_entry(data, 6, len(data), 600)
    assert found == WalEntry(0x10, 1, make_tx_id(1, SALT), b"", 600)
    assert decode_entry(data, 6, len(data) - 1, 600) == SHORT
    assert decode_entry(b"\x01\x02\x03", 0, 3, 0) == SHORT
    assert decode_entry(b"\0\0\0", 0, 3, 0) == ZEROS
    assert decode_entry(b"\0" * 26 + b"x", 0, 27, 0) == ZEROS
    assert decode_entry(b"\0" * 25 + b"x" * 9, 0, 34, 0) == BAD_LENGTH
    assert decode_entry(b"x" + b"\0" * 26, 1, 27, 0) == ZEROS
    for length, why in ((21, BAD_LENGTH), (22, BAD_CHECKSUM), (26, BAD_CHECKSUM), (27, SHORT)):
        assert decode_entry(length.to_bytes(4, "little") + b"y" * 26, 0, 30, 0) == why
    for length, why in ((MAX_ENTRY_LENGTH, SHORT), (MAX_ENTRY_LENGTH + 1, BAD_LENGTH)):
        assert decode_entry(length.to_bytes(4, "little") + b"y" * 40, 0, 44, 0) == why


def test_the_next_entry_is_found_from_where_it_is_looked_for() -> None:
    one, other = encode_entry(0x10, make_tx_id(1, SALT), b"one"), encode_entry(0x11, make_tx_id(2, SALT), b"")
    data = b"\xff" * 11 + one + b"\xee" * 5 + other
    second = 11 + len(one) + 5
    for salt in (SALT, None):
        assert [next_entry(data, since, salt) for since in (0, 11, 12, second, second + 1)] == [
            11, 11, second, second, len(data),
        ]  # fmt: skip
        assert next_entry(data[:-1], 12, salt) == len(data) - 1
        assert next_entry(other, 0, salt) == 0
    assert next_entry(data, 0, b"otherdb!") == len(data)
    # A salt that stands in a payload leads to no entry.
    assert next_entry(SALT * 9 + one, 0, SALT) == 72


def test_an_entry_with_a_wrong_checksum_is_believed_where_its_length_leads_on() -> None:
    bad = flipped(encode_entry(0x10, make_tx_id(1, SALT), b"content"), 25)
    good = encode_entry(0x11, make_tx_id(2, SALT), b"")
    for data, end in (
        (bad, len(bad)),
        (bad + good, len(bad)),
        (bad + b"\xff" * 30, 0),
        (bad + good[:-1], 0),
    ):
        assert damaged_entry(data, 0, len(data)) == end
        assert damaged_entry(b"12" + data, 2, len(data) + 2) == (end + 2 if end else 0)
    assert damaged_entry(bad + good, 0, len(bad + good), SALT) == len(bad)
    assert damaged_entry(bad + good, 0, len(bad + good), b"otherdb!") == 0


def test_everything_in_a_segment_is_listed_without_a_hole() -> None:
    good = encode_entry(0x11, make_tx_id(2, SALT), b"good")
    bad = flipped(encode_entry(0x10, make_tx_id(1, SALT), b"content"), 25)
    note = encode_entry(0x02, bytes(16), b"")
    foreign = encode_entry(0x10, make_tx_id(1, b"otherdb!"), b"theirs")
    data = note + bad + good + b"\xff" * 9 + foreign + good + bad
    found = list(scan_entries(data, 1000))
    at = 1000
    for one in found:
        assert (one.lsn, one.offset) == (at, at - 1000)
        at += one.size
    assert at == 1000 + len(data)
    told = [(one.entry_type, one.crc_ok) if isinstance(one, ListedEntry) else one.reason for one in found]
    # Behind damage the entries of the first database count.
    assert told == [(2, True), (0x10, False), (0x11, True), BAD_LENGTH, (0x11, True), (0x10, False)]
    region = found[3]
    assert isinstance(region, Region) and region.size == 9 + len(foreign)
    listed = found[2]
    assert isinstance(listed, ListedEntry)
    assert (listed.version, listed.tx_id, listed.payload) == (1, make_tx_id(2, SALT), b"good")
    assert listed.checksum == crc32(good[4:-4])
    theirs = list(scan_entries(data, 1000, salt=b"otherdb!"))
    assert [
        one.entry_type for one in theirs if isinstance(one, ListedEntry) and one.tx_id[8:] == b"otherdb!"
    ] == [0x10]


def test_array_headers_at_their_edges() -> None:
    for count in (0, 1, 15, 16, 17, 65535, 65536, 1 << 31):
        header = encode_array_header(count)
        assert array_header(header) == (count, len(header)) == array_header(header + b"\xc0")
        if len(header) > 1:
            assert array_header(header[:-1]) is None
        assert len(header) == (1 if count < 16 else 3 if count < 65536 else 5)
    for other in (b"", b"\x80", b"\xa0", b"\xc4\x00", b"\xde\x00\x00"):
        assert array_header(other) is None


# -- the files


@pytest.mark.parametrize("call", ["pread", "open"])
def test_a_device_that_fails_is_said_with_the_file(root: str, call: str) -> None:
    path = write_segment(root, 0, joined(LOG))
    for error, told in ((errno.EIO, InputUnreadable), (errno.EINTR, None)):
        with SegmentReader(root, files=FaultyFiles(OS, [Fault(call, 1, error=error)])) as reader:
            if told is None:
                assert reader.read(0, 50) == joined(LOG)[:50]
                continue
            with pytest.raises(told) as caught:
                reader.read(0, 50)
            assert caught.value.path == path
            assert reader.read_transaction(0).cv == 1


@pytest.mark.parametrize("call", ["listdir", "stat"])
def test_a_folder_that_cannot_be_looked_at_is_said(root: str, call: str) -> None:
    write_segment(root, 0, joined(LOG))
    for look in (
        lambda files: list_segments(root, history=True, files=files),
        lambda files: stray_files(root, files=files),
    ):
        with pytest.raises(InputUnreadable) as caught:
            look(FaultyFiles(OS, [Fault(call, 1, error=errno.EACCES)]))
        assert caught.value.path is not None and caught.value.path.startswith(wal_folder(root))


def test_what_vanishes_while_it_is_listed_is_not_there(root: str) -> None:
    path = write_segment(root, 0, joined(LOG))
    files = FaultyFiles(OS, [Fault("stat", 1, before=lambda: os.unlink(path))])
    assert list_segments(root, history=True, files=files) == ()
    write_segment(root, 0, joined(LOG))
    files = FaultyFiles(OS, [Fault("stat", 1, before=lambda: os.unlink(path))])
    assert stray_files(root, files=files) == ()


def test_a_position_that_no_file_holds_is_said_with_the_folder_or_the_file(root: str) -> None:
    with SegmentReader(root) as reader:
        with pytest.raises(WalCorruptionError) as caught:
            reader.read(5, 1)
        report = caught.value.report
        assert report is not None
        assert (report.segment, report.lsn, report.offset, report.reason) == (
            wal_folder(root),
            5,
            0,
            "missing",
        )
        path = write_segment(root, 40, LOG[0].data)
        with pytest.raises(WalCorruptionError):
            reader.read(39, 1)
        assert reader.read(40, 3) == LOG[0].data[:3]
        segment = reader.refresh()[0]
        reader.forget()
        os.unlink(path)
        with pytest.raises(WalCorruptionError) as caught:
            reader.load(segment)
        report = caught.value.report
        assert report is not None and (report.segment, report.lsn) == (path, 40)
    with pytest.raises(ValueError, match="closed"):
        reader.load(segment)


def test_short_reads_are_gone_on_with(root: str) -> None:
    write_segment(root, 0, joined(LOG))
    with SegmentReader(root, files=FaultyFiles(OS, [Fault("pread", 1, short=7, lasting=True)])) as reader:
        assert reader.read(3, 100) == joined(LOG)[3:103]
        (segment,) = reader.refresh()
        assert reader.load(segment) == joined(LOG)
        assert reader.load(segment, 11) == joined(LOG)[11:]
        assert reader.load(segment, segment.size) == b"" == reader.load(segment, segment.size + 5)
        assert [reader.read_transaction(one.lsn).cv for one in LOG] == [1, 2, 3, 4, 5, 6]


def test_a_transaction_of_many_entries_is_read_in_more_than_one_go(root: str) -> None:
    # 4096 are read at first: up to the end of the first entry, or 25 to 27 bytes of the second, an empty one having 26.
    for size in (100, 4000, 4096 - 26, 4096 - 51, 4096 - 52, 4096 - 53, 9000, 70_000):
        large = commit(1, 0, content=[(0x10, b"v" * size), (0x11, b"w"), (0x12, b"x" * size)])
        write_segment(root, 0, large.data)
        with SegmentReader(root, salt=SALT) as reader:
            found = reader.read_transaction(0)
            assert (found.lsn, found.end, len(found.entries)) == (0, len(large.data), 3)
            assert found.run in RUNS
        for cut in (len(large.data) - 1, len(large.data) - 40):
            write_segment(root, 0, large.data[:cut])
            with SegmentReader(root) as reader, pytest.raises(WalCorruptionError):
                reader.read_transaction(0)


def test_a_transaction_of_another_database_is_refused(root: str) -> None:
    write_segment(root, 0, LOG[0].data)
    with SegmentReader(root, salt=b"otherdb!") as reader, pytest.raises(WalCorruptionError) as caught:
        reader.read_transaction(0)
    assert caught.value.report is not None and caught.value.report.reason == "foreign"


def test_files_are_listed_again_only_where_something_is_missing(root: str) -> None:
    parts(root, 2, 4)
    files = FaultyFiles(OS)
    with SegmentReader(root, files=files) as reader:
        for one in LOG:
            assert reader.read_transaction(one.lsn).cv == one.cv
        listed = files.counts["listdir"]
        for one in LOG:
            assert reader.read(one.lsn, 10) == one.data[:10]
        assert reader.read(0, 0) == b""
        assert files.counts["listdir"] == listed
        assert reader.read(LOG[5].end, 1) == b""
        assert files.counts["listdir"] > listed


def test_why_a_marker_cannot_be_read_is_told_in_words() -> None:
    for payload in (b"", b"\xc1", msgspec.msgpack.encode([1]), msgspec.msgpack.encode("text")):
        for decode in (decode_commit, decode_snapshot_mark):
            told = decode(payload)
            assert isinstance(told, str) and " " in told


# -- steps of a run


def test_a_step_forward_tells_what_it_did() -> None:
    with open_db() as db:
        run = db.begin_run()
        db.kv.put(run, "k", 1)
        db.kv.put(run, "l", 1)
        line = db.timeline(run)
        for keys in ((None, None), ("k",), ("l",)):
            assert line.next()
            assert tuple(change.key for change in line.view.changes) == keys
        assert not line.next()
        for keys in (("k",), (None, None), ()):
            assert line.prev()
            assert tuple(change.key for change in line.view.changes) == keys
        assert not line.prev()


def test_a_step_that_is_not_the_next_one_is_damage() -> None:
    """A commit that comes before, once more, or at an earlier time, and one of another run."""
    with open_db() as db:
        run = db.begin_run()
        db.kv.put(run, "k", 1)
        db.kv.put(run, "k", 2)
        memory = db.committer.memory
        assert memory is not None
        first, second, third = (memory.read_transaction(lsn) for lsn in range(memory.end - 3, memory.end))
        for wrong in (
            first,
            second,
            msgspec.structs.replace(third, ts=second.ts - 1),
            msgspec.structs.replace(third, run=bytes(16)),
        ):
            stepper = Stepper(builtin_registry().instances(), first.run)
            stepper.apply(first)
            stepper.apply(second)
            with pytest.raises(WalCorruptionError, match="history is damaged"):
                stepper.apply(wrong)
            assert (stepper.step, stepper.cv) == (2, second.cv)
            stepper.apply(third)
            assert stepper.step == 3


def test_looking_back_ends_at_the_first_step() -> None:
    with open_db() as db:
        run = db.begin_run()
        db.kv.put(run, "k", 1)
        db.events.append(run, "only at the end", 1)
        line = db.timeline(run)
        assert isinstance(line, Timeline) and len(line) == 3
        assert line.find("only at the end", start=2, backwards=True) is None
        assert line.find("only at the end", start=0, backwards=True) is None
        assert line.find("only at the end", start=3, backwards=True) == 3
        line.seek(3)
        assert line.find("only at the end", backwards=True) is None
        assert line.find(key="k", backwards=True) == 2 == line.find(key="k", start=0)
        assert line.find(key=0) is None and line.find(key=0, start=1) == 3
        line.seek(0)
        assert line.find(key="k", backwards=True) is None


class Tally(MapPrimitive):
    type_id = 9
    name = "tally"
    puts = (0x80,)
    deletes = (0x81,)


class Unlisted(Tally):
    """A kind that cannot look up a single record."""

    def latest(self, run: bytes, key: Any) -> Any:
        raise NotImplementedError


class Oddly(Put):
    """An entry whose key is none that a kind of today could have."""

    def stage(self, batch: Batch) -> int:
        result = super().stage(batch)
        kind, _, *rest = batch.changes[-1]
        batch.changes[-1] = (kind, msgspec.msgpack.encode([batch.run, 1.5, batch.cv, batch.ts]), *rest)
        return result


def test_steps_of_kinds_that_are_not_there_or_tell_little(tmp_path: Path) -> None:
    with open_db(tmp_path, registry=builtin_registry().register(Tally)) as db:
        run = db.begin_run()
        tally: Any = db.primitives.named("tally")
        for operation in (tally.put(0x80, "n", 1), Oddly(tally, 0x80, "n", ())):
            with db.transaction(run) as tx:
                tx.write(operation)
                tx.kv.put("k", 1)
        assert db.timeline(run).find(key="n") == 2
    with open_db(tmp_path, read_only=True) as db:
        line = db.timeline(run)
        assert line.find(key="n") is None and line.find(key="k") == 2
        for step, key in ((2, "n"), (3, None)):
            told = db.replay_run(run, step=step).changes
            assert [(one.primitive, one.key) for one in told][1] == ("kv", "k")
            assert (told[0].op, told[0].key, told[0].primitive) == ("unknown", key, "")
    with open_db(registry=builtin_registry().register(Unlisted)) as db:
        run = db.begin_run()
        kind: Any = db.primitives.named("tally")
        with db.transaction(run) as tx:
            tx.write(kind.put(0x80, "n", 1))
        told = db.replay_run(run, step=2).changes
        assert (told[0].primitive, told[0].key, told[0].before) == ("tally", "n", None)


def test_a_segment_that_cannot_be_caught_is_missing(root: str) -> None:
    write_segment(root, 0, joined(LOG))
    files = FaultyFiles(OS, [Fault("open", 1, error=errno.ENOENT, lasting=True)])
    with SegmentReader(root, files=files) as reader, pytest.raises(WalCorruptionError) as caught:
        reader.read(0, 4)
    assert caught.value.report is not None and caught.value.report.reason == "missing"
    assert files.counts["open"] == 3
    files = FaultyFiles(OS, [Fault("open", 1, error=errno.ENOENT), Fault("open", 2, error=errno.ENOENT)])
    with SegmentReader(root, files=files) as reader:
        assert reader.read(0, 4) == joined(LOG)[:4]
