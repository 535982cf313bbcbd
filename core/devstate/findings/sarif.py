"""A report as SARIF 2.1.0, which code hosts show beside the lines of a change.

Format: OASIS Static Analysis Results Interchange Format 2.1.0, sections 3.13 (sarifLog) to 3.30 (region).
"""

from __future__ import annotations

from typing import Any

from .codes import CODES
from .report import Report
from .types import Finding, Severity
from .visible import visible, visible_json

__all__ = ["render_sarif", "sarif_document"]

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render_sarif(report: Report) -> str:
    """The JSON text of `sarif_document`, two spaces of indent, a line break at the end."""
    import json

    return visible_json(json.dumps(sarif_document(report), ensure_ascii=False, indent=2)) + "\n"


def sarif_document(report: Report) -> dict[str, Any]:
    """One run of the tool `devstate`; each finding is a result, each code that occurs a rule."""
    codes = sorted({finding.code for finding in report.findings})
    position = {code: number for number, code in enumerate(codes)}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "devstate",
                        "version": report.version,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "invocations": [{"executionSuccessful": True, "exitCode": report.exit_status}],
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, position) for finding in report.findings],
                "properties": {"verdict": visible(report.verdict), "ok": report.ok},
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    known = CODES.get(code)
    rule: dict[str, Any] = {"id": code}
    if known is not None:
        rule["shortDescription"] = {"text": known.title}
        rule["help"] = {"text": known.remedy}
        rule["properties"] = {"class": known.failure_class.value}
    return rule


def _result(finding: Finding, position: dict[str, int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": position[finding.code],
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding)},
    }
    where = finding.where
    if where.file:
        physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(where.file)}}
        if where.line is not None:
            physical["region"] = {"startLine": max(1, where.line)}
        elif where.offset is not None:
            physical["region"] = {"byteOffset": where.offset, "byteLength": 0}
        location: dict[str, Any] = {"physicalLocation": physical}
        if where.pointer is not None:
            location["logicalLocations"] = [{"fullyQualifiedName": visible(where.pointer), "kind": "value"}]
        result["locations"] = [location]
    properties = {"entry": where.entry, "expected": finding.expected, "actual": finding.actual}
    kept = {k: visible(v) if isinstance(v, str) else v for k, v in properties.items() if v is not None}
    if kept:
        result["properties"] = kept
    return result


def _message(finding: Finding) -> str:
    parts = [finding.message or finding.code]  # SARIF wants a text
    if finding.where.entry is not None:
        parts.append(f"Entry {finding.where.entry:,}.")
    if finding.expected is not None:
        parts.append(f"Expected: {finding.expected}.")
    if finding.actual is not None:
        parts.append(f"Actual: {finding.actual}.")
    if finding.remedy:
        parts.append(finding.remedy)
    return visible(" ".join(parts))


def _uri(path: str) -> str:
    """A relative or file URI reference for a path; `/` stays, everything unusual is percent-encoded."""
    from urllib.parse import quote

    quoted = quote(path.encode("utf-8", "surrogatepass"), safe="/")
    return f"file://{quoted}" if path.startswith("/") else quoted
