"""Databases for the tests of the inspector: sound, torn, damaged, and written by another process meanwhile."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from devstate.engine import Database

FIRST = 1_772_352_000_000_000  # 2026-03-01 08:00 UTC
_ABANDON = """
import os, sys
from devstate.engine import Database
db = Database.open(sys.argv[1], shared=True)
run = db.begin_run(name="left alone", tags=["eval"])
db.kv.put(run, "k", 1)
print(run, flush=True)
os._exit(1)
"""
_WRITE = """
import sys
from devstate.engine import Database
with Database.open(sys.argv[1], shared=True) as db:
    run = db.begin_run(name="writer")
    print("ready", flush=True)
    for line in sys.stdin:
        db.kv.put(run, line.strip(), "from elsewhere")
        print("written", flush=True)
"""


def ticking() -> Callable[[], int]:
    """A clock of microseconds that goes on by 1 ms at each look."""
    steps = count(FIRST, 1000)
    return lambda: next(steps)


def entropy() -> Callable[[int], bytes]:
    """Bytes that are the same at each start."""
    numbers = count(1)
    return lambda size: hashlib.sha256(str(next(numbers)).encode()).digest()[:size]


def sound(
    path: Path, *, runs: int = 3, puts: int = 20, snapshot: bool = False, segment: int = 1 << 20
) -> Path:
    """Completed runs named solve-0 and so on, the last of them failed; closed cleanly. The same bytes each time."""
    with Database.open(path, now=ticking(), entropy=entropy(), segment_bytes=segment) as db:
        for number in range(runs):
            run_id = db.begin_run(name=f"solve-{number}", tags=["eval"], metadata={"seed": number})
            db.json.create(run_id, "plan", {"steps": [{"do": "search"}]})
            db.json.set(run_id, "plan", "$.steps[0].done", True)
            db.events.append(run_id, "tool_call", {"q": "größer 東京"})
            span = db.traces.record(run_id, "tool_call", "search", start=FIRST, end=FIRST + 2500)
            db.traces.record(run_id, "query", "select 1", parent=span, start=FIRST + 1, end=FIRST + 900)
            for at in range(puts):
                db.kv.put(run_id, f"key{at}", {"n": at})
            with db.transaction(run_id) as tx:
                tx.kv.put("count", number)
                tx.state.init("phase", "plan")
            if number < runs - 1:
                db.end_run(run_id)
            else:
                db.abort_run(run_id, "bad luck")
            if snapshot and number < runs - 1:
                db.snapshot()
    (path / "LOCK").write_bytes(b"")  # this process lives on, but has closed it
    return path


def segment_of(path: Path) -> Path:
    """The last live segment."""
    return max((path / "wal").glob("*.wal"))


def torn(path: Path, cut: int = 30) -> Path:
    """The same, its last entry cut short, as a crash leaves it."""
    segment = segment_of(sound(path))
    segment.write_bytes(segment.read_bytes()[:-cut])
    (path / "CLEAN").unlink()
    return path


def flipped(path: Path) -> Path:
    """The same with one byte of a value in the middle of the log changed."""
    segment = segment_of(sound(path))
    data = bytearray(segment.read_bytes())
    at = data.index(b"key7", len(data) // 2)
    data[at] ^= 0x20
    segment.write_bytes(data)
    return path


def abandoned(path: Path) -> str:
    """A process begins a run and dies; the id of the run."""
    done = subprocess.run(
        [sys.executable, "-c", _ABANDON, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout.strip()


class Writer:
    """Another process that has the database open in shared mode, and writes a key whenever it is told."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WRITE, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._line()

    def write(self, key: str) -> None:
        """Commit a key; returns when it is in the log."""
        assert self._process.stdin is not None
        self._process.stdin.write(key + "\n")
        self._process.stdin.flush()
        self._line()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _line(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline()


def fingerprint(root: Path) -> dict[str, tuple[str, int, int]]:
    """Content, time and inode of every file in a folder."""
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
            path.stat().st_ino,
        )
        for path in [root, *root.rglob("*")]
    }
