"""Reading is bounded, refuses what is no regular file, and notices a change in mid-read."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from devstate.durable import StableFile, identity_of, kind_of, list_folder, read_bounded
from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.errors import ChangedDuringRead, InputMissing, InputUnreadable, LimitExceeded
from python_child import run_python


def test_snapshot_is_the_content_and_the_identity(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"{}\n")
    snapshot = read_bounded(path)
    assert snapshot.data == b"{}\n"
    assert snapshot.identity == identity_of(path)
    assert snapshot.identity.size == 3


def test_empty_file_is_an_empty_snapshot(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert read_bounded(tmp_path / "empty").data == b""


def test_missing_file(tmp_path: Path) -> None:
    for name in ("none", "none/below"):
        with pytest.raises(InputMissing) as caught:
            read_bounded(tmp_path / name)
        assert caught.value.path == str(tmp_path / name)
        assert caught.value.remedy


def test_a_file_where_a_folder_is_needed_is_missing_input(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputMissing):
        read_bounded(tmp_path / "file" / "state.json")
    with pytest.raises(InputUnreadable, match="not a folder"):
        list_folder(tmp_path / "file")


def _make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: os.mkfifo(path), "FIFO"),
        (_make_socket, "socket"),
        (lambda path: path.symlink_to("/etc/passwd"), "symbolic link"),
        (lambda path: path.symlink_to("nowhere"), "symbolic link"),
    ],
    ids=["folder", "fifo", "socket", "symlink", "dangling"],
)
def test_what_is_no_regular_file_is_refused(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(InputUnreadable, match=words) as caught:
        read_bounded(path)
    assert caught.value.remedy


def test_devices_are_refused() -> None:
    with pytest.raises(InputUnreadable, match="device"):
        read_bounded("/dev/zero")


def test_impossible_paths_are_refused(tmp_path: Path) -> None:
    for path in (f"{tmp_path}/a\0b", f"{tmp_path}/\ud800"):
        with pytest.raises(InputUnreadable, match="not a possible path"):
            read_bounded(path)
        with pytest.raises(InputUnreadable):
            kind_of(path)


def test_a_file_without_permission(tmp_path: Path) -> None:
    """A user that is not root meets a private file and a private folder."""
    path = tmp_path / "private"
    path.write_bytes(b"x")
    path.chmod(0o000)
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "state.json").write_bytes(b"x")
    closed.chmod(0o000)
    os.chmod(tmp_path, 0o755)
    code = """
import os, sys
from devstate.durable import kind_of, read_bounded
from devstate.errors import InputUnreadable
os.chdir(sys.argv[1])  # the folders above may be closed to others
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for path in ("private", "closed/state.json"):
    try:
        read_bounded(path)
    except InputUnreadable as error:
        print(error.message, "|", error.remedy)
try:
    kind_of("closed/state.json")
except InputUnreadable as error:
    print(error.message)
"""
    lines = run_python(code, str(tmp_path)).splitlines()
    closed.chmod(0o755)
    assert [line.split(" |")[0] for line in lines] == [
        "no permission to read private",
        "no permission to read closed/state.json",
        "no permission to read closed/state.json",
    ]
    assert "permission" in lines[0].split(" |")[1]


def test_limit_is_exact_and_names_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"12345")
    assert read_bounded(path, limit=5).data == b"12345"
    with pytest.raises(LimitExceeded) as caught:
        read_bounded(path, limit=4)
    assert "limits.file_bytes" in caught.value.remedy
    assert "5 bytes" in str(caught.value)


class _Sizeless(FaultyFiles):
    """A file system such as /proc, which says that every file has size 0."""

    def fstat(self, fd: int) -> os.stat_result:
        found = list(super().fstat(fd))
        found[6] = 0
        return os.stat_result(found)


def test_a_file_that_hides_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "status"
    path.write_bytes(b"content")
    with pytest.raises(InputUnreadable, match="more bytes than its size"):
        read_bounded(path, files=_Sizeless(OS))


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"XXXX")


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize(
    "change", [_append, _overwrite, _replace, lambda path: os.truncate(path, 1), Path.unlink]
)
@pytest.mark.parametrize("call", ["pread", "fstat"])
def test_a_change_in_mid_read_is_noticed(tmp_path: Path, change: Callable[[Path], None], call: str) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(b"0123456789" * 1000)
    os.utime(path, ns=(0, 0))  # so that a new time differs, whatever the clock's grain
    nth = 1 if call == "pread" else 2
    files = FaultyFiles(OS, [Fault(call, nth, before=lambda: change(path))])
    with pytest.raises(ChangedDuringRead) as caught:
        read_bounded(path, files=files)
    assert caught.value.remedy
    assert files.fired


def test_a_file_that_shrinks_under_a_block_reader_is_noticed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(b"0123456789")
    with StableFile(path) as file:
        os.truncate(path, 4)
        assert file.pread(4, 0) == b"0123"
        with pytest.raises(ChangedDuringRead, match="shorter"):
            file.pread(4, 2)


def test_blocks_up_to_the_end_and_beyond(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(b"0123456789")
    with StableFile(path) as file:
        assert (file.size, file.pread(4, 0), file.pread(9, 8), file.pread(5, 10)) == (
            10,
            b"0123",
            b"89",
            b"",
        )
        file.check_unchanged()


@pytest.mark.parametrize("short", [1, 3, 7])
def test_short_and_interrupted_reads_are_finished(tmp_path: Path, short: int) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(b"0123456789")
    faults = [Fault("pread", 1, short=short, lasting=True), Fault("pread", 2, error=errno.EINTR)]
    assert read_bounded(path, files=FaultyFiles(OS, faults)).data == b"0123456789"


@pytest.mark.parametrize("call", ["open", "fstat", "pread"])
def test_io_errors_are_typed_and_leave_no_descriptor(tmp_path: Path, call: str) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(b"0123456789")
    files = FaultyFiles(OS, [Fault(call, 1, error=errno.EIO)])
    with pytest.raises(InputUnreadable, match="EIO"):
        read_bounded(path, files=files)
    opened = files.counts.get("open", 0) - (call == "open")
    assert files.counts.get("close", 0) == opened


def test_kinds(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    kinds = [kind_of(tmp_path / name) for name in ("file", ".", "link", "fifo", "none")]
    assert kinds == ["file", "folder", "symlink", "other", None]
    assert list_folder(tmp_path) == ("fifo", "file", "link")


def test_a_close_that_fails_costs_nothing(tmp_path: Path) -> None:
    """Nothing was written through the descriptor, and it is given back all the same."""
    (tmp_path / "file").write_bytes(b"all of it")
    files = FaultyFiles(OS, [Fault("close", 1, error=errno.EIO, lasting=True)])
    with StableFile(tmp_path / "file", files=files) as file:
        assert file.pread(9, 0) == b"all of it"
    assert read_bounded(tmp_path / "file", files=files).data == b"all of it"
    assert len(files.fired) == 2
