"""What was: replay, timelines, views of the past, and comparisons, as the database offers them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from devstate.durable.files import Files

from .arguments import require_number
from .commit import Committer
from .errors import EngineError, HistoryPruned
from .framing import Transaction
from .ids import RunId, RunLike, run_bytes
from .journal import FileHistory, HistorySource, MemoryHistory
from .opened import Opened
from .primitives.runs import RunBook, RunStore
from .registry import Registry
from .segments import SegmentReader

if TYPE_CHECKING:
    from collections.abc import Generator

    from devstate.findings import Finding

    from .database import Database
    from .point_in_time import DatabaseView
    from .run_diff import Divergence, RunDiff
    from .timeline import Timeline
    from .view import ReadOnlyView

__all__ = ["PastOfRuns"]


class PastOfRuns:
    """The part of `Database` that reads history. Nothing here changes a file or a record."""

    _committer: Committer
    _opened: Opened
    _registry: Registry
    _runs: RunStore
    _files: Files
    _begin: Callable[..., RunId]

    def replay_run(
        self, run_id: RunLike, *, step: int | None = None, cv: int | None = None, final_only: bool = False
    ) -> ReadOnlyView:
        """The run after `step` of its transactions (0: empty), or as of commit `cv`; without either, all of it.

        It is built anew from the run's entries in the log, and costs what they cost. With `final_only` a run whose
        history was pruned gives its present state, with `complete` False. Raises RunNotFound, HistoryPruned,
        ValueRangeError, WalCorruptionError.
        """
        from .replay import replay
        from .view import view_of_live

        run = run_bytes(run_id)
        self._look(run)
        try:
            with self.history() as source:
                return replay(source, self._registry, run, step=step, cv=cv)
        except HistoryPruned:
            if not final_only or step is not None or cv is not None:
                raise
        committer = self._committer
        return view_of_live(
            committer.primitives, self._registry, run, committer.visible, guard=committer.lock
        )

    def timeline(self, run_id: RunLike) -> Timeline:
        """A cursor over the steps that the run has now. Raises RunNotFound, HistoryPruned, WalCorruptionError."""
        from .timeline import Timeline

        run = run_bytes(run_id)
        self._look(run)
        return Timeline(_EachTime(self.history), self._registry, run)

    def diff_runs(
        self,
        a: RunLike,
        b: RunLike | None = None,
        *,
        step_a: int | None = None,
        step_b: int | None = None,
        against: str | None = None,
        primitives: Collection[str] | None = None,
        traces: bool = False,
    ) -> RunDiff:
        """What is different in run `b`, each replayed to a step or to its end. With `against="parent"`, what is
        different in `a` from its parent. Raises RunNotFound, HistoryPruned, ValueRangeError, WalCorruptionError.
        """
        from .run_diff import diff_views

        if against is not None:
            if against != "parent" or b is not None:
                raise EngineError("a run is compared with another one, or against its `parent`")
            self._look(run_bytes(a))
            parent = self._runs.metadata(run_bytes(a)).parent
            if parent is None:
                raise EngineError(f"run {a} has no parent", remedy="Name the run to compare it with.")
            before, after = self.replay_run(parent, step=step_b), self.replay_run(a, step=step_a)
            return diff_views(
                before,
                after,
                primitives=primitives,
                traces=traces,
            )
        if b is None:
            raise EngineError(
                "a run is compared with another one", remedy="Name both, or give against='parent'."
            )
        return diff_views(
            self.replay_run(a, step=step_a),
            self.replay_run(b, step=step_b),
            primitives=primitives,
            traces=traces,
        )

    def first_divergence(self, a: RunLike, b: RunLike) -> Divergence | None:
        """The first step at which two runs did different things; None where they did the same to the end."""
        from .run_diff import first_divergence

        one, other = run_bytes(a), run_bytes(b)
        self._look(one)
        self._look(other)
        with self.history() as source:
            return first_divergence(source, one, source, other, self._registry)

    def view_at(self, cv: int) -> DatabaseView:
        """The whole database as of a commit (0: empty); for one run, `replay_run(run, cv=cv)` costs less.

        Raises ValueRangeError, HistoryPruned, WalCorruptionError.
        """
        from .point_in_time import database_view, memory_view

        self._committer.require_open()
        if self._opened.memory is not None:
            return memory_view(self._opened.memory, self._registry, cv)
        found = database_view(self._root(), self._registry, cv, files=self._files)
        self._committer.durably_seen()
        return found

    def cv_at(self, ts: int) -> int:
        """The last commit at or before a time (us since the epoch); 0 before the first. Raises HistoryPruned."""
        from .point_in_time import cv_at, cv_at_memory

        self._committer.require_open()
        require_number("a time", ts)
        if self._opened.memory is not None:
            return cv_at_memory(self._opened.memory, ts)
        commits = self._opened.recovered.commits if self._opened.recovered is not None else ()
        return cv_at(self._root(), ts, commits=commits, files=self._files)

    def export_run(self, run_id: RunLike, *, step: int | None = None) -> dict[str, Any]:
        """A run at a step (its end without one) as values of JSON, for other programs."""
        return self.replay_run(run_id, step=step).to_dict()

    def fork_run(self, run_id: RunLike, *, step: int | None = None, name: str | None = None) -> RunId:
        """Begin a run with what another one held after a step; it has that one as parent. See `forking`."""
        from .forking import fork_run

        return fork_run(cast("Database", self), self._begin, run_id, step=step, name=name)

    def verify(self) -> tuple[Finding, ...]:
        """All that is wrong with this database: files, chains of events, and the state against the replay of each run.

        Changes nothing; an empty answer says that everything agrees. `devstate db check` is the same from outside.
        """
        from .checking import check
        from .findings_of_runs import compare_with_replays

        self._committer.require_open()
        self._committer.follow()
        found: tuple[Finding, ...] = ()
        if self._opened.root is not None:
            found = check(self._opened.root, registry=self._registry, live=True, files=self._files)
        return found + compare_with_replays(self._committer, self.replay_run)

    @contextmanager
    def history(self) -> Generator[HistorySource]:
        """The transactions of runs by position, for tools; the files are closed with the block."""
        self._committer.require_open()
        if self._opened.memory is not None:
            yield self._memory_history()
            return
        with self._reader() as reader:
            yield FileHistory(reader, self._book, files=self._files)

    def _look(self, run: bytes) -> None:
        self._committer.follow()
        self._committer.require_run(run)

    def _root(self) -> str:
        root = self._opened.root
        if root is None:
            raise EngineError("a database in memory has no folder")
        return root

    def _reader(self) -> SegmentReader:
        return SegmentReader(self._root(), salt=self._opened.meta.salt, files=self._files)

    def _memory_history(self) -> MemoryHistory:
        if self._opened.memory is None:
            raise EngineError("the database is not in memory")
        return MemoryHistory(self._opened.memory, self._book)

    def _book(self, run: bytes) -> RunBook | None:
        with self._committer.lock:
            book = self._runs.books.get(run)
            found = book.copy() if book is not None else None
        self._committer.durably_seen()
        return found


class _EachTime:
    """A history that holds no file open between two looks: a cursor may live for long."""

    def __init__(self, history: Callable[[], AbstractContextManager[HistorySource]]) -> None:
        self._history = history

    def positions(self, run: bytes) -> Sequence[int]:
        with self._history() as source:
            return source.positions(run)

    def transaction(self, lsn: int) -> Transaction:
        with self._history() as source:
            return source.transaction(lsn)

    def transactions(self, positions: Sequence[int]) -> Iterator[Transaction]:
        with self._history() as source:
            yield from source.transactions(positions)

    def opened(self) -> AbstractContextManager[HistorySource]:
        return self._history()
