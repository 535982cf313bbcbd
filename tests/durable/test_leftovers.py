"""Temporary files of interrupted writes are found, removed and set aside, and nothing else is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstate.durable import atomic_replace, find_leftovers, remove_leftover, set_aside
from devstate.durable.atomic import temporary_name
from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.errors import InputUnreadable, PlanStale


def test_ours_and_others(tmp_path: Path) -> None:
    ours = Path(temporary_name(str(tmp_path / "state.json"), "999999999-0123456789ab"))
    ours.write_bytes(b"half")
    for name in ("history.json.tmp", "state.json", ".lock", "tmp", "x.tmp.json"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.tmp").mkdir()
    (tmp_path / "link.tmp").symlink_to("state.json")
    found = find_leftovers(tmp_path)
    assert [(left.document, left.ours, left.pid, left.alive) for left in found] == [
        ("state.json", True, 999999999, False),
        ("history.json", False, None, False),
    ]
    assert found[0].identity.size == 4
    assert sorted(os.listdir(tmp_path)) == sorted(
        [ours.name, "history.json.tmp", "state.json", ".lock", "tmp", "x.tmp.json", "folder.tmp", "link.tmp"]
    )


def test_a_write_in_progress_is_told_apart(tmp_path: Path) -> None:
    seen: list[bool] = []
    look = Fault("write", before=lambda: seen.extend(left.alive for left in find_leftovers(tmp_path)))
    atomic_replace(tmp_path / "state.json", b"x", files=FaultyFiles(OS, [look]))
    assert seen == [True]
    assert find_leftovers(tmp_path) == ()


def test_no_folder_no_leftovers(tmp_path: Path) -> None:
    assert find_leftovers(tmp_path / "none") == ()
    (tmp_path / "file").touch()
    with pytest.raises(InputUnreadable):
        find_leftovers(tmp_path / "file")


def test_removing(tmp_path: Path) -> None:
    (tmp_path / "state.json.tmp").write_bytes(b"half")
    (left,) = find_leftovers(tmp_path)
    assert remove_leftover(left)
    assert os.listdir(tmp_path) == []
    assert not remove_leftover(left)
    assert set_aside(left, tmp_path / "aside") is None


def test_setting_aside_keeps_what_is_there(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        (tmp_path / "state.json.tmp").write_bytes(content)
        (left,) = find_leftovers(tmp_path)
        new = set_aside(left, tmp_path / "aside")
        assert new is not None
        assert Path(new).read_bytes() == content
    assert len(os.listdir(tmp_path / "aside")) == 2
    assert (tmp_path / "aside" / "state.json.tmp").read_bytes() == b"first"


def test_one_that_changed_since_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json.tmp"
    path.write_bytes(b"half")
    (left,) = find_leftovers(tmp_path)
    path.write_bytes(b"whole now")
    with pytest.raises(PlanStale):
        remove_leftover(left)
    with pytest.raises(PlanStale):
        set_aside(left, tmp_path / "aside")
    assert path.read_bytes() == b"whole now"
