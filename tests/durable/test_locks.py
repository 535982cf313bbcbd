"""The lock excludes, ends with its process, and says who holds it; with real processes."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from pathlib import Path

import pytest

from devstate.clock import FixedClock
from devstate.durable import Holder, current_holder, hold_lock, inspect_lock
from devstate.durable.faults import Fault, FaultyFiles
from devstate.durable.files import OS
from devstate.durable.simulated import SimulatedFiles
from devstate.errors import StateLockHeld, StorageFault
from python_child import start_python

HOLD = """
import sys
from devstate.durable import current_holder, hold_lock
with hold_lock(sys.argv[1], holder=current_holder("history append"), ttl=30):
    print("held", flush=True)
    sys.stdin.readline()
print("released", flush=True)
"""

COUNT = """
import sys
from devstate.durable import current_holder, hold_lock
lock, counter, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
for _ in range(rounds):
    with hold_lock(lock, holder=current_holder("count"), wait=60):
        with open(counter) as file:
            number = int(file.read())
        with open(counter, "w") as file:
            file.write(str(number + 1))
"""

FORK = """
import os, sys, time
from devstate.durable import current_holder, hold_lock
with hold_lock(sys.argv[1], holder=current_holder("parent")):
    child = os.fork()
    if child == 0:
        sys.stdin.readline()
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""

ME = Holder(pid=1, host="elsewhere", user="ada", command="state set")


def test_block_holds_and_releases(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    assert inspect_lock(lock) is None
    with hold_lock(lock, holder=current_holder("test")):
        info = inspect_lock(lock)
        assert info is not None
        assert (info.held, info.alive, info.stale) == (True, True, False)
        assert info.holder is not None
        assert (info.holder.pid, info.holder.command) == (os.getpid(), "test")
    info = inspect_lock(lock)
    assert info is not None
    assert (info.held, info.holder, info.stale) == (False, None, False)


def test_text_names_the_holder_and_the_times(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with hold_lock(lock, holder=ME, ttl=90, clock=FixedClock("2026-01-31T23:59:00Z")):
        assert json.loads(lock.read_text()) == {
            "holder": {"pid": 1, "host": "elsewhere", "user": "ada", "command": "state set"},
            "since": "2026-01-31T23:59:00Z",
            "until": "2026-02-01T00:00:30Z",
        }
        info = inspect_lock(lock)
        assert info is not None
        assert not info.alive  # nobody can tell about a process on another host


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with start_python(HOLD, str(lock)) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StateLockHeld) as caught, hold_lock(lock, holder=ME, wait=0.2):
            pass
        error = caught.value
        assert f"process {child.pid}" in error.holder
        assert "history append" in str(error)
        assert error.until is not None and error.until > error.since
        assert (error.exit_code, error.path, bool(error.remedy)) == (6, str(lock), True)
        out, _ = child.communicate("\n", timeout=20)
        assert out == "released\n"
    with hold_lock(lock, holder=ME, wait=0):
        pass


def test_a_waiting_one_gets_it_when_the_holder_ends(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with start_python(HOLD, str(lock)) as child:
        assert child.stdout is not None and child.stdin is not None
        assert child.stdout.readline() == "held\n"
        timer = threading.Timer(0.2, lambda: child.stdin.write("\n") and child.stdin.flush())  # type: ignore[union-attr]
        timer.start()
        with hold_lock(lock, holder=ME, wait=30):
            info = inspect_lock(lock)
            assert info is not None and info.holder == ME
        timer.join()


def test_a_killed_holder_holds_nothing_and_leaves_stale_text(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with start_python(HOLD, str(lock)) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        os.kill(child.pid, signal.SIGKILL)
        child.wait(20)
        info = inspect_lock(lock)
        assert info is not None and info.holder is not None
        assert (info.held, info.alive, info.stale, info.holder.pid) == (False, False, True, child.pid)
        with hold_lock(lock, holder=ME, wait=0):
            taken = inspect_lock(lock)
            assert taken is not None and taken.holder == ME


def test_a_forked_child_does_not_keep_the_lock_of_a_killed_parent(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with start_python(FORK, str(lock)) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        os.kill(child.pid, signal.SIGKILL)
        child.wait(20)
        with hold_lock(lock, holder=ME, wait=0):
            pass


def test_processes_exclude_each_other(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    children = [start_python(COUNT, str(tmp_path / ".lock"), str(counter), "25") for _ in range(4)]
    for child in children:
        _, errors = child.communicate(timeout=100)
        assert child.returncode == 0, errors
    assert counter.read_text() == "100"


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with hold_lock(lock, holder=ME), pytest.raises(StateLockHeld), hold_lock(lock, holder=ME, wait=0):
        pass


def test_inspection_changes_nothing_and_takes_no_lasting_lock(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.write_bytes(b"anything")
    lock.chmod(0o444)
    before = lock.stat()
    info = inspect_lock(lock)
    assert info is not None and (info.held, info.holder) == (False, None)
    after = lock.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_size) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_size,
    )
    lock.chmod(0o644)
    with hold_lock(lock, holder=ME, wait=0):
        pass


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"holder": 1}', b"\xff" * 9000, b"[" * 5000])
def test_foreign_text_is_no_holder(tmp_path: Path, text: bytes) -> None:
    lock = tmp_path / ".lock"
    lock.write_bytes(text)
    info = inspect_lock(lock)
    assert info is not None and (info.held, info.holder, info.stale) == (False, None, False)


def test_a_removed_lock_file_excludes_nobody_twice(tmp_path: Path) -> None:
    """Who locks a file that was removed in between must notice, or two would hold 'the' lock."""
    lock = tmp_path / ".lock"
    lock.touch()
    files = FaultyFiles(OS, [Fault("flock", 1, before=lock.unlink)])
    with (
        hold_lock(lock, holder=ME, files=files),
        pytest.raises(StateLockHeld),
        hold_lock(lock, holder=ME, wait=0),
    ):
        pass


def test_what_cannot_be_a_lock_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    for name in ("fifo", "folder", "link", "none/.lock"):
        with pytest.raises(StorageFault) as caught, hold_lock(tmp_path / name, holder=ME, wait=0):
            pass
        assert caught.value.remedy
    for name in ("fifo", "folder", "link"):
        with pytest.raises(StorageFault):
            inspect_lock(tmp_path / name)


@pytest.mark.parametrize("call", ["open", "fstat", "flock", "ftruncate", "write"])
def test_failing_calls_are_typed_and_release(tmp_path: Path, call: str) -> None:
    lock = tmp_path / ".lock"
    files = FaultyFiles(OS, [Fault(call, 1, error=errno.EIO)])
    with pytest.raises(StorageFault, match="EIO"), hold_lock(lock, holder=ME, files=files):
        pass
    assert files.counts.get("close", 0) == files.counts["open"] - (call == "open")
    with hold_lock(lock, holder=ME, wait=0):
        pass


def test_on_the_simulated_layer() -> None:
    files = SimulatedFiles()
    with hold_lock("/lock", holder=ME, files=files):
        info = inspect_lock("/lock", files=files)
        assert info is not None and info.held
        with pytest.raises(StateLockHeld), hold_lock("/lock", holder=ME, wait=0, files=files):
            pass
    info = inspect_lock("/lock", files=files)
    assert info is not None and not info.held
