"""Findings for a person at a terminal: the gravest first, short, with what to do."""

from __future__ import annotations

from collections.abc import Sequence

from .paint import paint
from .types import Finding, Severity
from .visible import shortened, visible

__all__ = ["place_of", "render_finding", "render_text"]

_MARKS = {Severity.ERROR: ("✘", "bad"), Severity.WARNING: ("!", "look"), Severity.INFO: ("i", "note")}
_GRAVITY = {severity: number for number, severity in enumerate(Severity)}
_VALUE_WIDTH = 160


def place_of(finding: Finding) -> str:
    """Where it is, in words: `.trae/history.json entry 3 (line 120)  /3/hmac_prev`."""
    where = finding.where
    parts = [visible(where.file)] if where.file else []
    if where.entry is not None:
        parts.append(f"entry {where.entry:,}")
    if where.line is not None:
        parts.append(f"line {where.line:,}")
    elif where.offset is not None:
        parts.append(f"byte {where.offset:,}")
    if where.pointer:
        parts.append(shortened(where.pointer, 80))
    return ", ".join(parts)


def render_finding(finding: Finding, *, colour: bool = False, width: int = 100, remedy: bool = True) -> str:
    """One finding on one to five lines, indented by two, without a line break at the end."""
    mark, style = _MARKS[finding.severity]
    head = f"  {paint(mark, style, colour)} {paint(visible(finding.code), style, colour)}"
    place = place_of(finding)
    lines = [f"{head}  {paint(place, 'dim', colour)}" if place else head]
    lines += _wrapped(visible(finding.message), "    ", width)
    value_width = max(24, min(_VALUE_WIDTH, width - 14))
    if finding.expected is not None:
        lines.append(f"    {paint('expected', 'dim', colour)}  {shortened(finding.expected, value_width)}")
    if finding.actual is not None:
        lines.append(f"    {paint('actual', 'dim', colour)}    {shortened(finding.actual, value_width)}")
    if remedy and finding.remedy:
        first, *rest = _wrapped(visible(finding.remedy), "      ", width)
        lines.append(f"    {paint('→', style, colour)} {first.lstrip()}")
        lines += rest
    return "\n".join(lines)


def render_text(
    findings: Sequence[Finding], *, colour: bool = False, width: int = 100, limit: int = 20
) -> str:
    """Up to `limit` findings, errors first; then how many more there are. Empty where there is none.

    A remedy is printed with the first finding of its code only: twenty equal sentences help nobody.
    """
    ordered = sorted(findings, key=lambda finding: _GRAVITY[finding.severity])
    told: set[tuple[str, str]] = set()
    parts: list[str] = []
    for finding in ordered[:limit]:
        advice = (finding.code, finding.remedy)
        parts.append(render_finding(finding, colour=colour, width=width, remedy=advice not in told))
        told.add(advice)
    if len(ordered) > limit:
        parts.append(f"  ... and {len(ordered) - limit:,} more (see --json)")
    return "\n".join(parts)


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    """The text on lines of at most `width`, cut at spaces where there are some."""
    room = max(20, width - len(indent))
    lines: list[str] = []
    while len(text) > room:
        cut = text.rfind(" ", 1, room + 1)
        cut = cut if cut > 0 else room
        lines.append(indent + text[:cut])
        text = text[cut:].lstrip(" ")
    return [*lines, indent + text]
