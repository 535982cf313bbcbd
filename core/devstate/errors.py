"""Typed errors: what went wrong, where, and what a person can do next.

Every error that reaches a user is a `DevStateError`. It names a stable `code` (the finding codes of
docs/findings.md where one fits), the exit status that a command ends with, and a remedy. A fault of the
*data* that a check can go on after is a `Finding`, not an error.
"""

from __future__ import annotations

__all__ = [
    "ChangedDuringRead",
    "DevStateError",
    "InputMissing",
    "InputUnreadable",
    "KeyMissing",
    "LimitExceeded",
    "PlanRefused",
    "PlanStale",
    "StateLockHeld",
    "StorageFault",
    "UsageError",
    "WorkspaceNotFound",
]


class DevStateError(Exception):
    """Root of all errors of DevState.

    `path` is the file or folder concerned, `position` a byte offset, entry or JSON pointer in words.
    """

    code = "ERROR"
    exit_code = 3

    def __init__(
        self, message: str, *, path: str | None = None, position: str | None = None, remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.position = position
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path and self.path not in self.message else ""
        at = f" (at {self.position})" if self.position else ""
        return f"{place}{self.message}{at}"


class UsageError(DevStateError):
    """Wrong flags, arguments or configuration."""

    code = "USAGE"
    exit_code = 2


class WorkspaceNotFound(DevStateError):
    """No folder `.trae` here or in any parent."""

    code = "INPUT_MISSING"
    exit_code = 3


class InputMissing(DevStateError):
    """A file or folder that is needed does not exist."""

    code = "INPUT_MISSING"
    exit_code = 3


class InputUnreadable(DevStateError):
    """It exists but cannot be read: no permission, a directory, a device, or an I/O error."""

    code = "INPUT_UNREADABLE"
    exit_code = 3


class LimitExceeded(DevStateError):
    """An input is larger than the limit that protects the reader; the limits are settings."""

    code = "LIMIT_EXCEEDED"
    exit_code = 1


class KeyMissing(DevStateError):
    """No secret is configured where one is required."""

    code = "KEY_MISSING"
    exit_code = 3


class ChangedDuringRead(DevStateError):
    """The file changed while it was read, so no verdict about it would be true."""

    code = "CHANGED_DURING_READ"
    exit_code = 5


class StorageFault(DevStateError):
    """The operating system refused or failed a write, a sync or a rename."""

    code = "IO_ERROR"
    exit_code = 5


class StateLockHeld(DevStateError):
    """Another process holds the lock. `holder`, `since` and `until` say who, from when and how long."""

    code = "STATE_LOCK_HELD"
    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        holder: str,
        since: str,
        until: str | None = None,
        path: str | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, path=path, remedy=remedy)
        self.holder = holder
        self.since = since
        self.until = until


class PlanStale(DevStateError):
    """The inputs a plan was made on are no longer what is there; nothing was changed."""

    code = "PLAN_STALE"
    exit_code = 8


class PlanRefused(DevStateError):
    """A change was not confirmed, or a safety rule forbids it; nothing was changed."""

    code = "REFUSED"
    exit_code = 8
