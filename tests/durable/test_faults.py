"""Every call of a write fails once: the old content stands, nothing is left, and the error says why."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devstate.durable import (
    atomic_replace,
    create_exclusive,
    ensure_folder,
    find_leftovers,
    read_bounded,
    remove_durably,
)
from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.errors import DevStateError, InputUnreadable, StorageFault

OLD = b"old" * 100
NEW = b"new" * 5000


def _replace(path: Path, files: FaultyFiles) -> None:
    atomic_replace(path, [NEW[:7], NEW[7:]], files=files)


def _replace_expected(path: Path, files: FaultyFiles) -> None:
    atomic_replace(path, NEW, expect=read_bounded(path), files=files)


def _create(path: Path, files: FaultyFiles) -> None:
    create_exclusive(path.with_name("created"), NEW, files=files)


class NamedCalls(FaultyFiles):
    """Knows the names of the calls, in order."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(OS, faults)
        self.names: list[str] = []

    def _enter(self, name: str, path: str = "") -> int | None:
        self.names.append(name)
        return super()._enter(name, path)


def _calls(work: Callable[[Path, FaultyFiles], None], path: Path) -> int:
    files = FaultyFiles(OS)
    work(path, files)
    return files.counts["*"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("work", [_replace, _replace_expected, _create])
def test_each_failing_call(tmp_path: Path, work: Callable[[Path, FaultyFiles], None], number: int) -> None:
    (tmp_path / "rehearsal").mkdir()
    rehearsal = tmp_path / "rehearsal" / "state.json"
    rehearsal.write_bytes(OLD)
    calls = _calls(work, rehearsal)
    assert calls >= 8
    for k in range(1, calls + 1):
        folder = tmp_path / str(k)
        folder.mkdir()
        path = folder / "state.json"
        path.write_bytes(OLD)
        target = folder / "created" if work is _create else path
        before = target.read_bytes() if target.exists() else None
        files = NamedCalls(Fault("*", k, error=number))
        descriptors = len(os.listdir("/dev/fd"))
        try:
            work(path, files)
        except StorageFault as error:
            assert errno.errorcode[number] in error.message
            assert str(target) in error.message
            assert error.remedy
            in_place = "the new content is in place" in error.message
        except InputUnreadable:  # the read that compares the target with what was expected
            assert work is _replace_expected
            in_place = False
        else:
            # Only the removal of the temporary name may fail in silence: it is a leftover then; and the close of
            # what was only read, the target that is compared with what was expected.
            assert (work, files.names[k - 1]) in [(_create, "unlink"), (_replace_expected, "close")]
            in_place = True
            assert bool(find_leftovers(folder)) == (work is _create)
        assert len(os.listdir("/dev/fd")) == descriptors
        after = target.read_bytes() if target.exists() else None
        assert after == (NEW if in_place else before)
        left = {name for name in os.listdir(folder) if name not in ("state.json", "created")}
        assert left == {os.path.basename(found.path) for found in find_leftovers(folder)}
        if work is not _create:
            assert not left


def test_a_device_that_stays_full(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(OLD)
    files = FaultyFiles(OS, [Fault("write", 2, error=errno.ENOSPC, lasting=True)])
    with pytest.raises(StorageFault, match="ENOSPC") as caught:
        _replace(path, files)
    assert "space" in caught.value.remedy
    assert (os.listdir(tmp_path), path.read_bytes()) == (["state.json"], OLD)


def test_a_temporary_file_that_cannot_be_removed_is_found(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(OLD)
    files = FaultyFiles(OS, [Fault("replace", error=errno.EIO), Fault("unlink", error=errno.EIO)])
    with pytest.raises(StorageFault):
        _replace(path, files)
    (left,) = find_leftovers(tmp_path)
    assert (left.document, left.pid, path.read_bytes()) == ("state.json", os.getpid(), OLD)


@pytest.mark.parametrize("short", [1, 5, 4096])
def test_short_writes_are_finished(tmp_path: Path, short: int) -> None:
    path = tmp_path / "state.json"
    faults = [Fault("write", 1, short=short, lasting=True), Fault("write", 2, error=errno.EINTR)]
    files = FaultyFiles(OS, faults)
    atomic_replace(path, NEW, files=files)
    assert path.read_bytes() == NEW
    assert files.counts["write"] > 3


def test_a_write_that_moves_nothing_does_not_hang(tmp_path: Path) -> None:
    files = FaultyFiles(OS, [Fault("write", 1, short=0, lasting=True)])
    with pytest.raises(StorageFault, match="EIO"):
        atomic_replace(tmp_path / "state.json", NEW, files=files)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("call", ["open", "fsync", "fsync_dir", "close"])
def test_interrupted_calls_are_made_again(tmp_path: Path, call: str) -> None:
    path = tmp_path / "state.json"
    files = FaultyFiles(OS, [Fault(call, 1, error=errno.EINTR)])
    atomic_replace(path, NEW, files=files)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (NEW, ["state.json"])
    assert files.fired


@pytest.mark.parametrize(
    "number",
    [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EMFILE, errno.ENAMETOOLONG, errno.EIO],
)
def test_each_reason_has_a_remedy(tmp_path: Path, number: int) -> None:
    for work in (
        lambda files: atomic_replace(tmp_path / "x", b"", files=files),
        lambda files: ensure_folder(tmp_path / "folder", files=files),
        lambda files: remove_durably(tmp_path / "x", files=files),
    ):
        with pytest.raises(DevStateError, match=errno.errorcode[number]) as caught:
            work(FaultyFiles(OS, [Fault("*", 1, error=number)]))
        assert caught.value.remedy
        assert caught.value.path
