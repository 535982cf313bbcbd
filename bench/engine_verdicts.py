"""What `make bench-check` says of what it measured: ratios beside a stored baseline, times beside red flags.

A ratio compares an operation with plain work on the same bytes in the same rounds, so it says more of the code than
of the machine. A red flag is a time that the requirements name. The functions here measure nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SCHEMA = "devstate.bench-baseline/1"
OK, RED = "ok", "RED"


@dataclass(frozen=True)
class Flag:
    """A time that must not be exceeded. `scaled`: the limit grows with the slowness of the machine."""

    limit: float
    unit: str
    scaled: bool = False


@dataclass(frozen=True)
class Baseline:
    """What was measured when the baseline was taken: ratios by name, and the speed of that machine.

    A ratio may exceed its baseline by the factor `tolerance`. `calibration_ms` is a fixed loop of plain Python.
    """

    tolerance: float
    calibration_ms: float
    ratios: Mapping[str, float]
    flags: Mapping[str, Flag]

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """From its file. Raises ValueError for another schema."""
        stored = json.loads(path.read_text("utf-8"))
        if stored.get("schema") != SCHEMA:
            raise ValueError(f"{path} is not a baseline of this benchmark")
        flags = {name: Flag(**flag) for name, flag in stored["red_flags"].items()}
        return cls(stored["tolerance"], stored["calibration_ms"], stored["ratios"], flags)

    def write(self, path: Path) -> None:
        """Into its file."""
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "tolerance": self.tolerance,
            "calibration_ms": round(self.calibration_ms, 3),
            "ratios": {name: round(value, 2) for name, value in sorted(self.ratios.items())},
            "red_flags": {name: asdict(flag) for name, flag in self.flags.items()},
        }
        path.write_text(json.dumps(document, indent=4) + "\n", "utf-8")

    def slowness(self, calibration_ms: float) -> float:
        """How many times slower this machine is now than that of the baseline; at least 1."""
        return max(1.0, calibration_ms / self.calibration_ms)


@dataclass(frozen=True)
class Line:
    """One line of the verdict."""

    what: str
    value: float | None
    limit: float | None
    unit: str
    verdict: str
    why: str = ""


def judge(
    baseline: Baseline, *, ratios: Mapping[str, float], times: Mapping[str, float], calibration_ms: float
) -> list[Line]:
    """A line for each ratio and each red flag, stored or measured: what is on one side only is red too."""
    lines = []
    for name in sorted({*baseline.ratios, *ratios}):
        value, stored = ratios.get(name), baseline.ratios.get(name)
        limit = None if stored is None else stored * baseline.tolerance
        lines.append(_line(name, value, limit, "x", f"baseline {stored}" if stored is not None else ""))
    slowness = baseline.slowness(calibration_ms)
    for name in sorted({*baseline.flags, *times}):
        flag = baseline.flags.get(name)
        limit = None if flag is None else flag.limit * (slowness if flag.scaled else 1.0)
        why = ""
        if flag is not None:
            why = "red flag" + (
                f" {flag.limit} {flag.unit}, this machine {slowness:.2f}x" if flag.scaled else ""
            )
        lines.append(_line(name, times.get(name), limit, flag.unit if flag is not None else "", why))
    return lines


def _line(what: str, value: float | None, limit: float | None, unit: str, why: str) -> Line:
    if value is None:
        return Line(what, None, limit, unit, RED, "not measured")
    if limit is None:
        return Line(what, value, None, unit, RED, "nothing is stored for it")
    # The comparison is written so that a NaN is red.
    return Line(what, value, limit, unit, OK if value <= limit else RED, why)


def passed(lines: Sequence[Line]) -> bool:
    """Whether there is anything, and nothing red."""
    return bool(lines) and all(line.verdict == OK for line in lines)
