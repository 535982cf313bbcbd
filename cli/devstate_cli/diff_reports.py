"""A difference in words, as a document, as a JSON patch and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devstate.engine.ids import run_bytes
from devstate.engine.json_diff import PathDiff, diff_paths, json_patch, same_value
from devstate.engine.jsonable import jsonable
from devstate.engine.run_diff import diff_views
from devstate.engine.view import ReadOnlyView
from devstate.errors import UsageError
from devstate.findings import shortened, visible
from devstate.pointer import join_pointer

from .diff_sides import FORMS, DocumentSide, RunSide, Side, SnapshotSide
from .run_pages import change_words, run_document
from .screen import Screen
from .shown_values import Veil
from .verdict import wrapped

if TYPE_CHECKING:
    from devstate.engine.run_diff import Divergence, RunDiff

__all__ = [
    "Difference",
    "Entry",
    "compared",
    "diff_document",
    "diff_lines",
    "markdown_lines",
    "patch_of",
    "path_lines",
]

_DOCUMENT = "document"
_PATCH_LIMIT = 1_000_000
_MOST_PATHS = 50
_MOST_ROWS = 500
_KINDS = ("kv", "json", "state", "events")


@dataclass(frozen=True)
class Entry:
    """One key that differs. `run` is set where several runs are compared at once."""

    primitive: str
    key: str | int
    value_a: Any
    value_b: Any
    run: str | None = None


@dataclass(frozen=True)
class Difference:
    """What is different in B. `truncated` where a document differs in more places than are listed."""

    a: Side
    b: Side
    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    modified: tuple[Entry, ...]
    truncated: bool = False
    divergence: Divergence | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.modified)

    def summary(self) -> str:
        """One line."""
        if self.is_empty:
            return "no difference"
        parts = ((len(self.added), "added"), (len(self.removed), "removed"), (len(self.modified), "modified"))
        told = ", ".join(f"{number:,} {what}" for number, what in parts if number)
        return f"{told}; and more" if self.truncated else told


def compared(a: Side, b: Side, *, traces: bool = False) -> Difference:
    """Compare two sides of the same form. Raises UsageError where they have none in common."""
    if isinstance(a, DocumentSide) and isinstance(b, DocumentSide):
        return _documents(a, b)
    if isinstance(a, RunSide) and isinstance(b, RunSide):
        found = diff_views(a.view, b.view, traces=traces)
        return Difference(a, b, *_entries(found, None))
    if isinstance(a, SnapshotSide) and isinstance(b, SnapshotSide):
        return _snapshots(a, b, traces)
    if isinstance(a, DocumentSide) or isinstance(b, DocumentSide):
        raise UsageError(
            f"{a.label} and {b.label} have no form in common: one is a document, the other holds runs",
            remedy="`devstate replay RUN --json > run.json` makes a document of a run. " + FORMS,
        )
    raise UsageError(
        f"{a.label} and {b.label} have no form in common: one is a run, the other a snapshot of many",
        remedy="Name the run in the snapshot: snapshot:FILE#RUN.",
    )


def diff_document(found: Difference, *, paths: bool) -> dict[str, Any]:
    """The members of `devstate.diff/1` after `ok`."""
    plain = isinstance(found.a, DocumentSide)

    def told(entry: Entry, *values: str) -> dict[str, Any]:
        run = {"run": entry.run} if entry.run is not None else {}
        shown = {name: getattr(entry, name) if plain else jsonable(getattr(entry, name)) for name in values}
        return {**run, "primitive": entry.primitive, "key": entry.key, **shown}

    def modified(entry: Entry) -> dict[str, Any]:
        made = told(entry, "value_a", "value_b")
        return {**made, **_paths_document(entry)} if paths and not plain else made

    document: dict[str, Any] = {
        "a": found.a.label,
        "b": found.b.label,
        "equal": found.is_empty,
        "added": [told(entry, "value_b") for entry in found.added],
        "removed": [told(entry, "value_a") for entry in found.removed],
        "modified": [modified(entry) for entry in found.modified],
        "truncated": found.truncated,
    }
    if isinstance(found.a, RunSide) and isinstance(found.b, RunSide) and found.a.live and found.b.live:
        document["first_divergence"] = _divergence_document(found.divergence)
    return document


def diff_lines(found: Difference, screen: Screen, veil: Veil, *, paths: bool) -> Iterator[str]:
    """The difference for a person."""
    for letter, style, side in (("a", "bad", found.a), ("b", "good", found.b)):
        name = f"  {visible(veil.text(side.name))}" if isinstance(side, RunSide) and side.name else ""
        yield f"{screen.paint(letter, style)}  {visible(veil.text(side.label))}{name}"
    if found.divergence is not None:
        for line in wrapped(_divergence_words(found.divergence, veil), screen.width - 3):
            yield screen.paint(f"   {line}", "dim")
    group: tuple[str | None, str] | None = None
    for entry, mark, style in _in_order(found):
        here = (entry.run, entry.primitive)
        if here != group:
            group = here
            yield ""
            of = f"  run {entry.run}" if entry.run is not None else ""
            yield f"  {screen.paint(visible(entry.primitive), 'strong')}{screen.paint(of, 'dim')}"
        yield from _entry_lines(entry, mark, style, screen, veil, paths)
    yield ""
    yield f"  {found.summary()}"


def markdown_lines(found: Difference, veil: Veil) -> Iterator[str]:
    """A section and a table for a comment on a change."""
    yield f"### {found.summary()[:1].upper()}{found.summary()[1:]}"
    yield ""
    yield f"`{_inline(veil.text(found.a.label))}` → `{_inline(veil.text(found.b.label))}`"
    if found.divergence is not None:
        yield ""
        yield _cell(_divergence_words(found.divergence, veil))
    if found.is_empty:
        return
    several = isinstance(found.a, SnapshotSide)
    yield ""
    yield f"|{' run |' if several else ''} | kind | key | before | after |"
    yield f"|{' --- |' if several else ''} --- | --- | --- | --- | --- |"
    rows = list(_in_order(found))
    for entry, mark, _ in rows[:_MOST_ROWS]:
        run = f" `{(entry.run or '')[:8]}` |" if several else ""
        before = "" if mark == "+" else f"`{_inline(veil.value(entry.value_a, 80, name=entry.key))}`"
        after = "" if mark == "-" else f"`{_inline(veil.value(entry.value_b, 80, name=entry.key))}`"
        key = _inline(shortened(veil.text(str(entry.key)), 60))
        yield f"|{run} {mark} | {_cell(entry.primitive)} | `{key}` | {before} | {after} |"
    if len(rows) > _MOST_ROWS:
        yield ""
        yield f"and {len(rows) - _MOST_ROWS:,} more"


def patch_of(a: Side, b: Side) -> list[dict[str, Any]]:
    """The RFC 6902 operations that turn A into B. Of a run they apply to its members `kv`, `json`, `state` and
    `events` (type and payload of each); of a snapshot to those by run. Raises EngineLimitExceeded.
    """
    return json_patch(diff_paths(_plain(a), _plain(b), limit=_PATCH_LIMIT))


def path_lines(diff: PathDiff, veil: Veil, room: int, *, indent: str) -> Iterator[str]:
    """What differs inside a value, a line for each path."""
    for change in diff.changes[:_MOST_PATHS]:
        pointer = join_pointer(change.path)
        path = shortened(veil.text(pointer), 60) or '""'
        left = max(16, room - len(path) - len(indent) - 6)
        name = change.path[-1] if change.path else None
        if change.kind == "add":
            yield f"{indent}+ {path}  {veil.value(change.b, left, name=name)}"
        elif change.kind == "remove":
            yield f"{indent}- {path}  {veil.value(change.a, left, name=name)}"
        else:
            half = max(8, left // 2)
            one, other = veil.value(change.a, half, name=name), veil.value(change.b, half, name=name)
            yield f"{indent}~ {path}  {one} → {other}"
    if len(diff.changes) > _MOST_PATHS or diff.truncated:
        yield f"{indent}... and more (see --json)"


def _documents(a: DocumentSide, b: DocumentSide) -> Difference:
    diff = diff_paths(a.value, b.value)
    by_kind: dict[str, list[Entry]] = {"add": [], "remove": [], "replace": []}
    for change in diff.changes:
        kind = "replace" if change.kind == "type" else change.kind
        by_kind[kind].append(Entry(_DOCUMENT, join_pointer(change.path), change.a, change.b))
    added, removed, modified = (tuple(by_kind[kind]) for kind in ("add", "remove", "replace"))
    return Difference(a, b, added, removed, modified, diff.truncated)


def _snapshots(a: SnapshotSide, b: SnapshotSide, traces: bool) -> Difference:
    """Run by run; a run that only one has is added or removed with all it holds."""
    runs_a = {str(run.run_id): run for run in a.view.runs()}
    runs_b = {str(run.run_id): run for run in b.view.runs()}
    added: list[Entry] = []
    removed: list[Entry] = []
    modified: list[Entry] = []
    for run in [*runs_a, *(run for run in runs_b if run not in runs_a)]:
        one, other = runs_a.get(run), runs_b.get(run)
        told_a = run_document(one) if one is not None else None
        told_b = run_document(other) if other is not None else None
        if told_a is None or told_b is None:
            target = added if told_a is None else removed
            target.append(Entry("runs", run, told_a, told_b, run))
        elif not same_value(told_a, told_b):
            modified.append(Entry("runs", run, told_a, told_b, run))
        view_a = a.view.run(run) if one is not None else _empty(run)
        view_b = b.view.run(run) if other is not None else _empty(run)
        more = _entries(diff_views(view_a, view_b, traces=traces), run)
        added += more[0]
        removed += more[1]
        modified += more[2]
    return Difference(a, b, tuple(added), tuple(removed), tuple(modified))


def _empty(run: str) -> ReadOnlyView:
    """The same run before it began."""
    from devstate.engine.builtin import builtin_registry

    return ReadOnlyView(builtin_registry().instances(), run_bytes(run), cv=0, ts=0, step=0, n_steps=0)


def _entries(
    found: RunDiff, run: str | None
) -> tuple[tuple[Entry, ...], tuple[Entry, ...], tuple[Entry, ...]]:
    def of(entries: Sequence[Any]) -> tuple[Entry, ...]:
        return tuple(Entry(one.primitive, one.key, one.value_a, one.value_b, run) for one in entries)

    return of(found.added), of(found.removed), of(found.modified)


def _plain(side: Side) -> Any:
    """The side as one JSON value."""
    if isinstance(side, DocumentSide):
        return side.value
    if isinstance(side, RunSide):
        return _plain_run(side.view)
    return {str(run.run_id): _plain_run(side.view.run(run.run_id)) for run in side.view.runs()}


def _plain_run(view: ReadOnlyView) -> dict[str, Any]:
    told: dict[str, Any] = {name: jsonable(dict(view.primitive(name))) for name in _KINDS if name != "events"}
    told["events"] = [{"type": event.type, "payload": jsonable(event.payload)} for event in view.events]
    return told


def _in_order(found: Difference) -> list[tuple[Entry, str, str]]:
    """Everything with its mark, by run, kind and key as they come."""
    order: dict[tuple[str | None, str], int] = {}
    rows = [
        *((entry, "-", "bad") for entry in found.removed),
        *((entry, "+", "good") for entry in found.added),
        *((entry, "~", "look") for entry in found.modified),
    ]
    kinds = ("runs", *_KINDS, "traces")
    for entry, _, _ in rows:
        order.setdefault((entry.run, entry.primitive), 0)

    def place(row: tuple[Entry, str, str]) -> tuple[str, int, str, int, str]:
        entry = row[0]
        kind = kinds.index(entry.primitive) if entry.primitive in kinds else len(kinds)
        number = entry.key if isinstance(entry.key, int) else -1
        return entry.run or "", kind, entry.primitive, number, str(entry.key)

    return sorted(rows, key=place)


def _entry_lines(
    entry: Entry, mark: str, style: str, screen: Screen, veil: Veil, paths: bool
) -> Iterator[str]:
    key = shortened(veil.text(str(entry.key)), 60) or '""'
    room = max(24, screen.width - len(key) - 8)
    head = f"    {screen.paint(mark, style)} {key}"
    name = str(entry.key).rpartition("/")[2]
    if mark == "+":
        yield f"{head}  {veil.value(entry.value_b, room, name=name)}"
    elif mark == "-":
        yield f"{head}  {veil.value(entry.value_a, room, name=name)}"
    elif paths and entry.primitive != _DOCUMENT and _containers(entry):
        yield head
        inside = diff_paths(entry.value_a, entry.value_b)
        yield from path_lines(inside, veil, screen.width - 8, indent="        ")
    else:
        one, other = (veil.value(value, room // 2 - 2, name=name) for value in (entry.value_a, entry.value_b))
        cut = one.endswith("…") or other.endswith("…")
        yield f"{head}  {_places(entry, veil, room) if cut and _containers(entry) else f'{one} → {other}'}"


def _places(entry: Entry, veil: Veil, room: int) -> str:
    """Where two large values differ: their beginnings, which is what fits, are mostly the same."""
    inside = diff_paths(entry.value_a, entry.value_b, limit=_MOST_PATHS)
    number = f"{len(inside.changes)}{'+' if inside.truncated else ''}"
    paths = ", ".join(join_pointer(change.path) or "the whole" for change in inside.changes)
    places = "place differs" if number == "1" else "places differ"
    return shortened(veil.text(f"{number} {places}: {paths}"), room)


def _containers(entry: Entry) -> bool:
    return isinstance(entry.value_a, (Mapping, list)) and isinstance(entry.value_b, (Mapping, list))


def _paths_document(entry: Entry) -> dict[str, Any]:
    diff = diff_paths(entry.value_a, entry.value_b)
    return {
        "paths": [
            {"path": join_pointer(one.path), "kind": one.kind, "a": jsonable(one.a), "b": jsonable(one.b)}
            for one in diff.changes
        ],
        "truncated": diff.truncated,
    }


def _divergence_document(found: Divergence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "step_a": found.step_a,
        "step_b": found.step_b,
        "changes_a": [change.to_dict() for change in found.changes_a],
        "changes_b": [change.to_dict() for change in found.changes_b],
    }


def _divergence_words(found: Divergence, veil: Veil) -> str:
    def did(step: int | None, changes: Sequence[Any]) -> str:
        if step is None:
            return "had ended"
        return "did " + change_words([(one.op, one.primitive, one.key) for one in changes], veil)

    step = found.step_a or found.step_b
    return (
        f"the same up to step {(step or 1) - 1:,}; in step {step:,} a {did(found.step_a, found.changes_a)}, "
        f"b {did(found.step_b, found.changes_b)}"
    )


def _inline(text: str) -> str:
    """Text inside backticks of a table."""
    return visible(text).replace("`", "'").replace("|", "\\|")


def _cell(text: str) -> str:
    """Text in Markdown that must not be taken for markup."""
    shown = visible(text)
    for letter in "\\`*_{}[]<>|#":
        shown = shown.replace(
            letter, f"\\{letter}" if letter not in "<>" else {"<": "&lt;", ">": "&gt;"}[letter]
        )
    return shown
