"""What can go wrong in the engine: one class a cause, each with a stable `code` and its facts as fields.

All are `DevStateError`s: they carry path, position and remedy, and the exit status of a command.
"""

from __future__ import annotations

from devstate.errors import DevStateError

__all__ = [
    "AlreadyExists",
    "CasMismatch",
    "ConflictError",
    "DatabaseClosed",
    "DatabaseLocked",
    "DurabilityError",
    "EngineError",
    "EngineLimitExceeded",
    "ForkedHandleError",
    "HistoryPruned",
    "ImplicitWriteInTransaction",
    "JsonTypeError",
    "NestedTransactionError",
    "NoRecoveryBaseError",
    "NotADatabase",
    "NotDurableError",
    "NotFound",
    "PathError",
    "ReadOnlyError",
    "RegistrationError",
    "RunExists",
    "RunNotActive",
    "RunNotFound",
    "SnapshotCorruptError",
    "UnknownEntryType",
    "UnsupportedFormat",
    "ValueRangeError",
    "ValueTypeError",
    "WalCorruptionError",
]


class EngineError(DevStateError):
    """Root of the engine's errors, raised itself for what has no name of its own.

    `retryable` says whether the same call may succeed when made again. `advice` is the remedy of those that tell none.
    """

    code = "ENGINE_ERROR"
    exit_code = 3
    retryable = False
    advice = "See docs/guide/engine.md for what the engine expects; `devstate db check` looks at the files."

    def __init__(
        self, message: str, *, path: str | None = None, position: str | None = None, remedy: str = ""
    ) -> None:
        super().__init__(message, path=path, position=position, remedy=remedy or self.advice)


# -- what the caller asked for -------------------------------------------------------------------------


class NotFound(EngineError):
    """The key, document, cell, event or span does not exist."""

    code = "NOT_FOUND"
    advice = "Ask with `exists`, or list what there is, before it is read."


class AlreadyExists(EngineError):
    """`create` or `init` of something that is there."""

    code = "ALREADY_EXISTS"
    exit_code = 8
    advice = "Read what is there, or choose another name."


class ValueTypeError(EngineError, TypeError):
    """A value (or part of one, see `position`) is of a type that the engine does not store."""

    code = "VALUE_TYPE"
    exit_code = 2
    advice = "Give a value of the type that the message names."


class ValueRangeError(EngineError, ValueError):
    """An integer outside i64, or a float that a JSON document cannot hold."""

    code = "VALUE_RANGE"
    exit_code = 2
    advice = "Give a value within the range that the message names."


class EngineLimitExceeded(EngineError):
    """A key, value, document, path or transaction is larger than the format allows.

    `what` names the limit, `limit` and `found` are in its unit.
    """

    code = "ENGINE_LIMIT"
    exit_code = 2

    def __init__(
        self, message: str, *, what: str, limit: int, found: int, position: str | None = None
    ) -> None:
        super().__init__(message, position=position, remedy=f"Keep it within {limit}.")
        self.what = what
        self.limit = limit
        self.found = found


class PathError(EngineError):
    """A JSON path cannot be read, or leads to where nothing is."""

    code = "PATH"
    exit_code = 2
    advice = "Correct the path, or read the document to see what it holds."


class JsonTypeError(PathError):
    """A step of a JSON path meets a container of the other kind, or a scalar."""

    code = "JSON_TYPE"


class RunNotFound(NotFound):
    """No run has that id."""

    code = "RUN_NOT_FOUND"
    advice = "`list_runs` says which runs there are."


class RunExists(AlreadyExists):
    """`begin_run` of an id that is known."""

    code = "RUN_EXISTS"
    advice = "Choose another identifier, or let one be made."


