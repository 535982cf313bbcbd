"""A report as JUnit XML, which CI systems show as test results: one test case a check."""

from __future__ import annotations

from .document import counted
from .report import Report, ReportCheck
from .text import place_of
from .types import Finding, Severity
from .visible import visible

__all__ = ["render_junit"]


def render_junit(report: Report) -> str:
    """The XML text. A check with an error is a failure, one that was not run is skipped; other findings are
    told in `system-out`, so that a CI page shows warnings without turning red."""
    cases = [_case(check) for check in report.checks]
    failures = sum(check.ok is False for check in report.checks)
    skipped = sum(check.ok is None for check in report.checks)
    numbers = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="{skipped}"'
    facts = "".join(f'\n      <property name="{_text(k)}" value="{_text(v)}"/>' for k, v in report.facts)
    properties = f"    <properties>{facts}\n    </properties>\n" if facts else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="devstate" {numbers}>\n'
        f'  <testsuite name="{_text(report.title)}" {numbers}>\n'
        f"{properties}{''.join(cases)}"
        f"    <system-out>{_text(report.verdict)}</system-out>\n"
        "  </testsuite>\n</testsuites>\n"
    )


def _case(check: ReportCheck) -> str:
    head = f'    <testcase classname="devstate" name="{_text(check.name)}"'
    if check.ok is None:
        return f'{head}>\n      <skipped message="{_text(check.sentence)}"/>\n    </testcase>\n'
    parts: list[str] = []
    errors = [f for f in check.findings if f.severity is Severity.ERROR]
    rest = [f for f in check.findings if f.severity is not Severity.ERROR]
    if not check.ok:
        kind = errors[0].code if errors else "FAILED"
        summary = check.sentence or counted(check.findings)
        body = "\n".join(_line(finding) for finding in errors)
        parts.append(
            f'      <failure type="{_text(kind)}" message="{_text(summary)}">{_lines(body)}</failure>\n'
        )
    if rest:
        body = "\n".join(_line(finding) for finding in rest)
        parts.append(f"      <system-out>{_lines(body)}</system-out>\n")
    return f"{head}>\n{''.join(parts)}    </testcase>\n" if parts else f"{head}/>\n"


def _line(finding: Finding) -> str:
    place = place_of(finding)
    parts = [f"{finding.severity.value} {finding.code}", place, finding.message]
    if finding.expected is not None:
        parts.append(f"expected {finding.expected}")
    if finding.actual is not None:
        parts.append(f"actual {finding.actual}")
    parts.append(finding.remedy)
    return " | ".join(visible(part) for part in parts if part)


def _text(text: str) -> str:
    """Text for XML, in an element or between double quotes; what XML forbids has become escapes."""
    from html import escape

    # U+FFFE and U+FFFF are no characters of XML 1.0 and harmless elsewhere.
    return escape(visible(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff"), quote=True)


def _lines(text: str) -> str:
    return "\n".join(_text(line) for line in text.split("\n"))
