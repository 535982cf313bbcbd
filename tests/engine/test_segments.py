"""The files of the log: listing them, reading by position, following them into history/."""

from __future__ import annotations

import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.durable.files import OS
from devstate.engine.envelope import encode_entry
from devstate.engine.errors import WalCorruptionError
from devstate.engine.framing import frame_transaction, make_tx_id
from devstate.engine.layout import history_folder, index_name, segment_name, wal_folder
from devstate.engine.reports import CorruptionReport
from devstate.engine.segments import Segment, SegmentReader, list_segments, stray_files
from devstate.errors import InputUnreadable
from log_samples import RUNS, SALT, TS, Commit, commit, commits, joined, marker_entry, matches, write_segment

if TYPE_CHECKING:
    from devstate.durable.files import Files

ENTRY = encode_entry(0x10, make_tx_id(9, SALT), b"x")


def archive(root: str, start: int) -> None:
    os.makedirs(history_folder(root), exist_ok=True)
    name = segment_name(start)
    os.link(os.path.join(wal_folder(root), name), os.path.join(history_folder(root), name))
    os.unlink(os.path.join(wal_folder(root), name))


def reason_of(caught: pytest.ExceptionInfo[WalCorruptionError]) -> str:
    report = caught.value.report
    assert isinstance(report, CorruptionReport)
    assert report.last_cv is None
    assert report.sentences()
    return report.reason


# -- listing -------------------------------------------------------------------------------------------


def test_a_database_without_folders_has_no_segments(tmp_path: Path):
    assert list_segments(str(tmp_path), history=True) == ()
    assert stray_files(str(tmp_path)) == ()


def test_listing_by_start_over_both_folders(tmp_path: Path):
    root = str(tmp_path)
    third = write_segment(root, 1000, b"c")
    second = write_segment(root, 20, b"bb")
    first = write_segment(root, 0, b"a" * 20, archived=True)
    live = (Segment(20, 2, second, False), Segment(1000, 1, third, False))
    assert list_segments(root, history=False) == live
    assert list_segments(root, history=True) == (Segment(0, 20, first, True), *live)
    assert [segment.end for segment in list_segments(root, history=True)] == [20, 22, 1001]


def test_a_segment_in_both_folders_is_the_live_one(tmp_path: Path):
    root = str(tmp_path)
    live = write_segment(root, 0, b"live")
    write_segment(root, 0, b"live", archived=True)
    assert list_segments(root, history=True) == (Segment(0, 4, live, False),)


def test_strays_are_reported_and_not_listed(tmp_path: Path):
    root = str(tmp_path)
    good = write_segment(root, 0, b"x")
    write_segment(root, 5, b"y", archived=True)
    wal, history = Path(wal_folder(root)), Path(history_folder(root))
    (history / index_name(5)).write_bytes(b"")
    (wal / ".tmp-1-00").write_bytes(b"")
    (wal / "notes.txt").write_bytes(b"")
    (wal / index_name(5)).write_bytes(b"")
    (wal / segment_name(7)).symlink_to(good)
    (wal / segment_name(8)).mkdir()
    (history / "7.wal").write_bytes(b"")
    assert [segment.start for segment in list_segments(root, history=True)] == [0, 5]
    found = {os.path.relpath(path, root) for path in stray_files(root)}
    assert found == {
        "wal/notes.txt",
        f"wal/{index_name(5)}",
        f"wal/{segment_name(7)}",
        f"wal/{segment_name(8)}",
        "history/7.wal",
    }


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path):
    (tmp_path / "wal").write_bytes(b"")
    with pytest.raises(InputUnreadable):
        list_segments(str(tmp_path), history=True)


# -- reading -------------------------------------------------------------------------------------------


def test_reading_ranges(tmp_path: Path):
    root = str(tmp_path)
    write_segment(root, 100, b"0123456789")
    write_segment(root, 110, b"abcde")
    with SegmentReader(root) as reader:
        assert reader.read(100, 4) == b"0123"
        assert reader.read(108, 10) == b"89", "never across segments"
        assert reader.read(110, 3) == b"abc"
        assert reader.read(114, 3) == b"e"
        assert reader.read(115, 3) == b""
        assert reader.read(104, 0) == b""
        segments = reader.refresh()
        assert [reader.load(segment) for segment in segments] == [b"0123456789", b"abcde"]
        assert reader.load(segments[0], 8) == b"89"
        assert reader.load(segments[0], 11) == b""
        with pytest.raises(WalCorruptionError) as caught:
            reader.read(99, 1)
        assert reason_of(caught) == "missing"


