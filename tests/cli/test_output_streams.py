"""Standard streams that are closed, full, or have nobody at the other end: the right status, whole files."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from command_runs import COMMAND, clean_environment, devstate

STORE = ".trae/store"


def shell(root: Path, words: list[str], redirection: str) -> subprocess.CompletedProcess[str]:
    """The command with a redirection of the shell's."""
    return shell_line(root, f"exec {shlex.join([*COMMAND, *words])} {redirection}")


def shell_line(root: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line of the shell."""
    return finished(root, "/bin/sh", "-c", line)


def finished(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command that was run in this folder."""
    return subprocess.run(
        command,
        cwd=root,
        env=clean_environment(root),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", [["verify"], ["verify", "--json"], ["run", "list"]])
def test_a_closed_stream_changes_no_verdict(command: list[str], closed: str, demo: Path) -> None:
    done = shell(demo, command, closed)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    if ">&-" not in closed:
        assert done.stdout


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", "<&- 2>&-", "<&- >&-"])
@pytest.mark.parametrize("json", [pytest.param([], marks=pytest.mark.long), ["--json"]])
def test_what_a_recorded_command_prints_never_gets_into_the_database(
    json: list[str], closed: str, demo: Path
) -> None:
    # A descriptor that nobody holds would be that of the next file to be opened, and CMD's output is sent there.
    script = "echo printed; echo complained >&2; touch ran; exit 3"
    done = shell(demo, ["run", "record", *json, "--name", "quiet", "--", "sh", "-c", script], closed)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert (demo / "ran").exists()
    for name in ("LOCK", "WRITERS", "META", "CLEAN"):
        assert b"printed" not in (demo / STORE / name).read_bytes()
        assert b"complained" not in (demo / STORE / name).read_bytes()
    assert (demo / STORE / "WRITERS").stat().st_size == 0
    checked = devstate("db", "check", "--json", cwd=demo)
    assert checked.status == 0 and checked.document["findings"] == []


@pytest.mark.parametrize(
    ("command", "status"),
    [(["status"], 5), (["run", "list", "--json"], 5), (["nosuch", "--json"], 2), (["verify", "no.json"], 3)],
)
def test_a_full_device_is_named(command: list[str], status: int, demo: Path) -> None:
    done = shell(demo, command, ">/dev/full")
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


AT_ONCE = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from devstate_cli.__main__ import main

sys.exit(main(["verify"]))
"""


def test_an_interrupt_before_there_is_a_command_says_nothing(demo: Path) -> None:
    done = finished(demo, sys.executable, "-c", AT_ONCE)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("words", [["verify"], ["db", "info"], ["run", "list"], ["db", "check", "--db", "x"]])
def test_a_folder_that_is_gone_is_named(words: list[str], demo: Path) -> None:
    gone = demo / "gone"
    gone.mkdir()
    line = f"cd gone && rmdir ../gone && exec {shlex.join([*COMMAND, *words])}"
    done = shell_line(demo, line)
    assert done.returncode == 3
    assert "the current folder does not exist any more" in done.stderr and "Traceback" not in done.stderr
