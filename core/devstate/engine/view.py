"""A run as it was at one step: read-only, detached from the database, decoded on access.

A view owns instances of the kinds of records that hold this state and nothing else changes; it hands out decoded
copies. Nothing in it reads a clock: an entry of KV that has expired since is still there, with its `expires_at`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from .envelope import WalEntry
from .errors import RegistrationError, RunNotFound
from .ids import RunId, run_text
from .json_edit import get_at
from .json_path import as_path
from .jsonable import jsonable
from .primitives.runs import RunMetadata
from .snapshot_writing import state_digest
from .versions import Record

if TYPE_CHECKING:
    from .primitive import Guard, StoragePrimitive
    from .registry import Primitives, Registry

__all__ = [
    "Change",
    "ReadOnlyView",
    "Recorded",
    "run_digest",
    "run_digests",
    "view_of_live",
]

_pack = msgspec.msgpack.Encoder().encode
_any = msgspec.msgpack.Decoder().decode
_END = 1 << 63
# What a run's record says beside the run's own story: where the log of this database has it.
_POSITIONS = ("first_lsn", "last_lsn")


class Change(msgspec.Struct, frozen=True):
    """One entry of a step: what was done to which key.

    `primitive` is the name of the kind (empty for one that is not registered). `before` and `after` are the whole
    values of the key, None where there is none. `detail` has what else the entry says: path, version, type, ...
    """

    op: str
    primitive: str
    key: str | int | None
    before: Any
    after: Any
    detail: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON (see `devstate.engine.jsonable`)."""
        return {name: jsonable(getattr(self, name)) for name in self.__struct_fields__}


class Recorded(msgspec.Struct, frozen=True):
    """An applied entry, with the records before and behind it; not decoded. `primitive` None: unknown kind."""

    entry: WalEntry
    primitive: StoragePrimitive | None
    key: str | int | None
    before: Record | None
    after: Record | None


class ReadOnlyView:
    """The records of one run at one step. Immutable; what its getters return belongs to the caller.

    `step` counts the transactions that are in it, `n_steps` all that the run had when the view was made. `cv` and
    `ts` (us) are those of the last one in it, 0 where there is none. `complete` is False where the history was
    pruned, and the state comes from the live store. `kv`, `json` and `state` are mappings in the order of keys;
    `events` and `traces` are sequences. `run` is None at step 0; its status is the one in the log.
    """

    __slots__ = (
        "__weakref__",
        "_primitives",
        "_recorded",
        "_run",
        "_views",
        "complete",
        "cv",
        "n_steps",
        "run_id",
        "step",
        "ts",
    )

    def __init__(
        self,
        primitives: Primitives,
        run: bytes,
        *,
        cv: int,
        ts: int,
        step: int,
        n_steps: int,
        complete: bool = True,
        recorded: Sequence[Recorded] = (),
    ) -> None:
        """`primitives` must not change any more. Not called directly."""
        set_once = super().__setattr__
        set_once("_primitives", primitives)
        set_once("_run", run)
        set_once("_views", {})
        set_once("_recorded", tuple(recorded))
        set_once("run_id", run_text(run))
        set_once("cv", cv)
        set_once("ts", ts)
        set_once("step", step)
        set_once("n_steps", n_steps)
        set_once("complete", complete)

    run_id: RunId
    cv: int
    ts: int
    step: int
    n_steps: int
    complete: bool
    _primitives: Primitives
    _run: bytes
    _views: dict[str, Any]
    _recorded: tuple[Recorded, ...]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a view cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a view cannot be changed")

    # -- what is in it

    def primitive(self, name: str) -> Any:
        """The records of a kind, as that kind shows them (a mapping or a sequence). Raises RegistrationError."""
        found = self._views.get(name)
        if found is None:
            found = self._primitives.named(name).view(self._run, _END)
            if isinstance(
                found, (Mapping, Sequence)
            ):  # immutable; anything else is made anew for each caller
                self._views[name] = found
        return found  # pyright: ignore[reportUnknownVariableType]

    @property
    def kv(self) -> Mapping[str, Any]:
        """KV: key to value."""
        return self.primitive("kv")

    @property
    def json(self) -> Mapping[str, Any]:
        """The documents, whole."""
        return self.primitive("json")

    @property
    def state(self) -> Mapping[str, Any]:
        """The cells: name to value."""
        return self.primitive("state")

    @property
    def events(self) -> Sequence[Any]:
        """The events (`Event`), by number."""
        return self.primitive("events")

    @property
    def traces(self) -> Sequence[Any]:
        """The spans (`Span`), in the order of their first records."""
        return self.primitive("traces")

    @property
    def run(self) -> RunMetadata | None:
        """What is known of the run at this step; None at step 0."""
        return self.primitive("runs")

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the transaction of this step did, entry by entry; empty for a view that no replay made."""
        return tuple(_change(one) for one in self._recorded)

    def get_kv(self, key: str, default: Any = None) -> Any:
        """The value of a key; `default` where it is absent."""
        return self.kv.get(key, default)

    def get_json(self, key: str, path: str | Sequence[str | int] = "") -> Any:
        """The document, or what is at a path in it. Raises KeyError without such a document, PathError."""
        document = self.json[key]
        steps = as_path(path)
        return get_at(document, steps) if steps else document

    def get_state(self, name: str, default: Any = None) -> Any:
        """The value of a cell; `default` where there is none."""
        return self.state.get(name, default)

    def keys(self) -> tuple[tuple[str, str | int], ...]:
        """All that is in it, as (name of the kind, key), by type id and key; spans and events too."""
        return tuple(
            (primitive.name, key)
            for primitive in self._primitives
            for key in sorted(primitive.diff_items(self._run))
        )

    def diff_items(self) -> Iterator[tuple[str, Mapping[Any, bytes]]]:
        """Name and encoded values of each kind, by type id: what `diff_views` compares."""
        for primitive in self._primitives:
            yield primitive.name, primitive.diff_items(self._run)

    def digest(self) -> str:
        """SHA-256 (hex) over the run's records: equal to that of the live run in the same state, and of any
        other replay to it, in whatever file or process."""
        return run_digest(self._primitives, self._run)

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON (see `devstate.engine.jsonable`)."""
        kinds = {primitive.name: self.primitive(primitive.name) for primitive in self._primitives}
        told = jsonable(kinds.pop("runs", None))
        records = {
            name: jsonable(dict(found) if isinstance(found, Mapping) else list(found))  # pyright: ignore[reportUnknownArgumentType]
            for name, found in kinds.items()
        }
        return {
            "run_id": str(self.run_id),
            "step": self.step,
            "n_steps": self.n_steps,
            "cv": self.cv,
            "ts": self.ts,
            "complete": self.complete,
            "run": told,
            **records,
        }

    def __repr__(self) -> str:
        return f"<run {self.run_id} at step {self.step} of {self.n_steps}>"


