"""Snapshots, recovery and memory: what is written and read as a whole."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any
from zlib import crc32

import engine_data as data
import peer
from engine_children import killed, open_copy, told
from harness import Result
from timing import Timed, add, milliseconds, whole


def measure(result: Result, folder: Path, quick: bool) -> None:
    """All rows about files, and memory per record."""
    shapes = ((5_000, 1000), (20_000, 100)) if quick else ((100_000, 1000), (1_000_000, 100))
    rounds = 2 if quick else 5
    for records, size in shapes:
        place = folder / f"{records}x{size}"
        place.mkdir()
        snapshots(result, place, records, size, rounds=rounds)
        shutil.rmtree(place)
    during_writes(result, folder / "during", records=shapes[0][0], puts=2_000 if quick else 100_000)
    recoveries(result, folder, quick)
    if Path("/proc/self/statm").exists():
        memory(result, 5_000 if quick else 200_000, rounds=2 if quick else 3)


def snapshots(result: Result, place: Path, records: int, size: int, *, rounds: int) -> None:
    """Write and load a snapshot, beside a plain file of the same size; a clean close, beside the peer's."""
    label = f"{records:,} x {size} B"
    path = place / "ours"
    with data.open_engine("buffered", path) as database:
        run = data.load(database, records, size)
        database.flush()
        took: list[float] = []
        for _ in range(rounds):
            run.kv.put("changed", data.VALUE)  # so that there is something new to take a snapshot of
            took.append(milliseconds(database.snapshot))
        newest = max((path / "snapshots").iterdir(), key=lambda file: file.stat().st_size)
        content = newest.read_bytes()
    plain = [milliseconds(lambda: write_plainly(place / "plain", content)) for _ in range(rounds)]
    written = whole("ms", took)
    times = written.median / whole("ms", plain).median
    note = f"{times:.1f}x of writing its {len(content) / 1e6:.0f} MB plainly, with fsync"
    add(result, f"snapshot write, {label}", written, must=5000, aim=600, note=note)
    loads, opens = [], []
    for _ in range(rounds):
        facts = told("open", "ours", "buffered", path)
        loads.append(facts["phases"]["loading"] / 1000)
        opens.append(facts["open"] * 1000)
        if facts["counted"] != records + 1:
            raise RuntimeError(f"{facts['counted']} of {records} records were read back")
    read = [milliseconds(lambda: crc32((place / "plain").read_bytes())) for _ in range(rounds)]
    times = whole("ms", loads).median / whole("ms", read).median
    note = (
        f"{times:.1f}x of reading and summing the bytes; the whole open: {whole('ms', opens).median:.0f} ms"
    )
    add(result, f"snapshot load, {label}", whole("ms", loads), must=3000, aim=900, note=note)
    closes(result, place, label, records, size)


def closes(result: Result, place: Path, label: str, records: int, size: int) -> None:
    """A clean close after the load (ours with a snapshot), and an open that then counts all keys."""
    from devstate.engine.snapshotting import SnapshotPolicy

    closing, counting = [], []
    for number in range(2):
        path = place / f"closed-{number}"
        database = data.open_engine("buffered", path, snapshots=SnapshotPolicy(wal_bytes=0, seconds=0))
        data.load(database, records, size)
        closing.append(milliseconds(database.close))
        counting.append(told("open", "ours", "buffered", path)["with_count"] * 1000)
        shutil.rmtree(path)
    others, counted, lazy = [], [], []
    for number in range(2 if peer.available() else 0):
        path = place / f"peer-{number}"
        database = peer.open_peer("buffered", path)
        data.load_peer(database, records, size)
        others.append(milliseconds(database.close))
        facts = told("open", "peer", "buffered", path)
        counted.append(facts["with_count"] * 1000)
        lazy.append(facts["open"] * 1000)
        shutil.rmtree(path)
    theirs = whole("ms", others) if others else None
    add(result, f"clean close after the load, {label}", whole("ms", closing), peer=theirs)
    theirs = whole("ms", counted) if counted else None
    note = f"the peer's open alone, which is lazy: {whole('ms', lazy).median:.1f} ms" if lazy else None
    add(result, f"open and count all keys, {label}", whole("ms", counting), peer=theirs, note=note)


