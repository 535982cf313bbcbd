"""A process of its own for what the benchmarks of the engine load, kill, open and weigh; told by its arguments.

`load WHO MODE PATH RECORDS SIZE SNAPSHOT COMMITS` fills a database, says "ready N" (what it was told is committed)
and waits to be killed; `open WHO MODE PATH` opens one and says what that took; `weigh WHO RECORDS` says what records
in memory weigh; `write PATH COMMITS` is one of several writers. Each says one line of JSON.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time
from typing import Any

import engine_data as data
import peer


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def load(who: str, mode: str, path: str, records: str, size: str, snapshot: str, commits: str) -> None:
    """Records in large transactions, perhaps a snapshot, then single commits; then wait for the end."""
    value = data.random_values(64)
    if who == "ours":
        database = data.open_engine(mode, Path(path))
        run = data.load(database, int(records), int(size))
        if snapshot == "snapshot":
            database.flush()
            database.snapshot()
        put = run.kv.put
    else:
        database = peer.open_peer(mode, Path(path))
        data.load_peer(database, int(records), int(size))
        put = database.kv.put
    done = 0
    for number in range(int(commits)):
        put(f"single-{number:08d}", next(value))
        done += 1
    say(committed=done)
    sys.stdin.read()  # the parent kills; should it be gone, so are we
    os._exit(1)


def opened(who: str, mode: str, path: str) -> None:
    """Open, then count the keys: seconds of both, without the imports; `processor` is of the open alone."""
    importlib.import_module("devstate.engine.database" if who == "ours" else peer.NAME)
    begun, worked = perf_counter(), process_time()
    phases: dict[str, int] = {}
    if who == "ours":
        database = data.open_engine(mode, Path(path))
        took, worked = perf_counter() - begun, process_time() - worked
        phases = dict(database.recovery.phases)
        handles = [database.kv.of(info.run_id) for info in database.list_runs()]
        counted = sum(handle.count() for handle in handles)
        singles = sum(len(handle.keys("single-")) for handle in handles)
    else:
        database = peer.open_peer(mode, Path(path))
        took, worked = perf_counter() - begun, process_time() - worked
        counted = database.kv.count()
        singles = database.kv.count("single-")
    whole = perf_counter() - begun
    say(open=took, with_count=whole, processor=worked, counted=counted, singles=singles, phases=phases)
    os._exit(0)  # what closing costs is not asked


def weigh(who: str, records: str) -> None:
    """Bytes of memory per record of 64 bytes."""
    number = int(records)
    database = data.open_engine("memory") if who == "ours" else peer.open_peer("memory")
    put = database.run(name="weigh").kv.put if who == "ours" else database.kv.put
    for warm in range(100):
        put(f"warm-{warm}", data.VALUE)
    gc.collect()
    before = resident()
    rest = data.VALUE[8:]
    for key in range(number):
        put(f"key-{key:08d}", f"{key:08d}{rest}")
    gc.collect()
    say(per_record=(resident() - before) / number)
    os._exit(0)


def write(path: str, commits: str) -> None:
    """One of several writers of a shared database: ready, wait for the word, commit, say from when to when."""
    database = data.open_engine("buffered", Path(path), shared=True)
    run = database.run(name=f"writer {os.getpid()}")
    put, number = run.kv.put, int(commits)
    put("warm", data.VALUE)
    say(ready=True)
    sys.stdin.readline()
    keys = data.some_keys()
    each: list[float] = []
    begun = before = perf_counter_ns()
    for _ in range(number):
        put(next(keys), data.VALUE)
        now = perf_counter_ns()
        each.append((now - before) / 1000)
        before = now
    say(begun=begun, ended=before, each=each)
    database.close()


def resident() -> int:
    """Bytes of this process in memory. Raises FileNotFoundError where the system has no /proc."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    {"load": load, "open": opened, "weigh": weigh, "write": write}[sys.argv[1]](*sys.argv[2:])
