"""What differs between two runs (or two steps of one): by key, without the identity of the run.

Two values are the same where their bytes are, else where they are equal with types told apart (1, 1.0 and True
differ). Events are compared by number, by type and payload; their times and hashes always differ between runs.
Spans are compared only on demand: their identifiers are drawn anew in each run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .envelope import WalEntry
from .errors import RegistrationError
from .framing import Transaction
from .ids import RunId
from .journal import HistorySource
from .json_diff import CHANGE_LIMIT, PathDiff, diff_paths, same_value
from .json_path import format_path
from .jsonable import jsonable
from .view import Change, ReadOnlyView

if TYPE_CHECKING:
    from .registry import Primitives, Registry

__all__ = ["DiffEntry", "Divergence", "RunDiff", "diff_views", "first_divergence"]

_any = msgspec.msgpack.Decoder().decode

_SPANS: Final = "traces"
# What the entries of two runs that did the same thing still differ in: names of `describe`, by kind.
_OWN: Final[Mapping[str, frozenset[str]]] = {
    "events": frozenset({"hash"}),
    _SPANS: frozenset({"key", "parent", "start", "end"}),
    "runs": frozenset({"name", "parent", "tags", "metadata", "owner"}),
}
# How the values of these kinds are packed, for showing.
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "events": ("type", "payload"),
    _SPANS: ("parent", "kind", "name", "start", "end", "attrs", "tags"),
}


class DiffEntry(msgspec.Struct, frozen=True):
    """One key that differs: added ones have only `value_b`, removed ones only `value_a`; the other is None."""

    primitive: str
    key: str | int
    value_a: Any
    value_b: Any

    def paths(self, *, limit: int = CHANGE_LIMIT) -> PathDiff:
        """What differs inside the value, by path; at most `limit` changes."""
        return diff_paths(self.value_a, self.value_b, limit=limit)


class RunDiff(msgspec.Struct, frozen=True):
    """From run a to run b: keys only in b, only in a, and in both with other values; by type id and key."""

    run_a: RunId
    run_b: RunId
    added: tuple[DiffEntry, ...]
    removed: tuple[DiffEntry, ...]
    modified: tuple[DiffEntry, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.modified)

    @property
    def count(self) -> int:
        """How many keys differ."""
        return len(self.added) + len(self.removed) + len(self.modified)

    def summary(self) -> str:
        """One line for a person."""
        if self.is_empty:
            return "no difference"
        parts = ((len(self.added), "added"), (len(self.removed), "removed"), (len(self.modified), "modified"))
        return ", ".join(f"{number:,} {what}" for number, what in parts if number)

    def to_dict(self, *, paths: bool = False) -> dict[str, Any]:
        """The same for JSON (see `devstate.engine.jsonable`); with `paths` what differs inside modified values."""
        return {
            "run_a": str(self.run_a),
            "run_b": str(self.run_b),
            "added": [_told(entry, "value_b") for entry in self.added],
            "removed": [_told(entry, "value_a") for entry in self.removed],
            "modified": [
                {**_told(entry, "value_a", "value_b"), **(_told_paths(entry) if paths else {})}
                for entry in self.modified
            ],
        }


class Divergence(msgspec.Struct, frozen=True):
    """The first steps at which two histories differ; None and no changes for one that has ended by then.

    The changes are the entries as they stand in the log: `before` and `after` are None, `detail` has the rest.
    """

    step_a: int | None
    step_b: int | None
    changes_a: tuple[Change, ...]
    changes_b: tuple[Change, ...]


def diff_views(
    a: ReadOnlyView, b: ReadOnlyView, *, primitives: Collection[str] | None = None, traces: bool = False
) -> RunDiff:
    """What is different in `b`. `primitives`: the names of the kinds to compare, all that can be by default;
    spans only with `traces`, or where they are named. Raises RegistrationError for a name that no kind has.
    """
    items_a, items_b = dict(a.diff_items()), dict(b.diff_items())
    names = [*items_a, *(name for name in items_b if name not in items_a)]
    if primitives is not None:
        for name in primitives:
            if name not in names:
                raise RegistrationError(
                    f"no kind of records is named {name}", remedy=f"One of {', '.join(names)}."
                )
    added: list[DiffEntry] = []
    removed: list[DiffEntry] = []
    modified: list[DiffEntry] = []
    for name in names:
        if (name not in primitives) if primitives is not None else (name == _SPANS and not traces):
            continue
        old, new = items_a.get(name, {}), items_b.get(name, {})
        for key in sorted(old.keys() | new.keys()):
            one, other = old.get(key), new.get(key)
            if one == other:
                continue
            if one is None:
                added.append(DiffEntry(name, key, None, _decoded(name, other)))
            elif other is None:
                removed.append(DiffEntry(name, key, _decoded(name, one), None))
            else:
                value_a, value_b = _decoded(name, one), _decoded(name, other)
                if not same_value(value_a, value_b):
                    modified.append(DiffEntry(name, key, value_a, value_b))
    return RunDiff(a.run_id, b.run_id, tuple(added), tuple(removed), tuple(modified))


def first_divergence(
    source_a: HistorySource,
    run_a: bytes,
    source_b: HistorySource,
    run_b: bytes,
    registry: Registry,
) -> Divergence | None:
    """The first step at which two runs did different things; None where they did the same to the end.

    Steps are compared one by one, without building states: entries with their kinds, keys and contents, but not
    what differs in any two runs (identity, versions of commits, times, hashes, identifiers of spans, name, tags and
    metadata of the run). Raises RunNotFound, HistoryPruned, WalCorruptionError.
    """
    kinds = registry.instances()
    positions_a, positions_b = source_a.positions(run_a), source_b.positions(run_b)
    common = min(len(positions_a), len(positions_b))
    for index in range(common):
        one, other = source_a.transaction(positions_a[index]), source_b.transaction(positions_b[index])
        if not _same_step(kinds, one, other):
            return Divergence(index + 1, index + 1, _changes(kinds, one), _changes(kinds, other))
    if len(positions_a) > common:
        return Divergence(common + 1, None, _changes(kinds, source_a.transaction(positions_a[common])), ())
    if len(positions_b) > common:
        return Divergence(None, common + 1, (), _changes(kinds, source_b.transaction(positions_b[common])))
    return None


def _same_step(kinds: Primitives, a: Transaction, b: Transaction) -> bool:
    return len(a.entries) == len(b.entries) and all(
        one.entry_type == other.entry_type
        and same_value(_comparable(kinds, one, a.ts), _comparable(kinds, other, b.ts))
        for one, other in zip(a.entries, b.entries, strict=True)
    )


def _comparable(kinds: Primitives, entry: WalEntry, ts: int) -> Any:
    """What an entry says, but not what differs between any two runs."""
    primitive = kinds.handler(entry.entry_type)
    if primitive is None:
        parts = _any(entry.payload)
        return [parts[1], *parts[4:]] if isinstance(parts, list) else parts  # pyright: ignore[reportUnknownVariableType]
    told = primitive.describe(entry)
    own = _OWN.get(primitive.name, frozenset())
    kept: dict[str, Any] = {name: value for name, value in told.items() if name not in own}
    if isinstance(kept.get("expires_at"), int):
        kept["expires_at"] -= ts  # how long it lives is what the run chose
    if isinstance(kept.get("changes"), dict):
        kept["changes"] = {name: value for name, value in kept["changes"].items() if name != "owner"}
    return kept


def _changes(kinds: Primitives, transaction: Transaction) -> tuple[Change, ...]:
    found: list[Change] = []
    for entry in transaction.entries:
        primitive = kinds.handler(entry.entry_type)
        if primitive is None:
            found.append(Change("unknown", "", None, None, None, {"type": entry.entry_type}))
            continue
        told = primitive.describe(entry)
        op, key = str(told.pop("op")), told.pop("key")
        found.append(Change(op, primitive.name, key, None, None, told))
    return tuple(found)


def _decoded(name: str, raw: bytes | None) -> Any:
    value = _any(raw or b"\xc0")
    fields = _FIELDS.get(name)
    return dict(zip(fields, value, strict=False)) if fields is not None else value


def _told(entry: DiffEntry, *values: str) -> dict[str, Any]:
    told: dict[str, Any] = {"primitive": entry.primitive, "key": entry.key}
    return {**told, **{name: jsonable(getattr(entry, name)) for name in values}}


def _told_paths(entry: DiffEntry) -> dict[str, Any]:
    diff = entry.paths()
    changes = [
        {"path": format_path(one.path), "kind": one.kind, "a": jsonable(one.a), "b": jsonable(one.b)}
        for one in diff.changes
    ]
    return {"paths": changes, "truncated": diff.truncated}
