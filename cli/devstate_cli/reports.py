"""From a verdict to the report that the SARIF, JUnit, Markdown and HTML renderers print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from devstate import __version__
from devstate.findings import (
    Finding,
    Report,
    ReportCheck,
    Severity,
    render_html,
    render_junit,
    render_markdown,
    render_sarif,
)

if TYPE_CHECKING:
    from devstate.workspace import Gate

    from .judging import Judged

__all__ = ["FORMATS", "RENDERERS", "gate_report", "verify_report"]

RENDERERS: dict[str, Callable[[Report], str]] = {
    "sarif": render_sarif,
    "junit": render_junit,
    "markdown": render_markdown,
    "html": render_html,
}
FORMATS = ("text", "json", *RENDERERS)

# Every finding of a verification belongs to one of these checks; what no row names is a matter of the file.
_CHECKS = {
    "hmac": ("HMAC_MISMATCH",),
    "links": ("CHAIN_LINK_BROKEN", "GENESIS_LINK", "HEAD_MISSING", "DUPLICATE_ENTRY"),
    "fields": ("FIELD_TYPE", "FIELD_MISSING", "FIELD_FORMAT", "FIELD_BOUNDARY_AMBIGUOUS"),
    "keys": ("WRONG_KEY", "WEAK_KEY", "KEY_MISSING", "KEY_UNDECLARED", "KEY_OUT_OF_RANGE", "KEY_COMPROMISED"),
    "time": ("TIME_REGRESSION", "FUTURE_TIME"),
    "state": ("STATE_UNBOUND",),
}
_VERDICTS = {
    0: "verified",
    1: "broken",
    3: "cannot be decided",
    4: "verified, but against policy",
    5: "no verdict: the input changed or could not be read",
}


def verify_report(judged: Judged, status: int, shown_head: str | None) -> Report:
    """The report on one history."""
    report = judged.report
    rows = {name: [f for f in judged.findings if f.code in codes] for name, codes in _CHECKS.items()}
    known = {code for codes in _CHECKS.values() for code in codes}
    groups = {"file": [f for f in judged.findings if f.code not in known], **rows}
    checks = [ReportCheck(name, _ok(found), "", tuple(found)) for name, found in groups.items()]
    facts: list[tuple[str, str]] = [("file", judged.file)]
    verdict = f"{judged.file}: {_VERDICTS.get(status, 'no verdict')}"
    if report is not None:
        checks += [ReportCheck(name, None, "not checked") for name in report.checks_not_run]
        facts += [("entries", str(report.entries)), ("good entries", str(report.verified))]
        if report.first_bad is not None:
            facts.append(("first bad entry", str(report.first_bad)))
        if report.head is not None:
            facts += [("head", f"entry {report.head.index} {shown_head}"), ("head time", report.head.ts)]
        facts.append(("sha256", report.sha256))
        for name in ("integrity", "authenticity", "completeness", "time"):
            answer = getattr(report.answers, name)
            facts.append((name, f"{answer.status}: {answer.sentence}"))
        verdict += f", {report.verified:,} of {report.entries:,} entries are good"
    return Report(
        title="DevState: verification of a history",
        ok=status == 0,
        verdict=verdict,
        exit_status=status,
        version=__version__,
        facts=tuple(facts),
        checks=tuple(checks),
        findings=judged.findings,
        limits=report.not_provable if report is not None else (),
    )


def gate_report(gate: Gate, root: str, status: int) -> Report:
    """The report on the No-Drift gate."""
    counts = gate.artifacts
    return Report(
        title="DevState: the No-Drift gate",
        ok=status == 0,
        verdict="the gate is open" if status == 0 else "the gate is closed",
        exit_status=status,
        version=__version__,
        facts=(
            ("workspace", root),
            (
                "artifacts",
                f"{counts.total} listed, {counts.matched} match, {counts.mismatched} differ, "
                f"{counts.missing} missing",
            ),
        ),
        checks=tuple(ReportCheck(check.name, check.ok, check.sentence) for check in gate.checks),
        findings=gate.findings,
    )


def _ok(findings: Sequence[Finding]) -> bool:
    return all(finding.severity is not Severity.ERROR for finding in findings)
