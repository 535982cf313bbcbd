"""A replayed run as a document, and as a page: what each kind holds, and what the last step changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from devstate.engine.jsonable import jsonable
from devstate.findings import shortened, visible

from .run_pages import STATUS_STYLES, run_title
from .screen import Screen
from .shown_values import Veil, lasted, moment

if TYPE_CHECKING:
    from devstate.engine.view import Change, ReadOnlyView

__all__ = ["replay_document", "replay_lines"]

_MOST = 40


def replay_document(view: ReadOnlyView) -> dict[str, Any]:
    """The members of `devstate.replay/1` after `ok`."""
    told = view.to_dict()
    return {
        "run": told["run_id"],
        "step": view.step,
        "steps": view.n_steps,
        "complete": view.complete,
        "cv": view.cv,
        "ts": view.ts,
        "metadata": _without_owner(told.pop("run")),
        **{name: value for name, value in told.items() if name not in _HEAD},
        "changes": [change.to_dict() for change in view.changes],
        "digest": view.digest(),
    }


def replay_lines(view: ReadOnlyView, screen: Screen, veil: Veil) -> Iterator[str]:
    """The page for a person."""
    run = view.run
    title = run_title(run, veil) if run is not None else f"run {view.run_id}"
    status = run.status.value if run is not None else "not begun"
    yield (
        f"{screen.paint(title, 'strong')}  {screen.paint(status, STATUS_STYLES.get(status, 'plain'))}  "
        f"step {view.step:,} of {view.n_steps:,}"
    )
    if view.cv:
        yield screen.paint(f"  commit {view.cv:,}, {moment(view.ts)}", "dim")
    if not view.complete:
        yield screen.paint("  ! the history was pruned: this is the present state, not a replay", "look")
    for name in ("kv", "json", "state"):
        yield from _mapping(name, view.primitive(name), screen, veil)
    yield from _events(view, screen, veil)
    yield from _spans(view, screen, veil)
    yield from _others(view, screen, veil)
    if view.changes:
        yield ""
        yield f"  {screen.paint(f'what step {view.step:,} changed', 'strong')}"
        yield from _limited(
            [line for change in view.changes for line in _change(change, screen, veil)], screen
        )
    yield ""
    yield f"  {screen.paint('digest', 'dim')}  {view.digest()}"


_BUILT_IN = frozenset({"runs", "kv", "json", "state", "events", "traces"})
_HEAD = frozenset({"run_id", "step", "n_steps", "cv", "ts", "complete"})


def _without_owner(told: Any) -> Any:
    return (
        {name: value for name, value in told.items() if name != "owner"} if isinstance(told, dict) else told
    )


def _mapping(name: str, held: Mapping[str, Any], screen: Screen, veil: Veil) -> Iterator[str]:
    if not held:
        return
    yield ""
    yield f"  {screen.paint(name, 'strong')}  {screen.paint(f'{len(held):,}', 'dim')}"
    keys = list(held)[:_MOST]
    width = min(32, max(len(shortened(veil.text(key), 32)) for key in keys))
    for key in keys:
        shown = shortened(veil.text(key), width)
        yield f"    {shown:<{width}}  {veil.value(held[key], max(20, screen.width - width - 6), name=key)}"
    yield from _rest(len(held), screen)


def _events(view: ReadOnlyView, screen: Screen, veil: Veil) -> Iterator[str]:
    events = view.events
    if not len(events):
        return
    yield ""
    yield f"  {screen.paint('events', 'strong')}  {screen.paint(f'{len(events):,}', 'dim')}"
    if len(events) > _MOST:
        yield screen.paint(f"    ... {len(events) - _MOST:,} before these (see --json)", "dim")
    shown = [events[seq] for seq in range(max(0, len(events) - _MOST), len(events))]
    digits = len(f"{len(events) - 1:,}")
    width = min(24, max(len(shortened(veil.text(event.type), 24)) for event in shown))
    for event in shown:
        payload = veil.value(event.payload, max(20, screen.width - digits - width - 8), name=event.type)
        yield f"    {event.seq:>{digits},}  {shortened(veil.text(event.type), width):<{width}}  {payload}"


def _spans(view: ReadOnlyView, screen: Screen, veil: Veil) -> Iterator[str]:
    spans = view.traces
    if not len(spans):
        return
    yield ""
    yield f"  {screen.paint('traces', 'strong')}  {screen.paint(f'{len(spans):,}', 'dim')}"
    for span in spans[:_MOST]:
        took = lasted(span.start, span.end) or "open"
        attrs = veil.value(span.attrs, max(20, screen.width - 60)) if span.attrs else ""
        name = shortened(veil.text(span.name), 32)
        yield f"    {name}  {screen.paint(f'{visible(span.kind)}, {took}', 'dim')}  {attrs}".rstrip()
    yield from _rest(len(spans), screen)


def _others(view: ReadOnlyView, screen: Screen, veil: Veil) -> Iterator[str]:
    """Kinds of plug-ins."""
    for name, _ in view.diff_items():
        held = view.primitive(name) if name not in _BUILT_IN else None
        if not held:
            continue
        yield ""
        yield f"  {screen.paint(visible(name), 'strong')}"
        yield f"    {veil.value(dict(held) if isinstance(held, Mapping) else list(held), screen.width - 4)}"


def _change(change: Change, screen: Screen, veil: Veil) -> Iterator[str]:
    key = "" if change.key is None else f" {shortened(veil.text(str(change.key)), 40)}"
    head = f"{visible(change.primitive or 'unknown')} {visible(change.op)}{key}"
    room = max(20, screen.width - 12)
    if change.primitive == "json" and change.before is not None and change.after is not None:
        yield f"    {head}"
        yield from _inside(change, veil, room)
        return
    name = change.key
    if change.before is None and change.after is None:
        detail = {name: value for name, value in change.detail.items() if value not in (None, [], {})}
        yield f"    {head}  {veil.line(jsonable(detail), max(20, room - len(head))) if detail else ''}".rstrip()
    elif change.before is None:
        yield f"    {head}  {veil.value(change.after, max(20, room - len(head)), name=name)}"
    else:
        yield f"    {head}"
        yield f"      {screen.paint('-', 'bad')} {veil.value(change.before, room, name=name)}"
        if change.after is not None:
            yield f"      {screen.paint('+', 'good')} {veil.value(change.after, room, name=name)}"


def _inside(change: Change, veil: Veil, room: int) -> Iterator[str]:
    from devstate.engine.json_diff import diff_paths

    from .diff_reports import path_lines

    yield from path_lines(diff_paths(change.before, change.after, limit=_MOST), veil, room, indent="      ")


def _limited(lines: list[str], screen: Screen) -> Iterator[str]:
    yield from lines[: 2 * _MOST]
    if len(lines) > 2 * _MOST:
        yield screen.paint(f"    ... and {len(lines) - 2 * _MOST:,} more lines (see --json)", "dim")


def _rest(total: int, screen: Screen) -> Iterator[str]:
    if total > _MOST:
        yield screen.paint(f"    ... and {total - _MOST:,} more (see --json)", "dim")
