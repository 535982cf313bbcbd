"""The engine, beside its peer: operations, search, files, history, writers, processes and kills."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import engine_files
import engine_history
import engine_operations
import engine_processes
import engine_search
import peer
from engine_data import file_system
from harness import Result

COLUMNS = (
    ("what", "operation"),
    ("unit", "unit"),
    ("median", "median"),
    ("p50", "p50"),
    ("p99", "p99"),
    ("n", "n"),
    ("peer_median", "peer: median"),
    ("peer_p99", "p99"),
    ("peer_n", "n"),
    ("times_peer", "times better"),
    ("must", "must"),
    ("aim", "aim"),
    ("note", "beside it"),
)

PARTS: tuple[Callable[[Result, Path, bool], None], ...] = (
    engine_operations.measure,
    engine_search.measure,
    engine_files.measure,
    engine_history.measure,
    engine_processes.measure,
)


def measure(folder: Path, *, quick: bool) -> Result:
    """Everything about the engine; `quick` tries the benchmark out with little data."""
    result = Result("engine", "The engine, beside its peer", peer.NOT_COMPARED)
    result.notes += peer.fairness()
    result.notes += [
        f"files in a folder on {file_system(folder)}; syncs cost what its device makes of them",
        "median: of the rounds, each the mean of its calls; p50, p99, n: of calls timed one by one, in all rounds; "
        "where a round is one call the two are the same; the ratio is the median of the ratios of each round",
        "ours takes no snapshot by itself during operations (the writer's p99 beside a snapshot has its own row); "
        "the garbage collector runs as it does in any program",
    ]
    for part in PARTS:
        print(f"engine: {part.__module__.removeprefix('engine_')} ...", file=sys.stderr, flush=True)
        place = folder / part.__module__
        place.mkdir()
        part(result, place, quick)
    return result
