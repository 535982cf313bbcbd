"""A run that begins where another one was at a step: a new run, written by one ordinary transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import RunNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from .database import Database
    from .ids import RunId, RunLike
    from .transactions import Transaction

__all__ = ["fork_run"]


def fork_run(
    database: Database,
    begin: Callable[..., RunId],
    run: RunLike,
    *,
    step: int | None = None,
    name: str | None = None,
) -> RunId:
    """Begin a run with what `run` held after `step` (its end without one); the new identifier.

    Its parent is `run`. It is begun, and values, documents, cells, events and spans are written anew, in one
    transaction: there is the whole fork or none. Versions, times and hashes are the new run's own; what has expired
    since is left out. Kinds of plug-ins are not carried over. `begin` begins a run with what its `first` queues.
    Raises what `Database.replay_run` and a commit raise.
    """
    view = database.replay_run(run, step=step)
    if view.run is None:
        raise RunNotFound(
            f"run {run} has nothing at step {view.step}",
            remedy="Fork it at a step from 1 on: step 0 is empty.",
        )

    def first(transaction: Transaction) -> None:
        _write(transaction, view, database.committer.now())

    return begin(
        None,
        name=name if name is not None else view.run.name,
        parent=run,
        tags=view.run.tags,
        metadata={**view.run.metadata, "forked_from_step": view.step},
        first=first,
    )


def _write(transaction: Transaction, view: Any, now: int) -> None:
    for key, value in view.kv.items():
        expires = view.kv.record(key)[3]
        if expires is None:
            transaction.kv.put(key, value)
        elif expires > now:
            transaction.kv.put(key, value, ttl=(expires - now) / 1_000_000)
    for key, value in view.json.items():
        transaction.json.create(key, value)
    for key, value in view.state.items():
        transaction.state.init(key, value)
    transaction.events.append_many([(event.type, event.payload) for event in view.events])
    for span in view.traces:
        transaction.traces.record(
            span.kind,
            span.name,
            parent=span.parent,
            attrs=span.attrs,
            tags=span.tags,
            start=span.start,
            end=span.end,
            span_id=span.id,
        )
