"""The Overview, computed from a reading: the verdict, the four answers, the facts they rest on, the findings.

Every line says what it speaks of (`opens`), so that a screen can go there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstate.findings import Finding, Severity, counted

from .facts import facts
from .groups import FindingGroup, grouped
from .lines import HISTORY, Line
from .verdict import answers, headline

if TYPE_CHECKING:
    from devstate.workspace import Reading

__all__ = ["Overview", "overview"]


@dataclass(frozen=True)
class Overview:
    """What the screen shows, but for the latest entries and the activity."""

    headline: Line
    answers: tuple[Line, ...]
    facts: tuple[Line, ...]
    findings: tuple[Finding | FindingGroup, ...]
    findings_title: str


def overview(reading: Reading) -> Overview:
    """The Overview of one reading."""
    return Overview(
        headline=headline(reading),
        answers=answers(reading.chain),
        facts=facts(reading),
        findings=grouped(_chain_first(reading.findings)),
        findings_title=counted(reading.findings),
    )


def _chain_first(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Gravest first, and among equals what concerns the chain: a break hides what the rest is worth."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda each: (order.index(each.severity), each.where.file != HISTORY)))
