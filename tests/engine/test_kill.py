"""Processes that are killed, forked, locked out: whatever they acknowledged is there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devstate.engine.database import Database
from devstate.engine.errors import DatabaseLocked, ForkedHandleError
from engine_oracle.interpret import state_of

CHILD = Path(__file__).parents[1] / "engine_crash" / "child.py"
RUN = "00000001-0000-4000-8000-000000000000"


def child(folder: Path, mode: str, sharing: str, seed: int, count: int = 0) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(CHILD), str(folder), mode, sharing, str(seed), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def told_until_killed(process: subprocess.Popen[bytes], seconds: float) -> list[str]:
    """Kill it so many seconds after its first commit; all keys that it acknowledged."""
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    assert first, process.stderr.read().decode()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait(30)
    assert process.returncode == -signal.SIGKILL, process.stderr.read().decode()
    process.stdout.close()
    process.stderr.close()
    # A line that the kill cut was not read by anybody.
    return [line.decode() for line in (first + rest).split(b"\n")[:-1]]


def keys_there(folder: Path) -> set[str]:
    """Open it, hold it against the second reader, and give all keys back."""
    with Database.open(folder) as db:
        assert not db.recovery.committed_lost
        cv, digest = db.last_cv, db.digest()
        runs = [run.run_id for run in db.list_runs()]
        found = {key for run in runs for key in db.kv.keys(run)}
        for run in runs:
            assert db.events.verify_chain(run) is None
            numbers = sorted(int(key.rpartition("/")[2]) for key in db.kv.keys(run))
            assert numbers == list(range(1, len(numbers) + 1)), "a commit in the middle is gone"
        state, _ = state_of(folder)
        assert state["cv"] == cv
        assert {key for run in state["runs"].values() for key in run["kv"]} == found
    with Database.open(folder) as again:
        assert (again.last_cv, again.digest(), again.recovery.has_issues) == (cv, digest, False)
    return found


def rounds(folder: Path, mode: str, sharing: str, count: int, seed: int, at_once: int = 1) -> int:
    dice = random.Random(seed)
    promised: set[str] = set()
    for number in range(count):
        processes = [child(folder, mode, sharing, seed * 1000 + number * 10 + n) for n in range(at_once)]
        for process in processes:
            promised.update(told_until_killed(process, dice.uniform(0, 0.15)))
        there = keys_there(folder)
        assert promised <= there
        # What was written and not acknowledged any more: one commit of each at the most.
        assert len(there - promised) <= at_once
        promised = there
    return len(promised)


@pytest.mark.parametrize(
    ("mode", "sharing", "at_once"),
    [
        ("buffered", "exclusive", 1),
        ("strict", "exclusive", 1),
        ("buffered", "shared", 2),
        ("strict", "shared", 2),
    ],
)
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, mode: str, sharing: str, at_once: int) -> None:
    assert rounds(tmp_path / "db", mode, sharing, 2, 1, at_once) > 10


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("mode", "sharing", "at_once", "count"),
    [
        ("buffered", "exclusive", 1, 60),
        ("strict", "exclusive", 1, 40),
        ("buffered", "shared", 3, 40),
        ("strict", "shared", 3, 20),
    ],
)
def test_many_kills(tmp_path: Path, mode: str, sharing: str, at_once: int, count: int) -> None:
    for part in range(count // 10):
        rounds(tmp_path / f"db{part}", mode, sharing, 10, part, at_once)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_a_thousand_kills(tmp_path: Path) -> None:
    for part in range(25):
        rounds(tmp_path / f"b{part}", "buffered", "exclusive", 20, part)
        rounds(tmp_path / f"s{part}", "strict", "exclusive", 10, part)
        rounds(tmp_path / f"m{part}", "buffered", "shared", 10, part, 4)


def test_ten_thousand_acknowledged_puts_survive_a_kill(tmp_path: Path) -> None:
    """The headline: the default durability, 10,000 puts, `kill -9`, 10,000 there."""
    code = (
        "import os, sys, time\n"
        "from devstate.engine.database import Database\n"
        "db = Database.open(sys.argv[1])\n"
        "run = db.begin_run()\n"
        "for number in range(10_000): db.kv.put(run, f'k{number}', number)\n"
        "print(run, flush=True)\n"
        "time.sleep(60)\n"
    )
    folder = tmp_path / "db"
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        run = process.stdout.readline().decode().strip()
        process.kill()
    assert run
    with Database.open(folder) as db:
        assert db.kv.count(run) == 10_000
        assert db.kv.get(run, "k9999") == 9999
        assert [told.run_id for told in db.orphaned_runs()] == [run]


# -- locks -------------------------------------------------------------------------------------------------


def test_a_second_process_is_told_who_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    process = child(folder, "buffered", "exclusive", 1)
    assert process.stdout is not None
    process.stdout.readline()
    for shared in (False, True):
        with pytest.raises(DatabaseLocked) as locked:
            Database.open(folder, shared=shared)
        assert locked.value.pid == process.pid
    with Database.open(folder, read_only=True) as reader:
        assert reader.list_runs()
    told_until_killed(process, 0)
    assert (folder / "LOCK").read_text().strip() == str(process.pid)
    with Database.open(folder) as db:  # stale text is no lock
        assert (folder / "LOCK").read_text().strip() == str(os.getpid())
        with pytest.raises(DatabaseLocked) as locked:
            Database.open(folder)
        assert locked.value.pid == os.getpid()
        assert db.recovery.committed_lost == 0


def test_shared_openers_and_an_exclusive_one_exclude_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    Database.open(folder).close()
    with Database.open(folder, shared=True), Database.open(folder, shared=True) as second:
        second.begin_run(RUN)
        with pytest.raises(DatabaseLocked):
            Database.open(folder)
    with Database.open(folder) as alone:
        assert alone.last_cv == 1


# -- fork --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"shared": True}, {"durability": "strict"}, {"durability": "memory"}]
)
def test_a_forked_child_cannot_use_or_harm_the_handle(tmp_path: Path, options: dict[str, object]) -> None:
    memory = options.get("durability") == "memory"
    folder = tmp_path / "db"
    db = Database.open(None if memory else folder, **options)  # type: ignore[arg-type]
    run = db.run(RUN)
    run.kv.put("k", 1)
    held = run.transaction()
    pid = os.fork()
    if pid == 0:  # the child: its status tells what it saw, whatever happens
        status = 1
        try:
            refused = 0
            for use in (
                lambda: run.kv.put("k", 2),
                lambda: run.kv.get("k"),
                lambda: held.kv.put("k", 3),
                lambda: held.commit(),
                lambda: db.begin_run(),
                lambda: db.flush(),
                lambda: db.snapshot(),
                lambda: db.digest(),
                lambda: db.transaction(RUN),
                lambda: db.list_runs(),
            ):
                try:
                    use()
                except ForkedHandleError:
                    refused += 1
            db.close()
            if not memory:
                try:
                    Database.open(folder)
                except DatabaseLocked:
                    refused += 1
        except BaseException:
            import traceback

            traceback.print_exc()
        else:
            status = 0 if refused == (10 if memory else 11) else 100 + refused
        finally:
            os._exit(status)
    _, waited = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(waited) == 0
    held.kv.put("k", 4)
    held.commit()
    run.kv.put("after", 1)
    if not memory:
        with pytest.raises(DatabaseLocked):
            Database.open(folder)
    digest = db.digest()
    db.close()
    if not memory:
        with Database.open(folder) as again:
            assert again.digest() == digest
            assert again.kv.get(RUN, "k") == 4
            assert not again.recovery.has_issues
