"""Following the runs of a database in a thread: without a lock, and without changing a byte of it."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devstate.engine import Database, RecoveryOptions
from devstate.engine.inspection import FolderLook, look_at
from devstate.engine.journal import run_positions
from devstate.engine.segments import SegmentReader
from devstate.errors import DevStateError

if TYPE_CHECKING:
    from devstate.engine.framing import Transaction
    from devstate.engine.primitives.runs import RunMetadata
    from devstate.engine.primitives.span_trees import SpanNode
    from devstate.engine.reports import CorruptionReport

__all__ = ["RunDetail", "RunReader"]

_PATIENCE = 0.3  # seconds


@dataclass(frozen=True)
class RunDetail:
    """What the pane shows of one run: where its steps stand in the log, its spans, when it was last written (us).

    `steps` is None, with a `fault`, where the history cannot be read.
    """

    run: RunMetadata
    steps: array[int] | None
    spans: tuple[SpanNode, ...]
    last_written: int | None
    fault: DevStateError | None = None


class RunReader:
    """The runs of the database in a folder. One thread at a time runs `read`; others look at the rest at any time.

    `runs` are the newest first; `error` says why there are none, `heavy` that they were not read, being too much,
    `lost` that the log is damaged, and these are the runs as they were before the damage.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.look: FolderLook | None = None
        self.error: DevStateError | None = None
        self.lost: CorruptionReport | None = None
        self.runs: tuple[RunMetadata, ...] = ()
        self.spans: dict[str, int] = {}
        self.detail: RunDetail | None = None
        self.heavy = False
        self.log = SegmentReader(root)
        self._db: Database | None = None
        self._identity: object = None
        self._pass = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Give everything back. A pass that is opening a large database is not waited for: it gives back itself."""
        self._closed = True
        if self._pass.acquire(timeout=_PATIENCE):
            try:
                self._give_back()
            finally:
                self._pass.release()

    def read(
        self,
        chosen: str | None,
        *,
        tell: Callable[[], object],
        cancelled: Callable[[], bool],
        closer: bool = True,
        most: int | None = None,
    ) -> None:
        """Take in what was committed, and list the runs. With `closer` look at `chosen` (an id; None: the newest).

        With `most` a database that is not open yet is left alone where more bytes than that had to be read.
        `tell` is called when the list is known, and at the end.
        """
        with self._pass:
            if cancelled() or self._closed:
                return
            try:
                self.look = look_at(self.root)
                self.heavy = most is not None and self._db is None and _to_read(self.look) > most
                if self.heavy:
                    pass
                elif not self.look.there:
                    self._drop()
                    self.runs, self.detail, self.error, self.lost = (), None, None, None
                else:
                    self._follow(self.look)
                    self.error = None
                    if closer:
                        tell()
                        wanted = next((run for run in self.runs if run.run_id == chosen), None)
                        self.detail = self._closer(wanted or self.runs[0]) if self.runs else None
            except DevStateError as error:
                self.error = error
            if self._closed:
                self._give_back()
                return
            tell()

    def step(self, detail: RunDetail, number: int) -> Transaction:
        """Step `number` of a run, counted from 0. Raises WalCorruptionError, InputUnreadable."""
        steps = detail.steps or array("Q")
        return self.log.read_transaction(steps[number])

    # -- how

    def _give_back(self) -> None:
        self._drop()
        self.log.close()

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _follow(self, look: FolderLook) -> None:
        identity = look.meta
        db = self._db
        if db is not None and (identity != self._identity or db.recovery.corruption is not None):
            self._drop()
            db = None
        if db is None:
            db = self._db = Database.open(
                self.root, read_only=True, recovery=RecoveryOptions(on_corruption="read_only")
            )
            self._identity = identity
            self.log.forget()
        found = db.list_runs()
        found.sort(key=lambda run: (run.started_at or run.created_at, run.first_cv), reverse=True)
        traces = db.primitives.named("traces")
        self.spans = {run.run_id: _count(traces, run.run_id.bytes) for run in found}
        self.runs = tuple(found)
        self.lost = db.recovery.corruption

    def _closer(self, run: RunMetadata) -> RunDetail:
        db = self._db
        if db is None:
            return RunDetail(run, None, (), None)
        raw = run.run_id.bytes
        spans = db.handle(run.run_id).traces.tree()
        try:
            books: Any = db.primitives.named("runs")
            steps = run_positions(self.root, raw, books.books[raw].copy(), reader=self.log)
            last = self.log.read_transaction(steps[-1]).ts if len(steps) else None
        except DevStateError as error:
            return RunDetail(run, None, spans, None, error)
        return RunDetail(run, steps, spans, last)


def _to_read(look: FolderLook) -> int:
    """How many bytes opening has to read, about: the newest snapshot and the log behind it."""
    base = look.snapshots[0].wal_offset if look.snapshots else 0
    snapshot = look.snapshots[0].size if look.snapshots else 0
    return snapshot + sum(max(0, min(one.size, one.end - base)) for one in look.segments)


def _count(traces: Any, raw: bytes) -> int:
    return len(traces.maps.get(raw, ()))
