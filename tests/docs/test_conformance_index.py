"""docs/formats/conformance.md: complete, and every test that it names is there."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/formats/conformance.md").read_text("utf-8")

REQUIRED = re.findall(
    r"[A-Z0-9-]+",
    """
    RULE-1 RULE-2 RULE-3 RULE-4 RULE-5
    R1 R2 R3 R4 R5 R6 REC-SEQUENCE REC-SYNC
    P1 P2 P3 P4 P5 P6 API-REPLAY API-VIEW API-DIFF
    WAL-LENGTH WAL-TYPE WAL-VERSION WAL-TX WAL-PAYLOAD WAL-CRC
    TYPE-CORE TYPE-KV TYPE-JSON TYPE-EVENT TYPE-STATE TYPE-TRACE TYPE-RUN TYPE-RESERVED
    SNAP-MAGIC SNAP-VERSION SNAP-TIME SNAP-OFFSET SNAP-PAYLOAD SNAP-CRC SNAP-FILE SNAP-INDEXES
    EXT-NAMES EXT-NO-LIST EXT-VECTOR
    PERF-KV-PUT PERF-KV-GET PERF-JSON-CREATE PERF-JSON-GET PERF-EVENT PERF-STATE PERF-SEARCH
    PERF-SNAP-WRITE PERF-SNAP-LOAD PERF-WAL PERF-RECOVERY PERF-REPLAY PERF-DIFF
    """,
)
"""The statements that the engine was asked to keep; the page tells what each says."""


def rows() -> list[tuple[str, str, list[str]]]:
    found = re.findall(r"^\| ([A-Z][A-Z0-9-]+) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    return [(name, statement, re.findall(r"`([^`]+)`", shown)) for name, statement, shown in found]


ROWS = rows()


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of the tests of a file, those of classes included; none where there is no such file."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
    )


@cache
def measured() -> frozenset[str]:
    stored = json.loads((ROOT / "bench/baseline.json").read_text("utf-8"))
    return frozenset({*stored["red_flags"], *stored["ratios"]})


def exists(reference: str) -> bool:
    if reference.startswith("bench: "):
        return reference.removeprefix("bench: ") in measured()
    file, _, name = reference.partition("::")
    return name in names_in(file)


def test_every_statement_is_on_the_page_once_and_no_other() -> None:
    assert sorted(name for name, _, _ in ROWS) == sorted(REQUIRED)


@pytest.mark.parametrize(("name", "statement", "shown"), ROWS, ids=[row[0] for row in ROWS])
def test_a_statement_has_tests_and_all_of_them_exist(name: str, statement: str, shown: list[str]) -> None:
    assert len(statement.split()) > 3
    assert shown, f"{name} is shown by nothing"
    assert [reference for reference in shown if not exists(reference)] == []


def test_speed_is_shown_by_measuring_and_all_else_by_tests() -> None:
    for name, _, shown in ROWS:
        assert {one.startswith("bench: ") for one in shown} == {name.startswith("PERF-")}, name


def test_every_row_of_a_table_is_read() -> None:
    """The pattern of rows finds what is there."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| id ")]
    assert len(lines) == len(ROWS)
    assert not exists("engine/test_replay.py::test_no_such_test")
    assert not exists("bench: nothing")
    assert exists("docs/test_conformance_index.py::test_every_row_of_a_table_is_read")
