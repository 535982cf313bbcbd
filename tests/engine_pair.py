"""The engine and its reference model side by side: each operation is done by both, and what comes of it compared.

The names and arguments of the operations are those of `engine_oracle.model`; `perform` says how the engine spells
them. Where the two mean different things on purpose, the mapping is here: the version of a deleted document is 0
for the model and its last one for the engine; deleting at a path where nothing is gives False or raises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from queue import Queue
from typing import Any

from devstate.engine.database import Database
from devstate.engine.errors import EngineError, NotFound, PathError
from devstate.engine.ids import RunId
from engine_oracle.interpret import State, digest, from_snapshot
from engine_oracle.model import Model, Operation
from engine_oracle.model_data import ModelError
from engine_oracle.model_interleaved import OpenTransaction
from engine_oracle.packing import unpack
from engine_oracle.snapshots import FIELDS

START = 1_700_000_000_000_000
RUNS = tuple(bytes([number]) * 16 for number in (1, 2, 3))
KEYS = ("a", "b", "ключ")

# The text does not say which of these names a refused key or value has.
REFUSED = "a key or value that is refused"
NAMES = {
    "EngineLimitExceeded": REFUSED,
    "LimitExceeded": REFUSED,
    "ValueRangeError": REFUSED,
    "ValueTypeError": REFUSED,
    "RunActive": "RunNotActive",
}


class Clock:
    """Microseconds, moved by hand."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


rid = RunId.of


def error_name(error: Exception) -> str:
    name = error.name if isinstance(error, ModelError) else type(error).__name__
    return NAMES.get(name, name)


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """("ok", what it gave), or ("error", the name of what it raised)."""
    try:
        return "ok", call()
    except (ModelError, EngineError) as error:
        return "error", error_name(error)


# -- the engine's spelling of an operation


