"""Measuring whole processes side by side: rounds in turn, medians and percentiles, and the machine they ran on.

What is compared runs in the same rounds, one after the other, so that a busy moment of the machine meets all of
them. Nothing here imports what is measured.
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """The measurements of one thing, in one unit."""

    unit: str
    values: tuple[float, ...]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def percentile(self, percent: float) -> float:
        """The value that `percent` of all values do not exceed (nearest rank)."""
        ranked = sorted(self.values)
        return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]

    def document(self) -> dict[str, Any]:
        """Median, p50, p95, p99, least, most and n, for JSON."""
        return {
            "unit": self.unit,
            "n": self.n,
            "median": round(self.median, 4),
            "p50": round(self.percentile(50), 4),
            "p95": round(self.percentile(95), 4),
            "p99": round(self.percentile(99), 4),
            "least": round(min(self.values), 4),
            "most": round(max(self.values), 4),
        }


@dataclass(frozen=True)
class Run:
    """One process from start to end: seconds of wall clock and processor (its children's too), peak MiB."""

    wall: float
    cpu: float
    peak: float
    status: int
    out: str


@dataclass
class Result:
    """One benchmark: what it measured, against which budget, and what it does not compare."""

    name: str
    title: str
    not_compared: tuple[str, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, sample: Sample, **more: Any) -> None:
        """A row; `more` holds further columns, for example `budget` or `times_plain`."""
        self.rows.append({"what": what, **sample.document(), **more})

    def document(self) -> dict[str, Any]:
        return asdict(self)


def machine() -> dict[str, Any]:
    """The machine and the interpreter, without names of users or hosts."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
        model = next(
            (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model
        )
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def machine_line(found: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{found['processor']}, {found['cores']} cores, {found['memory_mib'] // 1024} GiB, {found['system']}, "
        f"Python {found['python']}, load {found['load_before']} before the first round"
    )


def environment(home: Path | str) -> dict[str, str]:
    """For measured processes: no settings of this machine, the product found where this repository has it."""
    paths = [str(ROOT / name) for name in ("core", "cli", "tui")]
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "PYTHONPATH": os.pathsep.join(paths),
    }


class Launcher:
    """Runs commands one after the other, see launcher.py; a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(ROOT / "bench" / "launcher.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Launcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, command: Sequence[str], *, home: Path | str, cwd: Path | str | None = None) -> Run:
        """Run a command to its end. The peak is the largest of the process and its children, not their sum."""
        wanted = {"command": list(command), "env": environment(home), "cwd": str(cwd or home)}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        done = json.loads(self._process.stdout.readline())
        return Run(done["wall"], done["cpu"], done["peak_bytes"] / MIB, done["status"], done["out"])


def side_by_side(
    commands: Mapping[str, Sequence[str]],
    *,
    rounds: int,
    home: Path | str,
    cwd: Path | str | None = None,
    statuses: Mapping[str, int] | None = None,
    warm: int = 1,
) -> dict[str, list[Run]]:
    """Run all commands in each round; the first ones fill the caches and do not count.

    Raises RuntimeError where one ends with another status than expected: its time would mean nothing.
    """
    expected = statuses or {}
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    names = list(commands)
    with Launcher() as launcher:
        for number in range(-warm, rounds):
            turn = max(number, 0) % len(names)
            for name in names[turn:] + names[:turn]:  # nobody is always first
                done = launcher.run(commands[name], home=home, cwd=cwd)
                if done.status != expected.get(name, 0):
                    raise RuntimeError(f"{name} ended with status {done.status}: {done.out[-2000:]}")
                if number >= 0:
                    runs[name].append(done)
    return runs


def sample(runs: Sequence[Run], what: str, unit: str, factor: float = 1.0) -> Sample:
    """A field of some runs as a sample."""
    return Sample(unit, tuple(getattr(one, what) * factor for one in runs))


def ratio(of: Sequence[Run], to: Sequence[Run], what: str = "wall") -> float:
    """How many times faster `to` is than `of`: the median of the ratios of each round."""
    pairs = zip(of, to, strict=True)
    return round(statistics.median(getattr(a, what) / max(getattr(b, what), 1e-9) for a, b in pairs), 2)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]]) -> str:
    """A Markdown table of some columns: (key, heading)."""
    lines = [
        "| " + " | ".join(heading for _, heading in columns) + " |",
        "|" + "|".join("---" if number == 0 else "--:" for number in range(len(columns))) + "|",
    ]
    for row in rows:
        cells = (row.get(key) for key, _ in columns)
        lines.append("| " + " | ".join("" if cell is None else _cell(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
