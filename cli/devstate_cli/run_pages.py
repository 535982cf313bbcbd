"""Runs in words and as documents: a table of them, and one with its steps, spans and contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devstate.engine.errors import HistoryPruned
from devstate.engine.ids import run_bytes
from devstate.engine.jsonable import jsonable
from devstate.engine.primitives.span_trees import trees
from devstate.findings import shortened, visible

from .databases import short_ids
from .screen import Screen
from .shown_values import Veil, ago, lasted, moment

if TYPE_CHECKING:
    from devstate.engine import Database
    from devstate.engine.framing import Transaction
    from devstate.engine.primitives.runs import RunMetadata
    from devstate.engine.primitives.span_trees import SpanNode

__all__ = [
    "STATUS_STYLES",
    "Page",
    "Step",
    "change_words",
    "looked_at",
    "page_document",
    "page_lines",
    "run_document",
    "run_table",
    "run_title",
]

STATUS_STYLES = {
    "active": "note",
    "completed": "good",
    "failed": "bad",
    "orphaned": "look",
    "cancelled": "dim",
}
_MOST_SPANS = 200
_MOST_CHANGES = 4


@dataclass(frozen=True)
class Step:
    """One transaction of a run; `changes` are (what was done, kind, key) of its entries."""

    number: int
    cv: int
    ts: int
    changes: tuple[tuple[str, str, str | int | None], ...]


@dataclass(frozen=True)
class Page:
    """One run as `run show` presents it. `steps` are the last ones; None where the history was pruned."""

    run: RunMetadata
    steps: tuple[Step, ...] | None
    spans: tuple[SpanNode, ...]
    span_count: int
    counts: dict[str, int]
    event_types: dict[str, int]


def looked_at(database: Database, run: RunMetadata, steps: int) -> Page:
    """Read what the page needs; at most the last `steps` steps, 0 for all. Raises WalCorruptionError."""
    handle = database.handle(run.run_id)
    spans = handle.traces.items()
    counts = {
        "kv": handle.kv.count(),
        "json": len(handle.json.keys()),
        "state": len(handle.state.names()),
        "events": run.event_count,
        "traces": len(spans),
    }
    try:
        found = _steps(database, run, steps)
    except HistoryPruned:
        found = None
    return Page(run, found, trees(spans, None), len(spans), counts, handle.events.types())


def run_document(run: RunMetadata) -> dict[str, Any]:
    """What is known of a run; times in microseconds of the epoch."""
    told: dict[str, Any] = jsonable(run)
    told["id"] = told.pop("run_id")
    told.pop("owner", None)
    return {"id": told.pop("id"), **told}


def run_title(run: RunMetadata, veil: Veil) -> str:
    """The identifier and the name."""
    return f"run {run.run_id}" + (f"  {visible(veil.text(run.name))}" if run.name else "")


def run_table(runs: Sequence[RunMetadata], screen: Screen, veil: Veil, *, now: int) -> Iterator[str]:
    """One line a run."""
    ids = short_ids(runs)
    width = max(len(text) for text in ids.values())
    whens = [ago(run.created_at, now) for run in runs]
    when_width = max(3, *map(len, whens))
    room = max(12, screen.width - width - when_width - 53)
    head = f"{'run':<{width}}  {'status':<9}  {'begun':<20}  {'':<{when_width}}  {'steps':>6}  {'events':>6}  name"
    yield screen.paint(head.rstrip(), "dim")
    for run, when in zip(runs, whens, strict=True):
        status = run.status.value
        tags = f"  [{', '.join(run.tags)}]" if run.tags else ""
        name = shortened(veil.text(f"{run.name or '-'}{tags}"), room)
        yield (
            f"{ids[str(run.run_id)]:<{width}}  {screen.paint(f'{status:<9}', STATUS_STYLES.get(status, 'plain'))}  "
            f"{moment(run.created_at):<20}  {screen.paint(f'{when:<{when_width}}', 'dim')}  "
            f"{run.tx_count:>6,}  {run.event_count:>6,}  {name}"
        )


def page_document(page: Page) -> dict[str, Any]:
    """The members of `devstate.run.show/1` after `ok`."""
    steps = page.steps
    return {
        "run": run_document(page.run),
        "counts": page.counts,
        "event_types": page.event_types,
        "steps": None
        if steps is None
        else [
            {
                "step": step.number,
                "cv": step.cv,
                "ts": step.ts,
                "changes": [{"op": op, "primitive": kind, "key": key} for op, kind, key in step.changes],
            }
            for step in steps
        ],
        "spans": [_span_document(node) for node in page.spans],
    }


def page_lines(page: Page, screen: Screen, veil: Veil, *, now: int) -> Iterator[str]:
    """The page for a person."""
    run = page.run
    status = run.status.value
    style = STATUS_STYLES.get(status, "plain")
    reason = f"  {shortened(veil.text(run.reason), max(20, screen.width - 30))}" if run.reason else ""
    yield f"{screen.paint(run_title(run, veil), 'strong')}  {screen.paint(status, style)}{reason}"
    yield ""
    rows: list[tuple[str, str]] = [("begun", f"{moment(run.started_at)}  {ago(run.started_at, now)}")]
    if run.ended_at is not None:
        took = lasted(run.started_at, run.ended_at)
        rows.append(("ended", f"{moment(run.ended_at)}  {ago(run.ended_at, now)}, after {took}"))
    if run.parent is not None:
        rows.append(("parent", str(run.parent)))
    if run.tags:
        rows.append(("tags", visible(veil.text(", ".join(run.tags)))))
    rows += [(name, veil.value(value, screen.width - 16, name=name)) for name, value in run.metadata.items()]
    held = ", ".join(f"{number:,} {name}" for name, number in page.counts.items() if number)
    rows.append(("holds", held or "nothing"))
    if page.event_types:
        told = ", ".join(
            f"{visible(veil.text(name))} {number:,}" for name, number in page.event_types.items()
        )
        rows.append(("events", shortened(told, screen.width - 16)))
    rows.append(
        ("commits", f"{run.first_cv:,} to {run.last_cv:,} of the database, {run.tx_count:,} of this run")
    )
    width = min(20, max(len(visible(name)) for name, _ in rows))
    for name, value in rows:
        yield f"  {screen.paint(f'{shortened(name, width):<{width}}', 'dim')}  {value}"
    yield ""
    yield from _steps_lines(page, screen, veil)
    if page.spans:
        yield ""
        yield f"  {screen.paint('spans', 'strong')}"
        yield from _span_lines(page, screen, veil)
    yield ""
    yield f"  {screen.paint('next', 'strong')}  devstate replay {str(run.run_id)[:8]}"


def change_words(changes: Iterable[tuple[str, str, str | int | None]], veil: Veil) -> str:
    """What was done, in a line: `kv put model, events append 3`."""
    told: list[str] = []
    rest = 0
    for op, kind, key in changes:
        if len(told) >= _MOST_CHANGES:
            rest += 1
            continue
        shown = "" if key is None else f" {shortened(veil.text(str(key)), 40)}"
        told.append(f"{visible(kind or 'unknown')} {visible(op)}{shown}")
    return ", ".join(told) + (f" and {rest:,} more" if rest else "")


def _steps(database: Database, run: RunMetadata, most: int) -> tuple[Step, ...]:
    raw = run_bytes(run.run_id)
    with database.history() as source:
        positions = source.positions(raw)
        first = max(0, len(positions) - most) if most else 0
        return tuple(
            _step(database, number, source.transaction(lsn))
            for number, lsn in enumerate(positions[first:], first + 1)
        )


def _step(database: Database, number: int, transaction: Transaction) -> Step:
    changes: list[tuple[str, str, str | int | None]] = []
    for entry in transaction.entries:
        primitive = database.primitives.handler(entry.entry_type)
        if primitive is None:
            changes.append((f"type 0x{entry.entry_type:02x}", "", None))
            continue
        told = primitive.describe(entry)
        changes.append((str(told["op"]), primitive.name, told["key"]))
    return Step(number, transaction.cv, transaction.ts, tuple(changes))


def _steps_lines(page: Page, screen: Screen, veil: Veil) -> Iterator[str]:
    total = page.run.tx_count
    if page.steps is None:
        yield f"  {screen.paint('steps', 'strong')}  the history of this run was deleted; its final state is kept"
        return
    head = "steps" if len(page.steps) == total else f"the last {len(page.steps):,} of {total:,} steps"
    yield f"  {screen.paint(head, 'strong')}"
    digits = len(f"{total:,}")
    commits = max((len(f"{step.cv:,}") for step in page.steps), default=1)
    before: int | None = None
    for step in page.steps:
        since = f"+{lasted(before, step.ts)}" if before is not None else ""
        words = shortened(change_words(step.changes, veil), max(20, screen.width - digits - commits - 53))
        yield (
            f"    {step.number:>{digits},}  {screen.paint(f'commit {step.cv:>{commits},}', 'dim')}  "
            f"{moment(step.ts)}  {screen.paint(f'{since:<12}', 'dim')}  {words}"
        )
        before = step.ts


def _span_lines(page: Page, screen: Screen, veil: Veil) -> Iterator[str]:
    shown = 0
    stack: list[tuple[SpanNode, int]] = [(node, 0) for node in reversed(page.spans)]
    while stack:
        node, depth = stack.pop()
        if shown == _MOST_SPANS:
            yield screen.paint(f"    ... and {page.span_count - shown:,} more (see --json)", "dim")
            return
        shown += 1
        span = node.span
        took = lasted(span.start, span.end) or "open"
        indent = "  " * min(depth, 20)
        attrs = veil.value(span.attrs, max(20, screen.width - 50 - 2 * min(depth, 20))) if span.attrs else ""
        name = shortened(veil.text(span.name), 40)
        yield f"    {indent}{name}  {screen.paint(f'{visible(span.kind)}, {took}', 'dim')}  {attrs}".rstrip()
        stack += [(child, depth + 1) for child in reversed(node.children)]


def _span_document(node: SpanNode) -> dict[str, Any]:
    """The tree, children inside their parents. From the hundredth level on they stand beside: readers have limits."""
    made: dict[str, Any] = {**jsonable(node.span), "children": []}
    stack: list[tuple[SpanNode, dict[str, Any], int]] = [(node, made, 0)]
    while stack:
        here, document, depth = stack.pop()
        for child in here.children:
            told: dict[str, Any] = {**jsonable(child.span), "children": []}
            target = document if depth < 100 else made
            target["children"].append(told)
            stack.append((child, told, depth + 1))
    return made
