"""The sidecar of a sealed segment: a run is found without reading the others, and damage never goes unnoticed."""

from __future__ import annotations

import errno
import struct
import tracemalloc
import zlib
from array import array
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.durable.simulated import SimulatedCrash, SimulatedFiles
from devstate.engine.errors import DurabilityError, EngineError
from devstate.engine.history_index import (
    HistoryIndex,
    HistoryIndexDamaged,
    build_index,
    encode_index,
    read_index,
    write_index,
)
from devstate.engine.layout import index_name, is_temp_name

A, B, C = (bytes([number]) * 16 for number in (0, 1, 2))
PATH = f"/db/history/{index_name(100)}"


class Done(msgspec.Struct, frozen=True):
    """A committed transaction, as far as the index looks."""

    run: bytes
    lsn: int
    end: int
    cv: int
    ts: int


DONE = [
    Done(B, 100, 150, 4, 1000),
    Done(A, 150, 180, 5, 1000),
    Done(B, 190, 250, 6, 1001),
    Done(B, 250, 300, 7, 1005),
]
DATA = build_index(DONE, start=100, end=320)


def holding(data: bytes, path: str = PATH) -> SimulatedFiles:
    files = SimulatedFiles()
    files.put(path, data)
    return files


def read(data: bytes) -> HistoryIndex:
    return read_index(PATH, holding(data))


def read_whole(data: bytes) -> dict[bytes, list[int]]:
    files = holding(data)
    index = read_index(PATH, files)
    return {run: list(index.lsns(run, files)) for run in index.runs}


def test_a_whole_file_written_by_hand() -> None:
    directory = b"DSHISIDX" + struct.pack("<I6QI", 1, 100, 320, 4, 7, 1000, 1005, 2)
    first = len(directory) + 2 * 28 + 4
    directory += A + struct.pack("<IQ", 1, first) + B + struct.pack("<IQ", 3, first + 12)
    expected = directory + struct.pack("<I", zlib.crc32(directory))
    for positions in (struct.pack("<Q", 150), struct.pack("<3Q", 100, 190, 250)):
        expected += positions + struct.pack("<I", zlib.crc32(positions))
    assert expected == DATA


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / index_name(100))
    write_index(path, DATA)
    index = read_index(path)
    assert (index.path, index.start, index.end) == (path, 100, 320)
    assert (index.first_cv, index.last_cv, index.first_ts, index.last_ts) == (4, 7, 1000, 1005)
    assert list(index.runs) == [A, B]
    assert index.lsns(B) == array("Q", [100, 190, 250])
    assert index.lsns(A) == array("Q", [150])
    assert index.lsns(C) == array("Q")


def test_the_range_of_the_transactions_where_none_is_given() -> None:
    index = read(build_index(iter(DONE)))
    assert (index.start, index.end) == (100, 300)


def test_a_segment_without_commits() -> None:
    index = read(build_index([], start=100, end=120))
    assert (index.start, index.end, index.first_cv, index.last_cv, index.runs) == (100, 120, 0, 0, {})
    assert read(build_index([])).end == 0


def test_equal_input_gives_equal_bytes() -> None:
    common = {"start": 100, "end": 320, "first_cv": 4, "last_cv": 7, "first_ts": 1000, "last_ts": 1005}
    runs = {B: [100, 190, 250], A: array("Q", [150])}
    assert encode_index(**common, runs=runs) == DATA
    assert encode_index(**common, runs=dict(reversed(runs.items()))) == DATA


@pytest.mark.parametrize(
    "runs",
    [{A: []}, {A: [99]}, {A: [320]}, {A: [150, 150]}, {A: [151, 150]}, {b"short": [150]}, {bytes(17): [150]}],
)
def test_positions_that_cannot_be_are_refused(runs: dict[bytes, list[int]]) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        encode_index(start=100, end=320, first_cv=4, last_cv=7, first_ts=1, last_ts=1, runs=runs)


@pytest.mark.parametrize(
    ("done", "options"),
    [
        ([DONE[1], DONE[0]], {}),
        ([DONE[0], DONE[0]], {}),
        ([DONE[0], Done(C, 140, 200, 5, 1)], {}),
        ([DONE[0], Done(C, 150, 200, 4, 1)], {}),
        (DONE, {"start": 101}),
        (DONE, {"end": 299}),
    ],
)
def test_transactions_out_of_order_are_refused(done: list[Done], options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"order|segment"):
        build_index(done, **options)


