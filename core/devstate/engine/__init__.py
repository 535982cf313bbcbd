"""The embedded engine: runs and their records, in a log that recovers, replays and compares."""

from .database import Database
from .durability import Durability
from .errors import ConflictError, EngineError
from .ids import RunId
from .recovery_result import RecoveryOptions, RecoveryResult
from .transactions import CommitInfo, Transaction

__all__ = [
    "CommitInfo",
    "ConflictError",
    "Database",
    "Durability",
    "EngineError",
    "RecoveryOptions",
    "RecoveryResult",
    "RunId",
    "Transaction",
]
