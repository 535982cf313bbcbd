"""Files of a database that are no files: what the error says, and what it says to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devstate.engine import Database, RecoveryOptions
from devstate.engine.builtin import builtin_registry
from devstate.engine.checking import check
from devstate.engine.snapshotting import SnapshotPolicy
from devstate.errors import InputUnreadable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with Database.open(tmp_path / "db") as database, database.run() as run:
        run.kv.put("k", "v")
    return tmp_path / "db"


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize("name", ["META", "CLEAN"])
@pytest.mark.parametrize(("made", "said"), [(make_folder, "is a folder"), (make_link, "is a symbolic link")])
@pytest.mark.parametrize("read_only", [True, False])
def test_what_stands_there_is_named(
    name: str, made: Callable[[Path], None], said: str, read_only: bool, root: Path
) -> None:
    (root / name).unlink()
    made(root / name)
    with pytest.raises(InputUnreadable) as caught:
        Database.open(root, read_only=read_only)
    assert caught.value.path == str(root / name)
    assert said in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize(("made", "said"), [(make_folder, "is a folder"), (make_link, "is a symbolic link")])
def test_a_segment_that_is_none_is_named_by_a_writer(
    made: Callable[[Path], None], said: str, root: Path
) -> None:
    with Database.open(root) as database:
        database.snapshot()
    segment = max((root / "wal").iterdir())
    segment.unlink()
    (root / "CLEAN").unlink()
    made(segment)
    with pytest.raises(InputUnreadable) as caught:
        Database.open(root, shared=True).begin_run()
    assert said in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize(("made", "said"), [(make_folder, "is a folder"), (make_link, "is a symbolic link")])
@pytest.mark.parametrize("further", [0, 100], ids=["at the end", "behind it"])
def test_where_the_log_goes_on_stands_no_file(
    made: Callable[[Path], None], said: str, further: int, root: Path
) -> None:
    (root / "CLEAN").unlink()
    (segment,) = (root / "wal").iterdir()
    other = segment.with_name(f"{segment.stat().st_size + further:020d}.wal")
    made(other)
    (finding,) = check(str(root), registry=builtin_registry())
    assert finding.code == "INPUT_UNREADABLE" and said in finding.message and finding.remedy
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for options in (RecoveryOptions(), RecoveryOptions(on_corruption="prefix")):
        for shared in (False, True):
            with pytest.raises(InputUnreadable) as caught:
                Database.open(root, recovery=options, shared=shared)
            assert said in str(caught.value) and caught.value.path == str(other)
    kept = {path: path.read_bytes() for path in before}
    assert kept == before
    if further:
        with Database.open(root, read_only=True) as database:
            assert len(database.list_runs()) == 1
    else:  # what comes next there cannot be read: no answer may leave it out
        with Database.open(root, read_only=True) as database, pytest.raises(InputUnreadable, match=said):
            database.list_runs()


def test_a_folder_under_the_name_of_an_older_segment_is_in_nobodys_way(root: Path) -> None:
    make_folder(root / "wal" / f"{1:020d}.wal")
    (finding,) = check(str(root), registry=builtin_registry())
    assert finding.code == "STORE_LEFTOVER"
    with Database.open(root) as database:
        database.begin_run()


def test_a_snapshot_that_the_log_does_not_reach_is_not_to_be_moved_away(root: Path) -> None:
    with Database.open(root) as database:
        database.snapshot()
    for segment in (root / "wal").iterdir():
        segment.unlink()
    (found,) = [one for one in check(str(root), registry=builtin_registry()) if one.code == "STATE_MISMATCH"]
    assert "keep the snapshot" in found.remedy.lower()


def make_full_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("x")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_looping_link(path: Path) -> None:
    path.symlink_to(path)


NO_FILES = {
    "folder": make_folder,
    "folder with something in it": make_full_folder,
    "link": make_link,
    "link to itself": make_looping_link,
    "pipe": make_pipe,
}


@pytest.mark.parametrize("made", NO_FILES.values(), ids=NO_FILES)
@pytest.mark.parametrize("newest", [True, False], ids=["newest", "oldest"])
def test_what_is_no_file_under_the_name_of_a_snapshot_is_passed_over(
    made: Callable[[Path], None], newest: bool, root: Path
) -> None:
    for number in range(2):
        with Database.open(root) as database:
            database.begin_run(name=f"run {number}")
            database.snapshot()
    place = sorted((root / "snapshots").iterdir())[-1 if newest else 0]
    place.unlink()
    made(place)
    (finding,) = [
        one for one in check(str(root), registry=builtin_registry()) if one.code == "SNAPSHOT_CORRUPT"
    ]
    assert finding.where.file == f"snapshots/{place.name}"
    with Database.open(root, read_only=True) as database:
        assert [path for path, _ in database.recovery.snapshots_rejected] == [str(place)]
    for again in range(2):  # the second time there is one set aside under that name
        with Database.open(root) as database:
            assert [path for path, _ in database.recovery.snapshots_rejected] == [str(place)]
            assert len(database.list_runs()) == 3 + again
            database.begin_run()
        assert not os.path.lexists(place)
        made(place)


def test_a_folder_that_comes_between_the_snapshots_stops_no_other(root: Path) -> None:
    with Database.open(root, snapshots=SnapshotPolicy(keep=1)) as database:
        for number in range(3):
            make_full_folder(root / "snapshots" / f"snapshot_{number:020d}.dat")
            database.begin_run(name=f"run {number}")
            taken = database.snapshot()
        sound = [path for path in (root / "snapshots").iterdir() if path.is_file()]
        assert [str(path) for path in sound] == [taken.path]
