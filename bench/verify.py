"""Verification of large histories: the plain way, the product with one and two processes, and the floor."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import inputs
from harness import MIB, ROOT, Result, Run, ratio, sample, side_by_side

WAYS = ROOT / "bench" / "ways"
COLUMNS = (
    ("what", "way"),
    ("median", "wall s, median"),
    ("p99", "p99"),
    ("cpu", "processor s"),
    ("times_plain", "times plain"),
    ("times_floor", "of the floor's time"),
    ("peak_mib", "peak MiB"),
    ("times_file", "of the file"),
    ("n", "n"),
)
PLAIN = "plain Python (json.load, hmac.new, no checks)"
FLOOR = "floor (SHA-256 of the bytes, typed decode)"
ONE, TWO = "devstate, 1 process", "devstate, 2 processes"


def ways(path: Path, *, plain: bool = True, command: bool = False) -> dict[str, Sequence[str]]:
    """The commands that read one file."""
    python = sys.executable
    chosen: dict[str, Sequence[str]] = {}
    if plain:
        chosen[PLAIN] = (python, str(WAYS / "plain.py"), str(path))
    chosen[ONE] = (python, str(WAYS / "api.py"), str(path), "1")
    chosen[TWO] = (python, str(WAYS / "api.py"), str(path), "2")
    if command:
        chosen["devstate verify (the command)"] = (python, "-m", "devstate_cli", "verify", str(path))
    chosen[FLOOR] = (python, str(WAYS / "floor.py"), str(path))
    return chosen


def rows(result: Result, label: str, path: Path, runs: dict[str, list[Run]]) -> None:
    """Add one row a way. The peak of two processes is that of the larger one; both hold about as much."""
    size = path.stat().st_size / MIB
    for name, done in runs.items():
        peak = sample(done, "peak", "MiB").median
        if name == TWO:
            peak *= 2
        result.add(
            f"{label}: {name}",
            sample(done, "wall", "s"),
            cpu=round(sample(done, "cpu", "s").median, 3),
            times_plain=ratio(runs[PLAIN], done) if PLAIN in runs else None,
            times_floor=ratio(done, runs[FLOOR]),
            peak_mib=round(peak, 1),
            times_file=round(peak / size, 2),
            file_mib=round(size, 1),
        )


def measure(folder: Path, *, quick: bool) -> Result:
    """Everything about verification; `quick` tries the benchmark out on small files."""
    result = Result(
        "verify",
        "Verification of large histories, whole processes",
        (
            "plain Python and the floor do less: no check of formats, duplicates, encoding, times, keys or limits, "
            "and no findings",
            "files come from the page cache: the disk is not measured",
            "all files are valid; one that is not takes longer by what there is to say",
            "the processor seconds hold the start of the interpreter and the imports, as a user pays them",
        ),
    )
    entries, many, rounds = (5_000, 20_000, 2) if quick else (200_000, 1_000_000, 7)
    path = inputs.history(folder, entries)
    label = f"{entries:,} entries, {path.stat().st_size / 1e6:,.0f} MB, indent 4"
    chosen = ways(path, command=True)
    rows(result, label, path, side_by_side(chosen, rounds=rounds, home=folder))
    for style in ("indent 2", "compact", "irregular"):
        other = inputs.in_style(path, style)
        label = f"{entries:,} entries, {other.stat().st_size / 1e6:,.0f} MB, {style}"
        rows(result, label, other, side_by_side(ways(other), rounds=max(2, rounds // 2), home=folder))
        other.unlink()
    large = inputs.history(folder, many)
    label = f"{many:,} entries, {large.stat().st_size / 1e6:,.0f} MB, indent 4"
    rows(
        result, label, large, side_by_side(ways(large, plain=False), rounds=max(2, rounds // 2), home=folder)
    )
    result.notes.append(
        "irregular: the members sorted, so that every entry goes through the strict parser alone"
    )
    result.notes.append("plain Python is left out at 1,000,000 entries: it holds several gigabytes")
    return result
