"""Findings as plain JSON values, in the shape of docs/reference/cli.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .types import Finding, Severity

__all__ = ["counted", "finding_document", "findings_document"]


def finding_document(finding: Finding) -> dict[str, Any]:
    """`code severity message where expected actual remedy`; absent parts of `where` are left out."""
    where = finding.where
    place: dict[str, Any] = {}
    if where.file is not None:
        place["file"] = where.file
    if where.entry is not None:
        place["entry"] = where.entry
    if where.pointer is not None:
        place["pointer"] = where.pointer
    if where.line is not None:
        place["line"] = where.line
    if where.offset is not None:
        place["offset"] = where.offset
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "where": place,
        "expected": finding.expected,
        "actual": finding.actual,
        "remedy": finding.remedy,
    }


def findings_document(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """All findings, in the order given."""
    return [finding_document(finding) for finding in findings]


def counted(findings: Iterable[Finding]) -> str:
    """How many of each severity, in words: `2 errors, 1 warning`; `none` where there is none."""
    numbers = dict.fromkeys(Severity, 0)
    for finding in findings:
        numbers[finding.severity] += 1
    words = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    parts = [f"{n:,} {words[s]}{'' if n == 1 else 's'}" for s, n in numbers.items() if n]
    return ", ".join(parts) or "none"
