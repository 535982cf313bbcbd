"""The operations of a run's life: which step may follow which, and the entries they write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from devstate.engine.batch import Operation
from devstate.engine.errors import RunExists, RunNotActive, RunNotFound, ValueRangeError, ValueTypeError
from devstate.engine.ids import run_text
from devstate.engine.values import encode_value

from .run_entries import BEGIN, CREATE, END, UPDATE, begun, created, ended

if TYPE_CHECKING:
    from devstate.engine.batch import Batch

    from .runs import RunStore

__all__ = [
    "GONE",
    "RESUMED",
    "BeginRun",
    "CreateRun",
    "DeleteRun",
    "EndRun",
    "UpdateRun",
    "resumes",
    "unknown_run",
]

_pack = msgspec.msgpack.Encoder().encode
_dict = msgspec.msgpack.Decoder(dict[str, Any]).decode

GONE: Final = "gone"
"""The `extra` of the record that deletes a run."""
RESUMED: Final = "resumed"
"""The `extra` of a record by which somebody goes on with a run: its fields may be those that it had."""

_NEXT: Final[Mapping[str, frozenset[str]]] = {
    "active": frozenset({"paused", "completed", "failed", "cancelled", "archived"}),
    "paused": frozenset({"active", "cancelled", "archived"}),
    "orphaned": frozenset({"active", "completed", "failed", "cancelled"}),
    "completed": frozenset({"archived"}),
    "failed": frozenset({"archived"}),
    "cancelled": frozenset({"archived"}),
    "archived": frozenset(),
}
_FINISHED: Final = frozenset({"completed", "failed", "cancelled", "archived"})
_ENDS: Final = ("completed", "failed", "cancelled")


def _require_text(text: Any, what: str) -> None:
    """What is no text would be written all the same, and no reader takes it: the database would not open again."""
    if type(text) is not str:
        raise ValueTypeError(f"the {what} is of type {type(text).__name__}", remedy="Give it as str.")
    encode_value(text)


def _checked_tags(tags: Any) -> list[str]:
    if isinstance(tags, str):  # a sequence of texts of its own, one for each character
        raise ValueTypeError("the tags of a run are one str", remedy="Give a list of them.")
    told = list(tags)
    for tag in told:
        _require_text(tag, "tag of a run")
    return told


class CreateRun(Operation):
    lifecycle = True

    def __init__(
        self,
        store: RunStore,
        name: str | None,
        parent: bytes | None,
        tags: Sequence[str],
        metadata: dict[str, Any],
        owner: Sequence[Any] | None,
    ) -> None:
        if name is not None:
            _require_text(name, "name of a run")
        self._store = store
        self._told = (name, parent, _checked_tags(tags), metadata)
        self._owner = owner

    def stage(self, batch: Batch) -> None:
        run, cv, ts = batch.run, batch.cv, batch.ts
        if batch.latest(self._store, None) is not None:
            raise RunExists(f"run {run_text(run)} exists", remedy="Choose another identifier, or none.")
        name, parent, tags, metadata = self._told
        if parent is not None and parent not in self._store.books:
            raise unknown_run(parent)
        payload = _pack((run, None, cv, ts, name, parent, tags, metadata, self._owner))
        fields = created(name, parent, tags, metadata, ts, self._owner)
        batch.add(CREATE, payload, self._store, None, (cv, _pack(fields), ts, None, None))


class BeginRun(Operation):
    lifecycle = True

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def stage(self, batch: Batch) -> None:
        run, cv, ts = batch.run, batch.cv, batch.ts
        fields = begun(_fields_in(self._store, batch), ts)
        batch.add(BEGIN, _pack((run, None, cv, ts)), self._store, None, (cv, _pack(fields), ts, None, None))


class UpdateRun(Operation):
    lifecycle = True

    def __init__(self, store: RunStore, changes: dict[str, Any], status: str | None) -> None:
        if "tags" in changes:
            changes["tags"] = _checked_tags(changes["tags"])
        self._store = store
        self._changes = changes
        self._status = status

    def stage(self, batch: Batch) -> None:
        fields = _fields_in(self._store, batch)
        changes = dict(self._changes)
        if self._status is not None:
            _require_next(self._store, batch, self._status)
            changes["status"] = self._status
        elif fields["status"] == "archived":
            raise RunNotActive(
                f"run {run_text(batch.run)} is archived: nothing of it changes any more",
                status="archived",
                remedy="Archive a run when its tags and metadata are what they are to be.",
            )
        for name in ("metadata",):
            if name in changes:  # given as what to add; the entry states the result
                changes[name] = {**fields[name], **changes[name]}
        if "tags" in changes:
            changes["tags"] = list(dict.fromkeys([*fields["tags"], *changes["tags"]]))
        run, cv, ts = batch.run, batch.cv, batch.ts
        record = (cv, _pack({**fields, **changes}), ts, resumes(changes), None)
        batch.add(UPDATE, _pack((run, None, cv, ts, changes)), self._store, None, record)


class EndRun(Operation):
    lifecycle = True

    def __init__(self, store: RunStore, status: str, reason: str | None) -> None:
        if status not in _ENDS:
            raise ValueRangeError(
                f"a run does not end as {status!r}", remedy=f"Use one of {', '.join(_ENDS)}."
            )
        if reason is not None:
            _require_text(reason, "reason")
        self._store = store
        self._status = status
        self._reason = reason

    def stage(self, batch: Batch) -> None:
        store, run, cv, ts = self._store, batch.run, batch.cv, batch.ts
        fields = _fields_in(store, batch)
        _require_next(store, batch, self._status)
        book = store.books.get(run)
        siblings = {primitive.name: primitive for primitive in store.siblings or ()}
        events = siblings.get("events")
        count = (
            batch.length(events) + sum(change[2] is events for change in batch.changes)
            if events is not None
            else 0
        )
        payload = _pack(
            (run, None, cv, ts, self._status, self._reason, count, (book.tx_count if book else 0) + 1)
        )
        fields = ended(fields, self._status, self._reason, ts)
        batch.add(END, payload, store, None, (cv, _pack(fields), ts, None, None))


class DeleteRun(Operation):
    lifecycle = True

    def __init__(self, store: RunStore, force: bool) -> None:
        self._store = store
        self._force = force

    def stage(self, batch: Batch) -> None:
        status = self._store.status(batch.run, batch)
        if status == "not_found":
            raise unknown_run(batch.run)
        if status == "active" and not self._force:
            raise RunNotActive(
                f"run {run_text(batch.run)} is active",
                status=status.value,
                remedy="End it first, or delete it with force.",
            )
        payload = _pack((batch.run, None, batch.cv, batch.ts, {"deleted": True}))
        batch.add(UPDATE, payload, self._store, None, (batch.cv, None, batch.ts, GONE, None))


def resumes(changes: Mapping[str, Any]) -> str | None:
    """The `extra` of the record that these changes make."""
    return RESUMED if changes.get("status") == "active" else None


def _fields_in(store: RunStore, batch: Batch) -> dict[str, Any]:
    record = batch.latest(store, None)
    if record is None or record[1] is None:
        raise unknown_run(batch.run)
    return _dict(record[1])


def _require_next(store: RunStore, batch: Batch, status: str) -> None:
    now = store.status(batch.run, batch)
    if status not in _NEXT[now.value]:
        raise RunNotActive(
            f"run {run_text(batch.run)} is {now.value} and cannot become {status}",
            status=now.value,
            remedy="A finished run stays finished; begin another one."
            if now.value in _FINISHED
            else "Resume the run first.",
        )


def unknown_run(run: bytes) -> RunNotFound:
    return RunNotFound(
        f"no run {run_text(run)}", remedy="See `devstate run list`; a run must be begun before it is used."
    )
