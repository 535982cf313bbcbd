"""A finding: one thing that is wrong, or that a reader has to know, in one shape for the whole product."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from .codes import CODES, Class

__all__ = ["Finding", "Severity", "Where", "exit_code", "worst"]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Where(msgspec.Struct, frozen=True, omit_defaults=True):
    """The place of a finding; every part is optional.

    `entry` counts from 0, `line` from 1, `offset` in bytes from 0; `pointer` is an RFC 6901 JSON pointer.
    """

    file: str | None = None
    entry: int | None = None
    pointer: str | None = None
    line: int | None = None
    offset: int | None = None


class Finding(msgspec.Struct, frozen=True):
    """One fault or fact, with what was expected, what is there, and what a person can do next.

    `code` is one of `devstate.findings.CODES`; texts may hold control characters of the data: renderers
    escape them. HMACs in `expected` and `actual` are already masked.
    """

    code: str
    severity: Severity
    message: str
    where: Where = Where()
    expected: str | None = None
    actual: str | None = None
    remedy: str = ""

    @property
    def failure_class(self) -> Class:
        """The kind of failure that this finding stands for; a warning is always policy."""
        if self.severity is Severity.INFO:
            return Class.INFORMATION
        if self.severity is Severity.WARNING:
            return Class.POLICY
        return CODES[self.code].failure_class


# Tampered, cannot decide, changed while reading, policy: in this order one hides the other.
_PRECEDENCE = (
    (Class.INTEGRITY, 1),
    (Class.UNDECIDABLE, 3),
    (Class.IO, 5),
)


def exit_code(findings: Iterable[Finding], *, strict: bool = False) -> int:
    """The exit status that the findings demand (the table of docs/reference/cli.md)."""
    classes = {finding.failure_class for finding in findings}
    for failure_class, status in _PRECEDENCE:
        if failure_class in classes:
            return status
    return 4 if strict and Class.POLICY in classes else 0


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The gravest severity among the findings, or None where there is none."""
    present = {finding.severity for finding in findings}
    return next((severity for severity in Severity if severity in present), None)