class RunNotActive(EngineError):
    """The run is finished, paused or archived: it takes no writes. `status` says which."""

    code = "RUN_NOT_ACTIVE"
    exit_code = 8
    advice = "`run_status` says what it is; a paused or orphaned run goes on with `resume_run`."

    def __init__(self, message: str, *, status: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


# -- transactions --------------------------------------------------------------------------------------


class ConflictError(EngineError):
    """Another commit came between: nothing of the transaction was written.

    `kind` is `read-write`, `cas`, `json read-write`, `json write-write`, `scan` or `run state`; `expected` and
    `found` are versions (commit versions, or entity versions for `cas`).
    """

    code = "CONFLICT"
    exit_code = 8
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        primitive: str,
        key: str | int | None,
        expected: int | None = None,
        found: int | None = None,
        remedy: str = "Run the transaction again; `Database.transact` does so by itself.",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.kind = kind
        self.primitive = primitive
        self.key = key
        self.expected = expected
        self.found = found


class CasMismatch(ConflictError):
    """Compare-and-set found another version than `expected`; the same call again would find the same."""

    code = "CAS_MISMATCH"
    retryable = False


class NestedTransactionError(EngineError):
    """A transaction was begun in a thread that has one open."""

    code = "NESTED_TRANSACTION"
    exit_code = 2
    advice = "End the open transaction first, or go on with it."


class ImplicitWriteInTransaction(EngineError):
    """A write beside the open transaction of the same thread: it would commit at once, without it."""

    code = "IMPLICIT_WRITE"
    exit_code = 2
    advice = "Write through the transaction, or end it first."


# -- the database --------------------------------------------------------------------------------------


class NotADatabase(EngineError):
    """The folder holds other things, or nothing, and no database was asked to be made."""

    code = "NOT_A_DATABASE"
    advice = "Name the folder of a database, or one that does not exist yet."


class DatabaseLocked(EngineError):
    """Another process has the database open in a mode that excludes this one. `pid` is None if unknown."""

    code = "DATABASE_LOCKED"
    exit_code = 6
    retryable = True
    advice = "Close it there, or wait for it."

    def __init__(
        self, message: str, *, pid: int | None = None, path: str | None = None, remedy: str = ""
    ) -> None:
        super().__init__(message, path=path, remedy=remedy)
        self.pid = pid


class DatabaseClosed(EngineError):
    """The database, transaction or view was closed before."""

    code = "DATABASE_CLOSED"
    exit_code = 2
    advice = "Open it again."


class ForkedHandleError(EngineError):
    """A forked child uses the handle of its parent."""

    code = "FORKED_HANDLE"
    exit_code = 2
    advice = "Open the database in the child."


class ReadOnlyError(EngineError):
    """A write through a database opened read-only."""

    code = "READ_ONLY"
    exit_code = 8
    advice = "Open the database for writing."


class NotDurableError(EngineError):
    """A database in memory has no files to snapshot, check or replay after its end."""

    code = "NOT_DURABLE"
    exit_code = 2
    advice = "Give a path, and `buffered` or `strict` durability."


class DurabilityError(EngineError):
    """A write or sync of the log failed.

    `committed` is False where nothing of the transaction is in the log, None where nobody can tell (a sync
    failed): open the database again and look.
    """

    code = "DURABILITY"
    exit_code = 5
    advice = "See to the device and to the permissions of the folder, then open the database again."

    def __init__(
        self,
        message: str,
        *,
        committed: bool | None = False,
        path: str | None = None,
        position: str | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, path=path, position=position, remedy=remedy)
        self.committed = committed


class HistoryPruned(EngineError):
    """The steps asked for were deleted by the retention of history. `from_cv` is the first that is kept."""

    code = "HISTORY_PRUNED"
    advice = 'Ask for later steps; with history="keep" all of them stay.'

    def __init__(self, message: str, *, from_cv: int, path: str | None = None, remedy: str = "") -> None:
        super().__init__(message, path=path, remedy=remedy)
        self.from_cv = from_cv


class RegistrationError(EngineError):
    """A primitive asks for a type or entry number that is taken or reserved, or comes after open."""

    code = "REGISTRATION"
    exit_code = 2
    advice = "Choose another number or name, and register it before the database is opened."


# -- what the disk holds -------------------------------------------------------------------------------


class WalCorruptionError(EngineError):
    """Committed transactions are damaged, with later ones behind them. `report` is a `CorruptionReport`.

    Nothing was changed. See docs/guide/engine.md for the ways on.
    """

    code = "WAL_CORRUPT"
    exit_code = 1
    advice = "Copy the folder first; `devstate db check` shows all damage."

    def __init__(
        self,
        message: str,
        *,
        report: object,
        path: str | None = None,
        position: str | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, path=path, position=position, remedy=remedy)
        self.report = report


class SnapshotCorruptError(EngineError):
    """A snapshot file does not hold what it must. `reason` is a short word for it."""

    code = "SNAPSHOT_CORRUPT"
    exit_code = 1
    advice = "An older snapshot with a longer log gives the same state; opening the database looks for one."

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        path: str | None = None,
        position: str | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, path=path, position=position, remedy=remedy)
        self.reason = reason


class UnsupportedFormat(EngineError):
    """A file of a later version of the format: a newer program wrote it. `version` is what it says."""

    code = "UNSUPPORTED_FORMAT"

    def __init__(
        self, message: str, *, version: int, path: str | None = None, position: str | None = None
    ) -> None:
        super().__init__(message, path=path, position=position, remedy="Open it with a newer DevState.")
        self.version = version


class NoRecoveryBaseError(EngineError):
    """Neither a valid snapshot nor a log from its beginning: there is nothing to build a state on."""

    code = "NO_RECOVERY_BASE"
    advice = "Put back a snapshot, or the segments from LSN 0 on, from a copy of this database."


class UnknownEntryType(EngineError):
    """The log holds committed entries of a type that nothing registered. `types` are their numbers."""

    code = "UNKNOWN_ENTRY_TYPE"
    advice = "Register the plug-in that wrote them, or open without `strict`."

    def __init__(
        self, message: str, *, types: tuple[int, ...], path: str | None = None, remedy: str = ""
    ) -> None:
        super().__init__(message, path=path, remedy=remedy)
        self.types = types
