"""Runs replayed and compared, in a log that is full of other runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import engine_data as data
import peer
from harness import Result
from timing import Way, add, in_turn


def measure(result: Result, folder: Path, quick: bool) -> None:
    """Replay of a run of 1,000 events beside little and much of other runs, and a diff of 1,000 keys."""
    events, few, many, rounds = (50, 200, 2_000, 2) if quick else (1_000, 20_000, 200_000, 5)
    for foreign in (few, many):
        for segment in (4 << 20, 64 << 20):
            replayed(result, folder / f"replay-{foreign}", events, foreign, rounds, segment)
    compared(result, folder / "diff", 50 if quick else 1_000, rounds)
    result.notes.append(
        "replay: the events of the run are spread evenly over the commits of other runs; `bytes read` is what the "
        "calls for reading files returned during one replay, of the whole log; segments are 64 MiB unless a "
        "database is opened with another size; with 4 MiB most of the log behind a snapshot is sealed and has an index"
    )


def counting_files() -> Any:
    """The file layer of the product, counting what is read."""
    from devstate.durable.files import OS

    class Counting(type(OS)):  # type: ignore[misc]
        count = 0

        def read(self, fd: int, size: int) -> bytes:
            found = super().read(fd, size)
            self.count += len(found)
            return found

        def pread(self, fd: int, size: int, offset: int) -> bytes:
            found = super().pread(fd, size, offset)
            self.count += len(found)
            return found

        def mmap(self, fd: int, length: int) -> memoryview:
            self.count += length
            return super().mmap(fd, length)

    return Counting()


def replayed(result: Result, path: Path, events: int, foreign: int, rounds: int, segment: int) -> None:
    """Rows: from the live log, and behind a snapshot, where the positions must be found in the files."""
    from devstate.engine.snapshotting import SnapshotPolicy

    files = counting_files()
    policy = SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1, keep=1)
    options: dict[str, Any] = {"files": files, "snapshots": policy, "segment_bytes": segment}
    with data.open_engine("buffered", path, **options) as database:
        run, others = database.run(name="replayed"), [database.run(name=f"other {n}") for n in range(10)]
        each, value, keys = foreign // events, data.VALUE, data.some_keys()
        for number in range(events):
            run.events.append("tool_call", {**data.EVENT, "n": number})
            for turn in range(each):
                others[turn % 10].kv.put(next(keys), value)
        identity = run.id
    for where in ("from the live log", "behind a snapshot"):
        with data.open_engine("buffered", path, **options) as database:
            size = database.committer.log.end
            if where == "behind a snapshot":
                database.snapshot()
        with data.open_engine("buffered", path, **options) as database:

            def replay(database: Any = database) -> None:
                view = database.replay_run(identity)
                if len(view.events) != events:
                    raise RuntimeError(f"{len(view.events)} of {events} events were replayed")

            files.count = 0
            replay()
            note = f"{files.count:,} bytes read of {size:,}"
            found = in_turn({"ours": Way(replay, _for_ever())}, rounds=rounds, calls=4)["ours"]
        label = (
            f"replay of a run of {events:,} events, {foreign:,} commits of others, {where}, "
            f"segments of {segment >> 20} MiB"
        )
        add(result, label, in_ms(found), must=100, aim=3, note=note)
    shutil.rmtree(path)


def compared(result: Result, folder: Path, keys: int, rounds: int) -> None:
    """Two runs of so many keys, a tenth of them different, both replayed from the log; the peer's two branches."""
    folder.mkdir()
    changed = [f"key-{number:06d}" for number in range(0, keys, 10)]
    names = [f"key-{number:06d}" for number in range(keys)]
    theirs = peer.open_peer("buffered", folder / "peer") if peer.available() else None
    with data.open_engine("buffered", folder / "ours") as database:
        one, other = database.run(name="one"), database.run(name="other")
        for run in (one, other):
            for name in names:
                run.kv.put(name, data.VALUE)
        for name in changed:
            other.kv.put(name, "changed")

        def diff() -> None:
            if database.diff_runs(one.id, other.id).count != len(changed):
                raise RuntimeError("the diff is wrong")

        ways = {"ours": Way(diff, _for_ever())}
        if theirs is not None:
            for name in names:
                theirs.kv.put(name, data.VALUE)
            theirs.branches.fork("default", "other")
            branch = theirs.at(branch="other")
            for name in changed:
                branch.kv.put(name, "changed")
            ways["peer"] = Way(lambda: theirs.branches.diff("default", "other"), _for_ever())
        found = in_turn(ways, rounds=rounds, calls=4)
    if theirs is not None:
        theirs.close()
    add(
        result,
        f"diff of two runs of {keys:,} keys",
        in_ms(found["ours"]),
        peer=in_ms(found["peer"]) if "peer" in found else None,
        must=200,
        aim=5,
        note="ours replays both runs from the log; the peer compares two branches",
    )


def _for_ever() -> Any:
    while True:
        yield ()


def in_ms(timed: Any) -> Any:
    """Microseconds as milliseconds."""
    return type(timed)("ms", tuple(v / 1000 for v in timed.rounds), tuple(v / 1000 for v in timed.calls))