@given(
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(26, 500)), max_size=30),
    st.integers(0, 2**63),
    st.integers(1, 2**63),
)
def test_round_trip(transactions: list[tuple[bytes, int]], start: int, cv: int) -> None:
    done: list[Done] = []
    expected: dict[bytes, list[int]] = {}
    position = start
    for number, (run, size) in enumerate(transactions):
        done.append(Done(run, position, position + size, cv + number, number))
        expected.setdefault(run, []).append(position)
        position += size
    data = build_index(done, start=start, end=position)
    assert read_whole(data) == expected
    index = read(data)
    assert (index.start, index.end) == (start, position)
    if done:
        assert (index.first_cv, index.last_cv) == (cv, cv + len(done) - 1)


def test_one_run_is_read_without_the_others() -> None:
    large = {bytes([number]) * 16: range(number, 100_000, 300) for number in range(255)}
    data = encode_index(start=0, end=100_000, first_cv=1, last_cv=9, first_ts=1, last_ts=1, runs=large)
    files = FaultyFiles(holding(data))
    read_bytes = 0
    inner = files.pread

    def pread(fd: int, size: int, offset: int) -> bytes:
        nonlocal read_bytes
        found = inner(fd, size, offset)
        read_bytes += len(found)
        return found

    files.pread = pread  # type: ignore[method-assign]
    index = read_index(PATH, files)
    directory = 64 + 28 * 255 + 4
    assert read_bytes == directory
    assert list(index.lsns(A, files)) == list(range(0, 100_000, 300))
    assert read_bytes == directory + 8 * len(large[A]) + 4
    assert len(data) > 50 * (read_bytes - directory)


# -- damage --------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_found() -> None:
    for position in range(len(DATA)):
        for bit in range(8):
            broken = bytearray(DATA)
            broken[position] ^= 1 << bit
            with pytest.raises(HistoryIndexDamaged) as caught:
                read_whole(bytes(broken))
            assert caught.value.path == PATH


def test_a_damaged_block_is_that_of_its_run_alone() -> None:
    broken = bytearray(DATA)
    broken[-1] ^= 1
    files = holding(bytes(broken))
    index = read_index(PATH, files)
    assert list(index.lsns(A, files)) == [150]
    with pytest.raises(HistoryIndexDamaged) as caught:
        index.lsns(B, files)
    assert caught.value.reason == "checksum"


def test_every_truncation_and_extension_is_found() -> None:
    for size in range(len(DATA)):
        with pytest.raises(HistoryIndexDamaged):
            read(DATA[:size])
    for more in (b"\0", bytes(28), DATA):
        with pytest.raises(HistoryIndexDamaged):
            read(DATA + more)


def directory(*entries: tuple[bytes, int, int], runs: int | None = None, version: int = 1) -> bytes:
    """A directory with a right checksum, whatever it says, and no block."""
    count = len(entries) if runs is None else runs
    data = b"DSHISIDX" + struct.pack("<I6QI", version, 100, 320, 4, 7, 1, 1, count)
    data += b"".join(run + struct.pack("<IQ", length, offset) for run, length, offset in entries)
    return data + struct.pack("<I", zlib.crc32(data))


def block(*positions: int) -> bytes:
    data = struct.pack(f"<{len(positions)}Q", *positions)
    return data + struct.pack("<I", zlib.crc32(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "short"),
        (b"DSHISIDX", "short"),
        (b"dshisidx" + DATA[8:], "magic"),
        (directory(version=2), "version"),
        (directory(version=0), "version"),
        (directory(runs=2**32 - 1), "short"),
        (directory(runs=1), "short"),
        (directory((A, 2**32 - 1, 96)), "short"),
        (directory((A, 1, 95)) + block(100), "directory"),
        (directory((A, 1, 2**64 - 1)) + block(100), "directory"),
        (directory((A, 0, 96)) + block(), "directory"),
        (directory((B, 1, 124), (A, 1, 136)) + block(100) + block(101), "directory"),
        (directory((A, 1, 124), (A, 1, 136)) + block(100) + block(101), "directory"),
        (directory((A, 1, 124), (B, 1, 124)) + block(100), "directory"),
        (directory((A, 1, 96)) + block(100, 101), "short"),
        (directory((A, 2, 96)) + block(101, 101), "positions"),
        (directory((A, 2, 96)) + block(101, 100), "positions"),
        (directory((A, 1, 96)) + block(99), "positions"),
        (directory((A, 1, 96)) + block(320), "positions"),
    ],
)
def test_a_right_checksum_over_wrong_content(data: bytes, reason: str) -> None:
    with pytest.raises(HistoryIndexDamaged) as caught:
        read_whole(data)
    assert caught.value.reason == reason


