"""A report as Markdown, for a pull request or a wiki."""

from __future__ import annotations

import re

from .document import counted
from .report import Report
from .text import place_of
from .types import Finding
from .visible import visible

__all__ = ["render_markdown"]

# Everything that means something to Markdown, GitHub's tables and mentions, or HTML.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>@:=$])")


def render_markdown(report: Report) -> str:
    """The Markdown text; texts of the data cannot open markup, links, mentions or HTML in it."""
    mark = "✔" if report.ok else "✘"
    parts = [f"# {_text(report.title)}", f"**{mark} {_text(report.verdict)}**"]
    if report.facts:
        parts.append(_table(("what", "value"), [(_text(name), _text(value)) for name, value in report.facts]))
    if report.checks:
        rows = [
            (_text(check.name), _RESULT[check.ok], _text(check.sentence or counted(check.findings)))
            for check in report.checks
        ]
        parts.append("## Checks\n\n" + _table(("check", "result", "what it says"), rows))
    found = "\n\n".join(_finding(finding) for finding in report.findings) or "None\\."
    parts.append(f"## Findings: {counted(report.findings)}\n\n{found}")
    if report.limits:
        limits = "\n".join(f"- {_text(limit)}" for limit in report.limits)
        parts.append("## What this cannot prove\n\n" + limits)
    parts.append(f"_devstate {_text(report.version)}_")
    return "\n\n".join(parts) + "\n"


_RESULT = {True: "✔ ok", False: "✘ failed", None: "not run"}


def _finding(finding: Finding) -> str:
    place = place_of(finding)
    lines = [
        f"**{_text(finding.code)}** ({finding.severity.value})" + (f" at {_text(place)}" if place else ""),
        _text(finding.message),
    ]
    if finding.expected is not None:
        lines.append(f"expected: {_text(finding.expected)}")
    if finding.actual is not None:
        lines.append(f"actual: {_text(finding.actual)}")
    if finding.remedy:
        lines.append(f"_What to do:_ {_text(finding.remedy)}")
    first, *rest = lines
    return "\n".join([f"- {first}  ", *(f"  {line}  " for line in rest)])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def _text(text: str) -> str:
    escaped = visible(text).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(_escape, escaped)


def _escape(match: re.Match[str]) -> str:
    char = match.group(1)
    # A backslash does not keep a code host from linking a mention; the reference does.
    return "&#64;" if char == "@" else f"\\{char}"
