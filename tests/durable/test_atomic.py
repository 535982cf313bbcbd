"""Replacing, creating and removing files on the real file system."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstate.durable import (
    ANYTHING,
    atomic_replace,
    create_exclusive,
    ensure_folder,
    identity_of,
    read_bounded,
    remove_durably,
)
from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.durable.simulated import SimulatedFiles
from devstate.errors import PlanStale, StorageFault
from python_child import run_python


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    code = """
import os, sys
from devstate.durable import atomic_replace, create_exclusive
os.umask(0o027)
atomic_replace(sys.argv[1] + "/a", b"1")
create_exclusive(sys.argv[1] + "/b", b"2")
"""
    run_python(code, str(tmp_path))
    assert (_mode(tmp_path / "a"), _mode(tmp_path / "b")) == (0o640, 0o640)


def test_mode_of_the_replaced_file_stays_or_is_the_one_given(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    path.chmod(0o604)
    atomic_replace(path, b"new")
    assert (_mode(path), path.read_bytes()) == (0o604, b"new")
    atomic_replace(path, b"newer", mode=0o600)
    assert _mode(path) == 0o600


def test_temporary_file_of_a_private_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    path.chmod(0o600)
    seen: list[int] = []

    def look() -> None:
        seen.extend(_mode(other) for other in tmp_path.glob(".*.tmp"))

    atomic_replace(path, b"new", files=FaultyFiles(OS, [Fault("write", before=look)]))
    assert seen == [0o600]


def test_parts_are_joined_and_a_failing_source_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    atomic_replace(path, (part for part in (b"a", b"", b"bc")))
    assert path.read_bytes() == b"abc"

    def broken() -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError("source failed")

    with pytest.raises(RuntimeError, match="source failed"):
        atomic_replace(path, broken())
    assert (os.listdir(tmp_path), path.read_bytes()) == (["state.json"], b"abc")


def test_expected_identity_and_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    snapshot = read_bounded(path)
    atomic_replace(path, b"new", expect=snapshot.identity)
    for seen in (snapshot, snapshot.identity):
        with pytest.raises(PlanStale) as caught:
            atomic_replace(path, b"bad", expect=seen)
        assert caught.value.remedy
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"new", ["state.json"])


def test_expected_snapshot_compares_bytes_where_times_and_size_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    snapshot = read_bounded(path)
    path.write_bytes(b"OLD")
    os.utime(path, ns=(snapshot.identity.mtime_ns, snapshot.identity.mtime_ns))
    with pytest.raises(PlanStale, match="content"):
        atomic_replace(path, b"new", expect=snapshot)
    os.utime(path)
    path.write_bytes(b"old")
    atomic_replace(path, b"new", expect=snapshot)  # touched, but the same bytes
    assert path.read_bytes() == b"new"


def test_expected_file_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    snapshot = read_bounded(path)
    path.unlink()
    with pytest.raises(PlanStale, match="removed"):
        atomic_replace(path, b"new", expect=snapshot)
    assert os.listdir(tmp_path) == []


def test_a_change_between_writing_and_renaming_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    files = FaultyFiles(OS, [Fault("fsync", before=lambda: path.write_bytes(b"theirs") and None)])
    with pytest.raises(PlanStale):
        atomic_replace(path, b"new", expect=read_bounded(path), files=files)
    assert path.read_bytes() == b"theirs"


def test_only_one_creator_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    create_exclusive(path, b"first")
    for create in (
        lambda: create_exclusive(path, b"second"),
        lambda: atomic_replace(path, b"second", expect=None),
    ):
        with pytest.raises(PlanStale, match="already"):
            create()
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"first", ["state.json"])


def test_creating_works_where_the_file_system_has_no_hard_links(tmp_path: Path) -> None:
    import errno

    path = tmp_path / "state.json"
    files = FaultyFiles(OS, [Fault("link", error=errno.EPERM, lasting=True)])
    create_exclusive(path, b"first", files=files)
    with pytest.raises(PlanStale, match="already"):
        create_exclusive(path, b"second", files=files)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"first", ["state.json"])


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("target")
    os.mkfifo(tmp_path / "fifo")
    for name in ("folder", "link", "fifo"):
        with pytest.raises(StorageFault) as caught:
            atomic_replace(tmp_path / name, b"x")
        assert caught.value.path == str(tmp_path / name)
        assert caught.value.remedy
    assert sorted(os.listdir(tmp_path)) == ["fifo", "folder", "link"]
    assert (tmp_path / "link").is_symlink()


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageFault, match="ENOENT") as caught:
        atomic_replace(tmp_path / "none" / "state.json", b"x")
    assert "folder" in caught.value.remedy


def test_the_longest_name_works(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127 + "x")
    atomic_replace(path, b"x")
    assert path.read_bytes() == b"x"


def test_root_keeps_the_owner(tmp_path: Path) -> None:
    """Root replaces a user's file; the simulated layer shows it on every machine, whoever runs the tests."""
    files = SimulatedFiles()
    files.put("/w/state.json", b"old")
    fd = files.open("/w/state.json", os.O_RDWR)
    files.fchown(fd, 1000, 1001)
    atomic_replace("/w/state.json", b"new", files=files)
    found = files.stat("/w/state.json")
    assert (found.st_uid, found.st_gid) == (1000, 1001)


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    assert ensure_folder(deep) == tuple(str(tmp_path / part) for part in ("a", "a/b", "a/b/c"))
    assert deep.is_dir()
    assert ensure_folder(deep) == ()


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(StorageFault, match="ENOTDIR"):
            ensure_folder(path)


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ensure_folder("a/b") == ("a", "a/b")
    atomic_replace("state.json", b"x")
    assert read_bounded("state.json").data == b"x"
    assert remove_durably("state.json")


def test_removal_says_whether_there_was_anything(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert remove_durably(tmp_path / "x")
    assert identity_of(tmp_path / "x") is None
    assert not remove_durably(tmp_path / "x")
    with pytest.raises(StorageFault):
        remove_durably(tmp_path)


def test_a_read_only_folder_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "state.json").write_bytes(b"old")
    folder.chmod(0o555)
    code = """
import os, sys
from devstate.durable import atomic_replace
from devstate.errors import StorageFault
os.chdir(sys.argv[1])
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    atomic_replace("state.json", b"new")
except StorageFault as error:
    print(error.message, "|", error.remedy)
"""
    printed = run_python(code, str(folder))
    folder.chmod(0o755)
    assert "EACCES" in printed
    assert "write permission" in printed
    assert (folder / "state.json").read_bytes() == b"old"


def test_the_default_says_what_it_is() -> None:
    assert repr(ANYTHING) == "ANYTHING"
