"""The life of runs, as the database offers it: from beginning to deletion, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .commit import Committer
from .errors import EngineError, ValueRangeError
from .handles import RunHandle
from .ids import RunId, RunLike, run_bytes, run_text
from .owners import NOBODY
from .primitives.runs import RunMetadata, RunStatus, RunStore
from .transactions import Transaction
from .values import Value, encode_value

__all__ = ["RunLifecycle"]


class RunLifecycle:
    """The part of `Database` that knows runs as wholes."""

    _committer: Committer
    _runs: RunStore
    _handles: dict[object, RunHandle]
    _entropy: Callable[[int], bytes]
    _owner: Callable[[], Sequence[Any] | None]
    _span_id: Callable[[], str]

    def refresh(self) -> int:
        """Take in what other processes committed; the newest commit version."""
        self._committer.require_open()
        self._committer.follow()
        return self._committer.visible

    def begin_run(
        self,
        run_id: RunLike | None = None,
        *,
        name: str | None = None,
        parent: RunLike | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Value] | None = None,
        owned: bool = True,
    ) -> RunId:
        """Create a run and begin it; its identifier. Raises RunExists, RunNotFound (of the parent).

        It is orphaned when this process ends without ending it; not so with `owned` False: then it belongs to no
        process, and shared openers can go on with it until one of them ends it.
        """
        return self._begin(run_id, name=name, parent=parent, tags=tags, metadata=metadata, owned=owned)

    def run(self, run_id: RunLike | None = None, **begin: Any) -> RunHandle:
        """A handle of a run: a known one where `run_id` alone is given, else one that is begun now (`begin_run`).

        As a context manager the handle ends the run.
        """
        if run_id is not None and not begin:
            self._committer.follow()
            if run_bytes(run_id) in self._runs.books:
                return self.handle(run_id)
        return self.handle(self.begin_run(run_id, **begin))

    def handle(self, run_id: RunLike) -> RunHandle:
        """The handle of a known run. Raises RunNotFound."""
        found = self._handles.get(run_id)
        if found is None:
            raw = run_bytes(run_id)
            self._committer.follow()
            self._committer.require_run(raw)
            found = self._handles[run_id] = self._make_handle(raw)
        return found

    def end_run(
        self, run_id: RunLike, status: RunStatus | str = RunStatus.COMPLETED, reason: str | None = None
    ) -> None:
        """End a run as completed, failed or cancelled. Raises RunNotActive, RunNotFound."""
        ended = _status(status)
        if ended not in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED):
            raise EngineError(
                f"a run does not end as {ended.value}", remedy="completed, failed or cancelled."
            )
        self._commit(run_bytes(run_id), [self._runs.end(ended.value, reason)])

    def abort_run(self, run_id: RunLike, reason: str) -> None:
        """End a run as failed, and say why."""
        self.end_run(run_id, RunStatus.FAILED, reason)

    def pause_run(self, run_id: RunLike) -> None:
        """Let an active run rest: it takes no writes until it is resumed."""
        self._update(run_id, {}, RunStatus.PAUSED)

    def resume_run(self, run_id: RunLike) -> None:
        """Go on with a paused or orphaned run, as its owner; it may have been that before.

        Where several processes share the database, an owner that is not alive leaves the run orphaned.
        """
        self._update(run_id, {"owner": self._owner()}, RunStatus.ACTIVE)

    def archive_run(self, run_id: RunLike) -> None:
        """Close a run for good."""
        self._update(run_id, {}, RunStatus.ARCHIVED)

    def delete_run(self, run_id: RunLike, *, force: bool = False) -> None:
        """Delete a run with all its records; an active one only with `force`. What is in the log stays there."""
        self._commit(run_bytes(run_id), [self._runs.delete(force=force)])
        self._handles.clear()

    def set_metadata(self, run_id: RunLike, metadata: Mapping[str, Value]) -> None:
        """Add to the metadata of a run, or replace what is in it under the same names."""
        told = dict(metadata)
        encode_value(told)
        self._update(run_id, {"metadata": told})

    def add_tags(self, run_id: RunLike, *tags: str) -> None:
        """Add tags to a run; those that it has stay where they are."""
        encode_value(list(tags))
        self._update(run_id, {"tags": list(tags)})

    def run_status(self, run_id: RunLike) -> RunStatus:
        """The status of a run; NOT_FOUND where there is none."""
        self.refresh()
        raw = run_bytes(run_id)
        with self._committer.lock:
            found = self._runs.status(raw) if raw in self._runs.books else RunStatus.NOT_FOUND
        self._committer.durably_seen()
        return found

    def run_metadata(self, run_id: RunLike) -> RunMetadata:
        """What is known of a run. Raises RunNotFound."""
        self.refresh()
        with self._committer.lock:
            found = self._runs.metadata(run_bytes(run_id))
        self._committer.durably_seen()
        return found

    def list_runs(
        self, *, status: RunStatus | str | None = None, tag: str | None = None, parent: RunLike | None = None
    ) -> list[RunMetadata]:
        """The runs, in the order in which they were created."""
        self.refresh()
        with self._committer.lock:
            found = [self._runs.metadata(raw) for raw in self._runs.runs()]
        self._committer.durably_seen()
        wanted = _status(status) if status is not None else None
        of = run_text(run_bytes(parent)) if parent is not None else None
        return sorted(
            (
                told
                for told in found
                if (wanted is None or told.status is wanted)
                and (tag is None or tag in told.tags)
                and (of is None or told.parent == of)
            ),
            key=lambda told: (told.first_cv, told.run_id),
        )

    def orphaned_runs(self) -> list[RunMetadata]:
        """The runs that were begun, not ended, and whose process is gone."""
        return self.list_runs(status=RunStatus.ORPHANED)

    def _make_handle(self, run: bytes) -> RunHandle:
        raise NotImplementedError

    def _begin(
        self,
        run_id: RunLike | None,
        *,
        name: str | None,
        parent: RunLike | None,
        tags: Sequence[str],
        metadata: Mapping[str, Value] | None,
        owned: bool = True,
        first: Callable[[Transaction], None] | None = None,
    ) -> RunId:
        """`begin_run`; `first` queues what else is in the run from its first step on."""
        raw = run_bytes(run_id) if run_id is not None else RunId.new(self._entropy).bytes
        told = dict(metadata or {})
        encode_value(told)
        encode_value([name, *tags])
        of = run_bytes(parent) if parent is not None else None
        operations = self._runs.begin(name, of, tags, told, self._owner() if owned else NOBODY)
        self._commit(raw, operations, first)
        return run_text(raw)

    def _commit(
        self, raw: bytes, operations: Sequence[Any], further: Callable[[Transaction], None] | None = None
    ) -> None:
        with Transaction(
            self._committer, raw, span_ids=self._span_id, serializable=False, durable=False, new=True
        ) as transaction:
            for operation in operations:
                transaction.write(operation)
            if further is not None:
                further(transaction)

    def _update(self, run_id: RunLike, changes: Mapping[str, Any], status: RunStatus | None = None) -> None:
        operation = self._runs.update(changes, status.value if status is not None else None)
        self._commit(run_bytes(run_id), [operation])


def _status(told: RunStatus | str) -> RunStatus:
    try:
        return RunStatus(told)
    except ValueError:
        raise ValueRangeError(
            f"a run has no status {told!r}", remedy=f"Use one of {', '.join(RunStatus)}."
        ) from None
