"""`devstate run record -- CMD` as a person uses it: real commands, signals, terminals, and what is recorded then."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

from command_runs import COMMAND, clean_environment, devstate, start
from devstate.engine import Database
from devstate.engine.primitives.runs import RunMetadata
from small_workspace import HISTORY, SECRET, STATE, make

KEY = {"BEAMLINE_HMAC_SECRET": SECRET.decode()}
STORE = ".trae/store"
TESTS = Path(__file__).parents[1]

# Changes the state twice and appends two entries, slowly enough to be seen in between.
AGENT = """
import json, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from small_workspace import *
root = Path(".")
def append():
    held = json.loads((root / HISTORY).read_bytes())
    held.append(following(held[-1], sha256((root / STATE).read_bytes())))
    replace(root / HISTORY, document(held))
for cp in ("CP2-LC", "CP3-LC"):
    replace(root / STATE, state(current_cp=cp))
    append()
    time.sleep(0.5)
print("the agent is done")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "project", 3)


def agent(status: int = 0) -> tuple[str, ...]:
    return (sys.executable, "-c", textwrap.dedent(AGENT).format(tests=str(TESTS)), str(status))


@contextmanager
def store(root: Path) -> Iterator[Database]:
    with Database.open(root / STORE, read_only=True) as database:
        yield database


def the_run(root: Path) -> RunMetadata:
    with store(root) as database:
        [run] = database.list_runs()
        return run


def wait_for(test: Any, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)


@pytest.mark.parametrize("status", [0, 3])
def test_what_a_command_does_is_recorded_step_by_step(status: int, root: Path) -> None:
    done = devstate("run", "record", "--name", "agent", "--", *agent(status), cwd=root, env=KEY)
    assert done.status == status
    assert done.out == "the agent is done\n"
    word = "completed" if status == 0 else "failed"
    assert f"{word}: 2 changes of the state, 2 entries appended, exit {status}" in done.err
    run = the_run(root)
    assert run.status == word
    with store(root) as database:
        held = database.run(run.run_id)
        assert held.events.types() == {
            "command_started": 1,
            "state_changed": 2,
            "history_appended": 2,
            "command_ended": 1,
        }
        assert [event.payload["paths"] for event in held.events.by_type("state_changed")] == [
            ["/current_cp"],
            ["/current_cp"],
        ]
        seen = [
            database.replay_run(run.run_id, step=step).json["state"]["current_cp"]
            for step in range(2, run.tx_count + 1)
        ]
        assert [cp for cp, before in zip(seen, [None, *seen], strict=False) if cp != before] == [
            "CP1-LC",
            "CP2-LC",
            "CP3-LC",
        ]
        assert held.json.get("state") == json.loads((root / STATE).read_bytes())
        assert len(held.traces.tree()) == 1 and held.traces.count() == 5
    assert devstate("verify", cwd=root, env=KEY).status == 0


def test_with_json_stdout_is_the_document_alone(root: Path) -> None:
    done = devstate(
        "run", "record", "--json", "--", "sh", "-c", "echo to stdout; echo to stderr >&2", cwd=root
    )
    assert done.status == 0
    assert done.document["exit_code"] == 0
    assert sorted(done.err.splitlines()) == ["to stderr", "to stdout"]


def test_stdin_goes_to_the_command(root: Path) -> None:
    done = devstate("run", "record", "--", "cat", cwd=root, stdin="a line\n")
    assert done.out == "a line\n"


def test_the_command_gets_its_own_options(root: Path) -> None:
    done = devstate("run", "record", "--", "printf", "%s|", "--json", "--", "-C", "--help", cwd=root)
    assert done.out == "--json|--|-C|--help|"


