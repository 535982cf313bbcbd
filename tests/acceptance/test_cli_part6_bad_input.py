"""Bad input: each gives a clear sentence, the right exit status and a remedy, and never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from command_runs import Run, clean_environment, devstate
from small_workspace import HISTORY, SECRET, STATE, make

KEY = {"BEAMLINE_HMAC_SECRET": SECRET.decode()}


def folder_instead(place: Path) -> None:
    place.unlink()
    place.mkdir()


def link_instead(place: Path) -> None:
    target = place.with_name("elsewhere")
    place.rename(target)
    place.symlink_to(target)


def fifo_instead(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


BAD: dict[str, tuple[Callable[[Path], None], str, int]] = {
    "missing": (Path.unlink, "INPUT_MISSING", 3),
    "empty": (lambda place: place.write_bytes(b"") and None, "TORN_FILE", 1),
    "blank": (lambda place: place.write_bytes(b" \n") and None, "TORN_FILE", 1),
    "folder": (folder_instead, "INPUT_UNREADABLE", 3),
    "link": (link_instead, "INPUT_UNREADABLE", 3),
    "fifo": (fifo_instead, "INPUT_UNREADABLE", 3),
    "not JSON": (lambda place: place.write_bytes(b"hello") and None, "TORN_FILE", 1),
    "not UTF-8": (lambda place: place.write_bytes(b'["\xff"]') and None, "ENCODING", 1),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history(name: str, tmp_path: Path) -> None:
    spoil, code, status = BAD[name]
    root = make(tmp_path / "project")
    spoil(root / HISTORY)
    for command in ("verify", "validate"):
        said = devstate(command, "--json", cwd=root, env=KEY)
        assert said.status == status, said
        found = [finding for finding in said.document["findings"] if finding["code"] == code]
        assert found and all(finding["remedy"] and finding["message"] for finding in found)
        assert said.err == ""
    text = devstate("verify", cwd=root, env=KEY)
    assert text.status == status
    assert code in text.out and "→" in text.out
    assert devstate("status", cwd=root, env=KEY).status == 0
    listing = devstate("history", "list", "--json", cwd=root, env=KEY)
    assert "Traceback" not in listing.err
    assert listing.status == (3 if status == 3 else 0)


@pytest.mark.parametrize("name", [name for name in BAD if name != "missing"])
def test_a_bad_state(name: str, tmp_path: Path) -> None:
    spoil, code, status = BAD[name]
    root = make(tmp_path / "project")
    spoil(root / STATE)
    said = devstate("validate", "--json", cwd=root, env=KEY)
    assert said.status == status, said
    assert code in said.codes
    got = devstate("state", "get", "/project", "--json", cwd=root, env=KEY)
    assert got.status == status
    assert got.document["error"]["code"] == code
    assert got.document["error"]["remedy"]


def test_missing_folders(tmp_path: Path) -> None:
    for line in (
        ["-C", "absent", "verify"],
        ["absent/"],
        ["verify", "absent.json"],
        ["-C", "absent", "doctor"],
    ):
        said = devstate(*line, cwd=tmp_path)
        assert said.status == 3, said
        assert "absent" in said.out + said.err and "→" in said.out + said.err
        assert devstate(*line, "--json", cwd=tmp_path).document["ok"] is False


def test_a_file_where_the_workspace_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    said = devstate("-C", "file", "status", cwd=tmp_path)
    assert said.status == 3
    assert "not a folder" in said.err


def test_a_faulty_setting(tmp_path: Path) -> None:
    root = make(tmp_path / "project")
    (root / "devstate.toml").write_text("jbos = 2\n")
    said = devstate("verify", "--json", cwd=root, env=KEY)
    assert said.status == 2
    assert "jobs" in said.document["error"]["remedy"]


# The interpreter itself may lie where another user cannot read: what the command imports is loaded by a first
# run on a copy, and the rights go before the second, which is the one that counts.
DROPPED = """
import contextlib, io, os, sys
from devstate_cli.__main__ import main
copy, *arguments = sys.argv[1:]
there = os.getcwd()
os.chdir(copy)
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    main(arguments)
    main(["nonsense"])
os.chdir(there)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main(arguments))
"""


def as_nobody(*arguments: str, cwd: Path) -> Run:
    """Run the command as a user without rights, where the tests run as root, which reads everything."""
    copy = cwd.parent / f"copy for {arguments[0]}"
    make(copy)
    done = subprocess.run(
        [sys.executable, "-c", DROPPED, copy, *arguments],
        cwd=cwd,
        env=clean_environment(cwd, KEY),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach; those of pytest are closed to everybody else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_an_unreadable_history(open_folder: Path) -> None:
    root = make(open_folder / "project")
    (root / HISTORY).chmod(0o000)
    said = as_nobody("verify", "--json", cwd=root)
    assert said.status == 3
    assert "INPUT_UNREADABLE" in said.codes
    assert "permission" in said.document["error"]["message"]
    assert as_nobody("status", cwd=root).status == 0


def test_a_read_only_folder(open_folder: Path) -> None:
    root = make(open_folder / "project")
    shutil.copytree(root / ".trae", open_folder / "kept")
    for place in (root / STATE, root / HISTORY):
        place.chmod(0o444)
    (root / ".trae").chmod(0o555)
    root.chmod(0o555)
    assert as_nobody("verify", cwd=root).status == 0
    assert as_nobody("status", cwd=root).status == 0
    said = as_nobody("init", "new", "--yes", "--json", cwd=root)
    assert said.status == 5
    assert said.document["error"]["code"] == "IO_ERROR"
    assert said.document["error"]["remedy"]
    assert not (root / "new").exists()
