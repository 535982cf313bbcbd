"""`make bench-check` turns red on what is slower than it was, slower than it may be, or not there."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("engine_verdicts", BENCH / "engine_verdicts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


verdicts = loaded()
STORED = verdicts.Baseline(
    tolerance=1.6,
    calibration_ms=10.0,
    ratios={"put": 4.0, "get": 1.0},
    flags={"put": verdicts.Flag(3.0, "us", scaled=True), "load": verdicts.Flag(6.0, "s")},
)


def judged(
    *, put: float = 4.0, us: float = 2.0, seconds: float = 1.0, calibration: float = 10.0, **more: Any
) -> dict[str, str]:
    lines = verdicts.judge(
        STORED,
        ratios={"put": put, "get": 1.0, **more.get("ratios", {})},
        times={"put": us, "load": seconds, **more.get("times", {})},
        calibration_ms=calibration,
    )
    assert verdicts.passed(lines) == all(line.verdict == verdicts.OK for line in lines)
    return {f"{line.what} {line.unit}".strip(): line.verdict for line in lines}


def test_what_is_as_it_was_passes() -> None:
    assert set(judged().values()) == {verdicts.OK}


def test_a_ratio_beyond_the_tolerance_is_red_and_at_it_is_not() -> None:
    assert judged(put=6.4)["put x"] == verdicts.OK
    assert judged(put=6.41) == {**judged(), "put x": verdicts.RED}


def test_a_time_beyond_its_red_flag_is_red() -> None:
    assert judged(seconds=6.0)["load s"] == verdicts.OK
    assert judged(seconds=6.01) == {**judged(), "load s": verdicts.RED}


def test_a_slow_machine_has_more_time_for_what_is_scaled_and_a_fast_one_not_less() -> None:
    assert judged(us=5.9)["put us"] == verdicts.RED
    assert judged(us=5.9, calibration=20.0)["put us"] == verdicts.OK
    assert judged(us=6.1, calibration=20.0)["put us"] == verdicts.RED
    assert judged(us=2.9, calibration=5.0)["put us"] == verdicts.OK
    assert judged(seconds=6.01, calibration=20.0)["load s"] == verdicts.RED


def test_what_was_not_measured_and_what_nothing_is_stored_for_is_red() -> None:
    lines = verdicts.judge(
        STORED, ratios={"get": 1.0, "new": 1.0}, times={"put": 1.0, "other": 1.0}, calibration_ms=10.0
    )
    red = {(line.what, line.why) for line in lines if line.verdict == verdicts.RED}
    assert red == {
        ("put", "not measured"),
        ("load", "not measured"),
        ("new", "nothing is stored for it"),
        ("other", "nothing is stored for it"),
    }
    assert not verdicts.passed(lines)


def test_no_number_and_no_line_are_red() -> None:
    assert judged(put=float("nan"))["put x"] == verdicts.RED
    assert not verdicts.passed([])


def test_a_baseline_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    STORED.write(path)
    assert verdicts.Baseline.read(path) == STORED


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    STORED.write(path)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "schema": "other/1"}), "utf-8")
    with pytest.raises(ValueError, match="not a baseline"):
        verdicts.Baseline.read(path)


def test_a_planted_slow_ratio_turns_the_stored_baseline_red() -> None:
    stored = verdicts.Baseline.read(BENCH / "baseline.json")
    times = {name: flag.limit / 2 for name, flag in stored.flags.items()}
    fine = verdicts.judge(stored, ratios=stored.ratios, times=times, calibration_ms=stored.calibration_ms)
    assert verdicts.passed(fine) and len(fine) == len(stored.ratios) + len(stored.flags) > 20
    for name in stored.ratios:
        slow = {**stored.ratios, name: stored.ratios[name] * 1.7}
        lines = verdicts.judge(stored, ratios=slow, times=times, calibration_ms=stored.calibration_ms)
        assert [line.what for line in lines if line.verdict == verdicts.RED] == [name]


def test_the_red_flags_are_those_of_the_requirements() -> None:
    flags = verdicts.Baseline.read(BENCH / "baseline.json").flags
    assert {name: dataclasses.astuple(flag)[:2] for name, flag in flags.items()} == {
        "KV put 64 B, memory": (3.0, "us"),
        "snapshot write, 100 MB": (10.0, "s"),
        "snapshot load, 100 MB": (6.0, "s"),
        "WAL replay, 10,000 commits": (3.0, "s"),
        "full recovery, 100 MB and 10,000 commits": (10.0, "s"),
        "replay of a run of 1,000 events": (500.0, "ms"),
        "diff of two runs of 1,000 keys": (500.0, "ms"),
    }
