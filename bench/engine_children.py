"""Databases as killed processes leave them, and processes that open, weigh and write them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness import ROOT, environment

CHILD = ROOT / "bench" / "ways" / "engine_child.py"


def started(*arguments: object) -> subprocess.Popen[str]:
    """A child, see ways/engine_child.py."""
    variables = environment(os.environ.get("HOME", "/"))
    variables["PYTHONPATH"] += f"{os.pathsep}{ROOT / 'bench'}"
    return subprocess.Popen(
        [sys.executable, str(CHILD), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )


def line_of(child: subprocess.Popen[str]) -> dict[str, Any]:
    """What it says next. Raises RuntimeError where it ends instead."""
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the benchmark ended with status {child.wait()}")
    return json.loads(line)


def told(*arguments: object) -> dict[str, Any]:
    """Run a child to its end; what it said."""
    with started(*arguments) as child:
        return line_of(child)


def killed(
    who: str, mode: str, path: Path, *, records: int = 0, size: int = 64, snapshot: bool = False, commits: int = 0,
    after: float = 0.0,
) -> int:  # fmt: skip
    """A database that a process filled and left by SIGKILL, `after` seconds later; how many commits it was told of."""
    child = started("load", who, mode, path, records, size, "snapshot" if snapshot else "none", commits)
    try:
        committed = line_of(child)["committed"]
        time.sleep(after)
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
    return int(committed)


def open_copy(who: str, mode: str, image: Path, place: Path) -> dict[str, Any]:
    """Open a copy of a folder in a process of its own; everything of the copy is on the device before that."""
    copy = place / "copy"
    shutil.copytree(image, copy)
    try:
        os.sync()
        return told("open", who, mode, copy)
    finally:
        shutil.rmtree(copy)
