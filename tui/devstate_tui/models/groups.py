"""Many findings of one code as one line of a list."""

from __future__ import annotations

from dataclasses import dataclass

from devstate.findings import CODES, Finding, Severity

__all__ = ["FindingGroup", "grouped"]

_ALONE = 5  # more findings of one code than these stand in one line


@dataclass(frozen=True)
class FindingGroup:
    """Findings of one code and severity."""

    findings: tuple[Finding, ...]

    @property
    def code(self) -> str:
        return self.findings[0].code

    @property
    def severity(self) -> Severity:
        return self.findings[0].severity

    @property
    def remedy(self) -> str:
        return CODES[self.code].remedy

    @property
    def message(self) -> str:
        """`12 entries: a text holds ...`."""
        what = "findings" if self.findings[0].where.entry is None else "entries"
        return f"{len(self.findings):,} {what}: {CODES[self.code].title}"


def grouped(findings: tuple[Finding, ...]) -> tuple[Finding | FindingGroup, ...]:
    """The findings in their order; where there are many of a code, their group in the place of the first."""
    alike: dict[tuple[Severity, str, bool], list[Finding]] = {}
    for finding in findings:
        alike.setdefault(_kind(finding), []).append(finding)
    lines: list[Finding | FindingGroup] = []
    for finding in findings:
        same = alike[_kind(finding)]
        if len(same) <= _ALONE:
            lines.append(finding)
        elif finding is same[0]:
            lines.append(FindingGroup(tuple(same)))
    return tuple(lines)


def _kind(finding: Finding) -> tuple[Severity, str, bool]:
    # "1,000 more entries have this" names no entry, and keeps a line of its own.
    return finding.severity, finding.code, finding.where.entry is not None
