"""Many writers, several processes, and what is left of acknowledged commits after `kill -9`."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

import engine_data as data
import peer
from engine_children import killed, line_of, open_copy, started
from harness import Result
from timing import Timed, add, whole

PUTS = 10_000


def measure(result: Result, folder: Path, quick: bool) -> None:
    """Threads, processes and kills."""
    rounds = 2 if quick else 5
    threads(result, folder, rounds=rounds, commits=160 if quick else 8_000)
    shared(result, folder, rounds=rounds, processes=4, commits=200 if quick else 10_000)
    kills(result, folder, puts=500 if quick else PUTS, trials=1 if quick else 3, late=0.5 if quick else 5.0)


def threads(result: Result, folder: Path, *, rounds: int, commits: int) -> None:
    """Strict commits of 1, 4 and 16 threads in one process."""
    theirs = peer.open_peer("strict", folder / "peer-strict") if peer.available() else None
    with data.open_engine("strict", folder / "strict") as database:
        run = database.run(name="writers")
        for writers in (1, 4, 16):
            puts = {"ours": run.kv.put}
            if theirs is not None:
                puts["peer"] = theirs.kv.put
            rates: dict[str, list[float]] = {name: [] for name in puts}
            waits: dict[str, list[float]] = {name: [] for name in puts}
            each = max(1, commits // 4 // writers) if writers < 4 else commits // writers
            for _ in range(rounds):
                for name, put in puts.items():
                    rate, each_wait = at_once(put, writers, each)
                    rates[name].append(rate)
                    waits[name] += each_wait
            note = "; ".join(
                f"{'a commit' if name == 'ours' else 'the peer'}: p50 {_at(found, 50):.0f}, p99 {_at(found, 99):.0f} us"
                for name, found in waits.items()
            )
            aim = 15_000 if writers == 16 else None
            add(
                result,
                f"strict commits, {writers} threads",
                whole("/s", rates["ours"]),
                peer=whole("/s", rates["peer"]) if theirs is not None else None,
                more_is_better=True,
                aim=aim,
                note=note,
            )
    if theirs is not None:
        theirs.close()


def at_once(put: Callable[[str, str], Any], writers: int, each: int) -> tuple[float, list[float]]:
    """Commits per second of so many threads, and how long each commit took (us)."""
    gate = threading.Barrier(writers + 1)
    waits: list[list[float]] = [[] for _ in range(writers)]

    def work(number: int) -> None:
        note, value = waits[number].append, data.VALUE
        names = [f"writer-{number}-{turn % 1000}" for turn in range(each)]
        gate.wait()
        for name in names:
            begun = perf_counter_ns()
            put(name, value)
            note((perf_counter_ns() - begun) / 1000)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    for worker in workers:
        worker.start()
    gate.wait()
    begun = perf_counter()
    for worker in workers:
        worker.join()
    rate = writers * each / (perf_counter() - begun)
    return rate, [value for found in waits for value in found]


def _at(values: list[float], percent: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]


def shared(result: Result, folder: Path, *, rounds: int, processes: int, commits: int) -> None:
    """Several processes, one shared database, buffered: from the first commit of the first to the last of the last."""
    for number in (1, processes):
        rates: list[float] = []
        waits: list[float] = []
        for turn in range(rounds):
            path = folder / f"shared-{number}-{turn}"
            data.open_engine("buffered", path, shared=True).close()
            children = [started("write", path, commits) for _ in range(number)]
            for child in children:
                line_of(child)
            for child in children:
                assert child.stdin is not None
                child.stdin.write("go\n")
                child.stdin.flush()
            told = [line_of(child) for child in children]
            for child in children:
                child.communicate()
            took = max(facts["ended"] for facts in told) - min(facts["begun"] for facts in told)
            rates.append(number * commits / (took / 1e9))
            waits += [value for facts in told for value in facts["each"]]
            shutil.rmtree(path)
        what = f"shared mode, {number} process{'es' if number > 1 else ''}, buffered commits"
        note = f"a commit: p50 {_at(waits, 50):.1f}, p99 {_at(waits, 99):.1f} us"
        add(result, what, whole("/s", rates), aim=10_000 if number > 1 else None, note=note)


def kills(result: Result, folder: Path, *, puts: int, trials: int, late: float) -> None:
    """Acknowledged single puts, then SIGKILL at once or later: how many are there when it is opened again."""
    for mode in ("buffered", "strict"):
        for after in (0.0, late):
            survivors: dict[str, list[float]] = {}
            for who in ("ours", "peer") if peer.available() else ("ours",):
                survivors[who] = []
                for trial in range(trials):
                    path = folder / f"kill-{who}-{mode}-{trial}"
                    acknowledged = killed(who, mode, path, commits=puts, after=after)
                    facts = open_copy(who, mode, path, folder)
                    survivors[who].append(float(facts["singles"]))
                    if acknowledged != puts:
                        raise RuntimeError(f"{acknowledged} of {puts} puts were acknowledged")
                    shutil.rmtree(path)
            when = f"{after:g} s later" if after else "at once"
            add(
                result,
                f"{puts:,} acknowledged puts, {mode}, kill -9 {when}: survivors",
                Timed("puts", tuple(survivors["ours"]), tuple(survivors["ours"])),
                peer=whole("puts", survivors["peer"]) if "peer" in survivors else None,
                more_is_better=True,
                must=puts,
                note=f"the peer's mode: {peer.CALLED[mode]}" if "peer" in survivors else None,
            )