def test_a_terminal_stays_one(root: Path) -> None:
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "run", "record", "--", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo all"],
        cwd=str(root),
        env=clean_environment(root),  # type: ignore[arg-type]
        timeout=30,
    )
    child.expect("all\r\n")
    child.expect("completed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_c_reaches_the_command_once_and_the_run_is_finished(root: Path) -> None:
    code = "import signal, sys, time; n = []; signal.signal(2, lambda *_: n.append(1)); print('ready', flush=True)\n"
    code += "end = time.monotonic() + 20\nwhile not n and time.monotonic() < end: time.sleep(0.01)\n"
    code += "time.sleep(0.5); sys.exit(40 + len(n))"
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "run", "record", "--", sys.executable, "-c", code],
        cwd=str(root),
        env=clean_environment(root),  # type: ignore[arg-type]
        timeout=30,
    )
    child.expect("ready")
    child.sendintr()
    child.expect("exit 41")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 41
    assert the_run(root).reason == "exit status 41"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_record_is_passed_on(number: signal.Signals, root: Path) -> None:
    process = start("run", "record", "--", "sleep", "60", cwd=root)
    try:
        wait_for(lambda: (root / STORE / "META").exists() and children(process.pid))
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
    finally:
        process.kill()
        process.communicate()
    run = the_run(root)
    assert (run.status, run.reason) == ("failed", f"exit status {128 + number}")


def test_a_command_that_is_killed(root: Path) -> None:
    assert devstate("run", "record", "--", "sh", "-c", "kill -KILL $$", cwd=root).status == 137


def test_record_killed_leaves_an_orphaned_run(root: Path) -> None:
    process = start("run", "record", "--", "sleep", "60", cwd=root)
    wait_for(lambda: (root / STORE / "META").exists() and children(process.pid))
    assert the_run(root).status == "active"
    [child] = children(process.pid)
    process.kill()
    process.wait()
    os.kill(child, signal.SIGKILL)  # it holds the pipes
    process.communicate()
    run = the_run(root)
    assert run.status == "orphaned"
    listed = devstate("run", "list", "--json", cwd=root).document
    assert [one["status"] for one in listed["runs"]] == ["orphaned"]


def test_a_record_in_a_record_is_its_child(root: Path) -> None:
    inner = (*COMMAND, "run", "record", "--name", "inner", "--", *agent())
    done = devstate("run", "record", "--name", "outer", "--", *inner, cwd=root)
    assert done.status == 0
    with store(root) as database:
        outer, nested = database.list_runs()
        assert (outer.name, nested.name) == ("outer", "inner")
        assert nested.parent == outer.run_id
        for run in (outer, nested):
            assert run.status == "completed"
            assert len(database.run(run.run_id).events.by_type("history_appended")) == 2


def test_the_command_may_use_the_store_and_the_workspace(root: Path) -> None:
    line = " ".join(COMMAND)
    script = f"{line} run begin mine --yes && {line} run list && {line} verify && {line} status"
    done = devstate("run", "record", "--name", "outer", "--", "sh", "-ec", script, cwd=root, env=KEY)
    assert done.status == 0, done.err
    with store(root) as database:
        assert {run.name for run in database.list_runs()} == {"outer", "mine"}


def test_nothing_of_the_workspace_is_locked_meanwhile(root: Path) -> None:
    code = "import fcntl, os; f = os.open('.trae/.lock', os.O_RDWR | os.O_CREAT); fcntl.flock(f, 6); "
    code += "g = os.open('.trae/store/LOCK', os.O_RDWR); fcntl.flock(g, 6); print('free')"
    done = devstate("run", "record", "--", sys.executable, "-c", code, cwd=root)
    assert done.out == "free\n"


def test_documents_that_break_meanwhile_do_not_break_the_record(root: Path) -> None:
    script = f"rm {HISTORY}; printf '{{\"project\": ' > {STATE}; sleep 0.5; rm -r .trae/state.json; exit 9"
    done = devstate("run", "record", "--json", "--", "sh", "-c", script, cwd=root)
    assert done.status == 9
    assert done.document["trouble"] is None and done.document["unreadable"] >= 2
    with store(root) as database:
        types = database.run(the_run(root).run_id).events.types()
    assert types["state_unreadable"] >= 1 and types["history_unreadable"] == 1


def test_a_store_that_is_lost_meanwhile_does_not_lose_the_status(root: Path) -> None:
    done = devstate("run", "record", "--", "sh", "-c", "rm -rf .trae/store; echo done; exit 5", cwd=root)
    assert done.status == 5
    assert done.out == "done\n"
    assert "Traceback" not in done.err


def children(pid: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children() if child.name() == "sleep"]
    except psutil.NoSuchProcess:
        return []
