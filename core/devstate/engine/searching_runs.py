"""Search as the database offers it: which records of which runs, by an index where one is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from devstate.errors import UsageError

from .arguments import require_number, require_text, require_type
from .commit import Committer
from .ids import RunLike, run_bytes, run_text
from .primitive import Key, StoragePrimitive
from .primitives.runs import RunStore
from .versions import Record, visible_at

if TYPE_CHECKING:
    from .search import Budget, InvertedIndex, Ref, SearchResponse, Source

__all__ = ["SearchOfRuns"]


class SearchOfRuns:
    """The part of `Database` that finds records by words.

    Indexes are derived, live in memory only, and are kept for the runs that `index_run` names: commits note which
    keys changed, and the next search brings the index up to date.
    """

    _committer: Committer
    _runs: RunStore
    _indexes: dict[tuple[bytes, int], InvertedIndex[Any]]
    _searching: threading.Lock

    def search(
        self,
        run_id: RunLike | None,
        query: str,
        *,
        k: int = 10,
        primitives: Collection[str] | None = None,
        time_range: tuple[int, int] | None = None,
        tags_any: Collection[str] = (),
        budget: Budget | None = None,
        mode: str = "keyword",
        recency: int | None = None,
    ) -> SearchResponse:
        """The best `k` records for the words of `query`, in one run or (None) in all of them.

        `primitives` are names of kinds; `time_range` (us, both ends included) and `tags_any` choose records by their
        commit time and runs by their tags. A search that runs out of `budget` says `truncated`. `recency` (us, the
        present) favours newer records. Raises UsageError for a query without a word, RunNotFound.
        """
        from .search import Budget, search

        require_text("a query", query)
        require_number("k", k)
        require_number("recency", recency, none=True)
        require_type("budget", budget, Budget)
        committer = self._committer
        committer.require_open()
        committer.follow()
        if run_id is not None:
            runs = [run_bytes(run_id)]
            committer.require_run(runs[0])
        else:
            runs = sorted(self._runs.runs())
        if tags_any:
            wanted = set(tags_any)
            with committer.lock:  # no run is deleted between its listing and a look at its tags
                runs = [
                    run
                    for run in runs
                    if run in self._runs.books and wanted & set(self._runs.metadata(run).tags)
                ]
        kinds = [kind for kind in committer.primitives if primitives is None or kind.name in primitives]
        unknown = set(primitives or ()) - {kind.name for kind in kinds}
        if unknown:
            raise UsageError(
                f"no kind of records is named {', '.join(sorted(unknown))}",
                remedy=f"One of {', '.join(kind.name for kind in committer.primitives)}.",
            )
        # A reader at one commit: writers go on meanwhile, and what it sees stays.
        reader = object()
        cv = committer.begin(reader)
        try:
            with self._searching:
                sources = [self._source(kind, run, cv, time_range) for run in runs for kind in kinds]
                return search(
                    sources,
                    query,
                    k=k,
                    budget=budget or Budget(),
                    clock_us=lambda: time.perf_counter_ns() // 1000,
                    recency=recency,
                    mode=mode,
                )
        finally:
            committer.end(reader)

    def resolve(self, ref: Ref) -> Any:
        """The record that a hit refers to, as its kind shows it; None where it is gone since."""
        kind = self._committer.primitives.named(ref.primitive)
        run = run_bytes(ref.run)
        self._committer.require_run(run)
        record = visible_at(kind.latest(run, ref.key), self._committer.visible)
        if record is None or record[1] is None:
            return None
        return kind.decode_value(ref.key, record)

    def index_run(
        self, run_id: RunLike, primitives: Iterable[str] = ("kv", "json", "events", "state", "traces")
    ) -> None:
        """Keep an index of these kinds of records of a run from now on, so that searches need not read them all."""
        from .search import InvertedIndex

        run = run_bytes(run_id)
        self._committer.require_run(run)
        with self._searching, self._committer.lock:
            # A commit that waits for the device is in no list of changes yet, and would never be indexed.
            if self._committer.strict and self._committer.log is not None:
                self._committer.log.sync_through(self._committer.log.end)
            for name in primitives:
                kind = self._committer.primitives.named(name)
                place = (run, kind.type_id)
                if place not in self._indexes:
                    kind.changed[run] = set()
                    index = self._indexes[place] = InvertedIndex(watermark=self._committer.visible)
                    for key, text in kind.texts(run, self._committer.visible):
                        index.add(key, text)

    def _source(
        self, kind: StoragePrimitive, run: bytes, cv: int, time_range: tuple[int, int] | None
    ) -> Source:
        from .search import Ref, Source

        now = self._committer.now()
        text = run_text(run)

        def record_of(key: Key) -> Record | None:
            return visible_at(kind.latest(run, key), cv)

        def text_of(key: Key) -> str | None:
            record = record_of(key)
            return kind.text(run, key, record) if record is not None and record[1] is not None else None

        def time_of(key: Key) -> int | None:
            record = record_of(key)
            return record[2] if record is not None else None

        def accept(key: Key) -> bool:
            record = visible_at(kind.latest(run, key), cv)
            if record is None or not kind.current(record, now):
                return False
            return time_range is None or time_range[0] <= record[2] <= time_range[1]

        def ref_of(key: Key) -> Ref:
            return Ref(kind.name, text, key)

        return Source(
            type_id=kind.type_id,
            name=kind.name,
            run=text,
            texts=lambda: kind.texts(run, cv),
            text_of=text_of,
            index=self._current(kind, run, cv, text_of),
            accept=accept,
            time_of=time_of,
            ref_of=ref_of,
        )

    def _current(
        self, kind: StoragePrimitive, run: bytes, cv: int, text_of: Callable[[Key], str | None]
    ) -> InvertedIndex[Any] | None:
        """The index of a kind in a run, brought up to `cv`; None where none is kept, or it stands elsewhere."""
        index = self._indexes.get((run, kind.type_id))
        if index is None:
            return None
        if index.watermark > cv or run not in kind.changed:
            return None
        with self._committer.lock:
            changed, kind.changed[run] = kind.changed[run], set()
        for key in changed:
            newest = kind.latest(run, key)
            if newest is not None and newest[0] > cv:
                kind.changed[run].add(key)  # not durable yet: it is looked at again
            text = text_of(key)
            if text is None:
                index.remove(key)
            else:
                index.replace(key, text)
        index.watermark = cv
        return index
