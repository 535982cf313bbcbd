"""A verification that the user asked for: in a thread, with progress, and one that can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devstate.chain import ChainReport, Progress
    from devstate.workspace import Workspace

__all__ = ["Receipt", "Verifier"]


@dataclass(frozen=True)
class Receipt:
    """What a verification found. `report` is None where the history could not be read; `faults` then say why.

    `elapsed` is in seconds; `errors` and `warnings` count the findings on the whole workspace.
    """

    report: ChainReport | None
    taken_at: str
    elapsed: float
    errors: int
    warnings: int
    faults: tuple[str, ...]
    command: str = "devstate verify"


class Verifier:
    """One run of a verification; `cancel` stops it at the next block."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stop = threading.Event()

    def cancel(self) -> None:
        """Stop; `run` then raises VerificationCancelled."""
        self._stop.set()

    def run(self, on_progress: Callable[[Progress], None]) -> Receipt:
        """Read and verify everything anew. Blocks; raises VerificationCancelled and DevStateError."""
        from devstate.findings import Severity

        begun = time.perf_counter()
        reading = self._workspace.read(on_progress=on_progress, cancelled=self._stop.is_set)
        elapsed = time.perf_counter() - begun
        try:
            severities = [finding.severity for finding in reading.findings]
            errors = [finding for finding in reading.findings if finding.severity is Severity.ERROR]
            return Receipt(
                report=reading.chain,
                taken_at=reading.taken_at,
                elapsed=elapsed,
                errors=len(errors),
                warnings=severities.count(Severity.WARNING),
                faults=tuple(finding.message for finding in errors[:3]),
            )
        finally:
            reading.close()
