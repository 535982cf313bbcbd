"""Files of a database that are no files: what the error says, and what it says to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devstate.engine import Database
from devstate.engine.builtin import builtin_registry
from devstate.engine.checking import check
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


def test_a_snapshot_that_the_log_does_not_reach_is_not_to_be_moved_away(root: Path) -> None:
    with Database.open(root) as database:
        database.snapshot()
    for segment in (root / "wal").iterdir():
        segment.unlink()
    (found,) = [one for one in check(str(root), registry=builtin_registry()) if one.code == "STATE_MISMATCH"]
    assert "keep the snapshot" in found.remedy.lower()
