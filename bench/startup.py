"""Short commands: what a user waits for before anything is said."""

from __future__ import annotations

import sys
from pathlib import Path

import inputs
from harness import Result, sample, side_by_side

COLUMNS = (
    ("what", "command"),
    ("median", "wall ms, median"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("cpu", "processor ms"),
    ("budget", "budget ms"),
    ("n", "n"),
)


def measure(folder: Path, *, quick: bool) -> Result:
    """`devstate --help`, `devstate verify` and their floor, an interpreter that does nothing."""
    result = Result(
        "startup",
        "Short commands on 12 entries, whole processes",
        (
            "no terminal is attached, and the files and byte code are in the page cache",
            "the first start after an installation compiles the byte code and takes longer",
        ),
    )
    root = inputs.workspace(folder, 12)
    python = sys.executable
    devstate = (python, "-m", "devstate_cli")
    commands = {
        "python -c pass (the floor)": (python, "-c", "pass"),
        "devstate --help": (*devstate, "--help"),
        "devstate verify": (*devstate, "-C", str(root), "verify"),
        "devstate verify --json": (*devstate, "-C", str(root), "verify", "--json"),
        "devstate status": (*devstate, "-C", str(root), "status"),
    }
    budgets = {"devstate --help": 80, "devstate verify": 150}
    runs = side_by_side(commands, rounds=3 if quick else 40, home=folder, cwd=folder, warm=2)
    for name, done in runs.items():
        cpu = round(sample(done, "cpu", "ms", 1000).median, 1)
        result.add(name, sample(done, "wall", "ms", 1000), cpu=cpu, budget=budgets.get(name))
    return result
