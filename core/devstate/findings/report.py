"""What a report file says, whatever its format: a verdict, the checks behind it, the findings, the limits."""

from __future__ import annotations

import msgspec

from .types import Finding

__all__ = ["Report", "ReportCheck"]


class ReportCheck(msgspec.Struct, frozen=True):
    """One check: `ok` is None where it was not run (`sentence` then says why)."""

    name: str
    ok: bool | None
    sentence: str = ""
    findings: tuple[Finding, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """The input of the SARIF, JUnit, Markdown and HTML renderers.

    `facts` are pairs of a name and a text; `limits` are sentences on what the checks cannot prove;
    `exit_status` is the one that the command ends with; `version` is that of the program. Texts may hold
    any character: the renderers escape.
    """

    title: str
    ok: bool
    verdict: str
    exit_status: int
    version: str
    facts: tuple[tuple[str, str], ...] = ()
    checks: tuple[ReportCheck, ...] = ()
    findings: tuple[Finding, ...] = ()
    limits: tuple[str, ...] = ()