def _found(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except NotFound:
        return None


def _kv_put(h: Any, key: str, value: Any, ttl: int | None = None) -> None:
    h.kv.put(key, value, ttl=None if ttl is None else ttl / 1_000_000)


def _kv_get_entry(h: Any, key: str) -> Any:
    entry = _found(lambda: h.kv.get_entry(key))
    return None if entry is None else (entry.cv, entry.ts, entry.value, entry.expires_at)


def _json_delete(h: Any, key: str, path: Sequence[str | int] = ()) -> bool:
    if not path:
        return h.json.delete(key)
    try:
        h.json.delete(key, list(path))
    except (NotFound, PathError):
        return False
    return True


def _json_patch(h: Any, key: str, operations: Iterable[Sequence[Any]]) -> int:
    told = [("set", list(op[1]), op[2]) if op[0] == 0 else ("delete", list(op[1])) for op in operations]
    return h.json.patch(key, told)


def _state_read(h: Any, name: str) -> Any:
    cell = _found(lambda: h.state.read(name))
    return None if cell is None else (cell.value, cell.ver)


def _ref(ref: Any) -> tuple[int, bytes]:
    return ref.seq, ref.hash


def _event(event: Any) -> tuple[Any, ...]:
    return event.seq, event.ts, event.type, event.payload, event.prev_hash, event.hash


def _span(span: Any) -> dict[str, Any]:
    names = ("parent", "kind", "name", "start", "end", "attrs")
    return {name: getattr(span, name) for name in names} | {"tags": list(span.tags)}


SPELLED: dict[str, Callable[..., Any]] = {
    "kv.put": _kv_put,
    "kv.get": lambda h, key, default=None: h.kv.get(key, default),
    "kv.get_entry": _kv_get_entry,
    "kv.get_many": lambda h, keys: h.kv.get_many(keys),
    "kv.exists": lambda h, key: h.kv.exists(key),
    "kv.delete": lambda h, key: h.kv.delete(key),
    "kv.keys": lambda h, prefix="": h.kv.keys(prefix),
    "kv.items": lambda h, prefix="": h.kv.items(prefix),
    "kv.count": lambda h: h.kv.count(),
    "json.create": lambda h, key, value: h.json.create(key, value),
    "json.set": lambda h, key, path, value: h.json.set(key, list(path), value),
    "json.cas": lambda h, key, path, ver, value: h.json.cas(key, list(path), ver, value),
    "json.delete": _json_delete,
    "json.patch": _json_patch,
    "json.get": lambda h, key, path=(), default=None: h.json.get(key, list(path), default),
    "json.exists": lambda h, key: h.json.exists(key),
    "json.version": lambda h, key: h.json.version(key) if h.json.exists(key) else 0,
    "json.keys": lambda h, prefix="": h.json.keys(prefix),
    "events.append": lambda h, kind, payload: _ref(h.events.append(kind, payload)),
    "events.read": lambda h, seq: _event(h.events.read(seq)),
    "events.range": lambda h, start=0, end=None: [_event(one) for one in h.events.range(start, end)],
    "events.by_type": lambda h, kind: [_event(one) for one in h.events.by_type(kind)],
    "events.len": lambda h: h.events.len(),
    "state.init": lambda h, name, value: h.state.init(name, value),
    "state.read": _state_read,
    "state.set": lambda h, name, value: h.state.set(name, value),
    "state.cas": lambda h, name, ver, value: h.state.cas(name, ver, value),
    "state.transition": lambda h, name, function: h.state.transition(name, function),
    "state.delete": lambda h, name: h.state.delete(name),
    "state.exists": lambda h, name: h.state.exists(name),
    "state.names": lambda h: h.state.names(),
    "traces.record": lambda h, span, kind, name, **told: h.traces.record(kind, name, span_id=span, **told),
    "traces.get": lambda h, span: _found(lambda: _span(h.traces.get(span))),
    "traces.children": lambda h, span: [one.id for one in h.traces.children(span)],
    "traces.by_kind": lambda h, kind: [one.id for one in h.traces.by_kind(kind)],
    "traces.by_tag": lambda h, tag: [one.id for one in h.traces.by_tag(tag)],
    "traces.count": lambda h: h.traces.count(),
}


def perform(handle: Any, operation: Operation) -> Any:
    """The operation on a handle of a run or on a transaction; what it gives, in the model's words."""
    return SPELLED[operation.name](handle, *operation.arguments, **operation.options)


LIFE: dict[str, Callable[..., Any]] = {
    "run.begin": lambda db, run, parent=None, **told: db.begin_run(
        run, parent=None if parent is None else rid(parent), **told
    ),
    "run.end": lambda db, run, status="completed", reason=None: db.end_run(run, status, reason),
    "run.abort": lambda db, run, reason: db.abort_run(run, reason),
    "run.pause": lambda db, run: db.pause_run(run),
    "run.resume": lambda db, run: db.resume_run(run),
    "run.archive": lambda db, run: db.archive_run(run),
    "run.delete": lambda db, run, force=False: db.delete_run(run, force=force),
    "run.set_metadata": lambda db, run, metadata: db.set_metadata(run, metadata),
    "run.add_tags": lambda db, run, tags: db.add_tags(run, *tags),
}


def live(db: Database, run: bytes, operation: Operation) -> Any:
    """The operation on the open database, as a transaction of its own."""
    if operation.name in LIFE:
        LIFE[operation.name](db, rid(run), *operation.arguments, **operation.options)
        return None
    return perform(db.handle(rid(run)), operation)


# -- whole states


def state_in(primitives: Iterable[Any], cv: int, ts: int, guard: Any) -> State:
    """What the engine's memory holds at a commit, as a state of the model."""
    sections: dict[int, list[dict[str, Any]]] = {}
    for primitive in primitives:
        if primitive.type_id in FIELDS:
            names = FIELDS[primitive.type_id]
            records = [unpack(record) for record in primitive.at(cv, guard).snapshot_serialize()]
            sections[primitive.type_id] = [dict(zip(names, record, strict=False)) for record in records]
    return from_snapshot({"meta": {"cv": cv}, "timestamp": ts, "sections": sections})


def live_state(db: Database) -> State:
    committer = db.committer
    with committer.lock:
        return state_in(db.primitives, committer.cv, committer.ts, committer.lock)


def view_state(view: Any, run: bytes) -> Any:
    """The run in a view of the past, as the model has it; None where there is none."""
    return state_in(view._primitives, 1 << 62, 0, nullcontext())["runs"].get(run)


def same_state(found: State, expected: State) -> bool:
    return digest(found) == digest(expected)


def same_run(found: Any, expected: Any) -> bool:
    return digest(found) == digest(expected)


def model_steps(model: Model, run: bytes) -> list[Any]:
    """What the run was after each of its transactions, since it was last begun."""
    steps = model.run_steps(run)
    while None in steps:
        steps = steps[steps.index(None) + 1 :]
    return steps


# -- transactions that are open side by side


class OtherThread:
    """A thread that does what it is given, one thing after the other."""

    def __init__(self) -> None:
        self._todo: Queue[Callable[[], Any] | None] = Queue()
        self._done: Queue[tuple[bool, Any]] = Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def do(self, call: Callable[[], Any]) -> Any:
        self._todo.put(call)
        good, result = self._done.get(timeout=30)
        if not good:
            raise result
        return result

    def close(self) -> None:
        self._todo.put(None)
        self._thread.join(30)

    def _work(self) -> None:
        while (call := self._todo.get()) is not None:
            try:
                self._done.put((True, call()))
            except Exception as error:
                self._done.put((False, error))


class InterleavedModel(OpenTransaction):
    """The model's transaction, with two differences that the engine's text leaves open.

    A transition that finds no cell has read that there is none. A delete that found nothing is queued all the same,
    and done at the commit like any blind write.
    """

    def do(self, name: str, /, *arguments: Any, now: int, **options: Any) -> Any:
        queued = len(self.operations)
        try:
            result = super().do(name, *arguments, now=now, **options)
        except ModelError:
            if name == "state.transition":  # to be told that there is no such cell is to have read it
                self._note(name, arguments, self.work.entries, set())
            raise
        if name in ("kv.delete", "state.delete") and len(self.operations) == queued:
            self.operations.append(Operation(name, arguments, options))
        return result

    def commit(self, *, now: int) -> int | None:
        before = self.model.cv
        cv = super().commit(now=now)
        return cv if cv != before else None


def provisional(name: str, result: Any) -> Any:
    """What of a result is known within a transaction: the number of an event, but not its hash."""
    if name == "events.append":
        return result[0]
    return result
