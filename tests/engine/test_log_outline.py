"""What names, sizes and first entries tell of the log below a snapshot: nothing of a sound one, each fault by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from devstate.engine import Database
from devstate.engine.inspection import look_at
from devstate.engine.log_outline import outline_faults


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four segments in history or more, and the log behind a snapshot."""
    with Database.open(tmp_path / "db", segment_bytes=1024) as database, database.run(name="long") as run:
        for number in range(60):
            run.kv.put(f"key {number}", "x" * 40)
        run.kv.put("large", "y" * 9000)  # a first entry that is longer than the look at it
        database.snapshot()
        run.kv.put("later", 1)
        database.snapshot()
        run.kv.put("latest", 2)
    assert len(history(tmp_path / "db")) > 4
    return tmp_path / "db"


def history(root: Path) -> list[Path]:
    return sorted((root / "history").glob("*.wal"))


def faults(root: Path) -> list[tuple[str, str, int]]:
    look = look_at(str(root))
    with Database.open(root, read_only=True) as database:
        through = database.recovery.wal_replay_from_offset
    assert through
    found = outline_faults(str(root), look.segments, through, salt=look.salt)
    return [(fault.reason, Path(fault.segment).name, fault.offset) for fault in found]


def test_a_sound_log_has_no_fault(root: Path) -> None:
    assert faults(root) == []


def emptied(files: list[Path]) -> tuple[str, str, int]:
    files[0].write_bytes(b"")
    return ("missing", files[0].name, 0)


def cut(files: list[Path]) -> tuple[str, str, int]:
    data = files[1].read_bytes()[:-7]
    files[1].write_bytes(data)
    return ("missing", files[1].name, len(data))


def removed(files: list[Path]) -> tuple[str, str, int]:
    files[2].unlink()
    return ("missing", files[1].name, files[1].stat().st_size)


def longer(files: list[Path]) -> tuple[str, str, int]:
    size = files[1].stat().st_size
    files[1].write_bytes(files[1].read_bytes() + b"more")
    return ("overlap", files[1].name, size)


def zeroed(files: list[Path]) -> tuple[str, str, int]:
    files[1].write_bytes(bytes(files[1].stat().st_size))
    return ("zeros", files[1].name, 0)


def flipped(files: list[Path]) -> tuple[str, str, int]:
    data = bytearray(files[1].read_bytes())
    data[30] ^= 1
    files[1].write_bytes(data)
    return ("checksum", files[1].name, 0)


def of_another(files: list[Path]) -> tuple[str, str, int]:
    data = bytearray(files[-1].read_bytes())
    data[14:22] = b"ANOTHER!"
    files[-1].write_bytes(data)
    return ("foreign", files[-1].name, 0)


@pytest.mark.parametrize("harm", [emptied, cut, removed, longer, zeroed, flipped, of_another])
def test_each_fault_is_named_with_its_place(
    harm: Callable[[list[Path]], tuple[str, str, int]], root: Path
) -> None:
    named = harm(history(root))
    assert faults(root) == [named]


def test_history_that_was_let_go_is_no_fault(tmp_path: Path) -> None:
    with Database.open(tmp_path, segment_bytes=1024, history="off") as database, database.run() as run:
        for number in range(60):
            run.kv.put(f"key {number}", "x" * 40)
            if number % 20 == 19:
                database.snapshot()
    assert look_at(str(tmp_path)).segments[0].start > 0
    assert faults(tmp_path) == []


def test_a_snapshot_without_any_log_misses_all_of_it(root: Path) -> None:
    shutil.rmtree(root / "wal")
    shutil.rmtree(root / "history")
    look = look_at(str(root))
    (fault,) = outline_faults(str(root), look.segments, look.snapshots[0].wal_offset)
    assert (fault.reason, fault.lsn) == ("missing", 0)


def test_a_log_that_ends_before_the_snapshot_misses_the_rest(root: Path) -> None:
    through = look_at(str(root)).snapshots[0].wal_offset
    for live in (root / "wal").glob("*.wal"):
        live.unlink()
    look = look_at(str(root))
    (fault,) = outline_faults(str(root), look.segments, through)
    assert (fault.reason, fault.lsn) == ("missing", look.segments[-1].end)