def write_plainly(path: Path, content: bytes) -> None:
    """The bytes in a new file, on the device."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def during_writes(result: Result, path: Path, *, records: int, puts: int) -> None:
    """Each put of a writer, alone and while snapshots are taken one after the other."""
    with data.open_engine("buffered", path) as database:
        run = data.load(database, records, 1000)
        keys = data.some_keys()

        def each(until: Callable[[int], bool]) -> list[float]:
            found: list[float] = []
            put, value = run.kv.put, data.VALUE
            while not until(len(found)):
                begun = perf_counter_ns()
                put(next(keys), value)
                found.append((perf_counter_ns() - begun) / 1000)
            return found

        alone = each(lambda done: done >= puts)
        taker = threading.Thread(target=lambda: [database.snapshot() for _ in range(2)])
        taker.start()
        beside = each(lambda _: not taker.is_alive())
        taker.join()
    shutil.rmtree(path)
    for what, found in (("KV put, no snapshot", alone), ("KV put while snapshots are taken", beside)):
        add(
            result,
            f"{what}, {records:,} x 1000 B there",
            Timed("us", (sum(found) / len(found),), tuple(found)),
            note=f"longest {max(found) / 1000:.1f} ms",
        )
    result.notes.append(
        "while snapshots are taken: the writer shares one interpreter with the thread that takes them; it waits for "
        "its turn of the interpreter (5 ms by default), not for a lock"
    )


def recoveries(result: Result, folder: Path, quick: bool) -> None:
    """Opens after SIGKILL: 10K commits in the log, 100 MB and 10K, and logs of growing size."""
    commits, records = (500, 5_000) if quick else (10_000, 100_000)
    rounds = 2 if quick else 5
    for mode in ("buffered", "strict"):
        recovery(
            result, f"WAL replay, {commits:,} commits, {mode}", folder, rounds, mode=mode, must=1000, aim=50,
            commits=commits,
        )  # fmt: skip
    recovery(
        result, f"full recovery, {records // 1000} MB and {commits:,} commits", folder, rounds, must=5000, aim=1000,
        records=records, snapshot=True, commits=commits,
    )  # fmt: skip
    for megabytes in (1, 10) if quick else (1, 10, 100, 1000):
        few = rounds if megabytes < 100 else 3
        recovery(result, f"recovery of a log of {megabytes:,} MB", folder, few, records=megabytes * 1000)
    result.notes.append(
        "recovery: a process fills the database and is killed with SIGKILL; each round opens a copy that is on the "
        "device and in the page cache, in a process of its own, and the time is that of the open and a count of all "
        "keys; the log of N MB has values of 1000 B, 500 to a transaction, and no snapshot"
    )


def recovery(
    result: Result,
    what: str,
    folder: Path,
    rounds: int,
    *,
    mode: str = "buffered",
    records: int = 0,
    snapshot: bool = False,
    commits: int = 0,
    must: float | None = None,
    aim: float | None = None,
) -> None:
    """One row: ours and the peer's, opened in turn."""
    place = folder / "recovery"
    place.mkdir()
    found: dict[str, list[dict[str, Any]]] = {}
    for who in ("ours", "peer") if peer.available() else ("ours",):
        killed(who, mode, place / who, records=records, size=1000, snapshot=snapshot, commits=commits)
        found[who] = []
    for _ in range(rounds):
        for who, facts in found.items():
            facts.append(open_copy(who, mode, place / who, place))
    shutil.rmtree(place)
    expected = records + commits
    if any(facts["counted"] != expected for facts in found["ours"]):
        raise RuntimeError(f"{found['ours'][0]['counted']} of {expected} records were recovered")
    mine = whole("ms", (facts["with_count"] * 1000 for facts in found["ours"]))
    note = f"the open alone: {whole('ms', (facts['open'] * 1000 for facts in found['ours'])).median:.1f} ms"
    theirs, same = None, True
    if "peer" in found:
        theirs = whole("ms", (facts["with_count"] * 1000 for facts in found["peer"]))
        kept = min(facts["counted"] for facts in found["peer"])
        note += f", the peer's {whole('ms', (facts['open'] * 1000 for facts in found['peer'])).median:.1f} ms"
        same = kept == expected
        note += "" if same else f" with {kept:,} of {expected:,} records: no ratio"
    add(result, what, mine, peer=theirs, comparable=same, must=must, aim=aim, note=note)


def memory(result: Result, records: int, *, rounds: int) -> None:
    """Bytes of the process per record, in memory mode."""
    ours = whole("B", (told("weigh", "ours", records)["per_record"] for _ in range(rounds)))
    theirs = None
    if peer.available():
        theirs = whole("B", (told("weigh", "peer", records)["per_record"] for _ in range(rounds)))
    add(
        result,
        f"memory per record of 64 B, {records:,} records, memory",
        ours,
        peer=theirs,
        note="ours keeps the history of each run too",
    )