def test_growth_and_new_segments_are_seen(tmp_path: Path):
    root = str(tmp_path)
    path = write_segment(root, 0, b"abc")
    with SegmentReader(root) as reader:
        (listed,) = reader.refresh()
        assert reader.read(3, 5) == b""
        with open(path, "ab") as file:
            file.write(b"def")
        assert reader.read(3, 5) == b"def"
        assert reader.load(listed) == b"abc", "a listing stays what it was"
        write_segment(root, 6, b"next")
        assert reader.read(6, 9) == b"next"


def test_the_way_into_history_is_followed(tmp_path: Path):
    root = str(tmp_path)
    write_segment(root, 0, b"first")
    write_segment(root, 5, b"second")
    with SegmentReader(root) as opened, SegmentReader(root) as listed:
        assert opened.read(0, 5) == b"first"
        segments = listed.refresh()
        archive(root, 0)
        assert opened.read(1, 4) == b"irst"
        assert listed.load(segments[0]) == b"first"
        assert listed.read(0, 2) == b"fi"
        os.unlink(os.path.join(history_folder(root), segment_name(0)))
        listed.forget()
        for read in (lambda: listed.read(0, 1), lambda: listed.load(segments[0])):
            with pytest.raises(WalCorruptionError) as caught:
                read()
            assert reason_of(caught) == "missing"


def test_few_descriptors_are_kept_and_all_are_given_back(tmp_path: Path):
    root = str(tmp_path)
    for number in range(20):
        write_segment(root, 4 * number, b"%04d" % number)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with SegmentReader(root, limit=3) as reader:
        for number in [*range(20), 3, 19, 3]:
            assert reader.read(4 * number, 4) == b"%04d" % number
        if before:
            assert len(os.listdir("/proc/self/fd")) == before + 3
    if before:
        assert len(os.listdir("/proc/self/fd")) == before
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(0, 1)


def test_threads_share_a_reader(tmp_path: Path):
    root = str(tmp_path)
    for number in range(12):
        write_segment(root, 4 * number, b"%04d" % number)
    wrong: list[int] = []

    def read(reader: SegmentReader, shift: int) -> None:
        for turn in range(300):
            number = (turn * shift) % 12
            if reader.read(4 * number, 4) != b"%04d" % number:
                wrong.append(number)

    with SegmentReader(root, limit=2) as reader:
        threads = [threading.Thread(target=read, args=(reader, shift)) for shift in (1, 5, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_link_or_fifo_put_in_the_place_of_a_segment_is_not_read(tmp_path: Path):
    root = str(tmp_path)
    path = write_segment(root, 0, b"abc")
    (listed,) = list_segments(root, history=True)
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    with SegmentReader(root) as reader, pytest.raises(InputUnreadable):
        reader.load(listed)
    os.unlink(path)
    os.mkfifo(path)
    with SegmentReader(root) as reader, pytest.raises(WalCorruptionError):
        reader.load(listed)


# -- one transaction -----------------------------------------------------------------------------------


def test_every_transaction_is_found_by_its_position(tmp_path: Path):
    root = str(tmp_path)
    made = commits(12)
    write_segment(root, 0, joined(made[:5]), archived=True)
    write_segment(root, made[5].lsn, joined(made[5:]))
    with SegmentReader(root, salt=SALT) as reader:
        for one in made:
            found = reader.read_transaction(one.lsn)
            assert matches(found, one)
            assert (found.lsn, found.end, found.sequence) == (one.lsn, one.end, one.cv)
        with pytest.raises(WalCorruptionError) as caught:
            reader.read_transaction(made[-1].end)
        assert reason_of(caught) == "short"


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(0, 20_000), min_size=1, max_size=5), before=st.integers(0, 3))
def test_transactions_larger_than_the_first_read(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], before: int
):
    root = str(tmp_path_factory.mktemp("db"))
    first = commits(before)
    lsn = first[-1].end if first else 0
    one = commit(before + 1, lsn, content=[(0x10, b"v" * size) for size in sizes])
    write_segment(root, 0, joined([*first, one, commit(before + 2, one.end)]))
    with SegmentReader(root) as reader:
        assert matches(reader.read_transaction(lsn), one)


@settings(deadline=None, max_examples=30)
@given(
    sizes=st.lists(st.sampled_from([0, 40, 3000, 5000, 20_000]), min_size=1, max_size=12),
    split=st.integers(0, 12),
    chosen=st.sets(st.integers(0, 11)),
)
def test_many_are_read_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], split: int, chosen: set[int]
):
    root = str(tmp_path_factory.mktemp("db"))
    made: list[Commit] = []
    for number, size in enumerate(sizes, 1):
        made.append(commit(number, made[-1].end if made else 0, content=[(0x10, b"v" * size)]))
    for part in (made[:split], made[split:]):
        if part:
            write_segment(root, part[0].lsn, joined(part))
    wanted = [made[number] for number in sorted(chosen) if number < len(made)]
    with SegmentReader(root, salt=SALT) as reader:
        found = list(reader.read_transactions([one.lsn for one in wanted]))
        assert found == [reader.read_transaction(one.lsn) for one in wanted]
        assert all(map(matches, found, wanted))