def view_of_live(
    primitives: Primitives, registry: Registry, run: bytes, cv: int, *, guard: Guard | None = None
) -> ReadOnlyView:
    """The present state of a run, taken out of the live store: for runs whose history was pruned.

    `cv` is the newest visible commit, `guard` the commit lock, which is held no longer than for a copy. The view
    says `complete` False, and has no changes. Costs a pass over all records. Raises RunNotFound.
    """
    held = nullcontext() if guard is None else guard
    twin = registry.instances()
    with held:
        primitives.require_run(run)
        versions = primitives.versions
        frozen = [(primitive.type_id, primitive.at(cv, held)) for primitive in primitives]
        reader = object()
        versions.enter(reader, cv)
    try:
        for type_id, state in frozen:
            records = [record for record in _encoded(state.snapshot_serialize()) if _run_of(record) == run]
            target = twin.numbered(type_id)
            if target is not None and records:
                target.snapshot_deserialize(memoryview(_array(records)))
    finally:
        with held:
            versions.leave(reader, cv)
    told: RunMetadata | None = twin.named("runs").view(run, _END)
    if told is None:
        raise RunNotFound(f"no run {run_text(run)} at commit {cv}", remedy="See `devstate run list`.")
    latest = twin.named("runs").latest(run, None)
    return ReadOnlyView(
        twin,
        run,
        cv=told.last_cv,
        ts=latest[2] if latest is not None else 0,
        step=told.tx_count,
        n_steps=told.tx_count,
        complete=False,
    )


def run_digest(primitives: Primitives, run: bytes) -> str:
    """SHA-256 (hex) over one run's records of all kinds, without their places in the log."""
    return state_digest(
        (
            primitive.type_id,
            (
                _placeless(primitive.name, record)
                for record in _encoded(primitive.snapshot_serialize())
                if _run_of(record) == run
            ),
        )
        for primitive in primitives
    )


def run_digests(primitives: Primitives) -> dict[bytes, str]:
    """`run_digest` of every run, in one pass."""
    found: dict[bytes, list[tuple[int, list[bytes]]]] = {}
    for primitive in primitives:
        for record in _encoded(primitive.snapshot_serialize()):
            kinds = found.setdefault(_run_of(record), [])
            if not kinds or kinds[-1][0] != primitive.type_id:
                kinds.append((primitive.type_id, []))
            kinds[-1][1].append(_placeless(primitive.name, record))
    return {run: state_digest(kinds) for run, kinds in found.items()}


def _change(one: Recorded) -> Change:
    primitive = one.primitive
    if primitive is None:
        kind = {"type": one.entry.entry_type, "version": one.entry.version, "bytes": len(one.entry.payload)}
        return Change("unknown", "", one.key, None, None, kind)
    told = primitive.describe(one.entry)
    op, key = str(told.pop("op")), told.pop("key")
    return Change(op, primitive.name, key, _decoded(one, one.before), _decoded(one, one.after), told)


def _decoded(one: Recorded, record: Record | None) -> Any:
    if record is None or record[1] is None:
        return None
    decode = getattr(one.primitive, "decode_value", None)
    return decode(one.key, record) if decode is not None else _any(record[1])


def _encoded(records: Iterable[bytes] | bytes) -> Iterable[bytes]:
    """The records of a kind, one by one, also where it gives them as one piece."""
    if not isinstance(records, (bytes, bytearray, memoryview)):
        return records
    raise RegistrationError("a kind of records must give its records one by one to be replayed")


def _run_of(record: bytes) -> bytes:
    """The run that a record begins with: an array header, then 16 bytes with theirs."""
    start = 1 if record[0] & 0xF0 == 0x90 else 3 if record[0] == 0xDC else 5
    return record[start + 2 : start + 18]


def _placeless(name: str, record: bytes) -> bytes:
    if name != "runs":
        return record
    *head, fields = _any(record)
    return _pack((*head, {key: value for key, value in fields.items() if key not in _POSITIONS}))


def _array(records: Sequence[bytes]) -> bytes:
    return b"".join((b"\xdd", len(records).to_bytes(4, "big"), *records))
