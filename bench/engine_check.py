"""`make bench-check`: is the engine slower than it was, or slower than it must never be? Exit status 1 where it is.

Ratios are of an operation to plain work in the same rounds, the least disturbed round of each; where no device is
waited for they are of processor time, which a busy machine disturbs little. See engine_verdicts.py. `--update` writes
the ratios of this run into baseline.json instead: on a machine that does nothing else, after a change that makes
something dearer on purpose.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import repeat
from pathlib import Path
from time import thread_time_ns
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import engine_data as data
from engine_children import killed, open_copy, told
from engine_files import write_plainly
from engine_operations import Baseline as Plain
from engine_operations import bytes_of_a_put, encode_and_sum, operations
from engine_verdicts import OK, Baseline, judge, passed
from harness import ROOT, machine, machine_line, table
from timing import Way, in_turn, milliseconds

STORED = ROOT / "bench" / "baseline.json"
ROUNDS, CALLS, STRICT_CALLS = 9, 4_000, 300
COLUMNS = (
    ("what", "what"),
    ("value", "measured"),
    ("limit", "limit"),
    ("unit", "unit"),
    ("verdict", "verdict"),
    ("why", "limit from"),
)


class Measured:
    """Ratios by name, times in the unit of their flag, and how long the calibration loop took."""

    def __init__(self) -> None:
        self.ratios: dict[str, float] = {}
        self.times: dict[str, float] = {}
        self.calibration_ms = min(_processor_ms(calibration) for _ in range(15))


def calibration() -> int:
    """Plain Python that makes objects, looks them up and calls functions: what the engine mostly does."""
    found: dict[str, tuple[int, bytes]] = {}
    total = 0
    for number in range(20_000):
        key = f"key-{number % 1000}"
        total += encode_and_sum()
        found[key] = (number, key.encode())
    return total + len(found)


def memory(measured: Measured) -> None:
    """Operations in memory, to the encoding and the checksum of one entry."""
    with data.open_engine("memory") as database:
        run = database.run(name="check")
        _prepare(run)
        ways = {name: ours for name, (ours, _) in operations(run, None, data.document()).items()}
        ways["plain"] = Way(encode_and_sum, repeat(()))
        found = in_turn(ways, rounds=ROUNDS, calls=CALLS, clock=thread_time_ns)
    plain = found.pop("plain").best
    for name, timed in found.items():
        measured.ratios[f"{name}, memory / encode and sum"] = timed.best / plain
    measured.times["KV put 64 B, memory"] = found["KV put 64 B"].best


def buffered(measured: Measured, folder: Path) -> None:
    """Writes with buffered durability, to the encoding, the checksum and one write of the bytes of a put."""
    with data.open_engine("buffered", folder / "buffered") as database:
        run = database.run(name="check")
        _prepare(run)
        with Plain("buffered", folder, bytes_of_a_put(database, run)) as plainly:
            write = plainly.call

            def plain() -> None:
                encode_and_sum()
                write()

            ways = {
                name: ours
                for name, (ours, _) in operations(run, None, data.document()).items()
                if name not in ("KV get", "JSON get at path", "State read")
            }
            ways["plain"] = Way(plain, repeat(()))
            found = in_turn(ways, rounds=ROUNDS, calls=CALLS // 2, clock=thread_time_ns)
    least = found.pop("plain").best
    for name, timed in found.items():
        measured.ratios[f"{name}, buffered / encode, sum and write"] = timed.best / least


def strict(measured: Measured, folder: Path) -> None:
    """A put with strict durability, to one write and fdatasync of its bytes: medians, since devices stall."""
    with data.open_engine("strict", folder / "strict") as database:
        run = database.run(name="check")
        with Plain("strict", folder, bytes_of_a_put(database, run)) as plainly:
            keys = data.some_keys()
            ways = {
                "put": Way(run.kv.put, ((key, data.VALUE) for key in keys)),
                "plain": Way(plainly.call, repeat(())),
            }
            found = in_turn(ways, rounds=6, calls=STRICT_CALLS // 6, block=1)
    ratio = statistics.median(found["put"].calls) / statistics.median(found["plain"].calls)
    measured.ratios["KV put 64 B, strict / write and fdatasync"] = ratio


def search(measured: Measured) -> None:
    """Two-term queries over 2,000 documents, to the calibration loop."""
    texts = data.Texts(2_000)
    with data.open_engine("memory") as database:
        run = database.run(name="texts")
        for number, text in enumerate(texts.documents):
            run.kv.put(f"text-{number:06d}", text)
        database.index_run(run.id, ["kv"])
        questions = [texts.as_written() for _ in range(50)]

        def ask() -> None:
            for question in questions:
                database.search(run.id, question, primitives=("kv",))

        ask()
        _against_calibration(measured, "50 searches, 2,000 documents", ask)


def history(measured: Measured, folder: Path) -> None:
    """Replay of 1,000 events and diff of 1,000 keys, among 10,000 commits of others."""
    with data.open_engine("buffered", folder / "history") as database:
        one, other, many = (database.run(name=name) for name in ("one", "other", "many"))
        events = database.run(name="events")
        keys = data.some_keys()
        for number in range(1_000):
            events.events.append("tool_call", {**data.EVENT, "n": number})
            one.kv.put(f"key-{number}", data.VALUE)
            other.kv.put(f"key-{number}", data.VALUE if number % 10 else "changed")
            for _ in range(10):
                many.kv.put(next(keys), data.VALUE)
        for what, call in (
            ("replay of a run of 1,000 events", lambda: database.replay_run(events.id)),
            ("diff of two runs of 1,000 keys", lambda: database.diff_runs(one.id, other.id).count),
        ):
            measured.times[what] = min(milliseconds(call) for _ in range(9))
            _against_calibration(measured, what, call)
        database.snapshot()
    with data.open_engine(
        "buffered", folder / "history"
    ) as database:  # no position of the run is in memory now
        what = "replay of a run of 1,000 events, behind a snapshot"
        _against_calibration(measured, what, lambda: database.replay_run(events.id))


def files(measured: Measured, folder: Path) -> None:
    """A snapshot of 100 MB written and loaded, 10,000 commits replayed, and both together after SIGKILL."""
    path = folder / "snapshot"
    with data.open_engine("buffered", path) as database:
        run = data.load(database, 100_000, 1000)
        database.flush()
        writes, plain = [], []
        for _ in range(5):
            run.kv.put("changed", data.VALUE)
            writes.append(milliseconds(database.snapshot))
            newest = max((path / "snapshots").iterdir(), key=lambda file: file.stat().st_size)
            content = newest.read_bytes()
            plain.append(milliseconds(partial(write_plainly, folder / "plain", content)))
    measured.times["snapshot write, 100 MB"] = min(writes) / 1000
    measured.ratios["snapshot write, 100 MB / plain write and fsync"] = min(writes) / min(plain)
    opens = [told("open", "ours", "buffered", path) for _ in range(5)]
    measured.times["snapshot load, 100 MB"] = min(facts["phases"]["loading"] for facts in opens) / 1e6
    _opens_against_calibration(measured, "open with a snapshot of 100 MB", opens)
    shutil.rmtree(path)
    for what, records in (
        ("WAL replay, 10,000 commits", 0),
        ("full recovery, 100 MB and 10,000 commits", 100_000),
    ):
        killed("ours", "buffered", path, records=records, size=1000, snapshot=bool(records), commits=10_000)
        opens = [open_copy("ours", "buffered", path, folder) for _ in range(5)]
        if any(facts["counted"] != records + 10_000 for facts in opens):
            raise RuntimeError(f"{what}: {opens[0]['counted']} records were recovered")
        measured.times[what] = min(facts["open"] for facts in opens)
        _opens_against_calibration(measured, what, opens)
        shutil.rmtree(path)


def _prepare(run: Any) -> None:
    with run.transaction() as transaction:
        for key in data.fresh_keys("there"):
            if key.endswith("5000"):
                break
            transaction.kv.put(key, data.VALUE)
        transaction.json.create("plan", data.document())
        transaction.state.init("phase", {"name": "act", "n": 1})


def _against_calibration(measured: Measured, what: str, call: Callable[[], Any]) -> None:
    """Processor time, in turn with the loop: what else the machine does meanwhile counts for little."""
    pairs = [(_processor_ms(call), _processor_ms(calibration)) for _ in range(15)]
    measured.ratios[f"{what} / calibration loop"] = min(a for a, _ in pairs) / min(b for _, b in pairs)


def _opens_against_calibration(measured: Measured, what: str, opens: list[dict[str, Any]]) -> None:
    """The same for opens that other processes made."""
    loop = min(_processor_ms(calibration) for _ in range(15))
    measured.ratios[f"{what} / calibration loop"] = min(facts["processor"] for facts in opens) * 1000 / loop


def _processor_ms(call: Callable[[], Any]) -> float:
    begun = thread_time_ns()
    call()
    return (thread_time_ns() - begun) / 1e6


def measure(folder: Path) -> Measured:
    """Everything, about half a minute."""
    measured = Measured()
    parts: tuple[Callable[[], None], ...] = (
        lambda: memory(measured),
        lambda: buffered(measured, folder),
        lambda: strict(measured, folder),
        lambda: search(measured),
        lambda: history(measured, folder),
        lambda: files(measured, folder),
    )
    for part in parts:
        part()
    # The machine may have got faster or slower meanwhile: the least of before and after.
    measured.calibration_ms = min(measured.calibration_ms, *(_processor_ms(calibration) for _ in range(15)))
    return measured


def main(arguments: list[str] | None = None) -> int:
    """Measure, compare, print a line for each; 1 where one is red."""
    parser = argparse.ArgumentParser(prog="bench/engine_check.py", description=__doc__)
    parser.add_argument("--update", action="store_true", help="store what is measured as the baseline")
    parser.add_argument("--baseline", type=Path, default=STORED, metavar="FILE", help="another baseline")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT / "core"))
    stored = Baseline.read(options.baseline)
    print(f"Machine: {machine_line(machine())}\n")
    with tempfile.TemporaryDirectory(prefix="devstate-bench-") as folder:
        measured = measure(Path(folder))
    if options.update:
        dataclasses.replace(stored, calibration_ms=measured.calibration_ms, ratios=measured.ratios).write(
            options.baseline
        )
        print(f"{os.path.relpath(options.baseline)} holds {len(measured.ratios)} ratios of this run")
        return 0
    lines = judge(
        stored, ratios=measured.ratios, times=measured.times, calibration_ms=measured.calibration_ms
    )
    print(table([dataclasses.asdict(line) for line in lines], COLUMNS))
    red = sum(line.verdict != OK for line in lines)
    print(
        f"\nA ratio may be {stored.tolerance:g} times its baseline; the calibration loop took "
        f"{measured.calibration_ms:.2f} ms (baseline {stored.calibration_ms:.2f} ms)."
    )
    print(f"{len(lines)} lines, {red} red." if red else f"{len(lines)} lines, none red.")
    return 0 if passed(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
