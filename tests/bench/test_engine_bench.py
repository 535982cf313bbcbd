"""The benchmark of the engine runs, and has a row for everything that it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROMISED = (
    *(
        f"{what}, {mode}"
        for mode in ("memory", "buffered", "strict")
        for what in (
            "KV put 64 B",
            "KV get",
            "JSON create 1 KB",
            "JSON get at path",
            "JSON set at path",
            "State read",
            "Event append",
        )
    ),
    "search, ",
    "index rebuild",
    "snapshot write",
    "snapshot load",
    "KV put while snapshots are taken",
    "WAL replay",
    "full recovery",
    "recovery of a log of 1 MB",
    "memory per record",
    "replay of a run",
    "diff of two runs",
    *(f"strict commits, {writers} threads" for writers in (1, 4, 16)),
    "shared mode, 4 processes",
    *(f"acknowledged puts, {mode}, kill -9" for mode in ("buffered", "strict")),
)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_quick_run_has_every_promised_row(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    done = subprocess.run(
        [sys.executable, "bench/run.py", "engine", "--quick", "--json", str(numbers)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(numbers.read_text("utf-8"))["results"]
    rows = {row["what"]: row for row in result["rows"]}
    assert len(rows) == len(result["rows"])
    for promised in PROMISED:
        assert any(promised in what for what in rows), promised
    for what, row in rows.items():
        assert row["least"] <= row["p50"] <= row["p99"] <= row["most"] and row["n"] > 0, what
        if "survivors" in what:
            assert row["least"] == row["must"], what