def test_what_stands_close_together_is_read_at_once(tmp_path: Path):
    sizes: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(OS, name)

        def pread(self, fd: int, size: int, offset: int) -> bytes:
            sizes.append(size)
            return OS.pread(fd, size, offset)

    made = commits(2000)
    write_segment(str(tmp_path), 0, joined(made))
    with SegmentReader(str(tmp_path), files=cast("Files", Counting())) as reader:
        assert len(list(reader.read_transactions([one.lsn for one in made]))) == 2000
        assert len(sizes) < made[-1].end / 30_000
        assert max(sizes) <= 1 << 16
        sizes.clear()
        far = [one.lsn for one in made[::200]]
        assert all(b - a > 12_288 for a, b in pairwise(far))
        assert len(list(reader.read_transactions(far))) == len(far)
        assert sizes == [4096] * len(far)  # what is between them is not read


def test_of_many_the_damaged_one_is_named(tmp_path: Path):
    made = commits(5)
    data = bytearray(joined(made))
    data[made[3].lsn + 25] ^= 1
    write_segment(str(tmp_path), 0, bytes(data))
    with SegmentReader(str(tmp_path)) as reader:
        found = reader.read_transactions([one.lsn for one in made])
        assert [next(found).cv for _ in range(3)] == [1, 2, 3]
        with pytest.raises(WalCorruptionError) as caught:
            next(found)
        assert reason_of(caught) == "checksum"
        assert caught.value.position == f"byte {made[3].lsn}"


def test_entries_of_another_transaction_between_are_passed_over(tmp_path: Path):
    one = commit(1, 0)
    data, marker = b"".join(one.pieces()[:-1]), one.pieces()[-1]
    other = encode_entry(0x10, make_tx_id(7, SALT), b"other")
    write_segment(str(tmp_path), 0, data + other + marker)
    with SegmentReader(str(tmp_path)) as reader:
        assert matches(reader.read_transaction(0), one)


def test_every_damage_of_it_is_an_error_with_a_report(tmp_path: Path):
    root = str(tmp_path)
    one = commit(2, 0)
    path = Path(write_segment(root, 0, one.data))
    with SegmentReader(root) as reader:
        for size in range(len(one.data)):
            path.write_bytes(one.data[:size])
            with pytest.raises(WalCorruptionError):
                reader.read_transaction(0)
        for place in range(len(one.data) * 8):
            damaged = bytearray(one.data)
            damaged[place // 8] ^= 1 << place % 8
            path.write_bytes(damaged)
            with pytest.raises(WalCorruptionError) as caught:
                reader.read_transaction(0)
            assert reason_of(caught)
            assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (marker_entry([1, TS, 0, 0, RUNS[0], 0]), "commit"),
        (encode_entry(0x10, make_tx_id(9, SALT), b"x") + marker_entry([1, TS, 1, 0, RUNS[0], 0]), "commit"),
        (encode_entry(0x10, make_tx_id(9, SALT), b"x") + marker_entry("no marker"), "commit"),
        (ENTRY + marker_entry([1, TS, 2, 0, RUNS[0], crc32(ENTRY[-4:])]), "commit"),
        (encode_entry(0x10, make_tx_id(9, SALT), b"x") + marker_entry(["why"], entry_type=1), "commit"),
        (frame_transaction([(0x10, b"x")], make_tx_id(9, SALT), RUNS[0], 1, TS, 50), "position"),
        (frame_transaction([(0x10, b"x")], make_tx_id(9, b"12345678"), RUNS[0], 1, TS, 0), "foreign"),
        (bytes(5000), "zeros"),
        (b"\xff" * 5000, "length"),
        (b"", "short"),
    ],
)  # fmt: skip
def test_what_is_no_whole_transaction(tmp_path: Path, data: bytes, reason: str):
    write_segment(str(tmp_path), 0, data)
    with SegmentReader(str(tmp_path), salt=SALT) as reader:
        with pytest.raises(WalCorruptionError) as caught:
            reader.read_transaction(0)
        assert reason_of(caught) == reason


def test_the_real_file_layer_is_the_default(tmp_path: Path):
    with SegmentReader(str(tmp_path)) as reader:
        assert reader.files is OS
