"""The writer of the log, held to what is in the files after each call and after each failure of the system."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.engine.envelope import TRANSACTION_ABORT, WalEntry, decode_entry
from devstate.engine.errors import DurabilityError
from devstate.engine.framing import AbortMarker, decode_abort, split_tx_id
from devstate.engine.layout import segment_name, wal_folder
from devstate.engine.wal_writer import WalWriter
from log_samples import SALT


@pytest.fixture
def root(tmp_path: Path) -> str:
    os.makedirs(wal_folder(str(tmp_path)))
    return str(tmp_path)


def writer(root: str, *faults: Fault, **options: object) -> tuple[WalWriter, FaultyFiles]:
    files = FaultyFiles(OS, faults)
    given: dict[str, object] = {"start": 0, "end": 0, "salt": SALT, "segment_bytes": 100, **options}
    return WalWriter(root, files=files, **given), files  # type: ignore[arg-type]


def content(root: str, start: int = 0) -> bytes:
    return (Path(wal_folder(root)) / segment_name(start)).read_bytes()


def segments(root: str) -> list[str]:
    return sorted(os.listdir(wal_folder(root)))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_what_is_appended_stands_at_the_end(root: str) -> None:
    log, _ = writer(root)
    assert (log.end, log.segment_start, log.room, log.broken) == (0, 0, 0, None)
    log.append(b"first")
    assert log.end == 5
    log.append(b"second")
    assert (log.end, content(root)) == (11, b"firstsecond")
    log.close()
    log.close()
    with pytest.raises(OSError):
        os.fstat(log._fd)  # type: ignore[attr-defined]


def test_appending_goes_on_in_a_segment_that_does_not_begin_at_0(root: str) -> None:
    (Path(wal_folder(root)) / segment_name(40)).write_bytes(b"there")
    log, _ = writer(root, start=40, end=45)
    log.append(b"more")
    assert (log.end, content(root, 40)) == (49, b"theremore")
    assert log.syncing.synced == 45
    log.close()


@pytest.mark.parametrize("short", [1, 2, 4])
def test_short_writes_are_gone_on_with(root: str, short: int) -> None:
    log, files = writer(root, Fault("pwrite", 2, short=short, lasting=True))
    log.append(b"before")
    log.append(b"abcdefg")
    assert (log.end, content(root)) == (13, b"beforeabcdefg")
    assert files.counts["pwrite"] == 1 + -(-7 // short)
    log.close()


@pytest.mark.parametrize("nth", [1, 2])
def test_an_interrupted_write_is_made_again(root: str, nth: int) -> None:
    log, _ = writer(root, Fault("pwrite", nth, error=errno.EINTR), Fault("pwrite", 1, short=3))
    log.append(b"abcdefg")
    assert (log.end, content(root)) == (7, b"abcdefg")
    log.close()


@pytest.mark.parametrize("second", [Fault("pwrite", 3, error=errno.ENOSPC), Fault("pwrite", 3, short=0)])
def test_a_write_that_fails_leaves_nothing_and_the_next_may_succeed(root: str, second: Fault) -> None:
    log, _ = writer(root, Fault("pwrite", 2, short=3), second)
    log.append(b"before")
    with pytest.raises(DurabilityError) as caught:
        log.append(b"abcdefg")
    assert caught.value.committed is False
    assert caught.value.path is not None and caught.value.path.endswith(segment_name(0))
    assert (log.end, log.broken, content(root)) == (6, None, b"before")
    log.append(b"after")
    assert (log.end, content(root)) == (11, b"beforeafter")
    log.close()


def test_a_beginning_that_cannot_be_taken_away_is_followed_by_an_abort(root: str) -> None:
    faults = (
        Fault("pwrite", 2, short=3),
        Fault("pwrite", 3, error=errno.EIO),
        Fault("ftruncate", 1, error=errno.EIO),
    )
    log, _ = writer(root, *faults)
    log.append(b"before")
    with pytest.raises(DurabilityError) as caught:
        log.append(b"abcdefg")
    assert caught.value.committed is False
    assert log.broken is not None and segment_name(0) in log.broken
    assert log.end == 6
    data = content(root)
    assert data[:9] == b"beforeabc"
    entry = decode_entry(data, 9, len(data), 9)
    assert isinstance(entry, WalEntry) and entry.entry_type == TRANSACTION_ABORT
    assert split_tx_id(entry.tx_id) == (0, SALT)
    assert decode_abort(entry.payload) == AbortMarker(os.strerror(errno.EIO))
    assert len(data) == 9 + 26 + len(entry.payload)
    log.close()


@pytest.mark.parametrize("also", [Fault("fstat", 1, error=errno.EIO), Fault("pwrite", 3, error=errno.EIO)])
def test_where_not_even_the_abort_can_be_written_the_log_is_broken(root: str, also: Fault) -> None:
    log, _ = writer(
        root,
        Fault("pwrite", 1, short=3),
        Fault("pwrite", 2, error=errno.EIO),
        Fault("ftruncate", error=errno.EIO),
        also,
    )
    with pytest.raises(DurabilityError):
        log.append(b"abcdefg")
    assert log.broken is not None
    assert content(root) == b"abc"
    log.close()


@pytest.mark.parametrize(("size", "goes_on"), [(39, False), (40, True), (41, True), (1000, True)])
def test_a_segment_that_would_be_full_is_left(root: str, size: int, goes_on: bool) -> None:
    log, files = writer(root)
    log.make_room(1000)  # an empty one is never left
    assert (log.segment_start, log.room, segments(root)) == (0, 100, [segment_name(0)])
    log.append(b"x" * 60)
    log.make_room(size)
    assert log.segment_start == (60 if goes_on else 0)
    assert log.room == (160 if goes_on else 100)
    assert segments(root) == [segment_name(0), segment_name(60)][: 1 + goes_on]
    # The full one is synced before the next is there.
    assert (log.syncing.synced, files.counts.get("fdatasync", 0)) == ((60, 1) if goes_on else (0, 0))
    log.append(b"y")
    assert content(root, log.segment_start).endswith(b"y")
    log.close()


def test_the_old_segment_is_closed_and_nothing_leaks(root: str) -> None:
    before = descriptors()
    log, _ = writer(root)
    for _ in range(5):
        log.append(b"x" * 60)
        log.make_room(60)
    assert descriptors() <= before + 1
    log.close()
    assert descriptors() == before


@pytest.mark.parametrize("call", ["open", "fsync_dir"])
def test_after_a_rotation_that_failed_nothing_more_goes_into_the_full_segment(root: str, call: str) -> None:
    log, _ = writer(root, Fault(call, 2, error=errno.ENOSPC))
    before = descriptors()
    log.make_room(60)
    log.append(b"x" * 60)
    with pytest.raises(DurabilityError):
        log.make_room(60)
    assert (log.segment_start, log.room, log.end, log.broken) == (0, 0, 60, None)
    assert descriptors() == before
    log.make_room(1)  # small enough for the old one, which may have a successor by now
    assert (log.segment_start, log.room) == (60, 160)
    log.append(b"y")
    assert (content(root), content(root, 60)) == (b"x" * 60, b"y")
    log.make_room(1)
    assert log.segment_start == 60
    log.close()


def test_a_rotation_whose_sync_fails_makes_no_segment(root: str) -> None:
    log, _ = writer(root, Fault("fdatasync", error=errno.EIO))
    log.append(b"x" * 60)
    with pytest.raises(DurabilityError) as caught:
        log.make_room(60)
    assert caught.value.committed is None
    assert (log.segment_start, segments(root)) == (0, [segment_name(0)])
    assert log.broken is not None and segment_name(0) in log.broken
    log.close()


def test_what_must_go_before_the_first_append_goes_once(root: str) -> None:
    called: list[int] = []

    def before() -> None:
        called.append(1)
        if len(called) == 1:
            raise PermissionError(errno.EACCES, "no")

    log, _ = writer(root, before_first=before)
    with pytest.raises(DurabilityError, match="clean close"):
        log.make_room(1)
    assert log.room == 0
    log.make_room(1)
    log.make_room(1)
    assert (len(called), log.room) == (2, 100)
    log.close()


@pytest.mark.parametrize(("there", "whole"), [(0, False), (6, False), (7, True), (8, True)])
def test_after_an_interrupt_the_file_says_whether_it_was_written(root: str, there: int, whole: bool) -> None:
    log, _ = writer(root)
    log.append(b"before")
    (Path(wal_folder(root)) / segment_name(0)).write_bytes(b"before" + b"x" * there)
    assert log.settle(6, 7, 2) is whole
    assert log.end == (13 if whole else 6)
    assert content(root) == b"before" + b"x" * (there if whole else 0)
    log.close()


def test_settling_in_a_later_segment_and_where_the_cut_fails(root: str) -> None:
    log, _ = writer(
        root,
        Fault("ftruncate", 1, error=errno.EINTR),
        Fault("ftruncate", 3, error=errno.EIO),
        start=40,
        end=40,
    )
    log.append(b"abc")
    assert log.settle(40, 3, 1) is True
    log.append(b"def")
    assert log.settle(43, 4, 2) is False  # an interrupted cut is made again
    assert (content(root, 40), log.broken) == (b"abc", None)
    log.append(b"ghi")
    with pytest.raises(DurabilityError):
        log.settle(43, 4, 2)
    assert log.broken is not None
    log.close()


def test_going_on_where_others_got_to(root: str) -> None:
    before = descriptors()
    log, files = writer(root)
    log.append(b"ours")
    log.make_room(1)
    (Path(wal_folder(root)) / segment_name(0)).write_bytes(b"ours and theirs, half")
    log.move(0, 15)
    assert (log.end, log.segment_start, log.room, content(root)) == (15, 0, 100, b"ours and theirs")
    log.move(0, 15)
    assert files.counts["ftruncate"] == 1
    (Path(wal_folder(root)) / segment_name(15)).write_bytes(b"next")
    log.move(15, 19)
    assert (log.end, log.segment_start, log.room) == (19, 15, 0)
    log.append(b"!")
    assert (content(root), content(root, 15)) == (b"ours and theirs", b"next!")
    (Path(wal_folder(root)) / segment_name(15)).write_bytes(b"next! half")
    log.move(15, 20)
    assert (log.end, content(root, 15)) == (20, b"next!")
    assert descriptors() <= before + 1
    log.close()


def test_after_a_failed_rotation_the_segment_of_another_process_is_open_again(root: str) -> None:
    log, _ = writer(root, Fault("open", 2, error=errno.EMFILE))
    log.append(b"x" * 60)
    with pytest.raises(DurabilityError):
        log.rotate()
    (Path(wal_folder(root)) / segment_name(60)).write_bytes(b"y")
    log.move(60, 61)
    log.make_room(1)
    assert (log.segment_start, segments(root)) == (60, [segment_name(0), segment_name(60)])
    log.close()


@pytest.mark.parametrize("call", ["fstat", "ftruncate"])
def test_a_tail_of_others_that_cannot_be_cut_breaks_the_log(root: str, call: str) -> None:
    log, _ = writer(root, Fault(call, 1, error=errno.EIO))
    (Path(wal_folder(root)) / segment_name(0)).write_bytes(b"half")
    with pytest.raises(DurabilityError):
        log.move(0, 0)
    assert log.broken is not None
    log.close()


def test_a_sync_covers_what_was_written_and_interrupts_do_not_matter(root: str) -> None:
    log, files = writer(root, Fault("fdatasync", 1, error=errno.EINTR))
    told: list[int] = []
    log.append(b"abc")
    log.sync_through(3)
    assert (log.syncing.synced, files.counts["fdatasync"], told) == (3, 2, [])
    log.on_durable = told.append
    log.append(b"def")
    log.sync_through(4)
    assert (log.syncing.synced, files.counts["fdatasync"]) == (6, 3)
    assert told == [6]
    log.sync_through(6)
    assert (files.counts["fdatasync"], told) == (3, [6, 6])
    log.close()


def test_a_sync_that_failed_is_told_to_everyone_and_not_made_again(root: str) -> None:
    log, files = writer(root, Fault("fdatasync", 1, error=errno.EIO))
    failed: list[int] = []
    log.syncing.on_failure = lambda: failed.append(1)
    log.append(b"abc")
    for _ in range(3):
        with pytest.raises(DurabilityError) as caught:
            log.sync_through(3)
        assert caught.value.committed is None and os.strerror(errno.EIO) in caught.value.message
    assert (files.counts["fdatasync"], failed, log.syncing.synced) == (1, [1], 0)
    log.close()


def test_a_segment_that_cannot_be_made_is_said(root: str) -> None:
    before = descriptors()
    for call in ("open", "fsync_dir"):
        with pytest.raises(DurabilityError) as caught:
            writer(root, Fault(call, 1, error=errno.EACCES))
        assert caught.value.path is not None and caught.value.path.endswith(segment_name(0))
    assert descriptors() == before
    log, _ = writer(root, Fault("open", 1, error=errno.EINTR))
    log.close()


def test_a_link_in_the_place_of_a_segment_is_not_written_through(root: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"untouched")
    os.symlink(tmp_path / "elsewhere", Path(wal_folder(root)) / segment_name(0))
    with pytest.raises(DurabilityError):
        writer(root)
    assert (tmp_path / "elsewhere").read_bytes() == b"untouched"