def test_the_sample_of_those_is_sound_itself() -> None:
    assert read_whole(directory((A, 1, 124), (B, 2, 136)) + block(100) + block(101, 319)) == {
        A: [100],
        B: [101, 319],
    }


def test_counts_that_lie_cost_no_memory() -> None:
    tracemalloc.start()
    try:
        for data in (
            directory(runs=2**32 - 1),
            directory((A, 2**32 - 1, 96)),
            directory((A, 2**31, 96)) + bytes(99),
        ):
            with pytest.raises(HistoryIndexDamaged):
                read(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=300), st.integers(0, 3))
def test_random_bytes(data: bytes, runs: int) -> None:
    entries = data[: 28 * runs].ljust(28 * runs, b"\0")
    head = b"DSHISIDX" + struct.pack("<I6QI", 1, 0, 2**64 - 1, 4, 7, 1, 1, runs) + entries
    for file in (data, b"DSHISIDX\1\0\0\0" + data, head + struct.pack("<I", zlib.crc32(head)) + data):
        try:
            read_whole(file)
        except EngineError as error:
            assert isinstance(error, HistoryIndexDamaged)


# -- the disk ------------------------------------------------------------------------------------------


def test_each_failing_call_of_a_reader(tmp_path: Path) -> None:
    path = str(tmp_path / "i")
    write_index(path, DATA)
    clean = FaultyFiles(OS)
    read_index(path, clean).lsns(B, clean)
    reading = ["open", "fstat", "pread", "pread", "close", "open", "fstat", "pread", "close"]
    assert clean.counts["*"] == len(reading)
    failing_opens = {nth for nth, call in enumerate(reading, 1) if call == "open"}
    for nth in range(1, clean.counts["*"] + 1):
        files = FaultyFiles(OS, [Fault("*", nth, error=errno.EIO)])
        try:
            found = read_index(path, files).lsns(B, files)
        except HistoryIndexDamaged as error:
            assert (error.reason, error.path) == ("unreadable", path)
        else:
            assert found == array("Q", [100, 190, 250])
        opens = files.counts["open"] - (nth in failing_opens)
        assert files.counts.get("close", 0) == opens


def test_short_reads_are_finished(tmp_path: Path) -> None:
    path = str(tmp_path / "i")
    write_index(path, DATA)
    files = FaultyFiles(OS, [Fault("pread", 1, short=3, lasting=True)])
    assert list(read_index(path, files).lsns(B, files)) == [100, 190, 250]


def test_a_missing_one_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(HistoryIndexDamaged) as caught:
        read_index(str(tmp_path / "none"))
    assert caught.value.reason == "missing"
    with pytest.raises(HistoryIndexDamaged) as caught:
        read_index(str(tmp_path))
    assert caught.value.reason == "unreadable"


def test_one_that_is_replaced_by_a_shorter_one_after_its_directory_was_read() -> None:
    files = holding(DATA)
    index = read_index(PATH, files)
    files = holding(DATA[:-30])
    with pytest.raises(HistoryIndexDamaged) as caught:
        index.lsns(B, files)
    assert caught.value.reason == "short"


def test_each_failing_call_of_a_writer(tmp_path: Path) -> None:
    path = tmp_path / index_name(100)
    path.write_bytes(b"older")
    clean = FaultyFiles(OS)
    write_index(str(path), DATA, clean)
    for nth in range(1, clean.counts["*"] + 1):
        path.write_bytes(b"older")
        files = FaultyFiles(OS, [Fault("*", nth, error=errno.ENOSPC)])
        with pytest.raises(DurabilityError, match="ENOSPC") as caught:
            write_index(str(path), DATA, files)
        assert caught.value.path == str(path)
        assert path.read_bytes() in (b"older", DATA)
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_power_lost_at_each_call_leaves_the_old_one_or_the_new_one() -> None:
    seen: set[bytes | None] = set()
    for calls in range(100):
        files = SimulatedFiles(crash_after=calls)
        files.put(PATH, b"older")
        crashed = False
        try:
            write_index(PATH, DATA, files)
        except SimulatedCrash:
            crashed = True
        for image in files.crash_images():
            seen.add(image.read(PATH))
            assert crashed or image.read(PATH) == DATA
            others = set(image.paths()) - {"/db", "/db/history", PATH}
            assert all(is_temp_name(other.rpartition("/")[2]) for other in others)
        if not crashed:
            break
    else:
        pytest.fail("the writer never ended")
    assert seen == {b"older", DATA}
