"""The live state of each run against the replay of its history: the check that only an open database can make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from devstate.findings import CODES, Finding, Severity, Where

from .errors import HistoryPruned, WalCorruptionError
from .ids import run_text
from .view import run_digests

if TYPE_CHECKING:
    from .commit import Committer
    from .view import ReadOnlyView

__all__ = ["compare_with_replays"]


def compare_with_replays(committer: Committer, replay: Callable[..., ReadOnlyView]) -> tuple[Finding, ...]:
    """A finding for each run whose replay is not what is in memory, or whose history is damaged.

    A run that is written to meanwhile is looked at as of one commit. Pruned history is no finding.
    """
    found: list[Finding] = []
    with committer.lock:
        cv = committer.cv
        digests = run_digests(committer.primitives)
    for run, live in sorted(digests.items()):
        name = run_text(run)
        try:
            replayed = replay(name, cv=cv).digest()
        except HistoryPruned:
            continue
        except WalCorruptionError as error:
            found.append(_finding("WAL_CORRUPT", error.message, name))
            continue
        if live != replayed:
            told = f"run {name} replayed is not what is in memory"
            found.append(_finding("STATE_MISMATCH", told, name, replayed, live))
    return tuple(found)


def _finding(
    code: str, message: str, run: str, expected: str | None = None, actual: str | None = None
) -> Finding:
    return Finding(
        code,
        Severity.ERROR,
        message,
        Where(file=run),
        expected=expected,
        actual=actual,
        remedy=CODES[code].remedy,
    )
